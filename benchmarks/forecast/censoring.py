"""Demand behind stock-outs, recovered on days where it is known.

    .venv/bin/python -m benchmarks.forecast.censoring [--develop]

Writes benchmarks/results/forecast_censoring.md. ``--develop`` scores the days before those that the table is about,
on which the method was chosen, and writes forecast_censoring_develop.md. Reads the folder RESTOCK_DATA (default
../shared/data).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.forecast.censoring_data import Bools, Doubles, HourlySales, fresh_retail, hour_profile, panel_of
from benchmarks.forecast.censoring_masks import depleted, transplanted
from benchmarks.measure import write_table
from engine.demand.censoring import censored, expected_demand
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel

MASKS: Mapping[str, Callable[[HourlySales, np.random.Generator], Bools]] = {
    "transplanted": transplanted,
    "depleted": depleted,
}
SEED = 20240625
SCORED_DAYS = 30
CLASSES: Mapping[str, tuple[float, float]] = {
    "all": (0.0, np.inf),
    "under 0.5": (0.0, 0.5),
    "0.5 to 1": (0.5, 1.0),
    "1 to 2": (1.0, 2.0),
    "2 and over": (2.0, np.inf),
}
"""Units a day of slow and fast series: from, and below."""

ALL_DAYS = ", with days that ran out"

NOTES = (
    "FreshRetailNet: 5,000 series of a store and a product, the last 30 of 90 days. All was chosen on the 30 before",
    "(`--develop`) and scored on these once. The history is the fully stocked days, 40 % of all, and stock-outs are",
    "laid over some of them, scored or earlier. *Transplanted*: the hours out of stock of another day. *Depleted*: a",
    "stock is drawn, what another day sold, and the day ends with the hour in which it is gone; many a stock lasts.",
    "",
    "- bias / WAPE: in per cent of the true demand of the days that ran out. masked: their share of the scored days.",
    "- units a day: mean of a series' fully stocked days; a single sale is mostly 0.1.",
    "- sales / share: sales over the share of the day's demand that the hours on sale usually bring, by the product's",
    "  hourly profile from the days before those scored; the mean of other days where there was no such hour.",
    "- other days: the mean of the series' days so far that did not run out.",
    "- restock: `engine.demand.censoring.expected_demand`, from the same share.",
    "- *with days that ran out*: the history holds the days that really ran out, too. By the hour they sold more than",
    "  fully stocked ones, so levels that rightly count them lie above the only days on which the truth is known.",
)


@dataclass(frozen=True)
class Case:
    """A panel with stock-outs laid over it, the demand behind, and the days to score; shape (n, n_days)."""

    name: str
    panel: DemandPanel
    truth: Doubles
    days: Bools
    scored: Bools


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every estimate on both kinds of masks and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--develop", action="store_true")
    options = parser.parse_args(arguments)
    sales = fresh_retail()
    end = len(sales.days) - (SCORED_DAYS if options.develop else 0)
    rows = [row for case in cases(sales, end) for row in scored(case, daily_units(sales))]
    table = "forecast_censoring_develop" if options.develop else "forecast_censoring"
    write_table(table, "Demand behind stock-outs, recovered on fully stocked days", rows, NOTES)


def cases(sales: HourlySales, end: int) -> Iterator[Case]:
    """Yield both kinds of masks, on fully stocked days alone and among all days; the last days before ``end`` count."""
    stocked = sales.stocked
    profile = hour_profile(sales, end - SCORED_DAYS)
    truth = sales.sold.sum(axis=2, dtype=np.float64)
    days = stocked.copy()
    days[:, : end - SCORED_DAYS], days[:, end:] = False, False
    for history, label in ((stocked, ""), (np.ones_like(stocked), ALL_DAYS)):
        for name, mask in MASKS.items():
            laid = mask(sales, np.random.default_rng(SEED))
            panel = panel_of(sales, np.where(stocked[:, :, None], laid, sales.out), profile, history)
            yield Case(name + label, panel, truth, days, days & censored(panel))


def daily_units(sales: HourlySales) -> Doubles:
    """Return each series' mean units of a fully stocked day, shape (n,)."""
    total = np.where(sales.stocked, sales.sold.sum(axis=2, dtype=np.float64), 0).sum(axis=1)
    return np.asarray(total / np.maximum(sales.stocked.sum(axis=1), 1))


def scored(case: Case, daily: Doubles) -> Iterator[dict[str, object]]:
    """Yield the row of all series and, on fully stocked days alone, one for each class of speed."""
    found = estimates(case.panel)
    for units, (low, high) in CLASSES.items():
        if units != "all" and case.name.endswith(ALL_DAYS):
            continue
        inside = ((daily >= low) & (daily < high))[:, None]
        yield {
            "stock-outs": case.name,
            "units a day": units,
            "masked": f"{100 * (case.scored & inside).sum() / (case.days & inside).sum():.0f} %",
            **{name: told(estimate, case.truth, case.scored & inside) for name, estimate in found.items()},
        }


def told(estimate: Doubles, truth: Doubles, scored: Bools) -> str:
    """Return bias and WAPE in per cent as text."""
    bias, wape = errors(estimate[scored], truth[scored])
    return f"{bias:+.1f} / {wape:.1f}"


def errors(estimate: Doubles, truth: Doubles) -> tuple[float, float]:
    """Return bias and WAPE in per cent of the true demand."""
    total = truth.sum()
    return float(100 * (estimate.sum() / total - 1)), float(100 * np.abs(estimate - truth).sum() / total)


def estimates(panel: DemandPanel) -> dict[str, Doubles]:
    """Return the demand of every day by method, shape (n, n_days)."""
    units, share = panel.units.astype(np.float64), panel.available.astype(np.float64)
    others = mean_of_other_days(panel)
    return {
        "sales (bias / WAPE)": units,
        "sales / share": np.divide(units, share, out=others.copy(), where=share > 0),
        "other days": others,
        "restock": expected_demand(panel).astype(np.float64),
    }


def mean_of_other_days(panel: DemandPanel) -> Doubles:
    """Return the mean of the series' earlier days that were on offer and did not run out, (n, n_days); 0 before any."""
    whole = on_offer(panel)[:, : panel.calendar.n_history] & ~censored(panel)
    total = np.cumsum(np.where(whole, panel.units, 0), axis=1, dtype=np.float64)
    count = np.cumsum(whole, axis=1)
    mean = np.zeros(whole.shape)
    mean[:, 1:] = (total / np.maximum(count, 1))[:, :-1]
    return mean


if __name__ == "__main__":
    main()
