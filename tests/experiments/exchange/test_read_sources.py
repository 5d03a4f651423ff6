"""One content, many kinds of source: the same tables, the same snapshot."""

from __future__ import annotations

import gzip
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import sqlalchemy as sa

from engine.errors import ConfigError
from engine.tables import Tables
from experiments.exchange.database import database_url, read_database, shown
from experiments.exchange.folder import write_tables
from experiments.exchange.load import Loaded, load
from experiments.exchange.snapshot import read_snapshot

TEXTS = {
    "sales": "item_id,location_id,date,units,price,channel,in_stock\n"
    "007,X,2024-01-01,1,2.55,,1\nB,X,2024-01-02,2,,web,\nB,X,2024-01-03,3,1e2,,0.5\nÄ,X,2024-01-03,3.5,0.1,,\n",
    "supply": 'item_id,source_id,location_id,lead_time_days,order_weekdays\n*,maker,*,7,"1,4"\n',
    "items": "item_id,divisible,launch_date\n007,true,2024-01-01\nB,,\nÄ,no,\n",
    "open_orders": "order_id,line_no,item_id,location_id,units,due_date\n"
    "10,1,B,X,60,2024-01-09\n10,2,B,X,6,2024-01-09\n",
    "receipts": "order_id,received_on,item_id\n",
}


def csv_folder(folder: Path) -> str:
    for name, text in TEXTS.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return str(folder)


