"""Small worlds of cells and options for the tests of the policy."""

from dataclasses import replace

import numpy as np

from engine.policy.types import Cells, Options, Scenarios, StockRule

MONDAY = np.datetime64("2025-01-06", "D")


def make_cells(n, horizon, **given):
    """Return ``n`` cells with plain defaults; ``given`` overrides fields, numbers becoming columns."""
    fields = {
        "item_id": np.array([f"item-{k:04d}" for k in range(n)], dtype=object),
        "location_id": np.array(["SITE"] * n, dtype=object),
        "divisible": np.zeros(n, dtype=bool),
        "abc": np.array(["A"] * n, dtype=object),
        "arrivals": np.zeros((n, horizon)),
        "end_bucket": np.full(n, horizon),
    }
    numbers = {
        "unit_cost": 10.0, "unit_price": 18.0, "holding_cost": 0.05, "shortage_cost": 8.0, "backorder_cost": 1.0,
        "salvage_value": 2.0, "target": 0.9, "min_stock": 0.0, "max_stock": np.inf, "available": 0.0, "backorders": 0.0,
    }  # fmt: skip
    fields |= {name: np.full(n, value) for name, value in numbers.items()}
    for name, value in given.items():
        fields[name] = np.asarray(value) if np.ndim(value) else np.full(n, value)
    return Cells(**fields)


def make_options(cells, arrival, next_arrival, **given):
    """Return one purchase link a cell, landing in the given buckets of one day."""
    n = cells.n_cells
    first, second = np.broadcast_to(arrival, n).astype(np.int64), np.broadcast_to(next_arrival, n).astype(np.int64)
    day = np.full(n, MONDAY)
    fields = {
        "cell": np.arange(n), "origin_cell": np.full(n, -1), "source_id": np.array(["MAKER"] * n, dtype=object),
        "lane": np.full(n, -1), "primary": np.ones(n, dtype=bool), "order_date": day, "available_date": day + first,
        "next_order_date": day + (second - first), "next_available_date": day + second,
        "send_bucket": np.zeros(n, dtype=np.int64), "arrival": first, "next_arrival": second,
    }  # fmt: skip
    numbers = {
        "lead_time_sd_days": 0.0, "unit_cost": 10.0, "min_units": 0.0, "multiple": 0.0, "max_units": np.inf,
    }  # fmt: skip
    fields |= {name: np.full(n, value) for name, value in numbers.items()}
    for name, value in given.items():
        fields[name] = np.asarray(value) if np.ndim(value) else np.full(n, value)
    return Options(**fields)


def make_scenarios(options, paths):
    """Return scenarios with fixed lead times."""
    shape = (options.n_options, paths.shape[1])
    arrival, next_arrival = (
        np.broadcast_to(column.astype(np.int32)[:, None], shape) for column in (options.arrival, options.next_arrival)
    )
    return Scenarios(paths.astype(np.float32), arrival, next_arrival)


def rebased(options, rows):
    """Return the options of the given rows as those of cells 0, 1, 2, ..."""
    columns = {name: getattr(options, name)[rows] for name in Options.__dataclass_fields__}
    return Options(**columns | {"cell": np.arange(len(rows))})


def daily_rule(objective, unmet, horizon):
    return StockRule(objective, unmet, np.ones(horizon, dtype=np.int64))


def weekly_rule(objective, unmet, horizon):
    return StockRule(objective, unmet, np.full(horizon, 7, dtype=np.int64))


def random_world(seed, n=12, n_paths=15, horizon=10, random_lead=False, **given):
    """Return cells, options and scenarios with all that can go on: inbound, owed units, several intervals."""
    rng = np.random.default_rng(seed)
    paths = rng.poisson(rng.gamma(0.7, 2.0, (n, 1, 1)) * rng.gamma(2, 0.5, (n, n_paths, 1)), (n, n_paths, horizon))
    arrivals = np.where(rng.random((n, horizon)) < 0.25, rng.integers(1, 8, (n, horizon)), 0).astype(float)
    cells = make_cells(
        n, horizon, available=rng.integers(0, 15, n).astype(float),
        backorders=np.where(rng.random(n) < 0.4, rng.integers(0, 18, n), 0).astype(float), arrivals=arrivals,
        target=rng.choice([0.5, 0.8, 0.95, 1.0], n), holding_cost=rng.choice([0.02, 0.3], n),
        backorder_cost=rng.choice([0.2, 1.5], n), shortage_cost=rng.choice([0.5, 6.0], n),
        end_bucket=rng.choice([horizon - 4, horizon], n),
    )  # fmt: skip
    first = rng.integers(0, 5, n)
    options = make_options(cells, first, first + rng.integers(0, 5, n))
    scenarios = make_scenarios(options, paths)
    if random_lead:
        late = rng.integers(0, 4, (n, n_paths))
        arrival = np.minimum(scenarios.arrival + late, horizon + 1)
        next_arrival = np.maximum(scenarios.next_arrival + rng.integers(0, 4, (n, n_paths)), arrival)
        scenarios = replace(scenarios, arrival=arrival, next_arrival=next_arrival)
    return replace(cells, **given), options, scenarios
