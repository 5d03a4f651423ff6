"""Scores of M5 on a tiny hierarchy, against a slow reading of their definitions with pandas."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.forecast.m5 import blocks
from benchmarks.forecast.m5.blocks import SPANS, PathScores, Truth, score_paths
from benchmarks.forecast.m5.hierarchy import hierarchy_of
from benchmarks.forecast.m5.one import calibration
from benchmarks.forecast.m5.panels import FIRST_DAY, panel_after
from benchmarks.forecast.m5.peers import PeerForecast, kept_at
from benchmarks.forecast.m5.report import Report, level_rows, summary_rows
from benchmarks.forecast.m5.run import peer_report
from benchmarks.forecast.m5.score import DECILES, QUANTILES, absolute_change, bias, wql, wrmsse
from engine.execution import Serial
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import SamplePaths
from tests.benchmarks.m5_world import KEYS, tiny_sales, tiny_table

N_PATHS = 40


@dataclass(frozen=True)
class Drawn:
    """Paths of each series from a generator of its own."""

    def sample(self, panel, horizon, n_paths, streams):
        draws = [streams.series(i, loc).poisson(3, (n_paths, horizon)) for i, loc in keys_of(panel)]
        return SamplePaths(panel.item_id, panel.location_id, np.stack(draws).astype(np.float32))


def keys_of(panel):
    return zip(panel.item_id, panel.location_id, strict=True)


def tiny_truth():
    sales = tiny_sales()
    panel, actual = panel_after(sales, FIRST_DAY + 59)
    hierarchy = hierarchy_of(sales.items, sales.items, tiny_table(sales.items))
    return Truth.of(panel, actual, hierarchy, np.arange(12) % 2 == 0), sales.items


def groups_of(items):
    """Yield level, weight within the level, scale and rows of every group, by hand."""
    table = tiny_table(items).set_index(["level", "key1", "key2"])
    for level, key in KEYS.items():
        keys = pd.Series([key(row) for row in items.itertuples()])
        weights = table["weight_d1914_1941"].loc[level]
        for name, members in keys.groupby(keys):
            row = table.loc[(level, *name)]
            yield level, row["weight_d1914_1941"] / weights.sum(), row["mse_naive1_d1913"], members.index.to_numpy()


def slow_change(history):
    begun = np.flatnonzero(history)
    if not len(begun):
        return 0.0
    return float(pd.Series(history[begun[0] :]).astype(float).diff().abs().mean())


def slow_pinball(actual, paths, quantiles):
    """Return the loss summed over days of each quantile, value by value."""
    ordered = np.sort(paths, axis=0)
    total = np.zeros(len(quantiles))
    for q, share in enumerate(quantiles):
        place = max(int(np.ceil(share * len(paths) - 1e-9)) - 1, 0)
        for day, came in enumerate(actual):
            gap = came - ordered[place, day]
            total[q] += share * gap if gap >= 0 else (share - 1) * gap
    return total


def test_wrmsse_equals_a_slow_reading_of_its_definition():
    truth, items = tiny_truth()
    forecast = np.random.default_rng(1).uniform(0, 5, truth.actual.shape).astype(np.float32)
    slow = dict.fromkeys(KEYS, 0.0)
    for level, weight, mse, rows in groups_of(items):
        gap = forecast[rows].astype(float).sum(axis=0) - truth.actual[rows].sum(axis=0)
        slow[level] += weight * np.sqrt((gap**2).mean() / mse)
    assert wrmsse(truth.hierarchy, forecast, truth.actual) == pytest.approx(slow)


def test_path_scores_equal_a_slow_reading_of_their_definitions():
    truth, items = tiny_truth()
    found = score_paths(Drawn(), truth, Serial(), N_PATHS)
    paths = Drawn().sample(truth.panel, 28, N_PATHS, Streams(0)).units.astype(float)
    slow = dict.fromkeys(KEYS, 0.0)
    for level, weight, _, rows in groups_of(items):
        scale = slow_change(truth.panel.units[rows].sum(axis=0))
        loss = slow_pinball(truth.actual[rows].sum(axis=0), paths[rows].sum(axis=0), QUANTILES).mean() / 28
        slow[level] += weight * loss / scale if scale else 0
    assert truth.hierarchy.by_level(found.loss) == pytest.approx(slow)
    np.testing.assert_allclose(found.mean, paths.mean(axis=1), rtol=1e-6)
    chosen = np.flatnonzero(truth.sampled)
    deciles = sum(slow_pinball(truth.actual[row], paths[row], DECILES) for row in chosen)
    np.testing.assert_allclose(found.decile_loss, deciles)
    total = truth.actual[chosen].sum()
    assert wql(found.decile_loss, found.units) == pytest.approx(np.mean([2 * loss / total for loss in deciles]))
    for column, span in enumerate(SPANS):
        sums, came = paths[:, :, :span].sum(axis=2), truth.actual[:, :span].sum(axis=1)
        np.testing.assert_allclose(found.below[:, column], (sums < came[:, None]).mean(axis=1))
        np.testing.assert_allclose(found.at_most[:, column], (sums <= came[:, None]).mean(axis=1))


@pytest.mark.parametrize("n_series", [1, 6])
def test_scores_do_not_depend_on_the_blocks(monkeypatch, n_series):
    truth, _ = tiny_truth()
    whole = score_paths(Drawn(), truth, Serial(), N_PATHS)
    monkeypatch.setattr(blocks, "series_blocks", lambda panel: series_blocks(panel, n_series))
    parts = score_paths(Drawn(), truth, Serial(), N_PATHS)
    for name in ("mean", "upper", "loss", "decile_loss", "below", "at_most"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12, err_msg=name)


def test_of_some_series_only_complete_groups_count_and_their_weights_sum_to_one():
    sales = tiny_sales()
    table = tiny_table(sales.items)
    rows = np.flatnonzero(sales.items["store_id"] == "TX_1")
    part = hierarchy_of(sales.take(rows).items, sales.items, table)
    assert part.present == [2, 3, 6, 7, 8, 9, 11, 12]
    assert part.by_level(np.ones(part.n_groups)) == pytest.approx(dict.fromkeys(part.present, 1.0))
    whole = hierarchy_of(sales.items, sales.items, table)
    assert whole.mse[whole.group[2, rows[0]]] == part.mse[part.group[2, 0]]


def test_a_group_without_scale_and_weight_is_refused():
    items = tiny_sales().items
    table = tiny_table(items)
    with pytest.raises(ValueError, match="FOODS_1_001"):
        hierarchy_of(items, items, table[table["key1"] != "FOODS_1_001"])


def test_change_is_counted_from_the_first_sale():
    history = np.array([[0, 0, 3, 1, 1], [0, 0, 0, 0, 0], [2, 0, 0, 0, 4]], np.float32)
    assert absolute_change(history).tolist() == [1.0, 0.0, 1.5]


def test_bias_is_by_week():
    actual = np.ones((2, 28), np.float32)
    forecast = np.repeat(np.array([1, 2, 0.5, 1], np.float32), 7) * actual
    assert bias(forecast, actual) == pytest.approx([0, 1, -0.5, 0])


def test_coverage_is_the_share_of_the_pit_inside_by_velocity_class():
    # Two series sell 0.5 a day and one 8; the PIT of the last lies in 0.9 to 1, half of which is inside 90 %.
    units = np.array([[1, 0], [0, 1], [8, 8]], np.float32)
    below = np.repeat(np.array([[0.4], [0.1], [0.9]]), 3, axis=1)
    at_most = np.repeat(np.array([[0.6], [0.3], [1.0]]), 3, axis=1)
    nothing = np.zeros(0)
    scores = PathScores(nothing, nothing, nothing, nothing, 0.0, below, at_most, 0.0, 0.0)
    rows = calibration(scores, units, np.ones((3, 30), bool))
    assert [(row["sold"], row["days"], row["series"]) for row in rows] == [
        *(("0.25 to 1", span, 2) for span in SPANS),
        *(("4 and more", span, 1) for span in SPANS),
    ]
    assert [rows[0][name] for name in ("in 50%", "in 80%", "in 90%")] == pytest.approx([(1 + 0.25) / 2, 1, 1])
    assert [rows[-1][name] for name in ("in 50%", "in 80%", "in 90%")] == pytest.approx([0, 0, 0.5])


def test_a_peer_is_scored_like_restock_and_gets_nothing_where_it_gives_nothing():
    truth, _ = tiny_truth()
    paths = Drawn().sample(truth.panel, 28, N_PATHS, Streams(0)).units
    ours = score_paths(Drawn(), truth, Serial(), N_PATHS)
    sums = truth.hierarchy.sums(paths.reshape(12, -1)).reshape(-1, N_PATHS, 28)
    place = {q: max(int(np.ceil(q * N_PATHS - 1e-9)) - 1, 0) for q in (*QUANTILES, *DECILES)}
    by_rank = np.sort(sums, axis=1)
    own_by_rank = np.sort(paths[truth.sampled], axis=1)
    found = PeerForecast(
        1.0,
        paths.mean(axis=1),
        by_rank[:, [place[q] for q in QUANTILES]],
        own_by_rank[:, [place[q] for q in DECILES]],
    )
    report = peer_report("drawn", found, truth)
    assert report.wspl == pytest.approx(truth.hierarchy.by_level(ours.loss))
    assert report.wrmsse == pytest.approx(wrmsse(truth.hierarchy, ours.mean, truth.actual))
    assert report.wql == pytest.approx(wql(ours.decile_loss, ours.units))
    bare = peer_report("bare", PeerForecast(1.0), truth)
    assert (bare.wrmsse, bare.wspl, bare.bias) == ({}, {}, ())
    assert np.isnan(bare.wql)


def test_a_kept_forecast_comes_back_whole_and_goes_by_the_data(tmp_path):
    truth, _ = tiny_truth()
    path = kept_at("prophet", truth.panel, tmp_path)
    mean = np.arange(12 * 28, dtype=np.float32).reshape(12, 28)
    PeerForecast(2.5, mean).save(path)
    back = PeerForecast.load(path)
    np.testing.assert_array_equal(back.mean, mean)
    assert (back.seconds, back.quantiles, back.deciles) == (2.5, None, None)
    assert list(tmp_path.iterdir()) == [path]
    sold_more = replace(truth.panel, units=truth.panel.units + 1)
    snap = 1 - truth.panel.regressors["event_snap"]
    other_snap = replace(truth.panel, regressors={**truth.panel.regressors, "event_snap": snap})
    others = [kept_at("prophet", panel, tmp_path) for panel in (truth.panel.cut(1), sold_more, other_snap)]
    assert len({path, *others}) == 4
    assert kept_at("auto_ets", other_snap, tmp_path) == kept_at("auto_ets", truth.panel, tmp_path)


def test_a_report_survives_being_text_and_the_tables_leave_a_gap_where_nothing_is_known():
    ours = Report("ours", {"fit": 1.5}, {1: 0.5, 12: 0.9}, {1: 0.25, 12: 0.35}, 0.6, [0.01], peak_gb=1.0)
    assert Report.of_text(ours.text()) == replace(ours, calibration=[], notes=[])
    peer = Report("peer", {"peer": 2.0}, {1: 0.7})
    assert level_rows([ours, peer])[1] == {
        "level": "12 item × store",
        "WRMSSE ours": "0.9000",
        "WRMSSE peer": "–",
        "WSPL ours": "0.3500",
    }
    assert level_rows([ours, peer])[-1]["WRMSSE ours"] == "0.7000"
    assert [row["peer s"] for row in summary_rows([ours, peer])] == ["–", "2.0"]
