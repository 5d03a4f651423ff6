"""Tests of shelf life in the line-based simulator: by hand, and against units that are thrown away one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.simulation import Lines, Shipments, SimulationRules, StockState, no_lines, no_shipments, simulate
from engine.simulation.shelf import first_expired_out

BUCKETS = 30


def lines(*rows: tuple[int, int, float, int, int]) -> Lines:
    """Return lines of (cell, origin, units, sent, due)."""
    cell, origin, units, sent, due = (np.array(column) for column in zip(*rows, strict=True))
    n, text = len(rows), np.array([f"L{row}" for row in range(len(rows))], object)
    none = np.full(n, np.nan)
    return Lines(text, cell, origin, text, units.astype(float), none, sent, due, none)


def placed(rows: Lines):
    return lambda state: rows if state.bucket == 0 else no_lines()


def life(*buckets: int) -> SimulationRules:
    return SimulationRules(life_buckets=np.array(buckets))


def test_what_is_not_sold_in_its_life_is_thrown_away_at_its_end():
    state = StockState(0, np.array([5.0]), np.zeros(1), no_shipments())
    demand = np.array([[1.0, 1, 1, 1, 1]])
    trace = simulate(state, demand, placed(lines((0, -1, 4, 0, 1))), life(3)).trace
    # 5 fresh ones may be sold in buckets 0, 1 and 2: two are left over. 4 came in bucket 1 and may be sold to bucket 3,
    # but the older ones went first: all but the one sold in bucket 3 are thrown away.
    assert trace.expired.tolist() == [[0, 0, 2, 3, 0]]
    assert trace.closing.tolist() == [[4, 7, 4, 0, 0]]
    assert trace.short.tolist() == [[0, 0, 0, 0, 1]]


def test_what_expires_first_leaves_first_whenever_it_came():
    batches = np.array([[2.0, 0, 3, 4], [0, 1, 0, 0]])
    np.testing.assert_array_equal(first_expired_out(batches, np.array([4.0, 0])), [[0, 0, 1, 4], [0, 1, 0, 0]])


def test_stock_of_known_batches_expires_by_them():
    state = StockState(0, np.array([6.0]), np.zeros(1), no_shipments(), batches=np.array([[1.0, 3, 2]]))
    trace = simulate(state, np.array([[0.0, 1, 0]]), lambda _: no_lines(), life(3)).trace
    assert trace.expired.tolist() == [[1, 2, 2]]


def test_moved_goods_are_as_old_as_the_oldest_that_their_origin_held():
    state = StockState(0, np.array([6.0, 0]), np.zeros(2), no_shipments(), batches=np.array([[0.0, 2, 0, 4], [0] * 4]))
    move = lines((1, 0, 3, 0, 1))
    trace = simulate(state, np.zeros((2, 5)), placed(move), life(4, 4)).trace
    # Two units with two buckets left go, and one of the four others with them; a bucket on the way leaves one bucket.
    assert trace.expired.tolist() == [[0, 0, 0, 3, 0], [0, 3, 0, 0, 0]]


def test_a_walk_in_two_parts_is_one_walk():
    rng = np.random.default_rng(8)
    state = StockState(0, np.array([9.0, 7.0]), np.zeros(2), no_shipments())
    demand = rng.poisson(1.0, (2, BUCKETS)).astype(float)
    coming = lines(*((int(rng.integers(2)), -1, float(rng.integers(1, 6)), 0, due) for due in range(1, 20)))
    whole = simulate(state, demand, placed(coming), life(3, 6)).trace
    first = simulate(state, demand[:, :11], placed(coming), life(3, 6))
    second = simulate(first.state, demand[:, 11:], lambda _: no_lines(), life(3, 6)).trace
    np.testing.assert_array_equal(second.closing, whole.closing[:, 11:])
    np.testing.assert_array_equal(second.expired, whole.expired[:, 11:])


@pytest.mark.parametrize("unmet", ["lost", "backordered", "served_elsewhere"])
def test_every_unit_is_sold_moved_thrown_away_or_still_there_as_a_shelf_of_single_units_has_it(unmet: str):
    rng = np.random.default_rng(9)
    n, lives = 4, np.array([2, 4, 7, 0])
    coming = lines(*((int(rng.integers(n)), -1, float(rng.integers(1, 5)), 0, int(rng.integers(1, 25)))
                     for _ in range(60)))  # fmt: skip
    on_hand, demand = rng.integers(0, 6, n).astype(float), rng.poisson(1.2, (n, BUCKETS)).astype(float)
    helpers = np.array([[1], [0], [3], [2]]) if unmet == "served_elsewhere" else None
    rules = SimulationRules(unmet=unmet, helpers=helpers, life_buckets=lives)
    state = StockState(0, on_hand, np.zeros(n), no_shipments())
    trace = simulate(state, demand, placed(coming), rules).trace

    before = np.concatenate([on_hand[:, None], trace.closing[:, :-1]], axis=1)
    flow = before + trace.received - trace.served - trace.sent - trace.expired
    np.testing.assert_array_equal(flow, trace.closing)
    bought = np.zeros((n, BUCKETS))
    np.add.at(bought, (coming.cell, coming.due), coming.units)
    for cell in range(n):
        shelf = [lives[cell] - 1] * int(on_hand[cell])  # the last bucket in which each unit may be sold
        for bucket in range(BUCKETS):
            shelf += [bucket + lives[cell] - 1] * int(bought[cell, bucket])
            helped = trace.received[cell, bucket] - bought[cell, bucket]
            for _ in range(int(trace.served[cell, bucket] + trace.sent[cell, bucket] - helped)):
                shelf.remove(min(shelf))
            gone = [last for last in shelf if lives[cell] and last <= bucket]
            shelf = [last for last in shelf if not (lives[cell] and last <= bucket)]
            assert (len(gone), len(shelf)) == (trace.expired[cell, bucket], trace.closing[cell, bucket])
    assert trace.expired[:3].sum() > 0


def test_a_shipment_keeps_its_life_when_it_is_taken_and_joined():
    shipments = Shipments(lines((0, -1, 1, 0, 1), (0, 1, 1, 0, 1)), np.array([1, 1]), np.array([-1, 2]))
    assert shipments.take(np.array([1])).life.tolist() == [2]
    assert shipments.with_units(np.array([3.0, 3])).life.tolist() == [-1, 2]
    with pytest.raises(ValueError, match="life must have shape"):
        replace(shipments, life=np.array([1]))
