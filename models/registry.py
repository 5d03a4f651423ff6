"""Forecasters by name, loaded when they are asked for: importing this imports no forecaster library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

from engine.errors import ConfigError
from engine.execution import Run
from engine.forecast.params import ForecastParams
from engine.forecast.types import Forecaster

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
    "prophet": "models.prophet:Prophet",
    "boosting": "models.boosting:Boosting",
}
"""Module and class of every forecaster. A class beside ``<class>Params`` takes it as ``params``."""


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
        One of `CLASSES`.
    params
        Settings of the forecaster that differ from its defaults.
    forecast
        Gives ``max_local_fits`` to a per-series model, unless ``params`` states it.
    run
        Gives the executor that spreads per-series fits.

    Raises
    ------
    ConfigError
        The name or a setting is unknown, or a value is out of range.
    """
    if name not in CLASSES:
        raise ConfigError(
            f"A forecaster must be one of {', '.join(CLASSES)}", f"{name!r}", _nearest(name, list(CLASSES))
        )
    module_name, class_name = CLASSES[name].split(":")
    module = import_module(module_name)
    make = cast(Callable[..., Forecaster], getattr(module, class_name))
    options: dict[str, object] = {}
    known = {field.name for field in fields(cast(Any, make))}
    if "executor" in known and run is not None:
        options["executor"] = run.executor
    make_params = getattr(module, f"{class_name}Params", None)
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
    return make(**options)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"Did you mean {near[0]!r}?" if near else "Leave it out"
