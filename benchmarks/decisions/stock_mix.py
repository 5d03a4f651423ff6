"""The stock mix against one service for all: stock value at equal realised fill rate on held-out demand.

    .venv/bin/python -m benchmarks.decisions.stock_mix [m5] [uci]

Boosting is fitted once, before the held-out stretch, and samples each week from the history to that week. Every policy
orders on the same paths, in whole units, and its stock is walked through what was really asked for, lost sales, no
stock to begin with. The first review periods, until stock has settled, are not scored. Reads the folder RESTOCK_DATA
(default ../shared/data); writes benchmarks/results/stock_mix.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.forecast_quick.panels import DATA, m5_panel
from benchmarks.measure import RESULTS, write_table
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.panel import DemandPanel
from engine.forecast.params import ForecastParams
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.policy.aims import outlook
from engine.policy.block import Block, raw_order
from engine.policy.classes import abc_classes
from engine.policy.curve import option_blocks
from engine.policy.mix_curves import CLASSES, Seats, mix_curves
from engine.policy.params import Objective
from engine.policy.stock_mix import Goal, Ladder, mix_targets
from engine.policy.types import Cells, Options, Scenarios, StockRule
from engine.simulation import (
    Lines,
    Shipments,
    SimulationRules,
    StockState,
    Trace,
    no_lines,
    simulate,
    stock_value,
)
from engine.tables.check import check_tables
from experiments.importers.registry import import_tables
from experiments.settings import read_settings
from models.boosting import Boosting

F64 = npt.NDArray[np.float64]

SETTINGS = (0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99)
COMPARED = (0.9, 0.95, 0.97)
BELOW = 0.05
"""The floor of every class lies this much below the share asked for over all."""

Target = Callable[[Cells, Options, Scenarios, StockRule], F64]
"""From cells and their paths to the target of each."""


@dataclass(frozen=True)
class Case:
    """Demand to order for: a panel whose last ``n_held_out`` buckets are ordered for, and ``n_settling`` of them not
    scored; what a unit in stock is worth, shape (n,)."""

    panel: DemandPanel
    n_held_out: int
    n_settling: int
    unit_value: F64

    @property
    def interval(self) -> tuple[int, int]:
        first, second = self.panel.interval[0].tolist()
        return first, second


def m5() -> Case:
    """One store: ordered on the same day each week, a week of lead time, ten weeks of which eight are scored."""
    panel = m5_panel()
    return Case(panel, 70, 14, _last_price(panel.cut(70)))


def uci() -> Case:
    """A gift shop by the week, as its importer states its supply; twelve weeks of which eight are scored."""
    settings = read_settings(Path("configs/uci.toml"))
    tables = check_tables(
        {
            k: v
            for k, v in import_tables("uci-online-retail", DATA / "uci_online_retail").items()
            if k != "import_report"
        }
    ).tables
    calendar, _ = choose_calendar(tables, settings.time, None)
    keys = demand_keys(tables, calendar)
    network = build_network(tables, settings, calendar, keys)
    panel, _ = build_panel(tables, settings, network.calendar, keys, network.interval_for(keys))
    return Case(panel, 12, 4, _last_price(panel.cut(12)))


def _last_price(past: DemandPanel) -> F64:
    """Return the last price seen before the held-out stretch, their median where none was."""
    price = pd.DataFrame(past.price).ffill(axis=1).iloc[:, -1].to_numpy(np.float64)
    return np.where(np.isnan(price), np.nanmedian(price), price)


@dataclass(frozen=True)
class Reviews:
    """What every policy orders on: the paths of each review, by bucket of the held-out stretch."""

    case: Case
    abc: npt.NDArray[np.object_]
    paths: Mapping[int, npt.NDArray[np.float32]]
    demand: F64


def reviews(case: Case) -> Reviews:
    """Fit before the held-out stretch and sample each review's paths."""
    past = case.panel.cut(case.n_held_out)
    fitted = Boosting().fit(past)
    first, second = case.interval
    paths = {}
    for bucket in range(0, case.n_held_out, second - first):
        here = case.panel.cut(case.n_held_out - bucket)
        paths[bucket] = fitted.sample(here, second, ForecastParams().n_paths, Streams(0)).units
        print(f"paths of review {bucket} of {case.n_held_out}", file=sys.stderr, flush=True)
    year = {"D": 364, "W": 52}[past.calendar.bucket]
    abc = abc_classes(past.units[:, -year:].sum(axis=1, dtype=np.float64) * case.unit_value)
    return Reviews(case, abc, paths, case.panel.units[:, -case.n_held_out :].astype(np.float64))


