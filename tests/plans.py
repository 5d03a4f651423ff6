"""A made-up plan of a small company, with every table filled: for the tests of writers, tracker and service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.forecast.summary import forecast_table
from engine.forecast.types import SamplePaths
from engine.messages import Message
from engine.network.supplier_types import SupplierOrders
from engine.plan.alerts import AlertInputs, LateInbound, OpenOrderAlerts, alerts
from engine.plan.assemble import (
    CellLabels,
    TargetInputs,
    assumption_tables,
    costs_table,
    line_facts,
    targets_table,
)
from engine.plan.exposure import SalesFacts, next_arrival, shortage_before
from engine.plan.lines import option_line_ids, order_lines, transfer_lines
from engine.plan.params import AlertParams
from engine.plan.reasons import json_rows
from engine.plan.supplier_table import supplier_orders_table
from engine.plan.tables import plan_table
from engine.plan.types import Plan, SolveReport
from engine.policy.order_now import OrderCurves, build_curves
from engine.policy.targets import stock_targets
from engine.policy.types import Cells, Options, Scenarios, StockRule, Targets

AS_OF = np.datetime64("2025-10-27")
HORIZON = 42
N_HISTORY = 120
N_PATHS = 60
RULE = StockRule("cycle_service", "lost", np.ones(HORIZON, dtype=np.int64))
SITES = ("DC", "EAST", "NORTH", "SOUTH")
ITEMS = tuple(f"{number:04d}" for number in range(1, 13))
NAMES = dict(
    zip(
        ITEMS,
        (
            "Enamel mug 350 ml", "Walnut tray", "Linen apron", "Pour-over kettle", "Bamboo steamer", "Cast-iron pan",
            "Tea caddy <tin>", "Glass teapot", "Knife roll", "Rice cooker", "Chopsticks, ten pairs", "=Gift box",
        ),
        strict=True,
    )
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """The arrays a plan is made from: 12 items at a central and three regional warehouses."""

    cells: Cells
    options: Options
    targets: Targets
    paths: np.ndarray
    history: np.ndarray
    units: np.ndarray


def example_world(seed: int = 7) -> World:
    """Return the arrays of the example; the same seed gives the same world."""
    rng = np.random.default_rng(seed)
    n = len(ITEMS) * len(SITES)
    item, site = np.divmod(np.arange(n), len(SITES))
    central = site == 0
    rate = rng.lognormal(0.6, 1.0, len(ITEMS))[item] * np.array([3.0, 1.2, 0.9, 0.6])[site]
    season = 1 + 0.35 * np.sin(2 * np.pi * np.arange(-N_HISTORY, HORIZON) / 7)
    season[N_HISTORY + 14 : N_HISTORY + 17] *= 3
    level = rng.gamma(8, 1 / 8, (n, N_PATHS, 1))
    paths = rng.poisson(rate[:, None, None] * season[N_HISTORY:] * level).astype(np.float32)
    history = rng.poisson(rate[:, None] * season[:N_HISTORY]).astype(np.float32)
    cost = rng.uniform(4, 60, len(ITEMS)).round(2)[item]
    options = _options(item, site, cost)
    position = (rate * np.where(central, 30, 9) * rng.uniform(0.1, 2.0, n)).round()
    arrivals = np.zeros((n, HORIZON))
    arrivals[::5, 4] = (rate[::5] * 8).round()
    cells = Cells(
        item_id=np.array(ITEMS, dtype=object)[item],
        location_id=np.array(SITES, dtype=object)[site],
        divisible=np.zeros(n, dtype=bool),
        unit_cost=cost,
        unit_price=cost * 1.8,
        holding_cost=cost * 0.2 / 365,
        shortage_cost=cost * 0.8,
        backorder_cost=np.zeros(n),
        salvage_value=np.zeros(n),
        target=np.full(n, 0.95),
        min_stock=np.zeros(n),
        max_stock=np.full(n, np.inf),
        abc=np.array(["A", "B", "C"], dtype=object)[np.minimum(item // 4, 2)],
        available=position,
        backorders=np.zeros(n),
        arrivals=arrivals,
        end_bucket=np.full(n, HORIZON),
    )
    targets = stock_targets(cells, options, _scenarios(options, paths), RULE)
    return World(cells, options, targets, paths, history, targets.order_units)


def _options(item: np.ndarray, site: np.ndarray, cost: np.ndarray) -> Options:
    n = len(item)
    central = site == 0
    lead = np.where(central, 14, 3)
    review = np.where(central, 7, 2)
    return Options(
        cell=np.arange(n),
        origin_cell=np.where(central, -1, item * len(SITES)),
        source_id=np.where(central, np.where(item % 2, "SHENZHEN", "NINGBO"), "DC").astype(object),
        lane=np.where(central, -1, site - 1),
        primary=np.ones(n, dtype=bool),
        order_date=np.full(n, AS_OF),
        available_date=AS_OF + lead,
        next_order_date=AS_OF + review,
        next_available_date=AS_OF + lead + review,
        send_bucket=np.zeros(n, dtype=np.int64),
        arrival=lead,
        next_arrival=lead + review,
        lead_time_sd_days=np.zeros(n),
        unit_cost=np.where(central, cost, 0.4),
        min_units=np.zeros(n),
        multiple=np.where(central, 12.0, 1.0),
        max_units=np.full(n, np.inf),
    )


def _scenarios(options: Options, paths: np.ndarray) -> Scenarios:
    def fixed(buckets: np.ndarray) -> np.ndarray:
        return np.repeat(buckets[:, None], N_PATHS, axis=1).astype(np.int32)

    return Scenarios(paths, fixed(options.arrival), fixed(options.next_arrival))


def example_alert_inputs(world: World) -> AlertInputs:
    """Return what the alerts of the example are read off."""
    cells, days = world.cells, AS_OF + np.arange(HORIZON + 1)
    coming = next_arrival(cells.arrivals, world.options, world.units)
    probability, short = shortage_before(cells.available, cells.arrivals, world.paths, coming.bucket)
    usual = world.history[:, -63:-7].sum(axis=1) / 8.0
    recent = world.history[:, -7:].sum(axis=1).astype(float)
    recent[6] = 5 * usual[6] + 20
    unsold = np.where(np.arange(cells.n_cells) == cells.n_cells - 1, 240.0, 2.0)
    late = LateInbound(np.array([0]), np.array(["PO-1007"], dtype=object), np.array([40.0]), np.array([AS_OF - 5]))
    return AlertInputs(
        cells=cells, edges=days, mean_demand=world.paths.mean(axis=1, dtype=np.float64), next_arrival=coming,
        stock_out_probability=probability, expected_short=short,
        sales=SalesFacts(recent, usual.astype(float), unsold), late=late,
        changes=OpenOrderAlerts(
            np.array([5, 9]), np.array(["PO-1009", "PO-1011"], dtype=object), np.array(["1", "1"], dtype=object),
            np.array(["advance", "cancel"], dtype=object), np.array([48.0, 24.0]), np.array([48.0, 0.0]),
            np.array([AS_OF + 20, AS_OF + 12]), np.array([AS_OF + 9, AS_OF + 12]), np.array([88.5, 31.25]),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class ExampleDecision:
    """What was decided, as `engine.plan.assemble.Decided` asks for it."""

    units: np.ndarray
    rule: np.ndarray
    cost_of_waiting: np.ndarray
    cycle_service: np.ndarray
    fill_rate: np.ndarray


def example_decision(world: World) -> ExampleDecision:
    """Return a decision that follows each cell's own rule."""
    return ExampleDecision(
        units=world.units,
        rule=np.where(world.units > 0, "target", "no-need").astype(object),
        cost_of_waiting=world.units * world.cells.shortage_cost * 0.4,
        cycle_service=world.targets.expected_cycle_service,
        fill_rate=world.targets.expected_fill_rate,
    )


