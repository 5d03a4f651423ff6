"""A forecaster of the user's own, named ``package.module:Class``: found, and held to the two protocols."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from engine.demand.panel import DemandPanel
from engine.errors import ConfigError
from engine.forecast.types import Fitted, FittedState, Forecaster

SEE = "docs/forecasters.md has a complete example"

FORECASTER = ("name", "fit", "from_state")
FITTED = ("notes", "sample", "state")
"""What the protocols in `engine.forecast.types` ask for."""


@dataclass(frozen=True)
class Supplied:
    """A forecaster whose fits are held to the protocol, so that a breach is told as what it is."""

    forecaster: Forecaster

    @property
    def name(self) -> str:
        return self.forecaster.name

    @property
    def cold_start(self) -> bool:
        return bool(getattr(self.forecaster, "cold_start", False))

    def fit(self, panel: DemandPanel) -> Fitted:
        return self._held(self.forecaster.fit(panel), "fit")

    def from_state(self, state: FittedState) -> Fitted:
        return self._held(self.forecaster.from_state(state), "from_state")

    def _held(self, fitted: Fitted, method: str) -> Fitted:
        lacking = _lacking(fitted, FITTED)
        if lacking:
            rule = f"What {method} of a forecaster returns must have {', '.join(FITTED)}"
            finding = f"a {type(fitted).__name__} without {', '.join(lacking)} from {self.name}"
            raise ConfigError(rule, finding, SEE)
        return fitted


def find_class(name: str) -> tuple[ModuleType, str]:
    """Return the module and the class that ``package.module:Class`` names; the module's code runs.

    Raises
    ------
    ConfigError
        The name has another form, the module cannot be loaded, or it has no such class.
    """
    module_name, _, class_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)):
        raise ConfigError("A forecaster of your own must be named package.module:Class", f"{name!r}", SEE)
    try:
        module = import_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"The module of forecaster {name!r} must load",
            f"{type(error).__name__}: {error}",
            "Install its package in restock's environment, or put its folder on PYTHONPATH",
        ) from error
    if not isinstance(getattr(module, class_name, None), type):
        classes = sorted(key for key, value in vars(module).items() if isinstance(value, type))
        rule = f"Module {module_name} must hold the class that forecast.models names"
        raise ConfigError(rule, f"no class {class_name!r} among {', '.join(classes) or 'none'}", "Correct the name")
    return module, class_name


def hold_to_protocol(made: object, name: str, taken: Container[str]) -> None:
    """Raise `ConfigError` unless ``made``, of the class called ``name``, is a forecaster with a name not ``taken``."""
    lacking = _lacking(made, FORECASTER)
    if lacking:
        rule = f"A forecaster must have {', '.join(FORECASTER)}"
        raise ConfigError(rule, f"{name!r} without {', '.join(lacking)}", SEE)
    label = getattr(made, "name", None)
    if not isinstance(label, str) or not label or label in taken:
        rule = "The `name` of your own forecaster must be a text that no shipped forecaster has"
        raise ConfigError(rule, f"{label!r} in {name!r}", "Give it another name")


def _lacking(found: object, wanted: tuple[str, ...]) -> list[str]:
    return [name for name in wanted if not hasattr(found, name)]
