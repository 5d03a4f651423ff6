"""Planned orders and projections on small networks, with numbers worked out by hand or replayed bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.network import feeding
from engine.network.build import build_network
from engine.network.decision import UNCOUPLED, Decision
from engine.network.parts import network_parts
from engine.network.planned import planned_lines
from engine.network.projection import projected_cells, projection_rows
from engine.network.tiers import tier_demand, with_sends
from engine.plan.lines import LineKeys, line_ids
from engine.plan.tables import column_kinds, empty_table
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables

AS_OF = np.datetime64("2025-10-27")  # a Monday


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def build(at, bucket="D", **frames):
    sales = table("item_id location_id date units price", ("A", "W", pd.Timestamp("2025-10-20"), 5.0, 12.0))
    supply = table(
        "item_id source_id location_id lead_time_days review_period_days unit_cost order_multiple",
        ("A", "S", "W", 5.0, 7.0, 4.0, 24.0),
        ("B", "S", "W", 23.0, 7.0, 4.0, None),  # its protection interval sets the horizon, 30 days
    )
    keys = (
        tuple(np.array(column, dtype=object) for column in zip(*at, strict=True)) if at else (np.array([], object),) * 2
    )
    given = {"sales": sales, "supply": supply, **frames}
    return build_network(Tables.of(given), PlanConfig(), Calendar(bucket, AS_OF, 30, 1), keys)


def rule_of(network, unmet="lost"):
    days = np.full(network.horizon, network.bucket_days, dtype=np.int64)
    return StockRule("cycle_service", unmet, days)


def scenarios_of(network, paths):
    def fixed(column):
        return np.repeat(column.astype(np.int32)[:, None], paths.shape[1], axis=1)

    options = network.options
    return Scenarios(paths.astype(np.float32), fixed(options.arrival), fixed(options.next_arrival))


def decide(network, paths, rule, units=None):
    """Return targets and the decision that takes each cell's own order, or the given units."""
    demand = tier_demand(network, scenarios_of(network, paths), rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    if units is None:
        units = np.zeros(network.options.n_options)
        units[targets.option] = targets.order_units
    m, n = network.options.n_options, network.cells.n_cells
    sent = with_sends(demand.later, network.options, units)
    names = np.full(m, "target", dtype=object)
    service = np.full(n, np.nan)
    return targets, Decision(units, names, np.zeros(m), service, service, sent, UNCOUPLED, demand.later, demand.own)


def constant(network, *rates, n_paths=2):
    return np.broadcast_to(np.array(rates)[:, None, None], (len(rates), n_paths, network.horizon)).copy()


def one_cell(on_hand=60.0, **frames):
    inventory = table("item_id location_id on_hand", ("A", "W", on_hand), ("B", "W", 1000.0))
    return build((("A", "W"), ("B", "W")), inventory=inventory, **frames)


def hub(n_items=1, on_hand=40.0):
    """Return items at two shops, fed on Mondays by a centre that buys from S."""
    items = [f"I{k}" for k in range(n_items)]
    lanes = table(
        "origin_id dest_id item_id lead_time_days role order_weekdays",
        ("C", "R1", "*", 2.0, "replenish", "1"),
        ("C", "R2", "*", 3.0, "replenish", "1,4"),
        ("R1", "R2", "*", 1.0, "lateral", None),
    )
    supply = table(
        "item_id source_id location_id lead_time_days review_period_days unit_cost order_multiple",
        ("*", "S", "*", 10.0, 7.0, 4.0, 6.0),
    )
    inventory = table(
        "item_id location_id on_hand",
        *((item, place, on_hand + 7 * k) for item in items for k, place in enumerate(("C", "R1", "R2"))),
    )
    at = [(item, place) for item in items for place in ("R1", "R2")]
    return build(at, lanes=lanes, supply=supply, inventory=inventory)


def random_paths(network, seed, n_paths=9):
    rng = np.random.default_rng(seed)
    shape = (network.cells.n_cells, n_paths, network.horizon)
    return rng.poisson(rng.gamma(2.0, 2.0, (shape[0], 1, 1)), shape) * network.demanded[:, None, None]


def test_a_weekly_order_of_whole_lots_by_hand():
    # 10 a day; today 60 on hand and up to 120 for days 0 to 11: 72 are ordered, three lots of 24. On day 7 the position
    # is 60 + 72 - 70 = 62 against 120 for days 7 to 18; then 64, 66 and 68: always three lots.
    network = one_cell()
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 10.0, 0.0), rule)
    assert (network.horizon, decision.units[0], targets.order_up_to[0]) == (30, 72.0, 120.0)
    lines = planned_lines("test", network, decision, targets, rule)
    lines = lines[lines["item_id"] == "A"]
    assert lines["units"].tolist() == [72.0] * 4
    assert ((lines["order_date"] - pd.Timestamp(AS_OF)).dt.days).tolist() == [7, 14, 21, 28]
    # The last one lands behind the horizon of 30 days.
    assert ((lines["available_date"] - pd.Timestamp(AS_OF)).dt.days).tolist() == [12, 19, 26, 33]
    assert set(lines["kind"]) == {"purchase"}
    assert set(lines["source_id"]) == {"S"}


