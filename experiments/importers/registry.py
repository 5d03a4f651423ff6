"""Importers of public data sets by name; each module is loaded when it is asked for.

A module has ``import_tables(src, store) -> {table: frame}``; the frame ``import_report`` among them
lists every finding and what became of it, and is written beside the tables as ``import_report.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from engine.errors import ConfigError
from experiments.exchange.folder import write_tables

IMPORTERS: Mapping[str, str] = MappingProxyType(
    {
        "m5": "experiments.importers.m5",
        "uci-online-retail": "experiments.importers.uci_online_retail",
        "vn2": "experiments.importers.vn2",
    }
)

REPORT = "import_report"


def import_tables(source: str, src: Path) -> dict[str, pd.DataFrame]:
    """Return the contract tables of a public data set, and its ``import_report``.

    ``source`` is a name of `IMPORTERS`, with ``:STORE`` behind it to take one location only
    (``m5:CA_1``).

    Raises
    ------
    ConfigError
        If the name is unknown or ``src`` does not exist.
    DataError
        If files or columns are missing.
    """
    name, _, store = source.partition(":")
    if name not in IMPORTERS:
        near = get_close_matches(name, IMPORTERS, n=1)
        raise ConfigError(
            f"The source must be one of {', '.join(IMPORTERS)}",
            repr(source),
            f"Did you mean {near[0]}?" if near else "Choose one of them",
        )
    if not src.exists():
        raise ConfigError("The source folder or file must exist", str(src), "Give the path of the downloaded data")
    tables: dict[str, pd.DataFrame] = dict(import_module(IMPORTERS[name]).import_tables(src, store or None))
    return tables


def run_import(source: str, src: Path, dst: Path) -> dict[str, int]:
    """Write a public data set as contract tables into ``dst``; return the rows of each table.

    Raises as `import_tables`.
    """
    tables = import_tables(source, src)
    report = tables.pop(REPORT)
    write_tables(tables, dst)
    rows = {name: len(frame) for name, frame in tables.items()}
    told = {"source": source, "tables": rows, "findings": report.to_dict(orient="records")}
    (dst / f"{REPORT}.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return rows