def example_plan(seed: int = 7) -> Plan:
    """Return a plan with rows in every table."""
    world = example_world(seed)
    cells, options, targets, decided = world.cells, world.options, world.targets, example_decision(world)
    facts = line_facts(options, targets, decided, "cycle_service")
    labels = CellLabels(np.full(cells.n_cells, "X", dtype=object), np.full(cells.n_cells, "boosting", dtype=object))
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    paths = SamplePaths(cells.item_id, cells.location_id, world.paths.astype(np.float32))
    tables = {
        "orders": order_lines("main", cells, options, facts),
        "transfers": transfer_lines("main", cells, options, facts),
        "planned": _planned(world),
        "supplier_orders": supplier_orders_table(_supplier_orders()),
        "open_order_changes": _open_order_changes(),
        "presale_allocations": _presale(),
        "presale_summary": _presale_summary(),
        "targets": targets_table(
            TargetInputs(cells, options, targets, decided, labels, "cycle_service")
        ),
        "forecast": forecast_table(paths, Calendar("D", AS_OF, 0, HORIZON), levels),
        "projection": _projection(world),
        "forecast_reasons": _forecast_reasons(world),
        "alternatives": _alternatives(world),
        **_changes(),
        "alerts": alerts(example_alert_inputs(world), AlertParams()),
        **assumption_tables(
            [
                Message("assumed-holding-cost", {"count": 48, "first": "0001 @ DC", "share_per_year": 0.2}),
                Message("assumed-shortage-cost", {"count": 48, "first": "0001 @ DC"}),
            ]
        ),
        **_shared_limits(world),
        "costs": costs_table({"holding": 212.4, "shortage": 1310.25, "orders": 120.0, "trips": 90.0}),
        "stock_to_service": _stock_to_service(),
    }  # fmt: skip
    solve = SolveReport("optimal", 1732.65, 1732.5, 8.7e-5, {"rounds": 6, "nodes": 1})
    return Plan(str(AS_OF), "D", tables, solve, example_curves(world), example_backtest())


