"""A presale of the demo world, replayed end to end: Double 11 of 2025 with three of its items."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.execution import Run
from experiments.demo_world import build
from experiments.exchange.folder import write_tables
from experiments.replay.run import ReplayRequest, ReplayResult, run_replay
from experiments.run_plan import PlanRequest, run_plan

OURS = '[forecast]\nmodels = ["moving_average"]\nn_paths = 30\n[run]\nworkers = 1\n'
NORMAL = '[policy]\nkind = "normal"\nwindow_weeks = 4\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    tables = dict(build(0, "2025-11-24").tables)
    kept = sorted(set(tables["presales"]["item_id"]))[:3]
    del tables["bom"]
    for name, table in tables.items():
        if "item_id" in table and name != "lanes":
            tables[name] = table[table["item_id"].isin(kept)].reset_index(drop=True)
    write_tables(tables, folder / "data")
    for name, text in (("ours.toml", OURS), ("normal.toml", NORMAL)):
        (folder / name).write_text(text)
    return folder


def replayed(folder: Path, *policies: str, **asked: object) -> ReplayResult:
    named = tuple(folder / f"{name}.toml" for name in policies)
    given = {"data": str(folder / "data"), "home": folder / "home", "policies": named, "track": False}
    return run_replay(ReplayRequest(**(given | asked)), Run())


@pytest.fixture(scope="module")
def result(folder: Path) -> ReplayResult:
    return replayed(folder, "ours", "normal", first_day="2025-10-27", weeks=3, out=folder / "out")


def test_a_plan_that_knows_the_orders_ships_them_from_their_sites_on_the_first_day(folder: Path, result: ReplayResult):
    lines = pd.read_parquet(folder / "data" / "presales.parquet")
    shipped = lines[(lines["presale_id"] == "D11-2025") & (lines["status"] == "shipped")]["units"].sum()
    summary = result.replayed.tables["summary"]
    assert (summary["presale_units"] == shipped).all(), "the same orders for every policy"
    at = summary[summary["demand_as"] == "sales"].set_index("policy")
    assert at.loc["ours", "presale_local"] > 0.99
    assert at.loc["foresight", "presale_local"] > 0.99
    assert at.loc["normal", "presale_local"] < at.loc["ours", "presale_local"]
    assert at.loc["normal", "presale_waiting_days"] > at.loc["ours", "presale_waiting_days"]
    told = result.replayed.tables["assumptions"]
    assert {"replay-presales", "replay-presales-cancelled"} <= set(told["assumption_code"])
    report = (result.out / "report.html").read_text(encoding="utf-8")
    assert "Shipped from their site on day one" in report
    assert "Late presale orders" in report


def test_sales_never_hold_presale_units(result: ReplayResult, folder: Path):
    sales = pd.read_parquet(folder / "data" / "sales.parquet")
    counted = pd.to_datetime(sales["date"]).between(
        pd.Timestamp(result.replayed.scored[0]), pd.Timestamp(result.replayed.scored[1])
    )
    ordinary = sales[counted & (sales["channel"] != "presale")]["units"].sum()
    summary = result.replayed.tables["summary"]
    np.testing.assert_allclose(summary.loc[summary["demand_as"] == "sales", "demand"], ordinary)


def test_orders_left_waiting_stand_in_the_exported_state_and_ship_in_what_goes_on_from_it(
    result: ReplayResult, folder: Path
):
    state = folder / "out" / "closing" / "normal"
    lines = pd.read_parquet(state / "presales.parquet")
    waiting = lines[(lines["presale_id"] == "D11-2025") & (lines["status"] == "paid")]["units"].sum()
    assert waiting > 0
    after = replayed(folder, "normal", opening=str(state), weeks=1, out=folder / "after")
    items = after.replayed.tables["items"].set_index("policy").loc["foresight"]
    assert items["presale_units"].sum() == 0, "none is asked for anew"
    later = pd.read_parquet(folder / "after" / "closing" / "normal" / "presales.parquet")
    left = later[(later["presale_id"] == "D11-2025") & (later["status"] == "paid")]["units"].sum()
    assert left < waiting
    asked = PlanRequest(str(folder / "data"), folder / "home", folder / "ours.toml", track=False)
    plan = run_plan(PlanRequest(**(vars(asked) | {"opening": str(state), "out": folder / "plan"}))).plan
    owed = plan.tables["presale_allocations"]
    assert owed[owed["presale_id"] == "D11-2025"]["units"].sum() == waiting
