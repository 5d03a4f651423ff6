"""Forecasters by name, loaded when they are asked for: importing this imports no forecaster library.

A name with a colon, ``package.module:Class``, is a forecaster of the user's own. Loading it runs its code, so such a
name belongs in settings written by those who run restock; the HTTP service refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from engine.errors import ConfigError
from engine.execution import Run
from engine.forecast.params import ForecastParams
from engine.forecast.types import Forecaster
from models.supplied import Supplied, find_class, hold_to_protocol

CLASSES: Mapping[str, str] = {
    "seasonal_naive": "models.seasonal_naive:SeasonalNaive",
    "moving_average": "models.moving_average:MovingAverage",
    "theta": "models.theta:Theta",
    "arima_111": "models.arima_111:Arima111",
    "ets": "models.ets:Ets",
    "blend": "models.blend:Blend",
    "croston_sba": "models.croston:CrostonSba",
    "tsb": "models.tsb:Tsb",
    "counts": "models.count:Counts",
    "arima": "models.arima:Arima",
    "auto_arima": "models.arima_auto:AutoArima",
    "prophet": "models.prophet:Prophet",
    "boosting": "models.boosting:Boosting",
    "lstm": "models.lstm:Lstm",
}
"""Module and class of every forecaster. A class beside ``<class>Params`` takes it as ``params``."""

EXTRAS: Mapping[str, str] = {"lstm": "lstm"}
"""Forecasters whose library is not among restock's own requirements, and the extra that brings it."""


def create(
    name: str,
    params: Mapping[str, Any] | None = None,
    forecast: ForecastParams | None = None,
    run: Run | None = None,
) -> Forecaster:
    """Return the forecaster of that name.

    Parameters
    ----------
    name
        One of `CLASSES`, or ``package.module:Class``.
    params
        Settings of the forecaster that differ from its defaults.
    forecast
        Gives ``max_local_fits`` to a per-series model, unless ``params`` states it.
    run
        Gives the executor that spreads per-series fits.

    Raises
    ------
    ConfigError
        The name or a setting is unknown, a value is out of range, the forecaster's library is not installed, or a
        forecaster of the user's own cannot be loaded or lacks what the protocol asks for.
    """
    own = ":" in name
    if not own and name not in CLASSES:
        rule = f"A forecaster must be one of {', '.join(CLASSES)}, or package.module:Class"
        raise ConfigError(rule, f"{name!r}", _nearest(name, list(CLASSES)))
    module, class_name = find_class(name) if own else _shipped(name)
    make = cast(Callable[..., Forecaster], getattr(module, class_name))
    options = _options(name, module, class_name, params, forecast, run)
    if not own:
        return make(**options)
    try:
        made = make(**options)
    except TypeError as error:
        rule = "A forecaster of your own must be made from `params` and `executor` alone, as far as it has them"
        raise ConfigError(rule, f"{name!r}: {error}", "Give its other fields defaults") from error
    hold_to_protocol(made, name, CLASSES)
    return Supplied(made)


def _shipped(name: str) -> tuple[ModuleType, str]:
    module_name, class_name = CLASSES[name].split(":")
    try:
        return import_module(module_name), class_name
    except ModuleNotFoundError as error:
        if name not in EXTRAS:
            raise
        raise ConfigError(
            f"Forecaster {name} needs the extra {EXTRAS[name]!r} of restock",
            f"no module {error.name!r}",
            f"Install it with `pip install 'restock[{EXTRAS[name]}]'` or leave {name} out of forecast.models",
        ) from error


def _options(
    name: str,
    module: ModuleType,
    class_name: str,
    params: Mapping[str, Any] | None,
    forecast: ForecastParams | None,
    run: Run | None,
) -> dict[str, object]:
    """Return what the class is made from."""
    make = getattr(module, class_name)
    options: dict[str, object] = {}
    known = {field.name for field in fields(make)} if is_dataclass(make) else set()
    if "executor" in known and run is not None:
        options["executor"] = run.executor
    make_params = getattr(module, f"{class_name}Params", None)
    make_params = make_params if isinstance(make_params, type) and is_dataclass(make_params) else None
    given = dict(params or {})
    allowed = [field.name for field in fields(make_params)] if make_params else []
    for key in given:
        if key not in allowed:
            rule = f"A setting of {name} must be one of {', '.join(allowed) or 'none'}"
            raise ConfigError(rule, f"{key!r}", _nearest(key, allowed))
    if make_params:
        if "max_local_fits" in allowed and forecast is not None:
            given.setdefault("max_local_fits", forecast.max_local_fits)
        try:
            options["params"] = make_params(**given)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Settings of {name} must be in range", str(error), "Correct it") from error
    return options


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"Did you mean {near[0]!r}?" if near else "Leave it out"
