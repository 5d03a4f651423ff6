"""What regressors do to an answer about the future: the answer with each of them over that without it ahead.

Without an event, a promotion or a price means: with what is usual for the series instead. One regressor after the
other is put back, by name, so that their factors multiply to the whole answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from engine.forecast.factors import Doubles
from models.features import PRICE
from models.known_effects import MIN_PLAIN
from models.local_design import regressor_values

LEAST_GAP = 1e-3
"""Share by which a price must differ from its mean to be told as above or below it."""


def lifts(
    answer: Callable[[DemandPanel], Doubles], panel: DemandPanel, horizon: int
) -> tuple[Doubles, dict[str, Doubles]]:
    """Return an answer without regressors, and the factor of each of them; every one of shape (n, horizon).

    ``answer`` gives positive numbers of that shape for a panel. A promotion and its depth have one factor; that of the
    price is told apart by where it stands against its mean.
    """
    there = [
        name
        for name in sorted(panel.regressors)
        if (_ahead(panel, name, horizon) != usual_value(panel, name)[:, None]).any()
    ]
    usual = {name: with_usual_ahead(panel, name) for name in there}
    step = replace(panel, regressors={**panel.regressors, **usual})
    whole, bare = answer(panel), answer(step)
    found: dict[str, Doubles] = {}
    before = bare
    for name in there if (whole != bare).any() else ():
        step = replace(step, regressors={**step.regressors, name: panel.regressors[name]})
        after = answer(step)
        lift = after / before
        multiply_into(found, by_price_side(panel, horizon, lift) if name == PRICE else {factor_name(name): lift})
        before = after
    return bare, found


def usual_value(panel: DemandPanel, name: str) -> Doubles:
    """Return the value of a regressor that its factor counts from, shape (n,).

    It is the mean of what was given in the history for a price, and for what is seldom zero there; else it is 0.
    """
    past = np.atleast_2d(regressor_values(panel, name)[..., : panel.calendar.n_history])
    given = np.isfinite(np.atleast_2d(panel.regressors[name][..., : panel.calendar.n_history]))
    mean = ordered_sum(np.where(given, past, 0.0)) / np.maximum(given.sum(axis=1), 1)
    seldom_zero = (past == 0).sum(axis=1) < MIN_PLAIN * past.shape[1]
    return np.broadcast_to(np.where(seldom_zero | (name == PRICE), mean, 0.0), (panel.n_series,))


def with_usual_ahead(panel: DemandPanel, name: str) -> npt.NDArray[np.float32]:
    """Return a regressor with its usual value in place of what lies ahead, in the shape it has in the panel."""
    values, usual = np.array(panel.regressors[name]), usual_value(panel, name)
    usual = np.exp(usual) if name == PRICE else usual
    values[..., panel.calendar.n_history :] = usual[:, None] if values.ndim == 2 else usual[:1]
    return values


def is_there(panel: DemandPanel, name: str, horizon: int) -> npt.NDArray[np.bool_]:
    """Return where a regressor is not zero ahead, shape (n, horizon); nowhere if the panel lacks it."""
    if name not in panel.regressors:
        return np.zeros((panel.n_series, horizon), np.bool_)
    return np.asarray(_ahead(panel, name, horizon) != 0)


def factor_name(name: str) -> str:
    """Return the factor that a regressor counts to: a promotion's depth belongs to the promotion."""
    return name.removesuffix("_depth") if name.startswith("promotion_") else name


def by_price_side(panel: DemandPanel, horizon: int, values: Doubles) -> dict[str, Doubles]:
    """Return the factor of the price as up to three: where it is above its mean, below, and neither."""
    if PRICE not in panel.regressors:
        return {"price": values}
    off = _ahead(panel, PRICE, horizon) - usual_value(panel, PRICE)[:, None]
    above, below = off > LEAST_GAP, off < -LEAST_GAP
    sides = {"price-above": above, "price-below": below, "price": ~(above | below)}
    return {name: np.where(here, values, 1.0) for name, here in sides.items()}


def multiply_into(found: dict[str, Doubles], more: Mapping[str, Doubles]) -> None:
    """Multiply factors by further ones; those that are 1 everywhere are left out."""
    for name, values in more.items():
        if (values != 1).any():
            found[name] = found[name] * values if name in found else values


def ordered_sum(values: Doubles) -> Doubles:
    """Return the sum over the last axis, in one fixed order, so that a row has the same bits in any batch."""
    if not values.shape[-1]:
        return np.zeros(values.shape[:-1])
    return np.asarray(np.cumsum(values, axis=-1)[..., -1])


def _ahead(panel: DemandPanel, name: str, horizon: int) -> Doubles:
    h = panel.calendar.n_history
    return np.broadcast_to(regressor_values(panel, name)[..., h : h + horizon], (panel.n_series, horizon))
