"""Tests of the simulator: worlds worked out by hand, a scalar second method, and conservation of stock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.simulation import (
    Lines,
    Outcome,
    Shipments,
    SimulationRules,
    StockState,
    join_lines,
    join_shipments,
    join_traces,
    no_lines,
    no_shipments,
    simulate,
)


def lines(*rows: tuple[int, int, float, int, int], source: str = "S") -> Lines:
    """Return lines of (cell, origin, units, sent, due)."""
    cell, origin, units, sent, due = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return Lines(
        np.array([f"L{k}" for k in range(n)], object), cell, origin, np.array([source] * n, object),
        units.astype(float), np.ones(n), sent, due, np.full(n, np.nan),
    )  # fmt: skip


def state(*on_hand: float, bucket: int = 0, inbound: Shipments | None = None) -> StockState:
    return StockState(bucket, np.array(on_hand, float), np.zeros(len(on_hand)), inbound or no_shipments())


def nothing(_: StockState) -> Lines:
    return no_lines()


def once(placed: Lines, bucket: int = 0):
    return lambda now: placed if now.bucket == bucket else no_lines()


def test_receipts_come_before_demand():
    inbound = Shipments(lines((0, -1, 5, 0, 1)), np.array([1]))
    outcome = simulate(state(2, inbound=inbound), np.array([[3.0, 4.0]]), nothing, SimulationRules())
    assert outcome.trace.served.tolist() == [[2, 4]]
    assert outcome.trace.short.tolist() == [[1, 0]]
    assert outcome.trace.closing.tolist() == [[0, 1]]


def test_an_order_without_lead_time_serves_its_own_bucket():
    outcome = simulate(state(0), np.array([[3.0]]), once(lines((0, -1, 3, 0, 0))), SimulationRules())
    assert outcome.trace.short.sum() == 0


def test_a_transfer_leaves_before_the_demand_of_its_day():
    placed = lines((1, 0, 4, 0, 2))
    outcome = simulate(state(5, 0), np.array([[3.0, 0, 0], [0, 0, 6.0]]), once(placed), SimulationRules())
    assert outcome.trace.sent[0].tolist() == [4, 0, 0]
    assert outcome.trace.served[0].tolist() == [1, 0, 0]
    assert outcome.trace.received[1].tolist() == [0, 0, 4]
    assert outcome.trace.short[1].tolist() == [0, 0, 2]


def test_a_transfer_without_lead_time_serves_the_day_it_is_sent():
    outcome = simulate(state(5, 0), np.array([[0.0], [4.0]]), once(lines((1, 0, 4, 0, 0))), SimulationRules())
    assert outcome.trace.short.sum() == 0
    assert outcome.trace.closing[:, 0].tolist() == [1, 0]


def test_a_transfer_never_sends_more_than_there_is_and_earlier_lines_go_first():
    placed = lines((1, 0, 4, 0, 1), (2, 0, 4, 0, 1))
    outcome = simulate(state(6, 0, 0), np.zeros((3, 2)), once(placed), SimulationRules())
    assert outcome.trace.received[:, 1].tolist() == [0, 4, 2]
    assert outcome.arrived.lines.units.tolist() == [4, 2]


def test_lost_demand_is_gone_and_backordered_demand_is_served_on_receipt():
    inbound = Shipments(lines((0, -1, 5, 0, 1)), np.array([1]))
    lost = simulate(state(1, inbound=inbound), np.array([[4.0, 1.0]]), nothing, SimulationRules())
    kept = simulate(state(1, inbound=inbound), np.array([[4.0, 1.0]]), nothing, SimulationRules(unmet="backordered"))
    assert lost.trace.closing[0].tolist() == [0, 4]
    assert lost.trace.lost[0].tolist() == [3, 0]
    assert kept.trace.served[0].tolist() == [1, 4]
    assert kept.trace.backlog[0].tolist() == [3, 0]
    assert kept.trace.closing[0].tolist() == [0, 1]


def test_lines_of_one_link_do_not_overtake_each_other():
    delays = {0: 5, 1: 0}

    def policy(now: StockState) -> Lines:
        return lines((0, -1, 1, now.bucket, now.bucket + 2)) if now.bucket < 2 else no_lines()

    rules = SimulationRules(delay=lambda placed: np.array([delays[sent] for sent in placed.sent.tolist()]))
    assert simulate(state(0), np.zeros((1, 8)), policy, rules).arrived.arrives.tolist() == [7, 7]


def test_lines_of_one_link_that_are_placed_together_do_not_overtake_each_other():
    delays = {"L0": 5, "L1": 0, "L2": 0, "L3": 0}
    # L2 leaves with L0 and need not wait for it; L3 goes to another cell.
    placed = lines((0, -1, 1, 0, 2), (0, -1, 1, 1, 3), (0, -1, 1, 0, 2), (1, -1, 1, 1, 3))
    rules = SimulationRules(delay=lambda some: np.array([delays[one] for one in some.line_id]))
    came = simulate(state(0, 0), np.zeros((2, 10)), once(placed), rules).arrived
    assert dict(zip(came.lines.line_id, came.arrives.tolist(), strict=True)) == {"L0": 7, "L1": 7, "L2": 2, "L3": 3}


def test_another_source_may_be_faster():
    slow, fast = lines((0, -1, 1, 0, 6), source="slow"), lines((0, -1, 1, 1, 2), source="fast")
    outcome = simulate(
        state(0), np.zeros((1, 8)), lambda now: {0: slow, 1: fast}.get(now.bucket, no_lines()), SimulationRules()
    )
    assert outcome.arrived.arrives.tolist() == [2, 6]


def test_the_policy_is_called_at_reviews_only_and_sees_stock_before_receipts():
    inbound = Shipments(lines((0, -1, 5, 0, 3)), np.array([3]))
    seen: list[tuple[int, float]] = []

    def policy(now: StockState) -> Lines:
        seen.append((now.bucket, float(now.on_hand[0])))
        return no_lines()

    simulate(state(2, inbound=inbound), np.ones((1, 7)), policy, SimulationRules(review_buckets=3))
    assert seen == [(0, 2.0), (3, 0.0), (6, 2.0)]


def test_lines_of_the_past_are_refused():
    late = once(lines((0, -1, 1, 0, 2)), bucket=1)
    with pytest.raises(ValueError, match="lines must be sent in bucket 1 or later"):
        simulate(state(0, bucket=1), np.zeros((1, 2)), late, SimulationRules())


def test_unknown_cells_are_refused():
    with pytest.raises(ValueError, match="cell of inbound lines must lie in"):
        simulate(state(0), np.zeros((1, 2)), once(lines((3, -1, 1, 0, 1))), SimulationRules())


def test_demand_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="demand must have shape"):
        simulate(state(0), np.zeros((2, 2)), nothing, SimulationRules())


N_CELLS, N_BUCKETS = 3, 9


@st.composite
def worlds(draw: st.DrawFn) -> tuple[StockState, np.ndarray, Lines, np.ndarray, str]:
    whole = st.integers(0, 6)
    on_hand = draw(st.lists(whole, min_size=N_CELLS, max_size=N_CELLS))
    demand = draw(st.lists(st.lists(whole, min_size=N_BUCKETS, max_size=N_BUCKETS), min_size=N_CELLS, max_size=N_CELLS))
    row = st.tuples(
        st.integers(0, N_CELLS - 1), st.integers(-1, N_CELLS - 1), whole, st.integers(0, 7), st.integers(0, 4)
    )
    rows = [(c, o if o != c else -1, u, s, s + lead) for c, o, u, s, lead in draw(st.lists(row, max_size=8))]
    placed = lines(*rows) if rows else no_lines()
    delay = np.array(draw(st.lists(st.integers(-2, 4), min_size=len(rows), max_size=len(rows))), np.int64)
    unmet = draw(st.sampled_from(["lost", "backordered"]))
    return state(*on_hand), np.array(demand, float), placed, delay, unmet


def by_hand(begin: StockState, demand: np.ndarray, placed: Lines, delay: np.ndarray, unmet: str) -> dict[str, list]:
    """Play a world line by line and unit by unit, without arrays."""
    stock, owed = [int(u) for u in begin.on_hand], [0] * len(begin.on_hand)
    arrive = [max(int(d) + int(x), int(s)) for d, x, s in zip(placed.due, delay, placed.sent, strict=True)]
    before = [[j for j in range(len(arrive)) if placed.cell[j] == placed.cell[k] and placed.sent[j] < placed.sent[k]]
              for k in range(len(arrive))]  # fmt: skip
    arrive = [max([arrive[k], *(arrive[j] for j in before[k])]) for k in range(len(arrive))]
    units = [int(u) for u in placed.units]
    served, short, closing = [], [], []
    for bucket in range(demand.shape[1]):
        today = [0] * len(stock)

        def pay(cell: int, today: list[int] = today) -> None:
            while stock[cell] and owed[cell]:
                stock[cell], owed[cell], today[cell] = stock[cell] - 1, owed[cell] - 1, today[cell] + 1

        for k in range(len(units)):
            if arrive[k] == bucket and not (placed.sent[k] == bucket and placed.origin[k] >= 0):
                stock[placed.cell[k]] += units[k]
        for cell in range(len(stock)):
            pay(cell)
        for k in range(len(units)):
            if placed.origin[k] >= 0 and placed.sent[k] == bucket:
                units[k] = min(units[k], stock[placed.origin[k]])
                stock[placed.origin[k]] -= units[k]
        for k in range(len(units)):
            if placed.origin[k] >= 0 and placed.sent[k] == bucket == arrive[k]:
                stock[placed.cell[k]] += units[k]
        missing = [0] * len(stock)
        for cell in range(len(stock)):
            pay(cell)
            for _ in range(int(demand[cell, bucket])):
                if stock[cell]:
                    stock[cell], today[cell] = stock[cell] - 1, today[cell] + 1
                else:
                    missing[cell] += 1
            if unmet == "backordered":
                owed[cell] += missing[cell]
        served.append(today)
        short.append(missing)
        closing.append(list(stock))
    return {"served": served, "short": short, "closing": closing}


def played(world: tuple[StockState, np.ndarray, Lines, np.ndarray, str]) -> Outcome:
    begin, demand, placed, delay, unmet = world
    rules = SimulationRules(unmet=unmet, delay=lambda _: delay)  # type: ignore[arg-type]
    return simulate(begin, demand, once(placed) if placed.n_lines else nothing, rules)


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_a_line_by_line_game_gives_the_same(world):
    outcome = played(world)
    expected = by_hand(*world)
    for name, columns in expected.items():
        assert getattr(outcome.trace, name).T.tolist() == columns


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_stock_is_conserved(world):
    outcome = played(world)
    trace = outcome.trace
    before = np.column_stack([trace.opening, trace.closing[:, :-1]])
    assert np.array_equal(before + trace.received - trace.served - trace.sent, trace.closing)
    owed = np.column_stack([np.zeros(N_CELLS), trace.backlog[:, :-1]])
    assert np.array_equal(owed + trace.demand - trace.lost - trace.served, trace.backlog)
    assert trace.closing.min() >= 0
    moving = outcome.state.inbound
    gone = moving.lines.units[(moving.lines.sent < N_BUCKETS) & (moving.lines.origin >= 0)].sum()
    moved_in = outcome.arrived.lines.units[outcome.arrived.lines.origin >= 0].sum()
    assert trace.sent.sum() == moved_in + gone


@given(worlds(), st.integers(1, N_BUCKETS - 1))
@settings(max_examples=60, deadline=None)
def test_a_run_in_two_parts_is_the_run_in_one(world, cut):
    begin, demand, placed, delay, unmet = world
    whole = played(world)
    rules = SimulationRules(unmet=unmet, delay=lambda _: delay)
    policy = once(placed) if placed.n_lines else nothing
    first = simulate(begin, demand[:, :cut], policy, rules)
    second = simulate(first.state, demand[:, cut:], policy, rules)
    joined = join_traces([first.trace, second.trace])
    for name in joined.__dataclass_fields__:
        assert np.array_equal(getattr(joined, name), getattr(whole.trace, name))
    arrived = join_shipments([first.arrived, second.arrived])
    assert arrived.arrives.tolist() == whole.arrived.arrives.tolist()


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_replications_stacked_as_cells_are_the_worlds_alone(world):
    begin, demand, placed, delay, unmet = world
    alone = played(world)
    shifted = Lines(
        placed.line_id, placed.cell + N_CELLS, np.where(placed.origin >= 0, placed.origin + N_CELLS, -1),
        placed.source_id, placed.units, placed.unit_cost, placed.sent, placed.due, placed.promise,
    )  # fmt: skip
    both = state(*begin.on_hand, *begin.on_hand)
    rules = SimulationRules(unmet=unmet, delay=lambda _: np.tile(delay, 2))
    policy = once(join_lines([placed, shifted])) if placed.n_lines else nothing
    stacked = simulate(both, np.tile(demand, (2, 1)), policy, rules)
    for part in (slice(0, N_CELLS), slice(N_CELLS, None)):
        assert np.array_equal(stacked.trace.closing[part], alone.trace.closing)


def test_traces_that_do_not_follow_each_other_are_refused():
    outcome = simulate(state(0), np.zeros((1, 2)), nothing, SimulationRules())
    with pytest.raises(ValueError, match="a trace must start in bucket 2"):
        join_traces([outcome.trace, outcome.trace])


def test_the_input_is_not_changed():
    demand, begin = np.array([[3.0, 1.0]]), state(2)
    simulate(begin, demand, once(lines((0, -1, 5, 0, 1))), SimulationRules())
    assert demand.tolist() == [[3, 1]]
    assert begin.on_hand.tolist() == [2]
    assert begin.inbound.lines.n_lines == 0
