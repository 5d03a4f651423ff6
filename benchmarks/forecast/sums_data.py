"""What sums are measured on: the spans, the cutoffs of each fit, and the panel of any cutoff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.panels import panel_after, read_sales
from benchmarks.forecast.m5.slices import sliced
from benchmarks.forecast.spare_parts_data import man
from benchmarks.forecast_quick.panels import vn2_panel
from engine.demand.panel import DemandPanel
from engine.forecast.backtest import Actuals, actuals_after

Ints = npt.NDArray[np.int64]

M5_SPANS = (7, 14, 28)
M5_FITS = (1836, 1878)
"""Last training day of each fit; every one serves `M5_CUTOFFS` cutoffs, a week apart."""
M5_DEVELOP_FITS = (1731, 1773)
M5_CUTOFFS = 6

VN2_BACKS = ((25, 23, 21, 19, 17, 15), (13, 11, 9, 7, 5, 3))
VN2_WEEKS = 3


@dataclass(frozen=True)
class SumSet:
    """A data set whose demand is summed over spans.

    Parameters
    ----------
    name, model
        Of the set, and of the forecaster that is measured on it.
    spans
        What each span is called.
    ends
        Buckets of each span, shape (n, n_spans); 0 where a series has no such span.
    fits
        Per fit its cutoffs, earliest first: the model is fitted at the first and serves all of them, frozen.
    at
        The panel of a cutoff and the demand that followed.
    groups
        Group of each series whose sums are scored too, shape (n,), empty text where there is none.
    bucket
        "day" or "week".
    """

    name: str
    model: str
    spans: tuple[str, ...]
    ends: npt.NDArray[np.int32]
    fits: tuple[tuple[int, ...], ...]
    at: Callable[[int], tuple[DemandPanel, Actuals]]
    groups: npt.NDArray[np.str_]
    bucket: str


def m5_sums(develop: bool, stores: str, n_series: int | None) -> SumSet:
    """Return M5: sums over 7, 14 and 28 days, of series and of departments of a store."""
    sales = sliced(read_sales(), stores, n_series)

    def at(last_day: int) -> tuple[DemandPanel, Actuals]:
        panel, units = panel_after(sales, last_day)
        return panel, Actuals(units.astype(np.float64), panel.offered[:, panel.calendar.n_history :])

    starts = M5_DEVELOP_FITS if develop else M5_FITS
    n = len(sales.items)
    return SumSet(
        name="m5",
        model="boosting",
        spans=tuple(f"{days} days" for days in M5_SPANS),
        ends=np.tile(np.array(M5_SPANS, np.int32), (n, 1)),
        fits=tuple(tuple(first + 7 * week for week in range(M5_CUTOFFS)) for first in starts),
        at=at,
        groups=(sales.items["store_id"] + " " + sales.items["dept_id"]).to_numpy(np.str_),
        bucket="day",
    )


def vn2_sums(develop: bool) -> SumSet:
    """Return VN2: sums over three weeks of the last half year, or of the one before it."""
    panel = vn2_panel()
    panel = panel.cut(VN2_BACKS[0][0]) if develop else panel
    ends = np.full((panel.n_series, 1), VN2_WEEKS, np.int32)
    return _weekly("vn2", "boosting", panel, (f"{VN2_WEEKS} weeks",), ends, VN2_BACKS)


def man_sums(develop: bool) -> SumSet:
    """Return the spare parts of MAN: sums over the lead time plus a week."""
    parts = man().development() if develop else man()
    length = parts.panel.interval[:, 1]
    kinds = np.unique(length)
    ends = np.where(length[:, None] == kinds, kinds, 0).astype(np.int32)
    return _weekly("man", "counts", parts.panel, tuple(f"{weeks} weeks" for weeks in kinds), ends, (parts.backs,))


def _weekly(
    name: str, model: str, panel: DemandPanel, spans: tuple[str, ...], ends: npt.NDArray[np.int32],
    fits: tuple[tuple[int, ...], ...],
) -> SumSet:  # fmt: skip
    horizon = int(ends.max())

    def at(back: int) -> tuple[DemandPanel, Actuals]:
        return panel.cut(back), actuals_after(panel, back, horizon)

    return SumSet(name, model, spans, ends, fits, at, np.full(panel.n_series, ""), "week")
