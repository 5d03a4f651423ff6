"""Proposals for open orders against every change tried one by one, each path walked bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.network.build import build_network
from engine.network.open_changes import open_changes
from engine.network.open_orders import OpenLines, open_lines
from engine.network.params import OpenOrderParams
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables

AS_OF = np.datetime64("2025-10-27")  # a Monday
ANY = OpenOrderParams(frozen_days=2, advance_days=5, increase_share=99.0, least_gain=0.0, least_share=0.0)


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def build(orders, on_hand=5.0, bucket="D", closures=None, lots=(6.0, 3.0, 30.0)):
    """Return the network of one item at one place with open orders, and its open lines."""
    frames = {
        "sales": table("item_id location_id date units price", ("A", "W", pd.Timestamp("2025-10-20"), 5.0, 12.0)),
        "items": table("item_id unit_cost unit_price", ("A", 4.0, 12.0)),
        "supply": table(
            "item_id source_id location_id lead_time_days review_period_days unit_cost min_order_units order_multiple"
            " max_order_units",
            ("A", "S", "W", 9.0, 7.0, 4.5, *lots),
        ),
        "inventory": table("item_id location_id on_hand", ("A", "W", on_hand)),
        "open_orders": table(
            "order_id line_no item_id location_id units due_date source_id kind status",
            *((f"P{k}", "1", "A", "W", units, pd.Timestamp(AS_OF + day), "S", "purchase", "firm")
              for k, (units, day) in enumerate(orders)),
        ),
    }  # fmt: skip
    if closures is not None:
        frames["closures"] = closures
    keys = (np.array(["A"], dtype=object), np.array(["W"], dtype=object))
    tables = Tables.of(frames)
    network = build_network(tables, PlanConfig(), Calendar(bucket, AS_OF, 30, 1), keys)
    return network, open_lines(tables, network)[0]


def priced(network, holding=0.05, shortage=4.0):
    n = network.cells.n_cells
    return replace(network.cells, holding_cost=np.full(n, holding), shortage_cost=np.full(n, shortage),
                   backorder_cost=np.full(n, shortage / 4))  # fmt: skip


def scenarios(network, paths):
    def fixed(column):
        return np.repeat(column.astype(np.int32)[:, None], paths.shape[1], axis=1)

    return Scenarios(paths.astype(np.float32), fixed(network.options.arrival), fixed(network.options.next_arrival))


def rule_of(network, unmet="lost"):
    return StockRule("cost", unmet, np.full(network.horizon, network.bucket_days, dtype=np.int64))


def proposed(network, lines, cells, demand, units=0.0, unmet="lost", params=ANY):
    return open_changes(
        lines, network, cells, demand, np.full(network.options.n_options, units), rule_of(network, unmet), params
    )


def plain_cost(network, cells, paths, arrivals, late, unmet):
    """Return the mean cost until the next order arrives, walking every path; ``late`` joins what is left."""
    until, days = int(network.options.next_arrival[0]), network.bucket_days
    rate = float(paths.sum(axis=1).mean()) / (paths.shape[1] * days)
    cap, total = 4.0, 0.0
    for path in paths:
        stock = float(cells.available[0])
        for t in range(until):
            stock += arrivals[t] - float(path[t])
            if unmet == "lost":
                total += max(-stock, 0.0) * cells.shortage_cost[0]
                stock = max(stock, 0.0)
            else:
                total += max(-stock, 0.0) * cells.backorder_cost[0] * days
            total += max(stock, 0.0) * cells.holding_cost[0] * days
        left = max(stock + late, 0.0)
        waits = min(left, cap * rate / cells.holding_cost[0])
        total += cells.holding_cost[0] / rate * waits**2 / 2 + cap * (left - waits)
    return total / len(paths)


def every_change(network, lines, cells, paths, decided, unmet):
    """Return bucket, units and gain of every change allowed to the only line, with 0.5 a unit above unit cost."""
    until = int(network.options.next_arrival[0])
    now, due = int(lines.bucket[0]), float(lines.units[0])
    size = network.bucket_days

    def cost(bucket, units):
        arrivals = np.zeros(60)
        arrivals[int(network.options.arrival[0])] += decided
        arrivals[bucket] += units
        late = units if bucket >= until else 0.0
        return plain_cost(network, cells, paths[0], arrivals, late, unmet) + 0.5 * units

    as_is = cost(now, due)
    dates = [b for b in range(until + 1) if b != now and b * size >= 2 and b >= now - 5 // size]
    found = [(b, due, as_is - cost(b, due)) for b in dates if now < until or b < until]
    if now < until:
        found += [(now, units, as_is - cost(now, units)) for units in (0.0, *np.arange(6.0, 31.0, 3.0)) if units != due]
    return found


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("bucket", ["D", "W"])
@pytest.mark.parametrize("seed", range(12))
def test_the_best_of_all_changes_is_proposed(seed, bucket, unmet):
    rng = np.random.default_rng(seed)
    day = int(rng.integers(3, 20)) if bucket == "D" else 7 * int(rng.integers(1, 5))
    network, lines = build([(float(3 * rng.integers(2, 11)), day)], on_hand=float(rng.integers(0, 25)), bucket=bucket)
    cells = priced(network, holding=float(rng.choice([0.01, 0.2])), shortage=float(rng.choice([0.6, 6.0])))
    mean = float(rng.uniform(0.3, 2.5)) * network.bucket_days
    paths = rng.poisson(mean, (1, 7, network.horizon))
    decided = float(rng.choice([0.0, 12.0]))
    found = proposed(network, lines, cells, scenarios(network, paths), decided, unmet)
    tried = every_change(network, lines, cells, paths, decided, unmet)
    best = max((gain for _, _, gain in tried), default=-1.0)
    if best <= 1e-9:
        assert not len(found.line)
        return
    np.testing.assert_allclose(found.gain, [best])
    gain = {(b, units): gain for b, units, gain in tried}
    np.testing.assert_allclose(gain[int(found.bucket[0]), float(found.units[0])], best)


def test_every_kind_of_change_is_proposed_where_it_plainly_helps():
    # One place, demand of 1 a day, and lines that are plainly too late, too early, too small, too large or not needed.
    kinds = {}
    for name, on_hand, line, lots in (
        ("advance", 2.0, (12.0, 9), (12.0, 12.0, 12.0)),
        ("postpone", 10.0, (12.0, 3), (12.0, 12.0, 12.0)),
        ("increase", 0.0, (6.0, 2), (6.0, 3.0, 30.0)),
        ("decrease", 6.0, (30.0, 4), (6.0, 3.0, 30.0)),
        ("cancel", 60.0, (12.0, 4), (6.0, 3.0, 30.0)),
    ):
        network, lines = build([line], on_hand=on_hand, lots=lots)
        demand = scenarios(network, np.ones((1, 3, network.horizon)))
        kinds[name] = proposed(network, lines, priced(network, holding=0.1), demand).change.tolist()
    assert kinds == {name: [name] for name in kinds}


def test_nothing_is_touched_within_the_time_fence_and_nothing_moved_into_it():
    network, lines = build([(12.0, 6), (12.0, 9)], on_hand=0.0)
    demand = scenarios(network, np.ones((1, 3, network.horizon)))
    fenced = replace(ANY, frozen_days=7)
    found = proposed(network, lines, priced(network), demand, params=fenced)
    assert lines.order_id[found.line].tolist() == ["P1"]
    assert (found.bucket >= 7).all()
    assert not len(proposed(network, lines, priced(network), demand, params=replace(ANY, frozen_days=10)).line)


def test_a_line_is_advanced_by_at_most_so_many_days_and_to_a_day_that_receives():
    # On day 9 all seven would still sell before the next order arrives on day 16, on day 10 six of them.
    closed = table("place_id start_date end_date blocks", ("W", AS_OF + 9, AS_OF + 9, "receiving")).astype(
        {"start_date": "datetime64[ns]", "end_date": "datetime64[ns]"}
    )
    for closures, params, day in ((None, replace(ANY, advance_days=4), 10), (None, ANY, 9), (closed, ANY, 10)):
        network, lines = build([(7.0, 14)], on_hand=0.0, closures=closures, lots=(7.0, 7.0, 7.0))
        demand = scenarios(network, np.ones((1, 3, network.horizon)))
        found = proposed(network, lines, priced(network, shortage=9.0), demand, params=params)
        assert (found.change.tolist(), found.bucket.tolist()) == (["advance"], [day])


def test_a_line_is_raised_by_at_most_a_share_of_its_units_and_to_what_the_place_may_hold():
    network, lines = build([(6.0, 2)], on_hand=0.0)
    demand, cells = scenarios(network, np.ones((1, 3, network.horizon))), priced(network, holding=0.01)
    for params, most, units in ((ANY, np.inf, 15.0), (replace(ANY, increase_share=0.5), np.inf, 9.0), (ANY, 10.0, 9.0)):
        found = proposed(network, lines, replace(cells, max_stock=np.array([most])), demand, params=params)
        assert (found.change.tolist(), found.units.tolist()) == (["increase"], [units])


def test_the_threshold_holds_back_what_saves_less():
    network, lines = build([(12.0, 9)], on_hand=2.0)
    demand = scenarios(network, np.ones((1, 3, network.horizon)))
    gain = float(proposed(network, lines, priced(network), demand).gain[0])
    for params, n in (
        (replace(ANY, least_gain=gain - 0.01), 1),
        (replace(ANY, least_gain=gain + 0.01), 0),
        (replace(ANY, least_share=(gain - 0.01) / 48.0), 1),  # 12 units at 4 each
        (replace(ANY, least_share=(gain + 0.01) / 48.0), 0),
    ):
        assert len(proposed(network, lines, priced(network), demand, params=params).line) == n


def test_a_new_date_is_preferred_to_new_units_that_save_little_more():
    network, lines = build([(6.0, 4)], on_hand=16.0)
    demand = scenarios(network, np.ones((1, 3, network.horizon)))
    cells = priced(network, holding=0.1)
    tried = every_change(network, lines, cells, np.ones((1, 3, network.horizon)), 0.0, "lost")
    date = max(gain for _, units, gain in tried if units == 6.0)
    other = max(gain for _, units, gain in tried if units != 6.0)
    assert other > date
    wide = replace(ANY, least_gain=(other - date) * 1.01)
    narrow = replace(ANY, least_gain=(other - date) * 0.99)
    assert proposed(network, lines, cells, demand).change.tolist() == ["cancel"]
    assert proposed(network, lines, cells, demand, params=narrow).change.tolist() == ["cancel"]
    assert proposed(network, lines, cells, demand, params=wide).change.tolist() == ["postpone"]


@pytest.mark.parametrize("seed", range(6))
def test_gains_of_several_lines_of_a_place_add_up_when_all_are_made(seed):
    rng = np.random.default_rng(seed)
    orders = [(float(3 * rng.integers(2, 11)), int(rng.integers(3, 15))) for _ in range(4)]
    network, lines = build(orders, on_hand=float(rng.integers(0, 12)))
    cells = priced(network)
    paths = rng.poisson(1.2, (1, 7, network.horizon))
    found = proposed(network, lines, cells, scenarios(network, paths))
    until = int(network.options.next_arrival[0])

    def cost(bucket, units):
        arrivals = np.zeros(60)
        np.add.at(arrivals, bucket, units)
        late = float(units[found.line][bucket[found.line] >= until].sum())
        return plain_cost(network, cells, paths[0], arrivals, late, "lost") + 0.5 * units.sum()

    bucket, units = lines.bucket.copy(), lines.units.copy()
    before = cost(bucket, units)
    bucket[found.line], units[found.line] = found.bucket, found.units
    assert len(found.line) > 1
    np.testing.assert_allclose(found.gain.sum(), before - cost(bucket, units))
    assert len(np.unique(found.line)) == len(found.line)


def test_an_item_that_nothing_brings_any_more_has_its_order_cancelled():
    network, lines = build([(12.0, 9)], on_hand=50.0)
    bare = replace(
        network, options=network.options.take(np.zeros(0, dtype=np.int64)),
        days=replace(network.days, **{name: getattr(network.days, name)[:0] for name in (
            "order_row", "ship_row", "receive_row", "lead_days", "review_days")}),
    )  # fmt: skip
    alone = OpenLines(**{**lines.__dict__, "option": np.array([-1])})
    demand = Scenarios(np.ones((1, 3, network.horizon), dtype=np.float32), *np.zeros((2, 0, 3), dtype=np.int32))
    assert proposed(bare, alone, priced(network), demand).change.tolist() == ["cancel"]


def test_drafts_shipped_and_overdue_lines_and_transfers_are_left_out_and_transfers_told():
    network, _ = build([(12.0, 9)])
    rows = [
        ("P1", "purchase", "draft", 9), ("P2", "purchase", "shipped", 9), ("P3", "purchase", "firm", -2),
        ("P4", "transfer", "firm", 9), ("P5", "purchase", "firm", 9),
    ]  # fmt: skip
    orders = table(
        "order_id line_no item_id location_id units due_date source_id kind status",
        *(
            (order, "1", "A", "W", 3.0, pd.Timestamp(AS_OF + day), None, kind, status)
            for order, kind, status, day in rows
        ),
    )
    frames = {"sales": table("item_id location_id date units", ("A", "W", pd.Timestamp("2025-10-20"), 5.0))}
    lines, notes = open_lines(Tables.of({**frames, "open_orders": orders}), network)
    assert lines.order_id.tolist() == ["P5"]
    assert lines.option.tolist() == [0]  # no source is named: that of the usual link
    assert [(note.code, note.values["count"]) for note in notes] == [("open-transfers-not-judged", 1)]
