"""Real dirt, each piece tested on the exact message that a user reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.tables import DataContradicts, DataRefused
from engine.tables.breach import Breach
from engine.tables.repairs import REPAIRS
from experiments.exchange.load import Loaded, load
from experiments.exchange.rule_sentences import REPAIR_TEXTS, REPAIRED_THINGS, RULE_TEXTS
from experiments.exchange.rule_texts import render, render_notices, render_report

HEADER = "item_id,location_id,date,units\n"
SALES = HEADER + "A,X,2024-01-01,1\nA,X,2024-01-02,2\nB,X,2024-01-03,3\n"
WEEKS = HEADER + "A,X,2024-01-01,1\nA,X,2024-01-08,2\nB,X,2024-01-15,3\n"
LINKS = "item_id,source_id,location_id,lead_time_days\n"
SUPPLY = LINKS + "*,maker,*,7\n"
ASIDE = "; `--repair set-aside` sets the rows aside"

Files = dict[str, str | bytes | pd.DataFrame]


def loaded(folder: Path, files: Files, *repairs: str, as_of: str | None = None) -> Loaded:
    """Load tables given as the text of CSV files (or bytes, or a frame for a Parquet file); supply is added."""
    for name, content in ({"supply": SUPPLY} | files).items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(folder / f"{name}.parquet")
        elif content:
            path = folder / (name if "." in name else f"{name}.csv")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    day = np.datetime64(as_of) if as_of else None
    return load(str(folder), folder / "home", repairs, day)


# Code of the breach: files, exit code, the message.
DIRT: dict[str, tuple[Files, int, str]] = {
    "no-number": (
        {"sales": SALES + "B,X,2024-01-04,lots\n"},
        5,
        "Quarantined: rule S6: units is a number. Found 1 other in 4 rows, at row 5 (item B, location X, 2024-01-04;"
        ' units "lots"). Correct or remove them.',
    ),
    "no-date": (
        {"sales": SALES + "B,X,soon,1\n"},
        5,
        "Quarantined: rule S9: dates are written like 2025-01-31. Found 1 other in date in 4 rows, at row 5"
        ' (item B, location X; date "soon"). Correct or remove them.',
    ),
    "no-such-day": (
        {"sales": SALES + "B,X,2024-02-30,1\n"},
        5,
        "Quarantined: rule S10: dates are days from 1970-01-01 to 2199-12-31. Found 1 other in date in 4 rows, at"
        ' row 5 (item B, location X; date "2024-02-30"). Correct or remove them.',
    ),
    "local-date": (
        {"sales": SALES + "B,X,31/01/2024,1\n"},
        3,
        "DataError: rule S9: dates are written like 2025-01-31. Found 1 other in date in 4 rows, at row 5 (item B,"
        ' location X; date "31/01/2024"). Write them in this form; `--repair day-first-dates` reads them as day,'
        f" month, year{ASIDE}.",
    ),
    "far-date": (
        {"sales": SALES, "items": "item_id,end_date\nA,9999-12-31\nB,\n"},
        3,
        "DataError: rule I10: dates are days from 1970-01-01 to 2199-12-31. Found 1 later in end_date in 2 rows, at"
        ' row 2 (item A; end_date "9999-12-31"). Leave them empty; `--repair open-end-dates` takes them as without'
        f" end{ASIDE}.",
    ),
    "time-of-day": (
        {"sales": SALES + "B,X,2024-01-04 12:50,1\n"},
        3,
        "DataError: rule S11: dates have no time of day. Found 1 with one in date in 4 rows, at row 5 (item B,"
        ' location X; date "2024-01-04 12:50"). Write the date alone; `--repair drop-time-of-day` keeps the date'
        f" alone{ASIDE}.",
    ),
    "repeats": (
        {"sales": SALES + "A,X,2024-01-01,4\nA,X,2024-01-01,5\n"},
        3,
        "DataError: rule S3: one row per item, location, date, channel, region and shipped_from. Found 2 repeats in"
        " 5 rows, at rows 5, 6 (item A, location X, 2024-01-01). Add them up or remove them; `--repair"
        " sum-duplicates` adds them up.",
    ),
    "gap": (
        {"sales": SALES + "B,X,2024-01-20,4\n"},
        0,
        "Noted: rule S20: every day between the first and the last has sales of something. Found 16 of 20 days"
        " without any, in 1 gap; the longest has 16, between 2024-01-03 and 2024-01-20. Without rows nothing counts"
        " as sold; add them if something was.",
    ),
    "week-label": (
        {"sales": HEADER + "A,X,2024-01-07,1\nA,X,2024-01-14,2\nB,X,2024-01-21,3\n"},
        0,
        "Noted: rule S24: weeks are labelled by their Monday. Found 3 labelled by Sundays in 3 rows, at rows 2, 3, 4"
        " (item A, location X, 2024-01-07). Each counts as the week from the Monday on or before it; label it"
        " otherwise if that is wrong.",
    ),
    "out-of-range": (
        {"sales": SALES + "B,X,2024-01-04,-4\n"},
        3,
        "DataError: rule S14: units is at least 0. Found 1 other in 4 rows, at row 5 (item B, location X, 2024-01-04;"
        ' units "-4"). Correct or remove them; `--repair negative-to-returns` counts them as returned units'
        f"{ASIDE}.",
    ),
    "not-a-number": (
        {"sales": SALES + "B,X,2024-01-04,NaN\n"},
        3,
        "DataError: rule S8: numbers are finite. Found 1 cell of units that stands for no number in 4 rows, at row 5"
        ' (item B, location X, 2024-01-04; units "NaN"). Leave such cells empty; `--repair nan-as-missing` takes'
        f" them as not given{ASIDE}.",
    ),
    "infinite": (
        {"sales": SALES + "B,X,2024-01-04,inf\n"},
        5,
        "Quarantined: rule S8: numbers are finite. Found 1 infinite cell of units in 4 rows, at row 5 (item B,"
        ' location X, 2024-01-04; units "inf"). Correct or remove them.',
    ),
    "missing-value": (
        {"sales": SALES, "supply": LINKS + "A,maker,*,7\nB,maker,*,\n"},
        3,
        "DataError: rule U13: lead_time_days is given in every row. Found 1 without in 2 rows, at row 3 (item B,"
        f" source maker, location *). Give the days from ordering to goods on sale{ASIDE}.",
    ),
    "not-utf-8": (
        {"sales": SALES.encode() + b"caf\xe9,X,2024-01-04,1\n"},
        3,
        "DataError: rule S4: text is UTF-8. Found 1 cell of item_id in another encoding in 4 rows, at row 5 (location"
        ' X, 2024-01-04; item_id "caf\\xe9"). Save sales as UTF-8; `--repair decode-windows-1252` reads them as'
        f" Windows-1252{ASIDE}.",
    ),
    "file-encoding": (
        {"sales": SALES.encode("utf-16")},
        3,
        "DataError: rule F5: text is UTF-8. Found sales.csv in UTF-16. Save it as UTF-8.",
    ),
    "separators": (
        {"sales": SALES + 'B,X,2024-01-04,"1,234"\n'},
        3,
        "DataError: rule S7: numbers are written plain, like 1234.5. Found 1 cell of units with separators in 4 rows,"
        ' at row 5 (item B, location X, 2024-01-04; units "1,234"). Write them without separators; `--repair'
        ' comma-thousands` reads "1,234.5" as 1234.5; `--repair comma-decimals` reads "1.234,5" as 1234.5'
        f"{ASIDE}.",
    ),
    "id-point-zero": (
        {"sales": SALES + "85123.0,X,2024-01-04,1\n"},
        3,
        'DataError: rule S5: ids carry no ".0". Found 1 cell of item_id with it in 4 rows, at row 5 (location X,'
        ' 2024-01-04; item_id "85123.0"). Write ids as text in the source; `--repair id-point-zero` takes the ".0"'
        f" off{ASIDE}.",
    ),
    "id-rounded": (
        {"sales": SALES + "8.5E+12,X,2024-01-04,1\n"},
        5,
        "Quarantined: rule S5: ids are whole. Found 1 cell of item_id that a spreadsheet has rounded in 4 rows, at"
        ' row 5 (location X, 2024-01-04; item_id "8.5E+12"). Write ids as text in the source.',
    ),
    "id-from-number": (
        {"sales": HEADER + "1,X,2024-01-01,1\n", "items": pd.DataFrame({"item_id": [1.0, 2.0]})},
        0,
        "Noted: rule I5: ids are text. Found 2 cells of item_id stored as numbers in 2 rows, at rows 2, 3 (item 1;"
        ' item_id "1"). Leading zeros, if there were any, are lost: store ids as text where they matter.',
    ),
    "id-fraction": (
        {"sales": HEADER + "1,X,2024-01-01,1\n", "items": pd.DataFrame({"item_id": [1.0, 2.5]})},
        3,
        "DataError: rule I5: ids are text. Found 1 cell of item_id with decimals in 2 rows, at row 3 (item_id"
        f' "2.5"). Write ids as text in the source{ASIDE}.',
    ),
    "id-zeros": (
        {"sales": SALES + "7,X,2024-01-04,1\n", "items": "item_id\nA\nB\n007\n"},
        3,
        "DataError: rule S16: every item_id is written as in items. Found 1 item without the leading zeros, in 1 of 4"
        ' rows, at row 5 (item 7, location X, 2024-01-04; item_id "7"). Write ids as text in the source; `--repair'
        f" leading-zeros` writes them with the zeros{ASIDE}.",
    ),
    "unknown-id": (
        {"sales": SALES + "C,X,2024-01-04,1\n", "items": "item_id\nA\nB\n"},
        5,
        "Quarantined: rule S16: every item_id is listed in items. Found 1 item not listed, in 1 of 4 rows, at row 5"
        ' (item C, location X, 2024-01-04; item_id "C"). Add them to items or correct them; `--repair'
        " add-unknown-items` adds them to items.",
    ),
    "file-empty": (
        {"sales": b"\n"},
        3,
        "DataError: rule F1: a file has a header. Found nothing in sales.csv. Write it again, or remove it.",
    ),
    "table-empty": (
        {"sales": HEADER},
        3,
        "DataError: rule S1: the table sales has rows. Found none in sales. Give a file, sheet or database table"
        " named sales.",
    ),
    "table-missing": (
        {"sales": SALES, "supply": ""},
        3,
        "DataError: rule U1: the table supply is given. Found no table supply. Give a file, sheet or database table"
        " named supply, or a default link in the configuration ([supply] lead_time_days).",
    ),
    "column-missing": (
        {"sales": "item_id,location_id,date,unit\nA,X,2024-01-01,1\n"},
        3,
        "DataError: rule S2: sales has the column units. Found the columns item_id, location_id, date, unit. Rename"
        " unit to units if that is what it holds.",
    ),
    "column-twice": (
        {"sales": "item_id,location_id,date,units,Units\nA,X,2024-01-01,1,1\n"},
        3,
        "DataError: rule S2: each column of sales is given once. Found units twice. Rename or remove one of them.",
    ),
    "columns-unknown": (
        {"sales": "item_id,location_id,date,units,colour,size\nA,X,2024-01-01,1,red,L\n"},
        0,
        "Noted: rule S2: columns of sales are those of the contract. Found colour, size, not read. Rename what the"
        " contract knows by another name.",
    ),
    "no-link": (
        {"sales": SALES, "supply": LINKS + "A,maker,*,7\n"},
        3,
        "DataError: rule U22: every item and location that still sells has a link with a lead time. Found 1 of 2"
        " pairs without one that sold in the last 182 days (item B, location X). Add them to supply or lanes, or give"
        f" a default link in the configuration ([supply] lead_time_days){ASIDE}.",
    ),
    "circular": (
        {"sales": SALES, "lanes": "origin_id,dest_id,item_id,lead_time_days\nX,Y,*,1\nY,Z,*,1\nZ,X,*,2\n"},
        3,
        "DataError: rule LN25: no own site replenishes itself in a circle. Found X → Y → Z → X. Remove one of these"
        ' links, or give its role as "lateral".',
    ),
    "same-place": (
        {"sales": SALES, "lanes": "origin_id,dest_id,item_id,lead_time_days\nX,X,*,1\n"},
        3,
        "DataError: rule LN18: origin_id and dest_id differ. Found 1 alike in 1 row, at row 2 (origin X, dest X,"
        f" item *; origin_id X, dest_id X). Correct or remove them{ASIDE}.",
    ),
    "minimum-above-maximum": (
        {"sales": SALES, "item_locations": "item_id,location_id,min_stock,max_stock\nA,X,10,5\n"},
        4,
        "ContradictionError: rule IL18: min_stock is not above max_stock. Found 1 above it in 1 row, at row 2 (item A,"
        f" location X; min_stock 10, max_stock 5). Correct one of the two{ASIDE}.",
    ),
    "pack-above-shelf": (
        {
            "sales": SALES,
            "supply": "item_id,source_id,location_id,lead_time_days,order_multiple\n*,maker,*,3,48\n",
            "item_locations": "item_id,location_id,max_stock\nA,X,40\n",
        },
        4,
        "ContradictionError: rule IL26: the smallest pack of an item fits on its shelf (max_stock). Found 1 that does"
        " not in 1 row, at row 2 (item A, location X; pack 48, max_stock 40). Raise max_stock or buy in smaller packs"
        f"{ASIDE}.",
    ),
    "inbound-above-site": (
        {
            "sales": SALES,
            "items": "item_id,volume\nA,2\nB,1\n",
            "locations": "location_id,capacity_volume\nX,100\n",
            "open_orders": "order_id,item_id,location_id,units,due_date\n1,A,X,60,2024-01-09\n",
        },
        4,
        "ContradictionError: rule O26: firm inbound fits into its site (capacity_volume). Found 1 of 1 sites where it"
        " does not (X; the first awaits 120 and holds 100). Correct capacity_volume, volume or the orders.",
    ),
    "inbound-waits": (
        {
            "sales": SALES,
            "items": "item_id,volume\nA,2\nB,1\n",
            "locations": "location_id,capacity_volume\nX,100\n",
            "open_orders": "order_id,item_id,location_id,units,due_date,arrived_on\n1,A,X,60,2024-01-09,\n",
        },
        0,
        "Noted: rule O26: firm inbound fits into its site (capacity_volume). Found 1 of 1 sites where it does not (X;"
        " the first awaits 120 and holds 100). What has no room waits at the door, as arrived_on says of what does"
        " already.",
    ),
    "start-after-end": (
        {"sales": SALES, "events": "event,start_date,end_date\nfair,2024-01-05,2024-01-02\nfete,2024-01-05,\n"},
        5,
        "Quarantined: rule E18: start_date is not after end_date. Found 1 after it in 2 rows, at row 2 (event fair,"
        " 2024-01-05; start_date 2024-01-05, end_date 2024-01-02). Correct one of the two.",
    ),
    "no-flag": (
        {"sales": SALES, "items": "item_id,divisible\nA,maybe\nB,yes\n"},
        3,
        "DataError: rule I12: divisible is yes or no. Found 1 other in 2 rows, at row 2 (item A; divisible"
        f' "maybe"). Write true or false{ASIDE}.',
    ),
    "unknown-word": (
        {
            "sales": SALES,
            "open_orders": "order_id,item_id,location_id,units,due_date,status\n1,A,X,60,2024-01-09,late\n",
        },
        3,
        "DataError: rule O15: status is one of draft, firm, shipped. Found 1 other in 1 row, at row 2 (order 1;"
        f' status "late"). Correct them{ASIDE}.',
    ),
    "in-stock-differs": (
        {"sales": "item_id,location_id,date,region,units,in_stock\nA,X,2024-01-01,N,1,1\nA,X,2024-01-01,S,1,0.5\n"},
        3,
        "DataError: rule S23: in_stock has one value per item, location and date. Found 2 rows that differ in 2 rows,"
        " at rows 2, 3 (item A, location X, 2024-01-01, region N). Correct them; `--repair average-in-stock` takes"
        " the mean of each.",
    ),
    "own-source": (
        {"sales": SALES, "supply": LINKS + "*,X,*,7\n"},
        3,
        "DataError: rule U27: sources of supply are outside. Found 1 own site in 1 row, at row 2 (item *, source X,"
        f" location *). Write links between own sites into lanes{ASIDE}.",
    ),
    "short-link": (
        {"sales": WEEKS, "supply": LINKS + "*,maker,*,3\n"},
        0,
        "Noted: rule U28: a link is at least as long as a week. Found 1 shorter in 1 row, at row 2 (item *, source"
        ' maker, location *). Its goods count from the week after; plan in days ([time] bucket = "D") if that'
        " matters.",
    ),
    "batches-above-stock": (
        {
            "sales": SALES,
            "inventory": "item_id,location_id,on_hand\nA,X,3\n",
            "inventory_batches": "item_id,location_id,expiry_date,units\nA,X,2024-03-01,2\nA,X,2024-04-01,2\n",
        },
        0,
        "Noted: rule VB29: batches add up to at most the stock on hand. Found 2 that exceed it in 2 rows, at rows 2, 3"
        " (item A, location X, 2024-03-01). Correct inventory or its batches.",
    ),
    "unknown-place": (
        {
            "sales": SALES,
            "supply": LINKS + "*,maker,*,3\n",
            "closures": "place_id,start_date,end_date\nX,2024-01-05,2024-01-06\nmaker,2024-01-05,2024-01-06\n"
            "Maker,2024-01-05,2024-01-06\ndefault,2024-01-05,2024-01-06\n*,2024-01-05,2024-01-06\n",
        },
        0,
        "Noted: rule C30: every place_id of closures is a site, a supplier or another source that a table speaks of."
        " Found 2 others in 5 rows, at rows 4, 6 (place Maker, 2024-01-05, end_date 2024-01-06). They close nothing as"
        " they are; write place_id as the other tables do.",
    ),
    "mostly-set-aside": (
        {"sales": HEADER + "A,X,2024-01-01,1\nA,X,2024-01-02,x\nB,X,2024-01-03,y\n"},
        3,
        "DataError: rule S19: at most half of the rows of sales are set aside. Found 2 of 3 set aside. Mend what the"
        " other messages on sales say.",
    ),
    "row-width": (
        {"sales": SALES + "B,X,2024-01-04,1,2\n"},
        5,
        "Quarantined: rule F3: every row has as many cells as the header. Found 1 other in 4 rows, at row 5. Quote"
        " cells that hold the delimiter.",
    ),
    "file-unreadable": (
        {"sales": SALES, "items.parquet": b"no"},
        3,
        "DataError: rule F2: files can be read. Found items.parquet, which cannot: Parquet file size is 2 bytes,"
        " smaller than the minimum file footer (8 bytes). Write it again.",
    ),
    "table-twice": (
        {"sales": SALES, "sales.tsv": SALES.replace(",", "\t")},
        3,
        "DataError: rule F4: a table is given once. Found sales in sales.csv, sales.tsv. Remove one of them.",
    ),
}


@pytest.mark.parametrize("code", DIRT)
def test_dirt_is_told_in_these_words_and_ends_with_this_exit_code(code: str, tmp_path: Path) -> None:
    files, exit_code, message = DIRT[code]
    result = loaded(tmp_path, files)
    assert result.exit_code == exit_code
    assert message in result.checked.messages
    assert message in render_report(result.checked)
    assert [breach.code for breach in result.checked.breaches if render(breach) == message] == [code]


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        (
            "2024-01-01",
            "DataError: rule S21: the as-of date is after the first complete day of sales and at most the day after"
            " the last. Found 2024-01-01. Choose a date from 2024-01-02 to 2024-01-04.",
        ),
        (
            "2024-01-05",
            "DataError: rule S21: the as-of date is after the first complete day of sales and at most the day after"
            " the last. Found 2024-01-05. Choose a date from 2024-01-02 to 2024-01-04, or add the sales up to it.",
        ),
    ],
)
def test_an_as_of_date_outside_the_data_is_refused(as_of: str, message: str, tmp_path: Path) -> None:
    result = loaded(tmp_path, {"sales": SALES}, as_of=as_of)
    assert (result.exit_code, result.checked.messages) == (3, (message,))


@pytest.mark.parametrize("as_of", ["2024-01-02", "2024-01-04"])
def test_an_as_of_date_at_either_end_of_the_data_is_accepted(as_of: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, {"sales": SALES}, as_of=as_of).exit_code == 0


def test_every_sentence_and_every_repair_has_its_test() -> None:
    tested = set(DIRT) | {"as-of-too-early", "as-of-too-late"}
    assert tested == set(RULE_TEXTS)
    assert set(REPAIR_TEXTS) == set(REPAIRED_THINGS) == set(REPAIRS) == {name for name, *_ in MENDED}


def test_the_message_of_repeats_reads_as_the_style_guide_has_it() -> None:
    breach = Breach(
        rule="S3",
        code="repeats",
        table="sales",
        severity="repairable",
        count=214,
        n_rows=1_204_331,
        rows=(18, 19, 77, 1020, 1021),
        places=({"item_id": "85123A", "location_id": "UK", "date": "2011-11-04"},),
        repairs=("sum-duplicates",),
        values={"columns": "item_id, location_id, date, channel, region, shipped_from"},
    )
    assert render(breach) == (
        "DataError: rule S3: one row per item, location, date, channel, region and shipped_from. Found 214 repeats in"
        " 1,204,331 rows, first at rows 18, 19, 77, 1020, 1021 (item 85123A, location UK, 2011-11-04). Add them up or"
        " remove them; `--repair sum-duplicates` adds them up."
    )


# Repair, files, table, column and what the column holds afterwards (sorted by key).
MENDED: list[tuple[str, Files, str, str, list[object]]] = [
    ("sum-duplicates", {"sales": SALES + "A,X,2024-01-01,4\n"}, "sales", "units", [5, 2, 3]),
    ("last-duplicate", {"sales": SALES, "items": "item_id,name\nB,z\nA,x\nB,y\n"}, "items", "name", ["x", "y"]),
    (
        "decode-windows-1252",
        {"sales": SALES.encode() + b"caf\xe9,X,2024-01-04,1\nth\xc3\xa9,X,2024-01-04,1\n"},
        "sales",
        "item_id",
        ["A", "A", "B", "café", "thé"],
    ),
    ("decode-gb18030", {"sales": SALES.encode() + "茶,X,2024-01-04,1\n".encode("gb18030")}, "sales", "item_id",
     ["A", "A", "B", "茶"]),
    ("id-point-zero", {"sales": SALES + "12.0,X,2024-01-04,1\n"}, "sales", "item_id", ["12", "A", "A", "B"]),
    ("comma-thousands", {"sales": SALES + 'B,X,2024-01-04,"1,234.5"\n'}, "sales", "units", [1, 2, 3, 1234.5]),
    (
        "comma-decimals",
        {"sales": SALES + 'B,X,2024-01-04,"1.234,5"\nB,X,2024-01-05,1.234\n'},
        "sales",
        "units",
        [1, 2, 3, 1234.5, 1234],
    ),
    (
        "nan-as-missing",
        {"sales": SALES, "items": "item_id,unit_cost\nA,#N/A\nB,1\n"},
        "items",
        "unit_cost",
        [None, 1],
    ),
    ("day-first-dates", {"sales": HEADER + "A,X,31/01/2024,1\nA,X,1.2.2024,1\n"}, "sales", "date",
     ["2024-01-31", "2024-02-01"]),
    ("month-first-dates", {"sales": HEADER + "A,X,01/31/2024,1\nA,X,2/1/2024,1\n"}, "sales", "date",
     ["2024-01-31", "2024-02-01"]),
    ("year-first-dates", {"sales": HEADER + "A,X,20240131,1\nA,X,2024/2/1,1\n"}, "sales", "date",
     ["2024-01-31", "2024-02-01"]),
    ("drop-time-of-day", {"sales": HEADER + "A,X,2024-01-31 12:50:00,1\n"}, "sales", "date", ["2024-01-31"]),
    ("open-end-dates", {"sales": SALES, "items": "item_id,end_date\nA,9999-12-31\nB,2030-01-01\n"}, "items",
     "end_date", [None, "2030-01-01"]),
    ("negative-to-returns", {"sales": SALES + "B,X,2024-01-04,-4\n"}, "sales", "returned_units",
     [None, None, None, 4]),
    ("negative-stock-to-zero", {"sales": SALES, "inventory": "item_id,location_id,on_hand\nA,X,-3\n"}, "inventory",
     "on_hand", [0]),
    ("leading-zeros", {"sales": HEADER + "7,X,2024-01-04,1\n", "items": "item_id\n007\n"}, "sales", "item_id",
     ["007"]),
    ("add-unknown-items", {"sales": SALES, "items": "item_id\nB\n"}, "items", "item_id", ["A", "B"]),
    ("add-unknown-locations", {"sales": SALES, "locations": "location_id\nY\n"}, "locations", "location_id",
     ["X", "Y"]),
    ("average-in-stock", DIRT["in-stock-differs"][0], "sales", "in_stock", [0.75, 0.75]),
    ("set-aside", {"sales": SALES + "B,X,2024-01-04,-4\n"}, "sales", "units", [1, 2, 3]),
]  # fmt: skip


@pytest.mark.parametrize(("repair", "files", "table", "column", "expected"), MENDED, ids=[case[0] for case in MENDED])
def test_a_repair_mends_its_dirt_and_is_listed(
    repair: str, files: Files, table: str, column: str, expected: list[object], tmp_path: Path
) -> None:
    assert loaded(tmp_path, files).checked.refused or repair.startswith("add-unknown")
    result = loaded(tmp_path, files, repair)
    found = result.tables[table][column]
    if column in ("date", "end_date"):
        found = found.dt.strftime("%Y-%m-%d")
    assert [None if pd.isna(value) else value for value in found] == expected
    if repair == "set-aside":
        assert result.checked.quarantine["sales"].loc[0, ["row", "rules", "units"]].tolist() == [5, "S14", "-4"]
        assert result.exit_code == 5
    else:
        assert repair in {repaired.name for repaired in result.checked.repairs}
        assert any(repair in notice for notice in render_notices(result.checked))
        assert result.exit_code == 0


def test_refused_data_raise_with_every_reason_and_leave_no_snapshot(tmp_path: Path) -> None:
    result = loaded(tmp_path, {"sales": SALES + "A,X,2024-01-01,-4\n", "supply": LINKS + "*,maker,*,0\n"})
    with pytest.raises(DataRefused) as caught:
        _ = result.tables
    assert str(caught.value).splitlines() == list(result.checked.messages)
    assert {breach.rule for breach in caught.value.breaches} == {"S3", "S14", "U14"}
    with pytest.raises(DataRefused):
        _ = result.snapshot_id
    assert not (tmp_path / "home").exists()


def test_contradictions_alone_exit_with_4_and_beside_other_faults_with_3(tmp_path: Path) -> None:
    contradiction = DIRT["minimum-above-maximum"][0]
    with pytest.raises(DataContradicts):
        _ = loaded(tmp_path, contradiction).tables
    with pytest.raises(DataRefused):
        _ = loaded(tmp_path, {**contradiction, "sales": SALES + "A,X,2024-01-01,1\n"}).tables


def test_an_unknown_repair_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean sum-duplicates"):
        loaded(tmp_path, {"sales": SALES}, "sum-duplicate")


def test_repairs_that_read_one_cell_in_two_ways_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="comma-thousands and comma-decimals"):
        loaded(tmp_path, {"sales": SALES}, "comma-decimals", "comma-thousands")


def test_blank_rows_are_no_rows_and_do_not_shift_the_numbers(tmp_path: Path) -> None:
    result = loaded(tmp_path, {"sales": "\n" + SALES.replace("A,X,2024-01-02", "\n,,,\n  ,,,\nA,X,x")})
    (breach,) = result.checked.breaches
    assert (breach.code, breach.rows) == ("no-date", (7,))


def test_ids_keep_zeros_and_case_and_lose_spaces_and_decomposed_accents(tmp_path: Path) -> None:
    text = HEADER + "007,x,2024-01-01,1\n 007,X,2024-01-01,1\ne\u0301,X,2024-01-01,1\n\u00e9,X,2024-01-02,1\n"
    result = loaded(tmp_path, {"sales": text})
    sales = result.tables["sales"]
    assert list(zip(sales["item_id"], sales["location_id"], strict=True)) == [
        ("007", "X"), ("007", "x"), ("é", "X"), ("é", "X"),
    ]  # fmt: skip
    assert {(made.name, made.count) for made in result.checked.repairs} == {("trim-spaces", 1), ("unicode-nfc", 1)}


def test_numbers_in_two_styles_in_one_column_are_refused_whatever_repair_is_asked_for(tmp_path: Path) -> None:
    text = SALES + 'B,X,2024-01-04,"1.234,5"\nB,X,2024-01-05,"1,234.5"\n'
    for repairs in ([], ["comma-decimals"], ["comma-thousands"]):
        assert loaded(tmp_path, {"sales": text}, *repairs).exit_code == 3