def example_history(seed: int = 7) -> pd.DataFrame:
    """Return the sales before the plan, by item, location and day."""
    world = example_world(seed)
    n = world.cells.n_cells
    return pd.DataFrame(
        {
            "item_id": pd.array(np.repeat(world.cells.item_id, N_HISTORY), dtype="string[pyarrow]"),
            "location_id": pd.array(np.repeat(world.cells.location_id, N_HISTORY), dtype="string[pyarrow]"),
            "date": np.tile((AS_OF + np.arange(-N_HISTORY, 0)).astype("datetime64[ns]"), n),
            "units": world.history.reshape(-1).astype(float),
        }
    )


def _planned(world: World) -> pd.DataFrame:
    cells, options = world.cells, world.options
    rows = np.flatnonzero(options.origin_cell < 0)
    ids = option_line_ids("main/planned", cells, options, rows)
    return plan_table(
        "planned",
        {
            "line_id": ids,
            "kind": np.full(len(rows), "purchase", dtype=object),
            "item_id": cells.item_id[options.cell[rows]],
            "source_id": options.source_id[rows],
            "location_id": cells.location_id[options.cell[rows]],
            "units": np.full(len(rows), 24.0),
            "order_date": options.next_order_date[rows],
            "available_date": options.next_available_date[rows],
        },
    )


def _supplier_orders() -> SupplierOrders:
    n = 2
    numbers = {
        "units": [0.0, 96.0], "value": [0.0, 410.0], "volume": [0.0, 4.0], "asked_units": [12.0, 72.0],
        "asked_value": [60.0, 310.0], "asked_volume": [0.5, 3.0], "order_cost": [0.0, 25.0],
        "min_value": [400.0, 400.0], "min_volume": [0.0, 0.0], "container": [np.inf, np.inf],
        "cost_of_waiting": [3.5, 80.0], "gap": [0.0, 0.0],
    }  # fmt: skip
    return SupplierOrders(
        source_id=np.array(["MAKER", "MAKER"], dtype=object),
        location_id=np.array(["DC", "EAST"], dtype=object),
        order_date=np.full(n, AS_OF),
        status=np.array(["waits", "filled"], dtype=object),
        n_lines=np.array([0, 3]),
        periods_ahead=np.zeros(n, dtype=np.int64),
        **{name: np.array(values) for name, values in numbers.items()},
    )


def _stock_to_service() -> pd.DataFrame:
    service = np.array([0.9, 0.95, 0.98, 0.9, 0.95, 0.98, 0.95])
    return plan_table(
        "stock_to_service",
        {
            "policy": ["mix"] * 3 + ["uniform-fill-rate"] * 3 + ["uniform-cycle-service"],
            "setting": service,
            "service": service,
            "service_a": service,
            "service_b": service - 0.02,
            "service_c": np.full(7, np.nan),
            "stock_value": np.array([7000.0, 9000.0, 13000.0, 9500.0, 12600.0, 90000.0, 11000.0]),
            "next_unit_value": np.array([110.0, 240.0, 800.0, *[np.nan] * 4]),
            "chosen": np.array([0, 1, 0, 0, 0, 0, 0]),
        },
    )


