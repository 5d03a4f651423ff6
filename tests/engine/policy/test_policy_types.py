"""Cells, options and scenarios are checked when built."""

from dataclasses import replace

import numpy as np
import pytest

from engine.policy.service import expected_service
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule, block_of
from tests.engine.policy.stock_worlds import daily_rule, make_cells, make_options, make_scenarios


def test_cells_must_be_whole():
    cells = make_cells(3, 5)
    with pytest.raises(ValueError, match="target must have 3 rows"):
        replace(cells, target=np.ones(2))
    with pytest.raises(ValueError, match=r"available must be >= 0. Got 1 negative or missing"):
        replace(cells, available=np.array([1.0, np.nan, 0.0]))
    with pytest.raises(ValueError, match="arrivals must have 3 rows and 2 dimension"):
        replace(cells, arrivals=np.zeros(3))


def test_options_must_be_in_order():
    options = make_options(make_cells(3, 5), 1, 3)
    with pytest.raises(ValueError, match="sorted by cell"):
        replace(options, cell=np.array([0, 2, 1]))
    with pytest.raises(ValueError, match="0 <= arrival <= next_arrival"):
        replace(options, next_arrival=np.array([3, 0, 3]))
    with pytest.raises(ValueError, match=r"at most one primary option\. Got 1 more"):
        replace(options, cell=np.array([0, 1, 1]))


def test_scenarios_and_rules_must_fit():
    with pytest.raises(ValueError, match="paths must have shape"):
        Scenarios(np.zeros((3, 4), np.float32), np.zeros((3, 4), np.int32), np.zeros((3, 4), np.int32))
    paths = np.zeros((3, 4, 5), np.float32)
    with pytest.raises(ValueError, match=r"arrival must have shape \(m, 4\)"):
        Scenarios(paths, np.zeros((3, 2), np.int32), np.zeros((3, 4), np.int32))
    with pytest.raises(ValueError, match="one shape"):
        Scenarios(paths, np.zeros((3, 4), np.int32), np.zeros((2, 4), np.int32))
    with pytest.raises(ValueError, match="0 <= arrival <= next_arrival"):
        Scenarios(paths, np.ones((3, 4), np.int32), np.zeros((3, 4), np.int32))
    for given in (("profit", "lost"), ("cost", "dropped")):
        with pytest.raises(ValueError, match="must be"):
            StockRule(*given, np.ones(5, np.int64))


def test_a_block_holds_whole_items():
    cells = make_cells(4, 5)
    options = replace(make_options(cells, 1, 3), origin_cell=np.array([-1, 0, -1, 2]))
    some, links, rows = block_of(cells, options, 2, 4)
    assert some.item_id.tolist() == cells.item_id[2:].tolist()
    assert links.cell.tolist() == [0, 1]
    assert links.origin_cell.tolist() == [-1, 0]
    assert rows.tolist() == [2, 3]
    with pytest.raises(ValueError, match="whole items"):
        block_of(cells, options, 1, 4)


def test_nothing_to_decide_gives_nothing():
    cells = make_cells(2, 5)
    options = make_options(cells, 1, 3, primary=np.zeros(2, dtype=bool))
    scenarios = make_scenarios(options, np.ones((2, 4, 5)))
    for objective in ("cost", "fill_rate"):
        targets = stock_targets(cells, options, scenarios, daily_rule(objective, "lost", 5))
        assert len(targets.option) == len(targets.order_units) == len(targets.binding) == 0
    none = options.take(np.zeros(0, dtype=np.int64))
    empty = make_scenarios(none, np.ones((2, 4, 5)))
    assert [len(a) for a in expected_service(cells, none, empty, daily_rule("cost", "lost", 5), np.zeros(0))] == [0, 0]
