"""Tests of a state that one run exports and another begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.errors import ConfigError, DataError
from engine.tables import Tables
from experiments.exchange.folder import write_tables
from experiments.replay.measures import score
from experiments.replay.opening import real_opening, stated_opening
from experiments.replay.run import ReplayRequest, run_replay
from experiments.replay.view import stock_tables
from experiments.replay.walk import Pace, walk
from experiments.replay.world import Stretch, world_of
from experiments.run_plan import PlanRequest, run_plan
from tests.replays import FROM, cover_policy, small_frames, small_world

SETTINGS = '[forecast]\nmodels = ["moving_average"]\nn_paths = 20\n[run]\nworkers = 1\n'
COVER = '[policy]\nkind = "weeks_of_cover"\nwindow_weeks = 4\n'


def frames() -> dict[str, pd.DataFrame]:
    """Return twenty weeks that a generous cover never runs out of, with a lead time that varies."""
    generator = np.random.default_rng(3)
    made = small_frames({item: [*generator.poisson(rate, 20)] for item, rate in (("A", 5), ("B", 2))})
    made["supply"] = made["supply"].assign(lead_time_days=14.0, lead_time_sd_days=6.0)
    stock = made["stock_history"].assign(closing_on_hand=30.0)
    return {**made, "stock_history": stock}


def orders(**given: object) -> pd.DataFrame:
    """Return an open order of 3 units of A, ordered a week before and due on the first day."""
    usual = {"order_id": "P1", "item_id": "A", "location_id": "P", "units": 3.0, "ordered_on": FROM - 7,
             "due_date": FROM, "source_id": "S", "kind": "purchase", "status": "firm"}  # fmt: skip
    row = pd.DataFrame([usual | given])
    return row.astype({"ordered_on": "datetime64[ns]", "due_date": "datetime64[ns]"})


def stock(**given: object) -> pd.DataFrame:
    usual = {"item_id": ["A"], "location_id": ["P"], "on_hand": [7.0]}
    return pd.DataFrame(usual | given)


def opened(inventory: pd.DataFrame, open_orders: pd.DataFrame | None = None):
    given = {"inventory": inventory} | ({} if open_orders is None else {"open_orders": open_orders})
    return stated_opening(small_world(), Tables.of({**small_frames(), **given}), 0).state


def test_a_walk_that_pauses_and_goes_on_from_its_exported_state_is_the_walk_that_did_not_pause():
    tables, pace = Tables.of(frames()), Pace(1, "lost", seed=5)
    whole = world_of(tables, PlanConfig(), Stretch(FROM, 12))[0]
    opening, _ = real_opening(whole, whole.stock_history)
    unbroken = walk(whole, cover_policy(whole, 8.0), opening, pace)

    first = replace(whole, end=whole.first + 5)
    before = walk(first, cover_policy(first, 8.0), opening, pace)
    state = Tables.of({**frames(), **stock_tables(first, before.last)})
    second = world_of(tables, PlanConfig(), Stretch(FROM + 7 * 5, 7))[0]
    after = walk(second, cover_policy(second, 8.0), stated_opening(second, state, pace.seed), pace)

    assert before.last.state.inbound.lines.n_lines, "lines are on their way at the pause"
    assert unbroken.trace.short.sum() == 0, "so that the policies' own records are the shop's"
    np.testing.assert_array_equal(after.trace.closing, unbroken.trace.closing[:, 5:])
    np.testing.assert_array_equal(after.trace.received, unbroken.trace.received[:, 5:])


def test_what_is_reserved_is_not_for_sale_and_what_is_owed_is_owed():
    state = opened(stock(reserved=[9.0], backorders=[1.0]))
    # 7 on hand, 9 promised: none to sell, 2 owed beside the 1 stated; B is not in the state and has none.
    assert state.on_hand.tolist() == [0, 0]
    assert state.backlog.tolist() == [3, 0]


def test_drafts_are_not_on_their_way_and_late_lines_come_on_the_first_day():
    lines = pd.concat([orders(), orders(order_id="P2", due_date=FROM - 3), orders(order_id="P3", status="draft")])
    inbound = opened(stock(), lines).inbound
    assert inbound.lines.line_id.tolist() == ["P1/1", "P2/1"]
    assert inbound.arrives.tolist() == [6, 6]


def test_lines_of_one_link_never_overtake_each_other():
    early = orders(order_id="P1", ordered_on=FROM - 14, due_date=FROM + 21)
    lines = pd.concat([early, orders(order_id="P2", ordered_on=FROM - 7, due_date=FROM + 7)])
    assert opened(stock(), lines).inbound.arrives.tolist() == [9, 9]


def perishable() -> dict[str, pd.DataFrame]:
    """Return tables in which A may be sold for three weeks and B for ever."""
    made = small_frames()
    return {**made, "items": made["items"].assign(shelf_life_days=[21.0, np.nan])}


def batches(*rows: tuple[str, int, float]) -> pd.DataFrame:
    """Return batches of (item, days from the first day to expiry, units)."""
    item, days, units = zip(*rows, strict=True)
    dates = (FROM + np.array(days)).astype("datetime64[ns]")
    return pd.DataFrame({"item_id": item, "location_id": "P", "expiry_date": dates, "units": units})


def test_stock_expires_by_its_batches_and_what_no_batch_tells_of_is_fresh():
    tables = Tables.of({
        **perishable(),
        "inventory": stock(on_hand=[10.0], reserved=[1.0]),
        "inventory_batches": batches(("A", -1, 2.0), ("A", 6, 3.0), ("A", 35, 1.0)),
        "open_orders": orders(expiry_date=pd.Timestamp(FROM + 13)),
    })  # fmt: skip
    state = stated_opening(small_world(perishable()), tables, 0).state
    # 2 of the 10 expired yesterday; of the 3 that go this week 1 is promised; 4 are fresh; 1 keeps for six weeks.
    assert state.on_hand.tolist() == [7, 0]
    assert state.batches[0].tolist() == [2, 0, 4, 0, 0, 1]
    assert state.inbound.life.tolist() == [2]


def test_batches_above_the_stock_are_refused():
    held = Tables.of({**perishable(), "inventory": stock(), "inventory_batches": batches(("A", 6, 8.0))})
    with pytest.raises(ConfigError, match="first A at P"):
        stated_opening(small_world(perishable()), held, 0)


def test_what_is_not_sold_in_its_shelf_life_is_written_off_and_batches_go_on_from_an_exported_state():
    short_lived = perishable() | {"items": small_frames()["items"].assign(shelf_life_days=[14.0, np.nan])}
    tables, pace = Tables.of(short_lived), Pace(1, "lost", 0)
    whole = world_of(tables, PlanConfig(), Stretch(FROM, 4))[0]
    opening, _ = real_opening(whole, whole.stock_history)
    state = replace(opening.state, on_hand=np.array([20.0, 3.0]))
    unbroken = walk(whole, cover_policy(whole, 1.0), replace(opening, state=state), pace)
    # 20 fresh and 4 that come at once: 4 and 6 are sold in two weeks, so 14 are thrown away.
    assert unbroken.trace.expired[0].tolist() == [0, 14, 0, 0]
    found = score(whole, unbroken, pace, whole.first, "cover")
    assert found.costs["expired"][0].tolist() == [0, 140, 0, 0], "at 10 a unit"
    first = replace(whole, end=whole.first + 1)
    before = walk(first, cover_policy(first, 1.0), replace(opening, state=state), pace)
    held = Tables.of({**short_lived, **stock_tables(first, before.last)})
    second = world_of(tables, PlanConfig(), Stretch(FROM + 7, 3))[0]
    after = walk(second, cover_policy(second, 1.0), stated_opening(second, held, 0), pace)
    np.testing.assert_array_equal(after.trace.expired, unbroken.trace.expired[:, 1:])
    np.testing.assert_array_equal(after.trace.closing, unbroken.trace.closing[:, 1:])


@pytest.mark.parametrize(
    ("inventory", "open_orders", "named"),
    [
        (stock(item_id=["Z"]), None, "Z at P"),
        (stock(), orders(item_id="Z"), "Z at P"),
        (stock(), orders(kind="transfer", source_id="Q"), "A at Q"),
        (stock(), pd.concat([orders(restock_line_id="L"), orders(order_id="P2", restock_line_id="L")]), "several rows"),
    ],
)
def test_what_the_replay_does_not_know_is_refused_by_name(inventory, open_orders, named):
    with pytest.raises(ConfigError, match=named):
        opened(inventory, open_orders)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opening")
    write_tables(frames(), folder / "data")
    (folder / "ours.toml").write_text(SETTINGS)
    (folder / "cover.toml").write_text(COVER)
    return folder


def replay(folder: Path, **changed: object):
    named = (folder / "cover.toml",)
    given = {"data": str(folder / "data"), "home": folder / "home", "policies": named, "weeks": 4, "track": False}
    return run_replay(ReplayRequest(**(given | changed)))


def test_a_replay_begins_on_the_day_of_its_opening_and_says_so(folder: Path):
    first = replay(folder, first_day=str(FROM), out=folder / "first")
    closing = str(folder / "first" / "closing" / "cover")
    second = replay(folder, opening=closing)
    assert first.replayed.scored == ("2023-02-13", "2023-03-12")
    assert second.replayed.scored == ("2023-03-13", "2023-04-09"), "all days count"
    assert "replay-opening-stated" in set(second.replayed.tables["assumptions"]["assumption_code"])
    value = first.replayed.tables["summary"].set_index("policy").loc["cover", "closing_value"]
    assert (second.replayed.tables["summary"]["opening_value"] == value).all(), "every policy opens with it"
    with pytest.raises(ConfigError, match="counted_on 2023-03-13, --from 2023-03-20"):
        replay(folder, opening=closing, first_day="2023-03-20")


def test_a_plan_from_an_exported_state_is_the_plan_of_data_that_hold_it(folder: Path):
    replay(folder, first_day=str(FROM), out=folder / "state")
    state = folder / "state" / "closing" / "cover"
    asked = PlanRequest(str(folder / "data"), folder / "home", folder / "ours.toml", track=False)
    from_state = run_plan(replace(asked, opening=str(state), out=folder / "a")).plan
    held = {name: pd.read_parquet(state / f"{name}.parquet") for name in ("inventory", "open_orders")}
    write_tables({**frames(), **held}, folder / "held")
    usual = run_plan(replace(asked, data=str(folder / "held"), as_of="2023-03-13", out=folder / "b")).plan
    assert from_state.as_of == "2023-03-13"
    pd.testing.assert_frame_equal(from_state.tables["orders"], usual.tables["orders"])
    pd.testing.assert_frame_equal(from_state.tables["targets"], usual.tables["targets"])


def test_a_faulty_state_and_what_is_no_state_are_refused(folder: Path):
    write_tables({"inventory": stock(on_hand=[-1.0])}, folder / "negative")
    with pytest.raises(DataError, match="on_hand is at least 0"):
        replay(folder, opening=str(folder / "negative"))
    known = stock(item_id=["A", "B", "Z"], location_id="P", on_hand=1.0)
    write_tables({"inventory": known}, folder / "unknown")
    with pytest.raises(ConfigError, match="Z at P"):
        replay(folder, opening=str(folder / "unknown"))
    with pytest.raises(ConfigError, match="An opening is a state"):
        replay(folder, opening=str(folder / "data"))
