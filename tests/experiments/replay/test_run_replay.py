"""Tests of a whole replay as the command line runs it: what it writes, tracks and tells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from engine.config import PlanConfig
from engine.errors import ConfigError
from engine.execution import Run
from engine.tables import Tables
from experiments import tracking
from experiments.exchange.folder import write_tables
from experiments.replay.opening import target_opening, warm_up_buckets
from experiments.replay.run import ReplayRequest, run_replay
from experiments.replay.world import Stretch, recovered, world_of
from tests.replays import FROM, small_frames

OURS = """
[forecast]
models = ["moving_average"]
n_paths = 20
[run]
workers = 1
"""
COVER = '[policy]\nkind = "weeks_of_cover"\nwindow_weeks = 4\n'
FESTIVAL = """
[[demand]]
start_date = 2023-06-05
end_date = 2023-06-11
factor = 10
"""


def long_frames() -> dict[str, pd.DataFrame]:
    """Return thirty weeks of four items, one of which the shop ran out of, without stock on record."""
    rng = np.random.default_rng(7)
    dates = pd.date_range("2023-01-02", periods=30, freq="W-MON")
    rows = [
        pd.DataFrame({"item_id": item, "location_id": "P", "date": dates, "units": rng.poisson(rate, 30).astype(float)})
        for item, rate in (("A", 6), ("B", 3), ("C", 2), ("D", 4))
    ]
    sales = pd.concat(rows, ignore_index=True).assign(in_stock=1.0)
    out = (sales["item_id"] == "D") & (sales["date"].isin(dates[-6:-3]))
    sales.loc[out, ["units", "in_stock"]] = 0.0
    frames = small_frames()
    items = pd.DataFrame({"item_id": [*"ABCD"], "unit_cost": [10.0, 5, 4, 2], "unit_price": [15.0, 8, 7, 5]})
    return {"sales": sales, "items": items, "supply": frames["supply"], "suppliers": frames["suppliers"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    write_tables(long_frames(), folder / "data")
    for name, text in (("ours.toml", OURS), ("cover.toml", COVER), ("festival.toml", FESTIVAL)):
        (folder / name).write_text(text)
    return folder


def request(folder: Path, *policies: str, **changed: object) -> ReplayRequest:
    named = tuple(folder / f"{name}.toml" for name in policies)
    given = {"data": str(folder / "data"), "home": folder / "home", "policies": named, "weeks": 12, "track": False}
    return ReplayRequest(**(given | changed))


@pytest.fixture(scope="module")
def result(folder: Path):
    asked = request(folder, "ours", "cover", out=folder / "out", track=True, what_if=folder / "festival.toml")
    return run_replay(asked, Run())


def test_every_policy_stands_beside_the_textbook_and_the_bound_with_and_without_the_what_if(result):
    summary = result.replayed.tables["summary"]
    plain = ["ours", "cover", "textbook", "foresight"]
    assert [*dict.fromkeys(summary["policy"])] == [*plain, *(f"{name}, festival" for name in plain)]
    assert set(summary["demand_as"]) == {"sales", "recovered"}
    at = summary[summary["demand_as"] == "sales"].set_index("policy")
    assert (at.loc["textbook", "place"], at.loc["foresight", "place"]) == (0, 1)
    assert at.loc["foresight", "short"] == 0
    assert at["demand"].nunique() == 2, "all met the same demand; the what-if has its own"
    assert at.loc["ours, festival", "demand"] > at.loc["ours", "demand"]


def test_tables_add_up(result):
    tables = result.replayed.tables
    key = ["policy", "demand_as"]
    cost = tables["summary"].set_index(key)["cost"]
    for name, column in (("weekly", "cost"), ("items", "cost"), ("by_class", "cost"), ("costs", "value")):
        of_table = tables[name].groupby(key)[column].sum().reindex(cost.index)
        np.testing.assert_allclose(of_table, cost, err_msg=name)
    lines = tables["lines"]
    assert (lines["units"] > 0).all()
    assert set(lines["kind"]) == {"purchase"}


def test_hidden_demand_is_marked_and_bounded(result):
    summary = result.replayed.tables["summary"].set_index(["policy", "demand_as"])
    assert summary.loc[("cover", "recovered"), "demand"] > summary.loc[("cover", "sales"), "demand"]
    # Three weeks of one of four items in eight counted weeks, in which the policy's stock lasted.
    assert 0 < summary.loc[("textbook", "sales"), "marked_share"] <= 3 / 32
    assert summary.loc[("textbook", "sales"), "beyond_sales"] == 0
    assert summary.loc[("textbook", "recovered"), "beyond_sales"] > 0


def test_what_is_written_is_complete_and_says_what_was_assumed(result):
    out = result.out
    names = {path.name for path in out.iterdir()}
    assert {"summary.parquet", "weekly.csv", "differences.csv", "lines.parquet", "report.html", "replay.json"} <= names
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "http" not in report.replace("http://www.w3.org", "")
    for told in ("order-up-to levels of ours", "The first 28 days do not count", "cover, festival", "The shop ran out"):
        assert told in report
    inventory = pd.read_parquet(out / "closing" / "cover" / "inventory.parquet")
    assert set(inventory["item_id"]) == {*"ABCD"}
    assert json.loads((out / "replay.json").read_text())["scored"] == list(result.replayed.scored)


def test_each_policy_is_a_run_below_the_replays_own(result, folder: Path):
    client = MlflowClient(f"sqlite:///{folder / 'home' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(tracking.REPLAYS)
    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{result.tracked}'")
    cost = result.replayed.tables["summary"].set_index(["policy", "demand_as"])["cost"]
    found = {child.data.tags["policy"]: child.data.metrics["sales/cost"] for child in children}
    assert found == {policy: pytest.approx(cost[policy, "sales"]) for policy in cost.index.levels[0]}


def test_a_policy_that_has_the_name_of_anothers_what_if_is_refused(folder: Path):
    (folder / "twin.toml").write_text(COVER + 'name = "cover, festival"\n')
    with pytest.raises(ConfigError, match="cover, festival"):
        run_replay(request(folder, "cover", "twin", what_if=folder / "festival.toml"))


def test_a_replay_within_its_warm_up_is_refused(folder: Path):
    with pytest.raises(ConfigError, match="days that do not count"):
        run_replay(request(folder, "cover", weeks=4))


def test_a_first_policy_without_a_level_needs_stock_on_record(folder: Path):
    (folder / "bound.toml").write_text('[policy]\nkind = "perfect_foresight"\n')
    with pytest.raises(ConfigError, match="stock to open with"):
        run_replay(request(folder, "bound"))


def test_without_stock_on_record_the_slowest_link_sets_the_days_that_do_not_count():
    frames = long_frames()
    frames["supply"] = frames["supply"].assign(lead_time_days=45.0)
    world, _ = world_of(Tables.of(frames), PlanConfig(), Stretch(weeks=12))
    # 45 and 7 days are eight weeks.
    assert warm_up_buckets(world) == 8
    levels = np.full(world.n_cells, 2.5)
    assert (target_opening(world, levels).state.on_hand == 3).all(), "whole units"


def test_recovered_demand_is_whole_never_below_sales_and_above_them_only_where_the_shop_ran_out():
    tables = Tables.of(long_frames())
    world, _ = world_of(tables, PlanConfig(), Stretch(weeks=12))
    more = recovered(world, tables, PlanConfig()).demand - world.demand
    assert (more == np.rint(more)).all()
    assert (more >= 0).all()
    assert more.sum() > 0
    assert more[~world.censored].sum() == 0


def test_the_stretch_begins_where_it_is_asked_to():
    world, _ = world_of(Tables.of(small_frames()), PlanConfig(), Stretch(FROM))
    assert (world.date_of(world.first), world.end - world.first) == (FROM, 4)
