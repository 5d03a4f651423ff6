"""Snapshots: named by content, verified on reading, untouched by order and by repetition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import RestockError
from engine.tables import Tables
from engine.tables.check import check_tables
from experiments.exchange import snapshot
from experiments.exchange.snapshot import read_snapshot, write_snapshot


def sales(n_items: int = 7) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=5)
    index = pd.MultiIndex.from_product([[f"i{n}" for n in range(n_items)], ["X", "Y"], days])
    frame = index.to_frame(index=False, name=["item_id", "location_id", "date"])
    return frame.assign(units=np.arange(len(frame)) / 4, price=[None, 2.5] * (len(frame) // 2))


def stored(frame: pd.DataFrame, home: Path) -> str:
    checked = check_tables({"sales": frame}, need_supply=False)
    return write_snapshot(checked.frames, checked.columns_given, home)


def test_the_order_of_rows_and_columns_does_not_change_the_id(tmp_path: Path) -> None:
    expected = stored(sales(), tmp_path)
    for seed in range(3):
        shuffled = sales().sample(frac=1, random_state=seed)
        assert stored(shuffled[shuffled.columns[::-1]], tmp_path) == expected


def test_any_change_of_content_changes_the_id(tmp_path: Path) -> None:
    ids = {stored(sales(), tmp_path)}
    changed = sales()
    changed.loc[3, "units"] += 1
    ids |= {stored(changed, tmp_path), stored(sales().drop(columns="price"), tmp_path), stored(sales()[1:], tmp_path)}
    ids.add(stored(sales().assign(channel=None), tmp_path))
    assert len(ids) == 5


def test_tables_in_parts_read_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_ROWS_A_PART", 16)
    tables = Tables.of({"sales": sales()})
    found = read_snapshot(write_snapshot(tables, tables.columns_given, tmp_path), tmp_path)
    pd.testing.assert_frame_equal(found["sales"], tables["sales"])
    assert len(list((tmp_path / "snapshots" / "parts").iterdir())) == 5


def test_parts_are_shared_and_writing_again_changes_no_file(tmp_path: Path) -> None:
    first = stored(sales(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert stored(sales(), tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_part_or_manifest_that_was_changed_is_refused(tmp_path: Path) -> None:
    snapshot_id = stored(sales(), tmp_path)
    for path in [*(tmp_path / "snapshots" / "parts").iterdir(), tmp_path / "snapshots" / f"{snapshot_id}.json"]:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(RestockError, match="what its id says"):
            read_snapshot(snapshot_id, tmp_path)
        path.write_bytes(content)
    with pytest.raises(RestockError, match="no file"):
        read_snapshot("0" * 64, tmp_path)
    assert len(read_snapshot(snapshot_id, tmp_path)["sales"]) == len(sales())


def test_a_half_written_file_is_never_taken_for_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        stored(sales(), tmp_path)
    monkeypatch.undo()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(read_snapshot(stored(sales(), tmp_path), tmp_path)["sales"]) == len(sales())