def test_a_link_as_long_as_the_horizon_still_tells_its_supplier_what_comes():
    network = build((("A", "W"),))
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 10.0), rule)
    assert network.horizon == 12
    lines = planned_lines("test", network, decision, targets, rule)
    assert lines["order_date"].tolist() == [pd.Timestamp("2025-11-03")]
    # Nothing on hand: days 0 to 4 are lost, 72 land on day 5 (of 70 wanted), 72 - 20 are left on day 7: 120 - 52 = 68.
    assert (decision.units[0], lines["units"].tolist()) == (72.0, [72.0])


def test_inbound_and_what_is_decided_today_count():
    # 72 are ordered today as before. 240 due on day 15 count on day 7 (it answers for days 7 to 18) and after: what
    # lacks on days 13 and 14 is lost, 230 are left after day 15, 110 on day 28, ten short of 120.
    due = table(
        "order_id line_no item_id location_id units due_date", ("P", 1, "A", "W", 240.0, pd.Timestamp("2025-11-11"))
    )
    network = one_cell(open_orders=due)
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 10.0, 0.0), rule)
    assert decision.units[0] == 72
    lines = planned_lines("test", network, decision, targets, rule)
    assert lines["order_date"].tolist() == [pd.Timestamp(AS_OF + 28)]
    assert lines["units"].tolist() == [24.0]
    rows = projection_rows(network, decision, targets, rule, np.array([0]))
    assert rows["stock_mean"].to_numpy()[[4, 5, 12, 13, 14, 15, 27]].tolist() == [10, 72, 2, 0, 0, 230, 110]
    assert rows["inbound"].to_numpy()[15] == rows["inbound"].sum() == 240
    assert rows["ordered"].to_numpy()[5] == rows["ordered"].sum() == 72


def test_ids_are_those_of_orders_of_the_same_day():
    network = one_cell()
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 10.0, 0.0), rule)
    lines = planned_lines("scope", network, decision, targets, rule)
    columns = ("item_id", "source_id", "location_id", "kind")
    keys = LineKeys(*(lines[name].to_numpy(object) for name in columns), lines["order_date"].to_numpy())
    assert lines["line_id"].tolist() == line_ids("scope", keys).tolist()
    other = planned_lines("other", network, decision, targets, rule)
    assert not set(other["line_id"]) & set(lines["line_id"])


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
def test_stock_is_what_came_less_what_was_served(unmet):
    # On paths that are all alike the projection is the planned lines, replayed by hand.
    network = hub(n_items=4, on_hand=12.0)
    rule = rule_of(network, unmet)
    rates = np.arange(network.cells.n_cells) % 5.0 * network.demanded
    targets, decision = decide(network, constant(network, *rates), rule)
    lines = planned_lines("test", network, decision, targets, rule)
    every = np.arange(network.cells.n_cells)
    rows = projection_rows(network, decision, targets, rule, every)
    assert len(lines) > 10
    cells, options = network.cells, network.options
    coming = cells.arrivals.copy()
    np.add.at(coming, (options.cell, options.arrival), decision.units)
    cell = network.rows_of((lines["item_id"].to_numpy(object), lines["location_id"].to_numpy(object)))
    day = (lines["available_date"] - pd.Timestamp(AS_OF)).dt.days.to_numpy()
    inside = day < network.horizon
    np.add.at(coming, (cell[inside], day[inside]), lines["units"].to_numpy()[inside])
    # Own demand, what is sent today, and what the lines send on their days.
    demand = decision.own.paths[:, 0].astype(float)
    lanes = np.flatnonzero(options.origin_cell >= 0)
    np.add.at(demand, (options.origin_cell[lanes], options.send_bucket[lanes]), decision.units[lanes])
    sent = lines[lines["kind"] == "transfer"]
    giver = network.rows_of((sent["item_id"].to_numpy(object), sent["source_id"].to_numpy(object)))
    send_day = (sent["order_date"] - pd.Timestamp(AS_OF)).dt.days.to_numpy()
    planned = np.zeros_like(demand)
    np.add.at(planned, (giver, send_day), sent["units"].to_numpy())
    demand += planned
    stock, served = cells.available.copy(), np.zeros(cells.n_cells)
    closing = np.zeros_like(demand)
    owed = np.zeros(cells.n_cells)
    for t in range(network.horizon):
        wanted = demand[:, t] + owed
        assert (planned[:, t] <= np.maximum(stock + coming[:, t] - owed, 0.0)).all()
        sold = np.minimum(stock + coming[:, t], wanted)
        owed = wanted - sold if unmet == "backordered" else np.zeros(cells.n_cells)
        stock = stock + coming[:, t] - sold
        served += sold
        closing[:, t] = stock
    assert rows["stock_mean"].to_numpy().reshape(demand.shape) == pytest.approx(closing)
    assert (rows["inbound"] + rows["ordered"]).to_numpy().reshape(demand.shape) == pytest.approx(coming)
    assert cells.available + coming.sum(axis=1) - served == pytest.approx(closing[:, -1])


