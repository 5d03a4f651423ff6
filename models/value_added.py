"""Forecast value added: how much better the chosen forecasts met the past than the baseline, by ABC and XYZ class.

Gilliland (2010, The Business Forecasting Deal, ch. 4): a forecast is worth what it adds to that of a naive method.
The choice was made on the same cutoffs, so that what it adds is told a little too well.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.censoring import observed
from engine.demand.panel import DemandPanel
from engine.plan.summary import weekly_classes
from engine.policy.classes import XYZ_CUTS, abc_classes
from models.local_choice import yearly_value
from models.seasonal_factors import HALF_LIFE, SEASON, season_factors

Rows = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

CHOICE = "best_of"
"""Stands in a table of scores for whichever model was chosen for each series."""

EVERY = "all"
ABC, XYZ = ("A", "B", "C", EVERY), ("X", "Y", "Z", EVERY)
NAMES = {
    (EVERY if a == x == EVERY else f"{a}{x}".replace(EVERY, "")): (a, x) for a, x in product(ABC, XYZ)
}  # fmt: skip
"""Classes by the name that stands in the column ``segment`` of a table of scores: "AX", "A", "X", "all"."""

FEWEST_MONTHS = 6
COLUMNS = ("abc", "xyz", "n_series", "baseline", "baseline_loss", "loss", "value_added", "baseline_wape", "wape")


def class_rows(panel: DemandPanel) -> dict[str, Rows]:
    """Return the series of each class that has any, by its name in `NAMES`, each of shape (n,).

    ABC is by the revenue of the latest year, XYZ by the coefficient of variation of de-seasonalised demand.
    """
    xyz = _monthly_classes(panel) if panel.calendar.bucket == "M" else weekly_classes(panel)
    abc = abc_classes(yearly_value(panel))
    found = {}
    for name, (a, x) in NAMES.items():
        rows = ((abc == a) | (a == EVERY)) & ((xyz == x) | (x == EVERY))
        if name != EVERY and rows.any():
            found[name] = rows
    return found


def forecast_value_added(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what the choice added to the baseline, a row per class, from a table of scores with rows of `CHOICE`.

    Columns: abc and xyz ("all" for both together), n_series, baseline (its name), baseline_loss and loss (money),
    value_added (1 - loss / baseline_loss), baseline_wape and wape. See `models.best_of.Chosen` for the scores; without
    a choice among them there is no row.
    """
    if scores.empty or CHOICE not in set(scores["model"]):
        return pd.DataFrame({name: pd.Series(dtype="string" if name in _TEXTS else "float64") for name in COLUMNS})
    by_model: Mapping[str, pd.DataFrame] = {str(n): own.set_index("segment") for n, own in scores.groupby("model")}
    baseline = str(scores["model"].iloc[0])
    naive, own = by_model[baseline], by_model[CHOICE]
    rows = [
        (
            *NAMES[name], own["n_series"][name], baseline, naive["loss"][name], own["loss"][name],
            1 - own["loss"][name] / naive["loss"][name], naive["wape"][name], own["wape"][name],
        )
        for name in NAMES if name in own.index
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_TEXTS, "string"))


_TEXTS = ("abc", "xyz", "baseline")


def _monthly_classes(panel: DemandPanel) -> Texts:
    seen = observed(panel).T.astype(np.float64)
    factor = season_factors(seen, SEASON["M"], HALF_LIFE["M"])
    smooth = seen / factor[np.arange(-len(seen), 0) % len(factor)]
    known = np.isfinite(smooth)
    count = known.sum(axis=0)
    mean = np.where(known, smooth, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, smooth - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    told = (count >= FEWEST_MONTHS) & (mean > 0)
    variation = np.where(told, deviation / np.where(mean > 0, mean, 1.0), np.inf)
    return np.where(variation < XYZ_CUTS[0], "X", np.where(variation < XYZ_CUTS[1], "Y", "Z")).astype(object)