def _open_order_changes() -> pd.DataFrame:
    units = np.array([48.0, 24.0])
    return plan_table(
        "open_order_changes",
        {
            "order_id": np.array(["PO-1009", "PO-1011"], dtype=object),
            "line_no": np.array(["1", "1"], dtype=object),
            "item_id": np.array(ITEMS[1:3], dtype=object),
            "location_id": np.full(2, "DC", dtype=object),
            "source_id": np.full(2, "NINGBO", dtype=object),
            "change": np.array(["advance", "cancel"], dtype=object),
            "units": units,
            "proposed_units": np.array([48.0, 0.0]),
            "due_date": np.array([AS_OF + 20, AS_OF + 12]),
            "proposed_date": np.array([AS_OF + 9, AS_OF + 12]),
            "gain": np.array([88.5, 31.25]),
            "reason_code": np.array(["open-advance", "open-cancel"], dtype=object),
            "reason_values": json_rows(
                {
                    "units": units, "proposed_units": np.array([48.0, 0.0]),
                    "due": np.array([AS_OF + 20, AS_OF + 12]), "proposed": np.array([AS_OF + 9, AS_OF + 12]),
                    "gain": np.array([88.5, 31.25]), "unmet_saved": np.array([90.0, 0.0]),
                    "unmet_added": np.zeros(2), "keeping_saved": np.array([0.0, 31.25]),
                    "keeping_added": np.array([1.5, 0.0]), "threshold": np.full(2, 10.0),
                }
            ),
        },
    )  # fmt: skip


def _changes() -> dict[str, pd.DataFrame]:
    effects = {
        "stock": 14.0,
        "forecast": -2.0,
        "buffer": 0.0,
        "dates": 0.0,
        "position": 20.0,
        "expected_position": 34.0,
    }
    day = np.array([AS_OF + 3])
    changes = {
        **{name: np.array([text], dtype=object) for name, text in (
            ("line_id", "LMADEUPLINE00003"), ("previous_line_id", "LMADEUPLINE00003"), ("kind", "purchase"),
            ("item_id", ITEMS[0]), ("source_id", "NINGBO"), ("location_id", "DC"), ("change", "units"),
            ("reason_code", "changed-stock"),
        )},
        "units_before": np.array([24.0]), "units": np.array([36.0]),
        "order_date_before": day, "order_date": day, "available_date_before": day + 14, "available_date": day + 14,
        "reason_values": json_rows({name: np.array([value]) for name, value in effects.items()}),
    }  # fmt: skip
    measures = {"lines": 12.0, "lines_kept": 11 / 12, "units_kept": 0.9, "new": 0, "gone": 0, "moved": 0, "resized": 1}
    stability = plan_table("stability", {"measure": list(measures), "value": np.array([*measures.values()], float)})
    return {"changes": plan_table("changes", changes), "stability": stability}


def _alternatives(world: World) -> pd.DataFrame:
    """Three quantities of the first place: the decision, a lot more, and nothing."""
    decided, lot = float(world.units[0]), 12.0
    units = np.array([0.0, decided, decided + lot])
    service = np.array([0.2, 0.96, 0.97])
    return plan_table(
        "alternatives",
        {
            **{name: np.full(3, text, dtype=object) for name, text in (
                ("item_id", ITEMS[0]), ("location_id", "DC"), ("source_id", "NINGBO"))},
            "units": units, "extra_cost": np.array([55.5, 0.0, 1.25]), "expected_cycle_service": service,
            "expected_fill_rate": service, "expected_service": service, "chosen": np.array([0, 1, 0]),
        },
    )  # fmt: skip


def _presale() -> pd.DataFrame:
    regions = ("EAST", "NORTH", "SOUTH")
    units = np.array([120.0, 80.0, 45.0])
    return plan_table(
        "presale_allocations",
        {
            "presale_id": np.full(3, "D11-2025", dtype=object),
            "item_id": np.full(3, ITEMS[3], dtype=object),
            "region": np.array(regions, dtype=object),
            "location_id": np.array(regions, dtype=object),
            "units": units,
            "supply_kind": np.array(["stock", "transfer", "transfer"], dtype=object),
            "line_id": np.array(["", "LMADEUPLINE00001", "LMADEUPLINE00002"], dtype=object),
            "promised_date": np.full(3, np.datetime64("2025-11-11")),
            "reason_code": np.full(3, "presale-example", dtype=object),
            "reason_values": json_rows({"units": units}),
        },
    )


def _presale_summary() -> pd.DataFrame:
    values = {"presale_id": ["D11-2025"], "item_id": [ITEMS[3]], "units": [245.0]}
    cases = {"": (0.98, 0.1), "_nothing": (0.5, 3.5), "_historical": (0.8, 1.2)}
    for case, (share, days) in cases.items():
        values |= {f"share_local{case}": [share], f"waiting_days{case}": [days]}
    return plan_table("presale_summary", {**values, "move_cost": [62.5], "move_cost_historical": [80.0]})