def test_nothing_is_planned_before_the_next_order_day_and_all_of_it_in_lots():
    network = hub(n_items=5)
    rule = rule_of(network)
    targets, decision = decide(network, random_paths(network, 3), rule)
    lines = planned_lines("test", network, decision, targets, rule)
    cell = network.rows_of((lines["item_id"].to_numpy(object), lines["location_id"].to_numpy(object)))
    option = network.primary_of[cell]
    order = lines["order_date"].to_numpy().astype("datetime64[D]")
    assert (order >= network.options.next_order_date[option]).all()
    assert (order < AS_OF + network.horizon).all()
    assert (lines["available_date"] > lines["order_date"]).all()
    assert set(lines["kind"]) == {"purchase", "transfer"}
    assert (lines.loc[lines["kind"] == "purchase", "units"] % 6 == 0).all()
    assert (lines["units"] % 1 == 0).all()
    mondays = lines.loc[lines["location_id"] == "R1", "order_date"]
    assert (mondays.dt.dayofweek == 0).all()
    assert not lines.duplicated("line_id").any()


def test_a_centre_is_supplied_for_what_its_shops_will_order():
    network = hub(on_hand=0.0)
    network = replace(network, cells=replace(network.cells, available=np.array([110.0, 0.0, 0.0])))
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 0.0, 3.0, 4.0), rule)
    lines = planned_lines("test", network, decision, targets, rule)
    bought, sent = (lines[lines["kind"] == kind] for kind in ("purchase", "transfer"))
    assert set(sent["source_id"]) == {"C"}
    # Stock lasts until what is decided today lands, the last planned order answers for all until day 38; beyond the
    # horizon demand goes on at its mean rate. All of it is bought, and less than a lot more.
    demand = decision.demand.paths[0, 0]
    needed = demand.sum() + (38 - network.horizon) * demand.mean() - 110
    total = bought["units"].sum() + decision.units[0]
    assert needed <= total < needed + 6
    idle, nothing = decide(network, constant(network, 0.0, 0.0, 0.0), rule)
    assert planned_lines("test", network, nothing, idle, rule).empty


def test_a_centre_is_supplied_for_orders_that_the_mean_path_does_not_show():
    # On two paths of twenty shops sell 3 a day and order; on their mean paths they sell 8 of 60 and do not.
    network = hub(on_hand=0.0)
    network = replace(network, cells=replace(network.cells, available=np.array([0.0, 60.0, 60.0])))
    rule = rule_of(network)
    paths = np.zeros((3, 20, network.horizon))
    paths[1:, :2] = 3.0
    targets, decision = decide(network, paths, rule)
    lines = planned_lines("test", network, decision, targets, rule)
    assert not (lines["kind"] == "transfer").any()
    assert (lines["location_id"] == "C").any()


@pytest.mark.parametrize("values", [1, 200, 700])
def test_blocks_do_not_show(monkeypatch, values):
    network = hub(n_items=6)
    rule = rule_of(network)
    targets, decision = decide(network, random_paths(network, 4), rule)
    every = np.arange(network.cells.n_cells)
    whole = planned_lines("test", network, decision, targets, rule)
    projected = projection_rows(network, decision, targets, rule, every)
    monkeypatch.setattr(feeding, "_BLOCK_VALUES", values)
    pd.testing.assert_frame_equal(planned_lines("test", network, decision, targets, rule), whole, check_exact=True)
    again = projection_rows(network, decision, targets, rule, every[::-1])
    pd.testing.assert_frame_equal(again, projected, check_exact=True)


