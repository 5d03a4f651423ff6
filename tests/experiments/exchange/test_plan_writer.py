import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from engine.errors import ConfigError
from engine.plan.types import PLAN_TABLES
from experiments.exchange.plan_meta import PlanMeta, without_password
from experiments.exchange.plan_writer import read_plan_tables, safe_for_spreadsheets, write_plan, write_table
from tests.plans import NAMES, example_history, example_plan

META = PlanMeta(
    run_id="run-1", snapshot_id="sha256:abc", config_version="1", data="demo", item_names=NAMES,
    config={"seed": "0", "store.url": "postgresql://erp:s3cret@db/restock"},
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("written") / "plan"
    write_plan(example_plan(), out, META, history=example_history())
    return out


def test_every_table_is_there_as_parquet_and_csv(written):
    names = {path.name for path in written.iterdir()}
    assert {f"{table}.{kind}" for table in PLAN_TABLES for kind in ("parquet", "csv")} <= names
    assert {"plan.xlsx", "report.html", "plan.json", "backtest.parquet", "backtest.csv"} <= names


def test_parquet_gives_back_the_tables_and_their_wording(written):
    plan = example_plan()
    for name, table in plan.tables.items():
        read = pd.read_parquet(written / f"{name}.parquet")
        assert_frame_equal(read[list(table.columns)], table, check_dtype=False)
        extra = [column for column in read.columns if column not in table.columns]
        assert extra in ([], ["reason"], ["alert"], ["assumption"])
        assert all(read[column].str.len().min() > 20 for column in extra if name != "presale_allocations")


def test_csv_and_parquet_say_the_same(written):
    for name in PLAN_TABLES:
        parquet = pd.read_parquet(written / f"{name}.parquet")
        text = [column for column in parquet if pd.api.types.is_string_dtype(parquet[column].dtype)]
        dates = list(parquet.select_dtypes("datetime").columns)
        csv = pd.read_csv(
            written / f"{name}.csv", dtype=dict.fromkeys(text, "string"), parse_dates=dates, keep_default_na=False,
            float_precision="round_trip",
            na_values={column: [""] for column in parquet.columns if column not in text},
        )  # fmt: skip
        assert_frame_equal(csv, parquet, check_dtype=False, check_exact=True)


def test_plan_json_identifies_the_plan_and_holds_no_password(written):
    told = json.loads((written / "plan.json").read_text(encoding="utf-8"))
    assert (told["as_of"], told["bucket"], told["run_id"], told["snapshot_id"]) == (
        "2025-10-27",
        "D",
        "run-1",
        "sha256:abc",
    )
    assert told["solve"]["status"] == "optimal"
    assert told["rows"]["orders"] == len(example_plan().tables["orders"])
    assert all("s3cret" not in path.read_text(encoding="utf-8", errors="ignore") for path in written.iterdir())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://u:p@ss@h:3306/db?x=1", "mysql://u:***@h:3306/db?x=1"),
        ("postgresql+psycopg://erp:a:b@h/db", "postgresql+psycopg://erp:***@h/db"),
        ("sqlite:///home/data.db", "sqlite:///home/data.db"),
        ("https://host:8080/path", "https://host:8080/path"),
        ("demo/data", "demo/data"),
    ],
)
def test_passwords_in_addresses_are_starred_out(text, shown):
    assert without_password(text) == shown


def test_text_like_a_formula_is_escaped_in_csv_only(tmp_path):
    table = pd.DataFrame({"item_id": ["=1+1", "-5", "@x", "plain", None], "units": [-1.0, 2, 3, 4, 5]})
    table["item_id"] = table["item_id"].astype("string[pyarrow]")
    assert safe_for_spreadsheets(table)["item_id"].tolist()[:4] == ["'=1+1", "'-5", "'@x", "plain"]
    write_table(table, tmp_path / "t")
    assert pd.read_parquet(tmp_path / "t.parquet")["item_id"].tolist()[:3] == ["=1+1", "-5", "@x"]
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["item_id,units", '"\'=1+1",-1', '"\'-5",2']


def test_the_same_plan_is_the_same_files(tmp_path, written):
    write_plan(example_plan(), tmp_path / "again", META, history=example_history())
    for path in written.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_rows_that_were_set_aside_are_written_too(tmp_path):
    rows = pd.DataFrame({"row": [7], "units": ["many"]})
    write_plan(example_plan(), tmp_path / "plan", META, quarantine={"sales": rows})
    assert pd.read_csv(tmp_path / "plan" / "quarantine" / "sales.csv").to_dict("list") == {
        "row": [7],
        "units": ["many"],
    }


def test_an_existing_folder_is_refused_before_anything_is_written(written):
    before = {path.name: path.stat().st_mtime_ns for path in written.iterdir()}
    with pytest.raises(ConfigError, match="--overwrite"):
        write_plan(example_plan(), written, META)
    assert before == {path.name: path.stat().st_mtime_ns for path in written.iterdir()}


def test_a_killed_writer_leaves_nothing_that_looks_complete(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from experiments.exchange import plan_writer\n"
        "from experiments.exchange.plan_meta import PlanMeta\n"
        "from tests.plans import example_plan\n"
        "plan_writer.write_report = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "plan_writer.write_plan(example_plan(), Path(sys.argv[1]), PlanMeta('r', 's', '1'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "plan")], env=environment, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert all(path.name.startswith(".") and path.name.endswith(".part") for path in tmp_path.iterdir())
    write_plan(example_plan(), tmp_path / "plan", META)
    assert (tmp_path / "plan" / "report.html").exists()


def test_a_folder_that_lacks_a_table_is_refused_by_name(written, tmp_path):
    (tmp_path / "orders.parquet").write_bytes((written / "orders.parquet").read_bytes())
    assert list(read_plan_tables(tmp_path, ["orders"])) == ["orders"]
    with pytest.raises(ConfigError, match=r"Found no transfers\.parquet in .*Plan again"):
        read_plan_tables(tmp_path, ["orders", "transfers"])
