"""Four peak weeks, forecast before an order for them had to be placed, beside what a planner would do without a model.

    .venv/bin/python -m benchmarks.replay.peaks [uci] [m5] [demo]

`restock forecast` with its default models on tables whose sales end three weeks (a review of one and a lead time of
two) before the peak: UCI Online Retail before Christmas, one M5 store over Thanksgiving and over the Super Bowl, the
demo world over Double 11 (three seeds, judged by what truly was asked for). Writes benchmarks/results/peaks.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import write_table
from experiments.demo_world import build
from experiments.exchange.folder import write_tables
from experiments.importers.registry import import_tables
from experiments.run_forecast import ForecastRequest, run_forecast

WEEK, N_WEEKS, WEEKS_BEFORE = 7, 4, 3
KEYS = ["item_id", "location_id"]
TOLD = ("items", "locations", "item_locations", "events", "promotions", "prices")
"""Tables besides sales that a forecast reads; what they plan ahead was known."""

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Peak:
    """Four weeks of a data set: its tables, the first Monday, and the units of every pair and day of them.

    ``actual`` has the columns item_id, location_id, date and units.
    """

    name: str
    config: Path
    tables: Mapping[str, pd.DataFrame]
    monday: pd.Timestamp
    actual: pd.DataFrame

    @property
    def as_of(self) -> pd.Timestamp:
        return self.monday - pd.Timedelta(weeks=WEEKS_BEFORE)


def peaks(name: str) -> Iterator[Peak]:
    """Yield the peaks of a data set."""
    data = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))
    if name == "demo":
        monday = pd.Timestamp("2025-10-27")
        for seed in SEEDS:
            world = build(seed, str((monday - pd.Timedelta(weeks=WEEKS_BEFORE)).date()))
            truth = world.truth
            days = np.flatnonzero((truth.dates >= monday.to_datetime64()) & (truth.dates < end_of(monday)))
            asked = pd.DataFrame(truth.realised[:, days], columns=pd.to_datetime(truth.dates[days]))
            asked = asked.assign(item_id=truth.item_id, location_id=truth.location_id)
            actual = asked.melt(KEYS, var_name="date", value_name="units")
            yield Peak(f"demo, Double 11, seed {seed}", Path("configs/demo.toml"), world.tables, monday, actual)
        return
    source, folder, config, mondays = {
        "uci": ("uci-online-retail", "uci_online_retail", "uci", {"Christmas": "2011-11-07"}),
        "m5": ("m5:CA_1", "m5", "m5-store", {"Thanksgiving": "2015-11-23", "Super Bowl": "2016-02-01"}),
    }[name]
    tables = import_tables(source, data / folder)
    sales = tables["sales"]
    for peak, day in mondays.items():
        monday = pd.Timestamp(day)
        inside = (sales["date"] >= monday) & (sales["date"] < end_of(monday))
        actual = sales.loc[inside, [*KEYS, "date", "units"]]
        yield Peak(f"{name}, {peak}", Path("configs") / f"{config}.toml", tables, monday, actual)


def end_of(monday: pd.Timestamp) -> np.datetime64:
    """Return the day after the last of the weeks."""
    return (monday + pd.Timedelta(weeks=N_WEEKS)).to_datetime64()


def known(peak: Peak) -> dict[str, pd.DataFrame]:
    """Return the tables as of the day of the forecast: no later sale, and no item that had not sold by then."""
    sales = peak.tables["sales"]
    sales = sales[sales["date"] < peak.as_of]
    told = {name: peak.tables[name] for name in TOLD if name in peak.tables}
    if "known_from" in told.get("promotions", ()):
        told["promotions"] = told["promotions"][~(told["promotions"]["known_from"] > peak.as_of)]
    return {"sales": sales, **told, "items": told["items"][told["items"]["item_id"].isin(sales["item_id"])]}


def forecast(peak: Peak) -> pd.DataFrame:
    """Return the mean forecast by pair and bucket of the peak weeks: item_id, location_id, date, units."""
    horizon_weeks = WEEKS_BEFORE + N_WEEKS
    with tempfile.TemporaryDirectory() as folder:
        write_tables(known(peak), Path(folder) / "data")
        is_weekly = 'bucket = "W"' in peak.config.read_text(encoding="utf-8")
        request = ForecastRequest(
            data=str(Path(folder) / "data"),
            home=Path(folder) / "home",
            config=peak.config,
            as_of=str(peak.as_of.date()),
            horizon=horizon_weeks * (1 if is_weekly else WEEK),
        )
        table = run_forecast(request).tables["forecast"]
    table = table[table["date"] >= peak.monday]
    return table[[*KEYS, "date", "mean"]].rename(columns={"mean": "units"})


def by_week(rows: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Return units by pair, one column a week after ``first``, of the four weeks from then on."""
    week = (pd.to_datetime(rows["date"]) - first).dt.days // WEEK
    inside = (week >= 0) & (week < N_WEEKS)
    table = (
        rows[inside].assign(week=week[inside]).pivot_table(index=KEYS, columns="week", values="units", aggfunc="sum")
    )
    return table.reindex(columns=range(N_WEEKS)).fillna(0.0)


def rows_of(peak: Peak) -> list[dict[str, object]]:
    """Return a row for restock and for each baseline: WAPE of items and of the total, and accuracy of the total."""
    sales = peak.tables["sales"]
    sales = sales[sales["date"] < peak.as_of]
    month_ago, year_ago = peak.as_of - pd.Timedelta(weeks=N_WEEKS), peak.monday - pd.Timedelta(weeks=52)
    flat = by_week(sales, month_ago).mean(axis=1)
    said = {
        "restock": by_week(forecast(peak), peak.monday),
        "mean of four weeks": pd.DataFrame(dict.fromkeys(range(N_WEEKS), flat)),
    }
    if sales["date"].min() <= year_ago:
        said["the same weeks a year ago"] = by_week(sales, year_ago)
    actual = by_week(peak.actual, peak.monday)
    everything = actual.index
    for one in said.values():
        everything = everything.union(one.index)
    price = peak.tables["items"].set_index("item_id")["unit_price"].reindex(everything.get_level_values(0)).fillna(0.0)
    came = actual.reindex(everything).fillna(0.0).to_numpy() * price.to_numpy()[:, None]
    out: list[dict[str, object]] = []
    for name, one in said.items():
        guess = one.reindex(everything).fillna(0.0).to_numpy() * price.to_numpy()[:, None]
        total = abs(guess.sum(axis=0) - came.sum(axis=0)).sum() / came.sum()
        out.append(
            {
                "peak": peak.name,
                "forecast": name,
                "WAPE of items, %": f"{100 * np.abs((guess - came).sum(axis=1)).sum() / came.sum():.1f}",
                "WAPE of the total, %": f"{100 * total:.1f}",
                "accuracy of the total, %": f"{100 * (1 - total):.1f}",
                "bias, %": f"{100 * (guess.sum() / came.sum() - 1):+.1f}",
            }
        )
    return out


def main(names: list[str]) -> None:
    """Measure the named data sets, all by default, and write the table."""
    rows = [row for name in names or ["uci", "m5", "demo"] for peak in peaks(name) for row in rows_of(peak)]
    notes = [
        f"Items at a location over the four weeks together, the total by week; revenue; sales known until "
        f"{WEEKS_BEFORE} weeks before. Items that had not sold by then are in the demand and not in the forecasts.",
        "Asked: WAPE of items and of the total at least 20 % below the better baseline; accuracy of the total 92 %.",
    ]
    write_table("peaks", "Forecasts of four peak weeks", rows, notes)


if __name__ == "__main__":
    main(sys.argv[1:])
