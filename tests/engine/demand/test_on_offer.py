from dataclasses import replace

import numpy as np
import pytest

from engine.demand.on_offer import on_offer
from engine.forecast.synthetic import synthetic_panel


def brute_force(panel):
    offered = np.array(panel.offered)
    h = panel.calendar.n_history
    for r in range(panel.n_series):
        runs, run = [], []
        for t in range(h):
            if panel.units[r, t] > 0:
                runs.append((run, False))
                run = []
            else:
                run.append(t)
        runs.append((run, True))
        for run, last in runs:
            idle = [t for t in run if panel.offered[r, t] and panel.available[r, t] > 0]
            if run and len(idle) >= panel.dormant_buckets:
                offered[r, run] = False
                if last:
                    offered[r, h:] = False
    return offered


@pytest.mark.parametrize("seed", range(5))
def test_dormant_runs_equal_a_count_run_by_run(seed):
    rng = np.random.default_rng(seed)
    panel = synthetic_panel(n_items=10, n_history=60, n_future=5)
    units = np.where(rng.random(panel.units.shape) < 0.1, 1, 0).astype(np.float32)
    available = rng.choice([0, 0.5, 1], p=[0.2, 0.1, 0.7], size=panel.units.shape).astype(np.float32)
    panel = replace(panel, units=units, available=available, dormant_buckets=9)
    assert (on_offer(panel) == brute_force(panel)).all()


def test_a_stock_out_never_counts_as_dormant():
    panel = synthetic_panel(n_items=1, n_history=30, n_future=5)
    units, available = np.ones((2, 30), np.float32), np.ones((2, 30), np.float32)
    units[:, 5:], available[0, 5:] = 0, 0
    offer = on_offer(
        replace(panel, units=units, available=available, offered=np.ones((2, 35), bool), dormant_buckets=10)
    )
    assert offer[0].all()
    assert not offer[1, 5:].any()


def test_a_cut_panel_never_looks_ahead():
    panel = replace(synthetic_panel(n_history=80), dormant_buckets=12)
    units = np.array(panel.units)
    units[:, 50:] = 0
    assert (on_offer(replace(panel, units=units).cut(30)) == on_offer(panel.cut(30))).all()
