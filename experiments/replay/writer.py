"""Writing a replay: its tables, the closing state of each policy, a report and ``replay.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from engine.plan.types import CONTRACT_VERSION
from experiments.exchange.catalogue import read_catalogue, with_wording
from experiments.exchange.folder import write_tables
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.plan_writer import write_table
from experiments.exchange.result_folder import result_folder
from experiments.replay.report import render_replay


@dataclass(frozen=True)
class Replayed:
    """A replay's tables by name, the contract tables of each policy's closing state, the scored days, the first day."""

    tables: Mapping[str, pd.DataFrame]
    closing: Mapping[str, Mapping[str, pd.DataFrame]]
    scored: tuple[str, str]
    first_day: str


def write_replay(replayed: Replayed, out: Path, meta: PlanMeta, overwrite: bool = False) -> None:
    """Write a replay into the folder ``out``, complete or not at all.

    Raises
    ------
    ConfigError
        ``out`` exists and ``overwrite`` is not given, or it is no folder.
    """
    tables = {name: with_wording(table, read_catalogue()) for name, table in replayed.tables.items()}
    folders = closing_folders(replayed.closing)
    with result_folder(out, overwrite) as folder:
        for name, table in tables.items():
            write_table(table, folder / name)
        for policy, state in replayed.closing.items():
            # One file a table, so that the folder can be read as data and as an opening.
            write_tables(state, folder / "closing" / folders[policy])
        content = {
            "run_id": meta.run_id,
            "snapshot_id": meta.snapshot_id,
            "contract_version": CONTRACT_VERSION,
            "config_version": meta.config_version,
            "data": meta.data,
            "first_day": replayed.first_day,
            "scored": list(replayed.scored),
            "policies": list(dict.fromkeys(tables["summary"]["policy"])),
            "closing": folders,
            "config": dict(meta.config),
        }
        (folder / "replay.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        report = render_replay(tables, replayed.scored, replayed.first_day, meta)
        (folder / "report.html").write_text(report, encoding="utf-8")


def closing_folders(policies: Iterable[str]) -> dict[str, str]:
    """Return a folder's name for each policy: its own as far as file systems take it, numbered where two would meet."""
    plain = {policy: _file_name(policy) for policy in policies}
    folders: dict[str, str] = {}
    taken: set[str] = set()
    # Names that can stay come first; some file systems tell no capitals.
    for policy in sorted(plain, key=lambda name: plain[name] != name):
        name, number = plain[policy], 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain[policy]}-{number}"
        taken.add(name.casefold())
        folders[policy] = name
    return {policy: folders[policy] for policy in plain}


def _file_name(policy: str) -> str:
    letters = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in policy)
    return letters.strip(".") or "policy"
