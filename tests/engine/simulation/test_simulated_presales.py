"""Tests of presale orders in the simulator: by hand, against a game unit by unit, and conservation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.simulation import (
    NEVER,
    Lines,
    PresaleOrders,
    SimulationRules,
    StockState,
    join_traces,
    no_lines,
    no_shipments,
    simulate,
)

N_CELLS, N_BUCKETS = 3, 8


def orders(*rows: tuple[int, float, int, int]) -> PresaleOrders:
    """Return presale orders of (cell, units, due, gone)."""
    cell, units, due, gone = (np.array(column) for column in zip(*rows, strict=True))
    return PresaleOrders(cell, units.astype(float), due, gone, np.zeros(len(rows)))


def lines(*rows: tuple[int, int, float, int, int]) -> Lines:
    """Return lines of (cell, origin, units, sent, due)."""
    cell, origin, units, sent, due = (np.array(column) for column in zip(*rows, strict=True))
    text, none = np.array([f"L{row}" for row in range(len(rows))], object), np.full(len(rows), np.nan)
    return Lines(text, cell, origin, text, units.astype(float), none, sent, due, none)


def played(on_hand, demand, presales, placed=None, **rules):
    state = StockState(0, np.array(on_hand, float), np.zeros(len(on_hand)), no_shipments(), presales=presales)

    def once(now: StockState) -> Lines:
        return placed if placed is not None and now.bucket == 0 else no_lines()

    return simulate(state, np.array(demand, float), once, SimulationRules(**rules))


def test_presale_orders_leave_from_their_first_day_on_before_ordinary_demand_and_wait_for_stock():
    found = played([5], [[1, 3, 3, 0]], orders((0, 4, 1, NEVER), (0, 2, 1, NEVER)), lines((0, -1, 4, 0, 3)))
    trace = found.trace
    # One is sold on the first day; on the second 4 of 6 leave and nothing is left for others; 2 wait two days.
    assert trace.presale.asked.tolist() == [[0, 6, 0, 0]]
    assert trace.presale.on_time.tolist() == [[0, 4, 0, 0]]
    assert trace.presale.served.tolist() == [[0, 4, 0, 2]]
    assert trace.presale.waiting.tolist() == [[0, 2, 2, 0]]
    assert trace.short.tolist() == [[0, 3, 3, 0]]
    assert trace.lost.tolist() == [[0, 3, 3, 0]], "presale orders are never lost"
    assert trace.closing.tolist() == [[4, 0, 0, 2]]
    assert found.state.presales.shipped.tolist() == [4, 2]


def test_what_is_cancelled_before_it_ships_never_leaves_and_what_waits_falls_away():
    presales = orders((0, 4, 2, 1), (0, 3, 2, 2), (0, 5, 1, 3))
    trace = played([2], [[0, 0, 0, 0]], presales, lines((0, -1, 9, 0, 3))).trace
    assert trace.presale.asked.tolist() == [[0, 5, 0, 0]]
    assert trace.presale.waiting.tolist() == [[0, 3, 3, 0]]
    assert trace.presale.cancelled.tolist() == [[0, 0, 0, 3]]
    assert trace.closing.tolist() == [[2, 0, 0, 9]]


def test_owed_demand_goes_before_presale_orders_and_they_before_what_is_sent():
    state = StockState(0, np.array([6.0, 0]), np.array([1.0, 0]), no_shipments(), presales=orders((0, 3, 0, NEVER)))
    moved = lines((1, 0, 5, 0, 1))
    trace = simulate(
        state,
        np.zeros((2, 2)),
        lambda now: moved if now.bucket == 0 else no_lines(),
        SimulationRules(unmet="backordered"),
    ).trace
    assert (trace.served[0, 0], trace.presale.served[0, 0], trace.sent[0, 0]) == (1, 3, 2)


def test_a_transfer_of_the_day_serves_presale_orders_of_the_day():
    trace = played([5, 0], np.zeros((2, 1)), orders((1, 4, 0, NEVER)), lines((1, 0, 5, 0, 0))).trace
    assert (trace.presale.on_time[1, 0], trace.closing[1, 0]) == (4, 1)


def test_presale_orders_take_what_expires_first_and_are_not_served_elsewhere():
    helpers = np.array([[1], [-1]])
    found = played(
        [0, 6], np.zeros((2, 3)), orders((0, 2, 0, NEVER), (1, 4, 0, NEVER)), unmet="served_elsewhere",
        helpers=helpers, life_buckets=np.array([2, 2]),
    )  # fmt: skip
    assert found.trace.presale.waiting[0].tolist() == [2, 2, 2]
    assert found.trace.expired[1].tolist() == [0, 2, 0]


def test_what_is_ahead_counts_what_is_owed_already_in_the_first_bucket():
    presales = replace(orders((0, 4, 1, NEVER), (0, 3, 5, NEVER), (1, 2, 4, 4), (1, 6, 9, NEVER)), shipped=np.ones(4))
    assert presales.ahead(3, (2, 4)).tolist() == [[3, 0, 2, 0], [0, 0, 0, 0]]


def test_orders_that_shipped_more_than_was_ordered_and_unknown_cells_are_refused():
    with pytest.raises(ValueError, match="shipped in"):
        PresaleOrders(*(np.array([value]) for value in (0, 1.0, 0, NEVER, 2.0)))
    with pytest.raises(ValueError, match="cell of presales must lie in"):
        played([1], [[0]], orders((1, 1, 0, NEVER)))


@st.composite
def worlds(draw: st.DrawFn):
    whole = st.integers(0, 6)
    row = st.tuples(
        st.integers(0, N_CELLS - 1), st.integers(-1, N_CELLS - 1), whole, st.integers(0, 7), st.integers(0, 3)
    )
    moved = [(c, o if o != c else -1, u, s, s + lead) for c, o, u, s, lead in draw(st.lists(row, max_size=6))]
    order = st.tuples(
        st.integers(0, N_CELLS - 1), whole, st.integers(0, 9), st.one_of(st.just(NEVER), st.integers(0, 9))
    )
    presales = draw(st.lists(order, min_size=1, max_size=6))
    demand = draw(st.lists(st.lists(whole, min_size=N_BUCKETS, max_size=N_BUCKETS), min_size=N_CELLS, max_size=N_CELLS))
    on_hand = draw(st.lists(whole, min_size=N_CELLS, max_size=N_CELLS))
    return on_hand, demand, presales, moved, draw(st.sampled_from(["lost", "backordered"]))


def simulated(world, until: int = N_BUCKETS):
    on_hand, demand, presales, moved, unmet = world
    placed = lines(*moved) if moved else None
    return played(on_hand, [row[:until] for row in demand], orders(*presales), placed, unmet=unmet)


def by_hand(world) -> dict[str, list[list[int]]]:
    """Play a world unit by unit: every presale unit is a customer of its own in a queue."""
    on_hand, demand, presales, moved, unmet = world
    stock, owed = list(on_hand), [0] * N_CELLS
    queue = [(due, row, cell, gone) for row, (cell, units, due, gone) in enumerate(presales) for _ in range(units)]
    queue.sort()
    units = [line[2] for line in moved]
    record: dict[str, list[list[int]]] = {name: [] for name in ("on_time", "served", "cancelled", "waiting", "closing")}
    for bucket in range(N_BUCKETS):
        today = {name: [0] * N_CELLS for name in record}
        for due, _, cell, gone in queue:
            today["cancelled"][cell] += gone == bucket and due < bucket
        queue[:] = [one for one in queue if one[3] > bucket]

        def pay(today: dict[str, list[int]] = today, bucket: int = bucket) -> None:
            for cell in range(N_CELLS):
                while stock[cell] and owed[cell]:
                    stock[cell], owed[cell] = stock[cell] - 1, owed[cell] - 1
            for one in list(queue):
                due, _, cell, _ = one
                if due <= bucket and stock[cell]:
                    stock[cell] -= 1
                    queue.remove(one)
                    today["served"][cell] += 1
                    today["on_time"][cell] += due == bucket

        for number, (cell, origin, _, sent, due) in enumerate(moved):
            stock[cell] += units[number] if due == bucket and not (sent == bucket and origin >= 0) else 0
        pay()
        for number, (_, origin, _, sent, _) in enumerate(moved):
            if origin >= 0 and sent == bucket:
                units[number] = min(units[number], stock[origin])
                stock[origin] -= units[number]
        for number, (cell, origin, _, sent, due) in enumerate(moved):
            stock[cell] += units[number] if origin >= 0 and sent == due == bucket else 0
        pay()
        for cell in range(N_CELLS):
            sold = min(stock[cell], demand[cell][bucket])
            stock[cell] -= sold
            owed[cell] += demand[cell][bucket] - sold if unmet == "backordered" else 0
        for due, _, cell, _ in queue:
            today["waiting"][cell] += due <= bucket
        today["closing"] = list(stock)
        for name, column in today.items():
            record[name].append(column)
    return record


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_a_game_unit_by_unit_gives_the_same(world):
    trace = simulated(world).trace
    for name, columns in by_hand(world).items():
        found = trace.closing if name == "closing" else getattr(trace.presale, name)
        assert found.T.tolist() == columns, name


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_stock_and_presale_orders_are_conserved(world):
    found = simulated(world)
    trace, presale = found.trace, found.trace.presale
    before = np.column_stack([trace.opening, trace.closing[:, :-1]])
    assert np.array_equal(before + trace.received - trace.served - presale.served - trace.sent, trace.closing)
    waited = np.column_stack([np.zeros(N_CELLS), presale.waiting[:, :-1]])
    assert np.array_equal(waited + presale.asked - presale.served - presale.cancelled, presale.waiting)
    assert presale.served.sum() == found.state.presales.shipped.sum()


@given(worlds(), st.integers(1, N_BUCKETS - 1))
@settings(max_examples=60, deadline=None)
def test_a_run_in_two_parts_is_the_run_in_one(world, cut):
    whole, first = simulated(world), simulated(world, cut)
    rest = np.array(world[1], float)[:, cut:]
    second = simulate(first.state, rest, lambda _: no_lines(), SimulationRules(unmet=world[4]))
    joined = join_traces([first.trace, second.trace])
    for name in ("asked", "on_time", "served", "cancelled", "waiting"):
        assert np.array_equal(getattr(joined.presale, name), getattr(whole.trace.presale, name))
    assert np.array_equal(joined.closing, whole.trace.closing)


def test_traces_with_presales_are_not_joined_to_traces_without():
    bare = played([1], [[0, 0]], None)
    told = simulate(replace(bare.state, presales=orders((0, 1, 2, NEVER))), np.zeros((1, 1)), lambda _: no_lines(),
                    SimulationRules())  # fmt: skip
    with pytest.raises(ValueError, match="all traces must tell of presales, or none"):
        join_traces([bare.trace, told.trace])
