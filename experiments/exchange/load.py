"""The way in: reads data of any kind, checks them, and keeps a snapshot of what passed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.tables import Tables
from engine.tables.breach import Breach, refusal
from engine.tables.check import Checked, check_tables
from engine.tables.contract import TABLES
from experiments.exchange.database import database_url, is_database, read_database, shown
from experiments.exchange.folder import read_folder
from experiments.exchange.reading import Read
from experiments.exchange.rule_texts import render
from experiments.exchange.snapshot import write_snapshot
from experiments.exchange.workbook_in import read_workbook

_IN_PART = 5
_WORKBOOKS = (".xlsx", ".xlsm")
_STOCK = ("inventory", "inventory_batches", "open_orders")
STATE = (*_STOCK, "presales")
"""Tables that say what is in stock, on its way, and owed to presales."""


@dataclass(frozen=True)
class WithState:
    """Data whose stock, and what is on its way, are those of an exported ``state``, named as data are."""

    data: str
    state: str


@dataclass(frozen=True)
class Loaded:
    """Data read and checked: what the check found, the snapshot (None if refused), and where they came from.

    ``source`` never holds a password.
    """

    checked: Checked
    snapshot: str | None
    source: str

    @property
    def tables(self) -> Tables:
        """The checked tables.

        Raises
        ------
        DataRefused, DataContradicts
            If the data are refused; the message words every breach that refuses them.
        """
        return self.checked.tables

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot; raises as ``tables`` does if the data are refused."""
        if error := refusal(self.checked.breaches, self.checked.messages):
            raise error
        return self.snapshot or ""

    @property
    def exit_code(self) -> int:
        """What a command that does nothing but check ends with: 0, 3 refused, 4 contradicting, 5 rows set aside."""
        if error := refusal(self.checked.breaches, self.checked.messages):
            return error.exit_code
        return _IN_PART if self.checked.quarantine else 0


def load(
    data: str | WithState,
    home: Path,
    repairs: Collection[str] = (),
    as_of: np.datetime64 | None = None,
    default_link: bool = False,
    need_supply: bool = True,
) -> Loaded:
    """Read a folder, a workbook or a database, check it, and store a snapshot under ``home``.

    Refused data are returned, not raised, so that they can be reported in full: `Loaded.tables` raises.

    Parameters
    ----------
    data
        Path of a folder or of an ``.xlsx`` workbook, URL of a database, or ``env:NAME`` for a URL.
    home
        Folder under which snapshots lie.
    repairs, as_of, default_link, need_supply
        As for `engine.tables.check.check_tables`.

    Raises
    ------
    ConfigError
        If ``data`` does not exist or cannot be reached, its state is none, or a repair is unknown.
    """
    if isinstance(data, WithState):
        (read, source), (state, of_state) = _read(data.data), _read(data.state)
        read, source = _with_state(read, state, of_state), f"{source} with the state of {of_state}"
    else:
        read, source = _read(data)
    checked = check_tables(read.frames, repairs, as_of, default_link, need_supply)
    checked = _with_files(checked, read)
    if checked.refused:
        return Loaded(checked, None, source)
    return Loaded(checked, write_snapshot(checked.frames, checked.columns_given, home), source)


def _read(data: str) -> tuple[Read, str]:
    if is_database(data):
        url = database_url(data)
        return read_database(url), shown(url)
    path = Path(data)
    if path.is_dir():
        return read_folder(path), str(path)
    if path.is_file() and path.suffix.lower() in _WORKBOOKS:
        return read_workbook(path), str(path)
    found = "a file of another kind" if path.is_file() else "nothing"
    raise ConfigError(
        "DATA is a folder of CSV or Parquet files, an .xlsx workbook or a database URL", f"{found} at {data}",
        "Give the path of the folder that holds sales.csv or sales.parquet.",
    )  # fmt: skip


def _with_state(read: Read, state: Read, name: str) -> Read:
    """Return the tables of ``read`` with those of ``state``; without `presales` in it, those of ``read`` stay."""
    if "inventory" not in state.frames or not set(state.frames) <= set(STATE):
        raise ConfigError(
            "An opening is a state: inventory, and perhaps inventory_batches, open_orders and presales",
            f"{', '.join(state.frames) or 'no table'} in {name}",
            "Give a folder such as closing/POLICY of a replay",
        )
    other = {*_STOCK, *state.frames}
    kept = {table: frame for table, frame in read.frames.items() if table not in other}
    rejected = {table: frame for table, frame in read.rejected.items() if table not in other}
    return Read(
        frames={**kept, **state.frames},
        breaches=(*(breach for breach in read.breaches if breach.table not in other), *state.breaches),
        rejected={**rejected, **state.rejected},
        unknown=(*read.unknown, *state.unknown),
    )


def _with_files(checked: Checked, read: Read) -> Checked:
    """Return the check with what was found in the files themselves."""
    spoilt = {breach.table for breach in read.breaches if breach.refuses}
    # A file that cannot be read is not a table that is missing.
    rest = [b for b in checked.breaches if not (b.code == "table-missing" and (b.table in spoilt or "" in spoilt))]
    breaches: list[Breach] = sorted([*read.breaches, *rest], key=lambda breach: not breach.refuses)
    quarantine: dict[str, pd.DataFrame] = dict(checked.quarantine)
    for table, rejected in read.rejected.items():
        frames = [frame for frame in (quarantine.get(table), rejected) if frame is not None]
        quarantine[table] = pd.concat(frames, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    frames_kept: Mapping[str, pd.DataFrame] = {} if any(b.refuses for b in breaches) else checked.frames
    return replace(
        checked,
        frames=MappingProxyType(dict(frames_kept)),
        breaches=tuple(breaches),
        messages=tuple(render(breach) for breach in breaches),
        quarantine=MappingProxyType({table: quarantine[table] for table in TABLES if table in quarantine}),
        unknown_tables=tuple(sorted({*checked.unknown_tables, *read.unknown})),
    )