def walk(given: Reviews, objective: Objective, target: Target) -> Trace:
    """Return what a policy's stock goes through in the held-out stretch."""
    n = len(given.demand)
    first, second = given.case.interval
    panel = given.case.panel
    days = {"D": 1, "W": 7}[panel.calendar.bucket]
    rule = StockRule(objective, "lost", np.full(second, days, dtype=np.int64))

    def order(state: StockState) -> Lines:
        cells, options = _world(given, state)
        paths = given.paths[state.bucket]
        arrival, later = (np.broadcast_to(np.int32(bucket), (n, paths.shape[1])) for bucket in (first, second))
        scenarios = Scenarios(paths, arrival, later)
        cells = replace(cells, target=target(cells, options, scenarios, rule))
        units = least_orders(cells, options, scenarios, rule)
        rows = np.flatnonzero(units > 0)
        if not len(rows):
            return no_lines()
        text = np.full(len(rows), "", dtype=object)
        whole = np.full(len(rows), state.bucket, dtype=np.int64)
        none = np.full(len(rows), np.nan)
        return Lines(text, rows, np.full(len(rows), -1), text, units[rows], none, whole, whole + first, none)

    nothing = np.zeros(n)
    state = StockState(0, nothing, nothing, Shipments(no_lines(), np.zeros(0, np.int64)))
    return simulate(state, given.demand, order, SimulationRules(second - first)).trace


