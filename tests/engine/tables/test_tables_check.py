"""The whole check: against pandera itself, in any order of rows, and on what callers build upon."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tables import DataRefused, Tables
from engine.tables.check import check_tables
from engine.tables.contract import TABLES, columns_of, dtype_of, key_of
from engine.tables.timeline import spacing

number = st.sampled_from(["", "0", "1", "2.5", "-1", "100"])
items = st.fixed_dictionaries(
    {"unit_cost": number, "service_target": st.sampled_from(["", "0", "0.9", "1", "95"]), "salvage_value": number,
     "shelf_life_days": number, "launch_date": st.sampled_from(["", "2024-01-01", "2024-01-05"]),
     "end_date": st.sampled_from(["", "2024-01-03"])}
)  # fmt: skip


def sales(**columns: object) -> pd.DataFrame:
    return pd.DataFrame([{"item_id": "A", "location_id": "X", "date": "2024-01-01", "units": "1"} | columns])


@settings(max_examples=25, deadline=None)
@given(st.lists(items, min_size=1, max_size=5))
def test_ranges_and_pairs_break_where_pandera_says_so(rows: list[dict[str, str]]) -> None:
    raw = pd.DataFrame(rows).assign(item_id=[str(row) for row in range(len(rows))])
    typed = pd.DataFrame({"item_id": raw["item_id"].astype("string[pyarrow]")})
    for name in raw.columns.drop("item_id"):
        given = raw[name].where(raw[name] != "")
        typed[name] = pd.to_datetime(given) if name.endswith("date") else given.astype(float)
    expected: set[tuple[str, int]] = set()
    try:
        TABLES["items"].validate(typed, lazy=True)
    except pa.errors.SchemaErrors as error:
        for failure in error.failure_cases.itertuples():
            name = failure.column if failure.schema_context == "Column" else "start-after-end"
            expected.add((str(name), int(failure.index) + 2))
    found: set[tuple[str, int]] = set()
    for breach in check_tables({"sales": sales(item_id="0"), "items": raw}, need_supply=False).breaches:
        if breach.table == "items":
            name = str(breach.values["column"]) if breach.code == "out-of-range" else breach.code
            assert len(breach.rows) == breach.count
            found |= {(name, row) for row in breach.rows}
    assert found == expected


def test_checked_tables_satisfy_their_schemas_and_have_every_column() -> None:
    text = {"id": "A", "text": "x", "number": "0.5", "date": "2024-01-02", "flag": "yes"}
    words = {"order_weekdays": "1,4", "blocks": "ordering", "dest_id": "B", "component_item_id": "B"}
    raw = {}
    for table in TABLES:
        row = {}
        for name, column in columns_of(table).items():
            kind = column.metadata["kind"]
            allowed = column.checks[0].statistics.get("allowed_values") if column.checks else None
            row[name] = words.get(name) or (allowed[0] if kind == "choice" and allowed else text.get(kind, "x"))
        raw[table] = pd.DataFrame([row])
    raw["supply"]["source_id"] = "maker"
    raw["item_locations"]["replenished_from"] = None
    raw["items"] = pd.concat([raw["items"], raw["items"].assign(item_id="B")])
    raw["locations"] = pd.concat([raw["locations"], raw["locations"].assign(location_id="B")])
    checked = check_tables(raw, as_of=np.datetime64("2024-01-03"))
    assert [breach for breach in checked.breaches if breach.severity != "noted"] == []
    for table, frame in checked.tables.items():
        assert list(frame.columns) == list(columns_of(table))
        TABLES[table].validate(frame)
        assert all(frame[name].dtype == dtype_of(column) for name, column in columns_of(table).items())
        assert all(checked.tables.has(table, name) for name in columns_of(table))
    again = Tables.of({table: frame.sample(frac=1, random_state=0) for table, frame in checked.tables.items()})
    for table in again:
        pd.testing.assert_frame_equal(again[table], checked.tables[table])


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_no_table(order: list[int]) -> None:
    raw = pd.DataFrame(
        {"item_id": [f"i{n % 3}" for n in range(12)], "location_id": "X",
         "date": [f"2024-01-{n // 3 + 1:02}" for n in range(12)], "units": [str(n / 8) for n in range(12)]}
    )  # fmt: skip
    expected = check_tables({"sales": raw}, need_supply=False).tables["sales"]
    found = check_tables({"sales": raw.iloc[order]}, need_supply=False).tables["sales"]
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_the_input_is_left_as_it_was() -> None:
    raw = {"sales": sales(units="-2", region=" N "), "items": pd.DataFrame({"item_id": ["B"]})}
    before = {name: frame.copy(deep=True) for name, frame in raw.items()}
    check_tables(raw, ["negative-to-returns", "add-unknown-items"], need_supply=False)
    for name, frame in raw.items():
        pd.testing.assert_frame_equal(frame, before[name])


def test_rows_set_aside_under_several_rules_stand_once_with_all_of_them() -> None:
    raw = pd.concat([sales(date=f"2024-01-0{n}") for n in range(1, 6)], ignore_index=True)
    raw.loc[2, ["units", "date"]] = ["lots", "soon"]
    aside = check_tables({"sales": raw}, need_supply=False).quarantine["sales"]
    assert aside[["row", "rules", "units", "date"]].to_numpy().tolist() == [[4, "S6, S9", "lots", "soon"]]


def test_rows_are_numbered_by_an_index_named_row() -> None:
    raw = pd.concat([sales(), sales(date="2024-01-02"), sales(date="soon")])
    raw.index = pd.Index([7, 9, 12], name="row")
    (breach,) = check_tables({"sales": raw}, need_supply=False).breaches
    assert breach.rows == (12,)


def test_defaults_are_written_where_the_contract_fills_them() -> None:
    orders = pd.DataFrame({"order_id": ["1", "1"], "line_no": [None, "2"], "item_id": "A", "location_id": "X",
                           "units": 1, "due_date": "2024-02-01", "status": ["draft", None]})  # fmt: skip
    tables = check_tables({"sales": sales(), "open_orders": orders}, need_supply=False).tables
    assert tables["open_orders"]["line_no"].tolist() == ["1", "2"]
    assert tables["open_orders"]["status"].tolist() == ["draft", "firm"]
    assert tables["open_orders"]["kind"].tolist() == ["purchase", "purchase"]
    assert not tables.has("open_orders", "kind")
    assert tables.has("open_orders", "status")


def test_a_line_number_left_out_is_line_one_and_may_repeat_it() -> None:
    orders = pd.DataFrame({"order_id": ["1", "1"], "line_no": [None, "1"], "item_id": "A", "location_id": "X",
                           "units": 1, "due_date": "2024-02-01"})  # fmt: skip
    checked = check_tables({"sales": sales(), "open_orders": orders}, need_supply=False)
    assert [breach.code for breach in checked.breaches] == ["repeats"]


def test_tables_that_were_not_given_are_empty_and_complete() -> None:
    tables = check_tables({"sales": sales()}, need_supply=False).tables
    assert set(tables) == set(TABLES)
    assert not tables.given("items")
    assert list(tables["items"].columns) == list(columns_of("items"))
    with pytest.raises(KeyError):
        tables.has("sales", "nonsense")


def test_tables_and_refusals_cross_processes() -> None:
    checked = check_tables({"sales": sales()})
    with pytest.raises(DataRefused) as caught:
        _ = checked.tables
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.breaches == caught.value.breaches
    assert str(again) == str(caught.value) != ""
    tables = Tables.of({"sales": sales()})
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(tables))["sales"], tables["sales"])


def test_what_is_taken_from_tables_can_be_given_columns_without_changing_them() -> None:
    tables = Tables.of({"sales": sales()})
    taken = tables["sales"]
    taken["more"] = 1
    assert "more" not in tables["sales"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"sale": sales()}, "those of the contract"),
        ({"sales": sales(colour="red")}, "unknown .'colour'."),
        ({"sales": sales().drop(columns="units")}, "missing .'units'."),
        ({"sales": sales(units=None)}, "given in every row"),
        ({"sales": pd.concat([sales(), sales()])}, "1 repeats"),
        ({"sales": sales(units="lots")}, "lots"),
    ],
)
def test_frames_that_break_the_contract_make_no_tables(frames: dict[str, pd.DataFrame], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tables.of(frames)


def test_the_spacing_of_dates_names_their_bucket() -> None:
    start = np.datetime64("2024-01-01")
    assert spacing(start + np.array([0, 7, 28])) == "W"
    assert spacing(start + np.array([0, 7, 29])) == "D"
    assert spacing(np.array(["2024-01-01", "2024-02-01", "2024-04-01"], "datetime64[D]")) == "M"
    assert spacing(np.array([start])) == "D"


def test_every_key_column_is_required_or_marked_as_optional() -> None:
    for table in TABLES:
        assert any(columns_of(table)[name].required for name in key_of(table))
        assert list(TABLES[table].unique) == list(key_of(table))


def test_ids_held_as_numbers_are_text_without_a_point_in_tables_made_of_frames() -> None:
    assert Tables.of({"sales": sales(item_id=7.0)})["sales"]["item_id"].tolist() == ["7"]


def test_an_unreadable_part_of_a_key_makes_no_repeats() -> None:
    orders = pd.DataFrame({"order_id": "1", "line_no": ["1.0", "2.0"], "item_id": "A", "location_id": "X",
                           "units": 1, "due_date": "2024-02-01"})  # fmt: skip
    checked = check_tables({"sales": sales(), "open_orders": orders}, need_supply=False)
    assert [breach.code for breach in checked.breaches] == ["id-point-zero"]


def test_cells_of_any_type_are_read_or_told_and_columns_of_one_name_are_kept_apart() -> None:
    raw = pd.concat([sales(date=f"2024-01-0{n}") for n in range(1, 6)], ignore_index=True).astype(object)
    raw["item_id"] = [b"caf\xc3\xa9", "A", "A", "A", "A"]
    raw["units"] = pd.Series(["1", [1, 2], "1", "1", "1"], dtype=object)
    raw.loc[2, "date"] = np.nan
    raw.insert(4, "note", "a")
    raw.insert(5, "note", "b", allow_duplicates=True)
    checked = check_tables({"sales": raw}, need_supply=False)
    assert checked.tables["sales"]["item_id"].tolist() == ["A", "A", "café"]
    aside = checked.quarantine["sales"]
    assert aside["units"].tolist() == ["[1, 2]", "1"]
    assert aside[["rules", "note", "note (column 6)"]].to_numpy().tolist() == [["S6", "a", "b"], ["S13", "a", "b"]]
