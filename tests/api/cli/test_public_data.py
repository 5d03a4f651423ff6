"""A slice of real sales, from raw lines to a plan, as a user runs it; skipped where the data are absent."""

import os
from pathlib import Path

import pandas as pd
import pytest

from api.cli import main

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))
SETTINGS = """
[time]
bucket = "W"
[forecast]
models = ["seasonal_naive", "boosting"]
n_paths = 60
[run]
workers = 1
"""


def restock(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["restock", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "uci_online_retail").is_dir(), reason=f"no UCI Online Retail under {DATA}")
def test_uci_online_retail_from_raw_lines_to_a_weekly_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_HOME", str(tmp_path / "home"))
    raw = pd.read_parquet(DATA / "uci_online_retail" / "online_retail_transactions.parquet")
    code = next(name for name in raw.columns if name.lower().replace("_", "") == "stockcode")
    kept = raw[code].value_counts().index[:40]
    (tmp_path / "raw").mkdir()
    raw[raw[code].isin(kept)].to_parquet(tmp_path / "raw" / "online_retail_transactions.parquet", index=False)
    (tmp_path / "mine.toml").write_text(SETTINGS)
    tables, out = tmp_path / "tables", tmp_path / "plan"
    assert restock(monkeypatch, "import", "uci-online-retail", str(tmp_path / "raw"), str(tables)) == 0
    options = ("--config", str(tmp_path / "mine.toml"), "--out", str(out), "--no-track")
    assert restock(monkeypatch, "plan", str(tables), *options) == 0
    targets = pd.read_parquet(out / "targets.parquet")
    orders = pd.read_parquet(out / "orders.parquet")
    assert len(targets) > 20
    assert len(orders) > 0
    assert (orders["units"] % 1 == 0).all()
    assert targets["expected_cycle_service"].between(0, 1).all()