def _shared_limits(world: World) -> dict[str, pd.DataFrame]:
    """A budget that binds, and the line that would be bought next."""
    cells, options = world.cells, world.options
    row = np.flatnonzero(options.origin_cell < 0)[:1]
    limits = {
        "limit": ["budget"], "place_id": [""], "from_date": [AS_OF], "bound": [900.0], "asked": [1000.0],
        "used": [896.0], "price": [0.35],
    }  # fmt: skip
    next_best = {
        "rank": [1], "line_id": option_line_ids("main", cells, options, row), "limit": ["budget"],
        "item_id": cells.item_id[options.cell[row]], "source_id": options.source_id[row],
        "location_id": cells.location_id[options.cell[row]], "order_date": options.order_date[row],
        "units": [6.0], "value": [30.0], "gain": [10.2], "gain_per_money": [0.34],
    }  # fmt: skip
    return {"limits": plan_table("limits", limits), "next_best": plan_table("next_best", next_best)}


def _forecast_reasons(world: World) -> pd.DataFrame:
    cells = world.cells
    mean = world.paths.mean(axis=(1, 2), dtype=np.float64)
    until = AS_OF + world.options.next_arrival - 1
    told = {
        "first": np.full(cells.n_cells, "event_double_11", dtype=object), "first_change": np.full(cells.n_cells, 0.35),
        "second": np.full(cells.n_cells, "price-above", dtype=object), "second_change": np.full(cells.n_cells, -0.08),
        "third": np.full(cells.n_cells, None), "third_change": np.full(cells.n_cells, np.nan),
        "other_change": np.full(cells.n_cells, np.nan),
    }  # fmt: skip
    level = mean / 1.35 / 0.92
    return plan_table(
        "forecast_reasons",
        {
            "item_id": cells.item_id,
            "location_id": cells.location_id,
            "until": until,
            "level": level,
            "mean": mean,
            "reason_code": np.full(cells.n_cells, "forecast-a-day", dtype=object),
            "reason_values": json_rows({"level": level, "mean": mean, "until": until, **told}),
        },
    )


def _projection(world: World) -> pd.DataFrame:
    cells = world.cells
    n = cells.n_cells
    ordered = np.zeros((n, HORIZON))
    np.add.at(ordered, (world.options.cell, world.options.arrival), world.units)
    supply = cells.arrivals + ordered
    stock = np.repeat(cells.available[:, None], N_PATHS, axis=1)
    levels = np.zeros((n, N_PATHS, HORIZON))
    for day in range(HORIZON):
        stock = np.maximum(stock + supply[:, day, None] - world.paths[:, :, day], 0)
        levels[:, :, day] = stock
    return plan_table(
        "projection",
        {
            "item_id": np.repeat(cells.item_id, HORIZON),
            "location_id": np.repeat(cells.location_id, HORIZON),
            "date": np.tile(AS_OF + np.arange(HORIZON), n),
            "stock_mean": levels.mean(axis=1).reshape(-1),
            "stock_q0.05": np.quantile(levels, 0.05, axis=1).reshape(-1),
            "stock_q0.95": np.quantile(levels, 0.95, axis=1).reshape(-1),
            "inbound": cells.arrivals.reshape(-1),
            "ordered": ordered.reshape(-1),
        },
    )


def example_curves(world: World) -> OrderCurves:
    """Return what "order now" answers from."""
    return build_curves(world.cells, world.options, _scenarios(world.options, world.paths), RULE)


def example_backtest() -> pd.DataFrame:
    """Return scores by model and segment, the baseline first."""
    loss = {"seasonal_naive": (1.25, 2.31, 1.04, 0.40), "boosting": (1.05, 1.82, 0.92, 0.41)}
    rows = [
        {
            "model": model, "segment": segment, "n_series": 48.0 if segment == "all" else 16.0, "loss": value,
            "wape": 0.2 * value, "bias": 0.02, "coverage": 0.9,
            "chosen": segment != "all" and value == min(losses[place] for losses in loss.values()),
        }
        for model, values in loss.items()
        for place, (segment, value) in enumerate(zip(("all", "A-smooth", "B-smooth", "C-smooth"), values, strict=True))
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"model": "string[pyarrow]", "segment": "string[pyarrow]"})