def test_parts_do_not_show():
    items = [f"I{k}" for k in range(6)]
    supply = table(
        "item_id source_id location_id lead_time_days review_period_days unit_cost",
        *((item, "S", "*", 2.0 + 3 * k, 7.0, 4.0) for k, item in enumerate(items)),
    )
    network = build([(item, "W") for item in items], supply=supply)
    rule = rule_of(network)
    paths = random_paths(network, 5)
    targets, decision = decide(network, paths, rule)
    whole = planned_lines("test", network, decision, targets, rule)
    parts = []
    for part in network_parts(network, n_cells=2):
        own, decided = decide(part.network, paths[part.cell_rows], rule)
        parts.append(planned_lines("test", part.network, decided, own, rule))
    assert len(parts) == 3
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole, check_exact=True)


def test_projected_quantiles_are_those_of_paths():
    # Stock 60 and demand of k on day 0 on path k: 60 - k at its end, of 20 paths the first is the 5 % quantile.
    network = one_cell()
    rule = rule_of(network)
    paths = np.zeros((2, 20, network.horizon))
    paths[0, :, 0] = np.arange(20)
    targets, decision = decide(network, paths, rule)
    first = projection_rows(network, decision, targets, rule, np.array([0])).iloc[0]
    assert first["date"] == pd.Timestamp(AS_OF)
    assert (first["stock_mean"], first["stock_q0.05"], first["stock_q0.95"]) == (50.5, 41.0, 59.0)


def test_projections_do_not_fall_to_nothing():
    network = hub(n_items=3)
    rule = rule_of(network)
    targets, decision = decide(network, random_paths(network, 6), rule)
    shops = np.flatnonzero(network.demanded)
    rows = projection_rows(network, decision, targets, rule, shops)
    last = rows.groupby(["item_id", "location_id"]).tail(7)
    assert (last["stock_mean"] > 0).all()
    assert (rows["stock_q0.05"] <= rows["stock_q0.95"]).all()
    assert rows[["item_id", "location_id", "date"]].equals(
        rows[["item_id", "location_id", "date"]].sort_values(["item_id", "location_id", "date"], ignore_index=True)
    )


def test_weeks_are_labelled_by_their_monday():
    network = build((("A", "W"), ("B", "W")), bucket="W")
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 70.0, 0.0), rule)
    rows = projection_rows(network, decision, targets, rule, np.array([0]))
    assert (rows["date"].dt.dayofweek == 0).all()
    assert len(rows) == network.horizon
    lines = planned_lines("test", network, decision, targets, rule)
    # 72, then 70 a week in lots of 24: what is left of a lot is not bought again.
    assert lines["units"].isin([48.0, 72.0]).all()
    assert ((lines["available_date"] - lines["order_date"]).dt.days == 5).all()


def test_the_cells_that_matter_are_those_with_money():
    network = hub(n_items=3)
    rule = rule_of(network)
    paths = constant(network, *np.where(network.demanded, 1.0, 0.0))
    paths[4] = 9.0  # I1 at R1
    _, decision = decide(network, paths, rule, units=np.zeros(network.options.n_options))
    prices = np.full(network.cells.n_cells, 2.0)
    network = replace(network, cells=replace(network.cells, unit_price=prices))
    waiting = np.zeros(network.options.n_options)
    waiting[network.primary_of[8]] = 10_000.0  # I2 at R2
    decision = replace(decision, cost_of_waiting=waiting)
    assert projected_cells(network, decision, 1).tolist() == [8]
    # The centre of I1 has its shop's orders as demand.
    assert projected_cells(network, decision, 3).tolist() == [3, 4, 8]
    assert projected_cells(network, decision).tolist() == list(range(9))
    unpriced = replace(
        network, cells=replace(network.cells, unit_price=np.full(9, np.nan), unit_cost=np.full(9, np.nan))
    )
    flat = replace(decision, cost_of_waiting=np.zeros_like(waiting))
    flat = replace(flat, demand=scenarios_of(network, constant(network, *np.ones(9))))
    assert projected_cells(unpriced, flat, 2).tolist() == [0, 1]


def test_a_cell_without_a_link_has_no_policy_to_project():
    inventory = table("item_id location_id on_hand", ("A", "W", 60.0), ("A", "X", 5.0))
    network = build((("A", "W"),), inventory=inventory)
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 1.0, 0.0), rule)
    assert projected_cells(network, decision).tolist() == [0]
    with pytest.raises(ValueError, match="Got 1 without"):
        projection_rows(network, decision, targets, rule, np.array([0, 1]))


def test_no_cells_give_empty_tables_of_the_contract():
    network = build(())
    rule = rule_of(network)
    targets, decision = decide(network, np.zeros((0, 3, network.horizon)), rule)
    lines = planned_lines("test", network, decision, targets, rule)
    rows = projection_rows(network, decision, targets, rule, projected_cells(network, decision))
    pd.testing.assert_frame_equal(lines, empty_table("planned"))
    pd.testing.assert_frame_equal(rows, empty_table("projection"))
    assert list(rows.columns) == list(column_kinds("projection"))