def shuffled_semicolons_gzipped_with_a_mark(folder: Path) -> str:
    for name, text in TEXTS.items():
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        text = "\ufeff" + frame.iloc[::-1, ::-1].to_csv(index=False, sep=";", lineterminator="\r\n")
        (folder / f"{name.upper()}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return str(folder)


def typed(folder: Path) -> Tables:
    plain = folder / "plain"
    plain.mkdir()
    return load(csv_folder(plain), folder / "other").tables


def parquet_of_pandas(folder: Path) -> str:
    tables = typed(folder)
    for name, frame in tables.items():
        if tables.given(name):
            frame[[column for column in frame if tables.has(name, column)]].to_parquet(folder / f"{name}.parquet")
    return str(folder)


def parquet_of_ours(folder: Path) -> str:
    write_tables(typed(folder), folder)
    return str(folder)


def workbook(folder: Path) -> str:
    book = openpyxl.Workbook()
    book.remove(book.active)
    book.create_sheet("Notes").append(["anything"])
    tables = typed(folder)
    for name in TEXTS:
        sheet = book.create_sheet(f" {name.title()} ")
        # A blank line above the header, a date cell per date, order numbers as numbers.
        sheet.append([])
        columns = [column for column in tables[name] if tables.has(name, column)]
        sheet.append(columns)
        for row in tables[name][columns].astype(object).itertuples(index=False):
            cells = [None if pd.isna(cell) else cell for cell in row]
            sheet.append([int(cell) if column in ("order_id", "line_no") else cell
                          for column, cell in zip(columns, cells, strict=True)])  # fmt: skip
    book.save(folder / "data.xlsx")
    return str(folder / "data.xlsx")


def filled(url: sa.URL, folder: Path) -> None:
    engine = sa.create_engine(url)
    tables = typed(folder)
    for name in TEXTS:
        columns = [column for column in tables[name] if tables.has(name, column)]
        tables[name][columns].sample(frac=1, random_state=1).to_sql(name, engine, index=False)
    pd.DataFrame({"anything": [1]}).to_sql("notes", engine)
    engine.dispose()


def sqlite(folder: Path) -> str:
    filled(sa.URL.create("sqlite", database=str(folder / "data.db")), folder)
    return f"sqlite:///{folder / 'data.db'}"


SOURCES: list[Callable[[Path], str]] = [
    shuffled_semicolons_gzipped_with_a_mark,
    parquet_of_pandas,
    parquet_of_ours,
    workbook,
    sqlite,
]


def assert_same(found: Loaded, expected: Loaded) -> None:
    assert found.snapshot_id == expected.snapshot_id
    assert found.tables.columns_given == expected.tables.columns_given
    for name in expected.tables:
        pd.testing.assert_frame_equal(found.tables[name], expected.tables[name])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_the_same_content_gives_the_same_tables_and_snapshot(source: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    expected = load(csv_folder(tmp_path / "a"), tmp_path / "home")
    found = load(source(tmp_path / "b"), tmp_path / "home")
    assert found.exit_code == expected.exit_code == 0
    assert_same(found, expected)


def test_postgresql_gives_the_same_tables_and_snapshot(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server asks for no password, but takes one.
    address = database_url(postgres).set(password="open-sesame")
    monkeypatch.setenv("SHOP", address.render_as_string(hide_password=False))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    filled(address, tmp_path / "b")
    found = load("env:SHOP", tmp_path / "home")
    assert_same(found, load(csv_folder(tmp_path / "a"), tmp_path / "home"))
    assert "open-sesame" not in found.source


def test_the_snapshot_reads_back_as_the_tables_that_were_stored(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    stored = load(csv_folder(tmp_path / "a"), tmp_path / "home")
    found = read_snapshot(stored.snapshot_id, tmp_path / "home")
    assert found.columns_given == stored.tables.columns_given
    for name in stored.tables:
        pd.testing.assert_frame_equal(found[name], stored.tables[name])


def test_other_files_sheets_and_columns_are_named(tmp_path: Path) -> None:
    found = load(workbook(tmp_path), tmp_path / "home")
    assert found.checked.unknown_tables == ("Notes",)
    (tmp_path / "plain" / "colours.csv").write_text("a\n")
    (tmp_path / "plain" / "read.me").write_text("a")
    assert load(str(tmp_path / "plain"), tmp_path / "home").checked.unknown_tables == ("colours.csv",)


def test_rows_of_a_workbook_are_numbered_as_the_sheet_shows_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "sales"
    for row in ([], ["item_id", "location_id", "date", "units"], ["A", "X", "2024-01-01", 1], [],
                ["A", "X", "2024-01-02", "lots"]):  # fmt: skip
        sheet.append(row)
    book.save(tmp_path / "data.xlsx")
    found = load(str(tmp_path / "data.xlsx"), tmp_path / "home", need_supply=False)
    assert [breach.rows for breach in found.checked.breaches if breach.code == "no-number"] == [(5,)]


def test_a_number_beside_text_in_a_sheet_is_read_as_it_would_stand_in_a_csv(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "sales"
    for row in (["item_id", "location_id", "date", "units"], [7, "X", "2024-01-01", 1], ["A7", "X", "2024-01-01", 2.5]):
        sheet.append(row)
    book.save(tmp_path / "data.xlsx")
    sales = load(str(tmp_path / "data.xlsx"), tmp_path / "home", need_supply=False).tables["sales"]
    assert sales["item_id"].tolist() == ["7", "A7"]
    assert sales["units"].tolist() == [1, 2.5]


def test_ids_of_nineteen_digits_survive_every_typed_source(tmp_path: Path) -> None:
    number = 9_007_199_254_740_993
    ids = pd.Series([number, None], dtype=object)
    frame = pd.DataFrame({"item_id": ids, "location_id": "X", "date": "2024-01-01", "units": 1})
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    frame.astype({"item_id": "Int64"}).to_parquet(parquet / "sales.parquet")
    connection = sqlite3.connect(tmp_path / "data.db")
    frame.to_sql("sales", connection, index=False)
    connection.close()
    for data in (str(parquet), f"sqlite:///{tmp_path / 'data.db'}"):
        found = load(data, tmp_path / "home", need_supply=False)
        assert found.tables["sales"]["item_id"].tolist() == [str(number)]


def test_data_that_are_not_there_are_a_usage_error(tmp_path: Path) -> None:
    for data in (str(tmp_path / "none"), f"sqlite:///{tmp_path / 'none.db'}", "env:RESTOCK_NO_SUCH_NAME"):
        with pytest.raises(ConfigError):
            load(data, tmp_path / "home")
    assert not (tmp_path / "none.db").exists()


def test_a_password_reaches_no_error_and_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "open-sesame"
    for address in (
        f"postgresql://planner:{secret}@localhost:1/shop",
        f"postgresql://localhost:1/shop?user=planner&password={secret}",
        f"nosuch+driver://planner:{secret}@localhost/shop",
        f"postgresql://planner:{secret}/@localhost/shop",
        f"planner:{secret}@localhost",
    ):
        monkeypatch.setenv("SHOP", address)
        with pytest.raises(ConfigError) as caught:
            load("env:SHOP", tmp_path / "home")
        chain = [caught.value, caught.value.__cause__]
        assert not any(secret in f"{error}{error!r}" for error in chain)
        assert caught.value.__suppress_context__
    assert shown(database_url(f"postgresql://planner:{secret}@db/shop")) == "postgresql+psycopg://planner:***@db/shop"


def test_a_database_without_tables_of_the_contract_reads_as_nothing(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "data.db").close()
    (tmp_path / "data.db").touch()
    assert not read_database(database_url(f"sqlite:///{tmp_path / 'data.db'}")).frames


def test_a_folder_write_leaves_no_half_written_table(tmp_path: Path) -> None:
    good = pd.DataFrame({"item_id": ["A"], "name": ["x"]})
    write_tables({"items": good}, tmp_path)
    with pytest.raises(ValueError, match="columns"):
        write_tables({"items": good.assign(name="y"), "sales": pd.DataFrame({"no": [1]})}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["items.parquet"]
    assert pd.read_parquet(tmp_path / "items.parquet")["name"].tolist() == ["x"]


def test_numbers_are_written_as_ids_without_a_point(tmp_path: Path) -> None:
    write_tables({"items": pd.DataFrame({"item_id": [7.0, 8.0]})}, tmp_path)
    assert pd.read_parquet(tmp_path / "items.parquet")["item_id"].tolist() == ["7", "8"]
