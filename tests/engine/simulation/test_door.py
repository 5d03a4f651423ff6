"""Tests of goods that wait at the door of a full site: by hand, unit by unit in plain Python, arrays against lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.simulation import (
    Lines,
    Outcome,
    Room,
    SimulationRules,
    StockState,
    join_shipments,
    join_traces,
    no_lines,
    no_shipments,
    simulate,
)
from engine.simulation.arrays import LevelCells, LevelRules, total_levels, trace_levels
from engine.simulation.types import TRACED

N_CELLS, N_BUCKETS = 4, 9


def lines(*rows: tuple[int, int, float, int, int]) -> Lines:
    """Return lines of (cell, origin, units, sent, due)."""
    if not rows:
        return no_lines()
    cell, origin, units, sent, due = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return Lines(
        np.array([f"L{k}" for k in range(n)], object), cell, origin, np.array([f"S{k}" for k in range(n)], object),
        units.astype(float), np.ones(n), sent, due, np.full(n, np.nan),
    )  # fmt: skip


def one_site(capacity: float, *volume: float, whole: bool = True) -> Room:
    n = len(volume)
    return Room(np.array([capacity]), np.zeros(n, np.int64), np.array(volume, float), np.full(n, whole))


def played(on_hand: list[float], demand: list[list[float]], placed: Lines, rules: SimulationRules) -> Outcome:
    state = StockState(0, np.array(on_hand, float), np.zeros(len(on_hand)), no_shipments())
    return simulate(state, np.array(demand, float), lambda now: placed if now.bucket == 0 else no_lines(), rules)


def test_what_does_not_fit_beside_the_stock_of_the_bucket_waits_and_comes_in_as_stock_sells():
    found = played([4], [[3, 3, 3, 3]], lines((0, -1, 9, 0, 1)), SimulationRules(room=one_site(6, 1)))
    # One is left of 4 as nine come: 5 fit. Then 3 are left and 3 of the 4 that wait come in, then the last.
    assert found.trace.received.tolist() == [[0, 5, 3, 1]]
    assert found.trace.closing.tolist() == [[1, 3, 3, 1]]
    assert found.trace.door is not None
    assert found.trace.door.held_up.tolist() == [[0, 4, 0, 0]]
    assert found.trace.door.waiting.tolist() == [[0, 4, 1, 0]]
    assert found.arrived.lines.units.tolist() == [5, 3, 1]
    assert found.arrived.arrives.tolist() == [1, 2, 3]
    assert found.arrived.waited.tolist() == [0, 1, 2]


def test_goods_at_the_door_are_not_for_sale_and_serve_nothing_that_is_owed():
    rules = SimulationRules(unmet="backordered", room=one_site(10, 1, 10))
    # The second item fills the site; the first asks for 2, of which 5 stand at the door.
    found = played([0, 1], [[2, 0, 0], [0, 0, 1]], lines((0, -1, 5, 0, 1)), rules)
    assert found.trace.backlog[0].tolist() == [2, 2, 2]
    assert found.trace.served.sum() == 1


def test_the_queue_is_first_come_first_served_and_of_one_bucket_goes_by_cell():
    placed = lines((1, -1, 3, 0, 2), (0, -1, 2, 0, 2), (2, -1, 2, 0, 1))
    found = played([0, 0, 0], [[0.0] * 4, [0.0] * 4, [0, 0, 1, 1]], placed, SimulationRules(room=one_site(4, 1, 1, 1)))
    # Two of cell 2 come first, then two of cell 0; cell 1 has what the two sales of cell 2 make free a bucket later.
    assert found.trace.received.tolist() == [[0, 0, 2, 0], [0, 0, 0, 1], [0, 2, 0, 0]]
    assert found.trace.door is not None
    assert found.trace.door.waiting[1].tolist() == [0, 0, 3, 2]


def test_a_whole_unit_waits_for_its_room_and_a_part_of_a_divisible_one_does_not():
    for whole, received in ((True, [0, 2, 1]), (False, [0, 2.5, 0.5])):
        rules = SimulationRules(room=one_site(5, 2, whole=whole))
        found = played([0], [[0, 1, 0]], lines((0, -1, 3, 0, 1)), rules)
        assert found.trace.received.tolist() == [received]


def test_what_no_empty_site_holds_waits_for_ever_and_lets_others_pass_as_does_what_takes_no_room():
    placed = lines((0, -1, 1, 0, 0), (1, -1, 2, 0, 0), (2, -1, 7, 0, 0))
    found = played([0, 0, 0], [[0.0] * 3] * 3, placed, SimulationRules(room=one_site(2, 3, 1, 0)))
    assert found.trace.closing[:, -1].tolist() == [0, 2, 7]
    assert found.state.inbound.lines.units.tolist() == [1]


def test_a_transfer_without_lead_time_finds_the_room_that_receipts_have_left():
    room = Room(np.array([5.0]), np.array([-1, 0]), np.ones(2), np.ones(2, bool))
    found = played([9, 1], [[0.0, 0], [0, 4]], lines((1, -1, 2, 0, 0), (1, 0, 4, 0, 0)), SimulationRules(room=room))
    # 1 in stock and 2 bought leave room for 2 of the 4 that were sent; as nothing sells in bucket 0, none for the rest.
    assert found.trace.sent[0].tolist() == [4, 0]
    assert found.trace.received[1].tolist() == [4, 0]
    assert found.state.inbound.lines.units.tolist() == [2]


def test_stock_above_the_room_stays_and_lets_nothing_in_until_it_is_sold():
    found = played([9], [[3, 3, 0]], lines((0, -1, 4, 0, 0)), SimulationRules(room=one_site(5, 1)))
    assert found.trace.received.tolist() == [[0, 0, 2]]
    assert found.trace.closing.tolist() == [[6, 3, 5]]


def test_goods_grow_older_at_the_door_and_may_be_sold_for_a_bucket_at_least():
    life = np.array([3, 0])
    rules = SimulationRules(life_buckets=life, room=one_site(4, 1, 1))
    # The second item leaves its four places in buckets 0 to 3 one by one.
    found = played([0, 4], [[0.0] * 6, [1, 1, 1, 1, 0, 0]], lines((0, -1, 4, 0, 0)), rules)
    # What comes in after one and two buckets may be sold up to bucket 2, as if it had come in at once; then two more
    # places are free, and what waited for three buckets may be sold for one.
    assert found.trace.received[0].tolist() == [0, 1, 1, 2, 0, 0]
    assert found.trace.expired[0].tolist() == [0, 0, 2, 2, 0, 0]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[StockState, np.ndarray, Lines, SimulationRules]:
    """Return two sites of which the first holds little and the second a lot; cell 3 holds anything."""
    whole = st.integers(0, 6)
    on_hand = draw(st.lists(whole, min_size=N_CELLS, max_size=N_CELLS))
    demand = draw(st.lists(st.lists(whole, min_size=N_BUCKETS, max_size=N_BUCKETS), min_size=N_CELLS, max_size=N_CELLS))
    row = st.tuples(
        st.integers(0, N_CELLS - 1), st.integers(-1, N_CELLS - 1), whole, st.integers(0, 5), st.integers(0, 3)
    )
    rows = [(c, o if o != c else -1, u, s, s + lead) for c, o, u, s, lead in draw(st.lists(row, max_size=9))]
    volume = np.array(draw(st.lists(st.integers(0, 3), min_size=N_CELLS, max_size=N_CELLS)), float)
    capacity = np.array(draw(st.tuples(st.integers(0, 9), st.integers(5, 20))), float)
    room = Room(capacity, np.array([0, 0, 1, -1]), volume, np.ones(N_CELLS, bool))
    state = StockState(0, np.array(on_hand, float), np.zeros(N_CELLS), no_shipments())
    unmet = draw(st.sampled_from(["lost", "backordered"]))
    return state, np.array(demand, float), lines(*rows), SimulationRules(unmet=unmet, room=room)


def outcome(world: tuple[StockState, np.ndarray, Lines, SimulationRules]) -> Outcome:
    state, demand, placed, rules = world
    return simulate(state, demand, lambda now: placed if now.bucket == 0 else no_lines(), rules)


def by_hand(begin: StockState, demand: np.ndarray, placed: Lines, rules: SimulationRules) -> dict[str, list]:
    """Play a world unit by unit, with one queue a site."""
    room = rules.room
    assert room is not None
    stock, owed = [int(u) for u in begin.on_hand], [0] * N_CELLS
    units, arrive = [int(u) for u in placed.units], [int(day) for day in placed.due]
    outside = [0] * placed.n_lines
    told: dict[str, list] = {name: [] for name in ("received", "closing", "backlog", "waiting", "fullest")}
    for bucket in range(demand.shape[1]):
        volume = [0.0, 0.0, 0.0]
        for cell in range(N_CELLS):
            volume[room.site[cell]] += room.volume[cell] * stock[cell]
        received = [0] * N_CELLS

        def doors(came: list[int], volume: list[float] = volume, received: list[int] = received) -> None:
            for k in came:
                outside[k] = units[k]
            blocked = set()
            for k in sorted(range(len(units)), key=lambda k: (arrive[k], placed.cell[k], placed.sent[k], k)):
                cell, site = placed.cell[k], room.site[placed.cell[k]]
                each = 0.0 if site < 0 else room.volume[cell]
                while outside[k] and (each == 0 or each <= room.capacity[site]):
                    if each and (site in blocked or volume[site] + each > room.capacity[site]):
                        blocked.add(site)
                        break
                    volume[site] += each
                    outside[k], stock[cell], received[cell] = outside[k] - 1, stock[cell] + 1, received[cell] + 1

        def pay() -> None:
            for cell in range(N_CELLS):
                paid = min(stock[cell], owed[cell])
                stock[cell], owed[cell] = stock[cell] - paid, owed[cell] - paid

        sent_now = [k for k in range(len(units)) if placed.sent[k] == bucket and placed.origin[k] >= 0]
        doors([k for k in range(len(units)) if arrive[k] == bucket and k not in sent_now])
        pay()
        for k in sent_now:
            units[k] = min(units[k], stock[placed.origin[k]])
            stock[placed.origin[k]] -= units[k]
        if sent_now:
            doors([k for k in sent_now if arrive[k] == bucket])
            pay()
        for cell in range(N_CELLS):
            asked = int(demand[cell, bucket])
            sold = min(stock[cell], asked)
            stock[cell] -= sold
            owed[cell] += asked - sold if rules.unmet == "backordered" else 0
        told["received"].append(received)
        told["closing"].append(list(stock))
        told["backlog"].append(list(owed))
        waiting = [sum(outside[k] for k in range(len(units)) if placed.cell[k] == cell) for cell in range(N_CELLS)]
        told["waiting"].append(waiting)
        told["fullest"].append(volume[:2])
    return told


@given(worlds())
@settings(max_examples=300, deadline=None)
def test_a_game_unit_by_unit_with_a_queue_at_each_door_gives_the_same(world):
    expected, trace = by_hand(*world), outcome(world).trace
    assert trace.door is not None
    for name in ("received", "closing", "backlog"):
        assert getattr(trace, name).T.tolist() == expected[name], name
    assert trace.door.waiting.T.tolist() == expected["waiting"]
    assert trace.door.taken_in.T.tolist() == expected["received"]


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_units_are_conserved_and_no_site_is_fuller_than_it_holds_or_was(world):
    state, _, placed, rules = world
    found = outcome(world)
    trace = found.trace
    assert rules.room is not None
    assert trace.door is not None
    opening = np.column_stack([trace.opening, trace.closing[:, :-1]])
    assert np.array_equal(opening + trace.received - trace.served - trace.sent, trace.closing)
    # Ordered = received + at the door + in transit + what a giver did not have.
    lacked = placed.units.sum() - join_shipments([found.arrived, found.state.inbound]).lines.units.sum()
    asked, sent = placed.units[placed.origin >= 0].sum(), trace.sent.sum()
    assert lacked == asked - sent
    at_door = found.state.inbound.arrives < N_BUCKETS
    assert found.state.inbound.lines.units[at_door].sum() == trace.door.waiting[:, -1].sum()
    volume = rules.room.used(opening + trace.received)
    before = rules.room.used(state.on_hand)[:, None]
    assert (volume <= np.maximum(rules.room.capacity[:, None], before) + 1e-9).all()


@given(worlds(), st.integers(1, N_BUCKETS - 1))
@settings(max_examples=100, deadline=None)
def test_a_run_in_two_parts_is_the_run_in_one_with_goods_at_the_door_between(world, cut):
    state, demand, placed, rules = world
    whole = outcome(world)
    first = outcome((state, demand[:, :cut], placed, rules))
    shuffled = first.state.inbound.take(np.arange(first.state.inbound.lines.n_lines)[::-1])
    # The order of rows decides which transfers find stock at their origin, but nothing at a door.
    leaves = ((placed.sent >= cut) & (placed.origin >= 0)).any()
    later = first.state if leaves else replace(first.state, inbound=shuffled)
    second = simulate(later, demand[:, cut:], lambda _: no_lines(), rules)
    joined = join_traces([first.trace, second.trace])
    for name in TRACED:
        assert np.array_equal(getattr(joined, name), getattr(whole.trace, name))
    assert joined.door is not None
    assert whole.trace.door is not None
    assert np.array_equal(joined.door.waiting, whole.trace.door.waiting)
    assert np.array_equal(joined.door.held_up, whole.trace.door.held_up)


@given(worlds())
@settings(max_examples=60, deadline=None)
def test_where_everything_fits_room_changes_nothing(world):
    state, demand, placed, rules = world
    wide = replace(rules, room=replace(rules.room, capacity=np.full(2, 1e6)))
    held, free = outcome((state, demand, placed, wide)), outcome((state, demand, placed, replace(rules, room=None)))
    for name in TRACED:
        assert np.array_equal(getattr(held.trace, name), getattr(free.trace, name))
    assert held.arrived.lines.line_id.tolist() == free.arrived.lines.line_id.tolist()
    assert free.trace.door is None


N, DAYS = 7, 40


def level_cells(rng: np.random.Generator, n: int, **changed: np.ndarray) -> LevelCells:
    up_to = rng.integers(5, 40, n).astype(float)
    given = {
        "on_hand": rng.integers(0, 20, n).astype(float),
        "reorder_point": np.floor(up_to * rng.uniform(0.2, 1.0, n)),
        "order_up_to": up_to,
        "minimum": rng.integers(0, 6, n).astype(float),
        "multiple": rng.choice([0.0, 1.0, 4.0], n),
        "lead_buckets": rng.integers(0, 9, n),
    }
    return LevelCells(**(given | changed))


def level_room(rng: np.random.Generator, n: int = N) -> Room:
    site = np.array([0, 0, 1, 0, 1, -1, 1])
    return Room(np.array([40.0, 25.0]), site, rng.choice([0.0, 0.5, 1.0, 2.5], n), rng.random(n) < 0.7)


def same_rule(own: LevelCells, lead: np.ndarray | None):
    """Return the rule of the cells for the line-based simulator."""

    def decide(state: StockState) -> Lines:
        coming = np.bincount(state.inbound.lines.cell, weights=state.inbound.lines.units, minlength=own.n_cells)
        position = state.on_hand + coming - state.backlog
        cell = np.flatnonzero((position <= own.reorder_point) & (position < own.order_up_to))
        units = np.maximum((own.order_up_to - position)[cell], own.minimum[cell])
        pack = np.where(own.multiple[cell] > 0, own.multiple[cell], 1.0)
        units = np.where(own.multiple[cell] > 0, np.ceil(units / pack) * pack, units)
        days = (own.lead_buckets if lead is None else lead[:, state.bucket])[cell]
        n, sent = len(cell), np.full(len(cell), state.bucket)
        names = np.array([f"{state.bucket:03}-{one}" for one in cell], object)
        source, none = np.array(["S"] * n, object), np.full(n, np.nan)
        return Lines(names, cell, np.full(n, -1), source, units, none, sent, sent + days, none)

    return decide


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("expires", [False, True])
@pytest.mark.parametrize("random_leads", [False, True])
def test_arrays_and_lines_agree_where_sites_are_full(unmet: str, seed: int, expires: bool, random_leads: bool):
    rng = np.random.default_rng(seed)
    life = np.array([0, 1, 2, 3, 5, 8, 60]) if expires else np.zeros(N, np.int64)
    own, room = level_cells(rng, N, life_buckets=life), level_room(rng)
    demand = rng.poisson(2.0, (N, DAYS)).astype(float)
    lead = rng.integers(0, 9, (N, DAYS)) if random_leads else None
    state = StockState(0, own.on_hand, np.zeros(N), no_shipments())
    rules = SimulationRules(3, unmet, life_buckets=life if expires else None, room=room)
    by_line = simulate(state, demand, same_rule(own, lead), rules).trace
    by_array = trace_levels(own, demand, LevelRules(3, unmet, room), lead)
    for name in TRACED:
        np.testing.assert_allclose(getattr(by_array, name), getattr(by_line, name), atol=1e-9, err_msg=name)
    assert by_array.door is not None
    assert by_line.door is not None
    for name in ("taken_in", "held_up", "waiting"):
        of_array, of_line = getattr(by_array.door, name), getattr(by_line.door, name)
        np.testing.assert_allclose(of_array, of_line, atol=1e-9, err_msg=name)
    assert by_array.door.waiting.sum() > 0
    assert (by_array.expired.sum() > 0) == expires
    totals = total_levels(own, demand, LevelRules(3, unmet, room), lead)
    np.testing.assert_array_equal(totals.waiting, by_array.door.waiting.sum(axis=1))
    np.testing.assert_array_equal(totals.held_up, by_array.door.held_up.sum(axis=1))


def test_stacked_replications_have_sites_of_their_own():
    rng = np.random.default_rng(5)
    own, room = level_cells(rng, N), level_room(rng)
    demand = rng.poisson(2.0, (3, N, DAYS)).astype(float)
    together = total_levels(own.stacked(3), demand.reshape(3 * N, DAYS), LevelRules(room=room.stacked(3)))
    assert together.waiting.sum() > 0
    for replication in range(3):
        alone = total_levels(own, demand[replication], LevelRules(room=room))
        for name in ("short", "stock", "held_up", "waiting"):
            found = getattr(together, name)[replication * N : (replication + 1) * N]
            np.testing.assert_array_equal(found, getattr(alone, name))


def test_room_of_another_shape_or_below_nothing_is_refused():
    room = one_site(4, 1, 1)
    with pytest.raises(ValueError, match="volume must have shape"):
        replace(room, volume=np.ones(3))
    with pytest.raises(ValueError, match="capacity must be >= 0"):
        replace(room, capacity=np.array([-1.0]))
    with pytest.raises(ValueError, match=r"site must lie in \[-1, 1\)"):
        replace(room, site=np.array([0, 1]))
    own = level_cells(np.random.default_rng(6), N)
    with pytest.raises(ValueError, match="room must be that of 7 cells"):
        trace_levels(own, np.zeros((N, 2)), LevelRules(room=room))