def least_orders(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> F64:
    """Return what `engine.policy.targets.stock_targets` orders, without the levels that it tells beside."""
    units = np.zeros(options.n_options)
    beyond = outlook(cells, options, scenarios, rule)
    for rows in option_blocks(scenarios, np.arange(options.n_options)):
        units[rows] = raw_order(Block(cells, options, scenarios, rule, beyond, rows)).units
    return units


def _world(given: Reviews, state: StockState) -> tuple[Cells, Options]:
    """Return the cells as they stand, and each one's purchase link."""
    n, panel = len(given.demand), given.case.panel
    first, second = given.case.interval
    arrivals = np.zeros((n, second))
    lines, when = state.inbound.lines, state.inbound.arrives - state.bucket
    np.add.at(arrivals, (lines.cell, when), lines.units)
    zero, none, inf = np.zeros(n), np.full(n, np.nan), np.full(n, np.inf)
    value = given.case.unit_value
    cells = Cells(
        item_id=panel.item_id, location_id=panel.location_id, divisible=np.zeros(n, dtype=bool), unit_cost=value,
        unit_price=value, holding_cost=zero, shortage_cost=zero, backorder_cost=zero, salvage_value=none, target=zero,
        min_stock=zero, max_stock=inf, abc=given.abc, available=state.on_hand, backorders=zero, arrivals=arrivals,
        end_bucket=np.full(n, second),
    )  # fmt: skip
    day = np.full(n, np.datetime64("2000-01-01", "D"))
    whole = np.full(n, -1)
    options = Options(
        cell=np.arange(n), origin_cell=whole, source_id=np.full(n, "", dtype=object), lane=whole,
        primary=np.ones(n, dtype=bool), order_date=day, available_date=day, next_order_date=day,
        next_available_date=day, send_bucket=np.zeros(n, dtype=np.int64), arrival=np.full(n, first),
        next_arrival=np.full(n, second), lead_time_sd_days=zero, unit_cost=value, min_units=zero, multiple=zero,
        max_units=inf,
    )  # fmt: skip
    return cells, options


def one_target(share: float) -> Target:
    """Return the policy that gives every cell the same target."""
    return lambda cells, *_: np.full(cells.n_cells, share)


def mix_target(share: float, below: float = BELOW, by_revenue: bool = False) -> Target:
    """Return the stock mix for a share of units, or of revenue, with a floor so far ``below`` for every class."""
    goal = Goal(share, dict.fromkeys(CLASSES, share - below))

    def target(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> F64:
        n = cells.n_cells
        weight = cells.unit_price if by_revenue else np.ones(n)
        seats = Seats(np.arange(n), weight, cells.unit_cost, np.zeros(n, dtype=bool))
        curves = mix_curves(cells, options, scenarios, rule, seats)
        found = mix_targets(curves, Ladder.of(curves).reach(goal))
        return np.where(np.isnan(found), share, found)

    return target


POLICIES: Mapping[str, tuple[Objective, Callable[[float], Target]]] = {
    "mix": ("fill_rate", mix_target),
    "uniform cycle service": ("cycle_service", one_target),
    "uniform fill rate": ("fill_rate", one_target),
}


def curve(name: str, given: Reviews) -> pd.DataFrame:
    """Return realised fill rates and mean stock value of every policy and setting."""
    rows = []
    start = given.case.n_settling
    for policy, (objective, build) in POLICIES.items():
        for setting in SETTINGS:
            trace = walk(given, objective, build(setting))
            demand, short = (units[:, start:].sum(axis=1) for units in (trace.demand, trace.short))
            fills = {"fill": 1 - short.sum() / demand.sum()}
            fills |= {f"fill {c}": 1 - short[given.abc == c].sum() / demand[given.abc == c].sum() for c in CLASSES}
            value = float(stock_value(trace, given.case.unit_value)[start:].mean())
            rows.append({"data": name, "policy": policy, "setting": setting, **fills, "value": value})
            print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def compared(found: pd.DataFrame) -> list[dict[str, object]]:
    """Return stock value at equal realised fill rates, interpolated between settings, as one row a rate."""
    rows: list[dict[str, object]] = []
    for name, part in found.groupby("data", sort=False):
        for fill in COMPARED:
            at = {policy: interpolated(part[part["policy"] == policy], "fill", fill) for policy in POLICIES}
            mix, cycle, uniform = (at[policy] for policy in POLICIES)
            if mix is None:
                continue
            over = {c: mix[f"fill {c}"] - (mix["setting"] - BELOW) for c in CLASSES}
            worst = min(over, key=lambda c: over[c])
            rows.append(
                {
                    "data": name,
                    "realised fill rate": f"{fill:.0%}",
                    "stock value, mix": f"{mix['value']:,.0f}",
                    "less than uniform cycle service": _less(mix, cycle),
                    "less than uniform fill rate": _less(mix, uniform),
                    "share asked of the mix": f"{mix['setting']:.1%}",
                    "fill rate A / B / C": " / ".join(f"{mix[f'fill {c}']:.1%}" for c in CLASSES),
                    "class nearest its floor": f"{worst} {100 * over[worst]:+.1f} points",
                }
            )
    return rows


def interpolated(part: pd.DataFrame, by: str, value: float) -> dict[str, float] | None:
    """Return all columns where the column ``by`` has a value, None where no two settings enclose it."""
    ordered = part.sort_values(by)
    reached = ordered[by].to_numpy()
    if not reached[0] <= value <= reached[-1]:
        return None
    columns = [column for column in ordered if column not in ("data", "policy")]
    return {column: float(np.interp(value, reached, ordered[column].to_numpy())) for column in columns}


def _less(mix: Mapping[str, float], other: Mapping[str, float] | None) -> str:
    return "not reached" if other is None else f"{1 - mix['value'] / other['value']:.1%}"


def main(names: list[str]) -> None:
    """Measure the named data sets, all by default, and write the tables."""
    cases = {"m5": m5, "uci": uci}
    notes = [
        "Asked: 10 % less than uniform cycle service, 25 % less than uniform fill rate, no class below its floor.",
        f"The floor of each class is the share asked for less {BELOW:.0%}. Units are valued at their last price before "
        "the held-out stretch (neither set gives costs). All settings: stock_mix.csv.",
    ]
    RESULTS.mkdir(exist_ok=True)
    found: list[pd.DataFrame] = []
    for name in names or list(cases):
        found.append(curve(name, reviews(cases[name]())))
        every = pd.concat(found, ignore_index=True)
        every.to_csv(RESULTS / "stock_mix.csv", index=False)
        write_table("stock_mix", "Stock value at equal realised fill rate, held-out demand", compared(every), notes)


if __name__ == "__main__":
    main(sys.argv[1:])
