"""Did planners' changes of the forecast help? Each beside the demand that came, once its days are over.

An error is the absolute difference between demand over all that an override held for and the mean forecast of it:
without the change, and with it. The difference of the two errors is what the change was worth, in units (forecast
value added of a step in the process: Gilliland, 2010, The Business Forecasting Deal, ch. 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.demand.censoring import expected_demand
from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.demand.spans import covered_days, scope_of
from engine.messages import Value

SCORED, RUNNING, OVERTAKEN, UNSEEN = "scored", "running", "overtaken in part", "nothing seen"

_SCOPE = ("item_id", "category", "location_id", "region")
_KEPT = ("override_id", "author", "reason", "first_day", "last_day", "before", "after")
COLUMNS = (*_KEPT, "demand", "error_before", "error_after", "gain", "status")


def score_overrides(told: Sequence[Mapping[str, Value]], panel: DemandPanel) -> pd.DataFrame:
    """Return one row an override, in the order given.

    Parameters
    ----------
    told
        The values of ``override-applied`` messages of a past plan or forecast.
    panel
        Demand as it is known now; its cutoff decides which days are over.

    Returns
    -------
    pandas.DataFrame
        Who changed what and why; ``before`` and ``after``: mean forecast in units; ``demand``: units over the days that
        it held, stock-outs estimated; ``error_before``, ``error_after``: absolute; ``gain``: the first less the
        second, above 0 if the change helped. ``status``: `SCORED`; `RUNNING`: days still to come; `OVERTAKEN`: a later
        override held for part of it, so that its units cannot be told apart; `UNSEEN`: none of its series is known.
    """
    frame = pd.DataFrame([dict(one) for one in told])
    if frame.empty:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS})
    frame = frame.reindex(columns=[*_KEPT, *_SCOPE, "overtaken"])
    start, end = (frame[name].to_numpy("datetime64[D]") for name in ("first_day", "last_day"))
    row, series = scope_of(SeriesKeys(panel.item_id, panel.location_id), panel.static).matches(frame)
    demand = _demand(panel, row, series, (start, end), len(frame))
    seen = np.bincount(row, minlength=len(frame)) > 0
    status = np.select(
        [end >= panel.calendar.as_of, frame["overtaken"].to_numpy(np.float64) > 0, ~seen],
        [RUNNING, OVERTAKEN, UNSEEN],
        SCORED,
    )
    known = np.where(status == SCORED, demand, np.nan)
    before, after = (np.abs(frame[name].to_numpy(np.float64) - known) for name in ("before", "after"))
    return frame[list(_KEPT)].assign(
        demand=known, error_before=before, error_after=after, gain=before - after, status=status
    )


def by_author(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what the scored overrides of each author came to: how many, how many helped, errors and gain in units."""
    scored = scores[scores["status"] == SCORED]
    named = scored.assign(author=scored["author"].fillna(""), helped=scored["gain"] > 0)
    return named.groupby("author", sort=True).agg(
        overrides=("override_id", "size"),
        helped=("helped", "sum"),
        error_before=("error_before", "sum"),
        error_after=("error_after", "sum"),
        gain=("gain", "sum"),
    ).reset_index()  # fmt: skip


def _demand(
    panel: DemandPanel,
    row: np.ndarray[tuple[int], np.dtype[np.int64]],
    series: np.ndarray[tuple[int], np.dtype[np.int64]],
    days: tuple[np.ndarray[tuple[int], np.dtype[np.datetime64]], np.ndarray[tuple[int], np.dtype[np.datetime64]]],
    n_rows: int,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the demand of every row over its days; a bucket that is covered in part counts by its days."""
    out = np.zeros(n_rows)
    h = panel.calendar.n_history
    for number in range(n_rows):
        members = np.unique(series[row == number])
        if not len(members):
            continue
        start, end = (np.repeat(day[number], len(members)) for day in days)
        place = np.arange(len(members))
        covered, _ = covered_days(place, start, end, np.ones(len(members)), panel.calendar, len(members))
        share = covered[:, :h] / panel.calendar.days[:h]
        out[number] = float((np.nan_to_num(expected_demand(panel.take(members))) * share).sum(dtype=np.float64))
    return out
