"""Checks raw tables against the contract: reads every cell, applies the repairs asked for, and tells what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from types import MappingProxyType

import numpy as np
import pandas as pd

from engine.tables.breach import Breach, Repaired, Rule, refusal
from engine.tables.check_cells import check_cells, mend_negatives
from engine.tables.contract import TABLES, columns_of, key_of
from engine.tables.data_report import TableReport, report_of
from engine.tables.fits import check_fits
from engine.tables.frames import aside_frame, fill_defaults, typed_frame
from engine.tables.links import check_circles, check_linked, check_short_links
from engine.tables.places import check_places
from engine.tables.read_sheet import read_sheet
from engine.tables.references import Target, look_up
from engine.tables.repairs import chosen
from engine.tables.repeats import one_row_per_key, one_stock_state
from engine.tables.sheet import Finding, SetAside, Sheet, Weight, set_aside, table_breach
from engine.tables.tables import Tables, empty
from engine.tables.timeline import check_timeline


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Parameters
    ----------
    frames
        Typed frames of the tables given, sorted by key; empty if the data were refused.
    columns_given
        Columns of the contract that were given, by table.
    breaches
        All breaches, those that refuse the data first, then by table and rule.
    quarantine
        Rows set aside, by table: as text as they were given, after their number and the rules they broke.
    repairs
        The changes made, with counts.
    unknown_columns, unknown_tables
        What the contract does not know; it is kept aside and named.
    data_report
        What each table holds.
    messages
        The wording of ``breaches``, one for each, once the edge has put them into words.
    """

    frames: Mapping[str, pd.DataFrame]
    columns_given: Mapping[str, frozenset[str]]
    breaches: tuple[Breach, ...]
    quarantine: Mapping[str, pd.DataFrame]
    repairs: tuple[Repaired, ...]
    unknown_columns: Mapping[str, tuple[str, ...]]
    unknown_tables: tuple[str, ...]
    data_report: tuple[TableReport, ...]
    messages: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the data are refused."""
        return any(breach.refuses for breach in self.breaches)

    @property
    def tables(self) -> Tables:
        """The checked tables.

        Raises
        ------
        DataRefused, DataContradicts
            If the data are refused, with the breaches that refuse them.
        """
        if error := refusal(self.breaches, self.messages):
            raise error
        frames = {table: self.frames[table] if table in self.frames else empty(table) for table in TABLES}
        return Tables(frames, self.columns_given)


@dataclass
class _Desk:
    """What has been found so far, while tables pass over it one after the other."""

    repairs: frozenset[str]
    sheets: dict[str, Sheet] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    repaired: list[Repaired] = field(default_factory=list)
    aside: dict[str, tuple[SetAside, ...]] = field(default_factory=dict)

    def settle(self, table: str, findings: Collection[Finding]) -> None:
        self.breaches += [finding.breach for finding in findings]
        if table in self.sheets:
            self.sheets[table], gone = set_aside(self.sheets[table], findings)
            self.aside[table] = (*self.aside.get(table, ()), *gone)

    def sound(self, *tables: str) -> bool:
        """Whether all these tables are there and none is refused so far."""
        bad = {breach.table for breach in self.breaches if breach.refuses}
        return all(table in self.sheets and table not in bad for table in tables)


def check_tables(
    raw: Mapping[str, pd.DataFrame],
    repairs: Collection[str] = (),
    as_of: np.datetime64 | None = None,
    default_link: bool = False,
    need_supply: bool = True,
) -> Checked:
    """Return what raw tables hold and what is wrong with them; nothing is changed that is not reported.

    Parameters
    ----------
    raw
        Frames by table, with text or typed columns. Their rows are numbered from 2, as in a spreadsheet with a
        header, unless an index named ``row`` numbers them.
    repairs
        Names of the repairs that may be made (`engine.tables.repairs.REPAIRS`).
    as_of
        The day of planning, if it was chosen.
    default_link
        Whether the configuration gives a link to items without a row in ``supply``.
    need_supply
        Whether links are needed at all; a forecast needs ``sales`` alone.

    Raises
    ------
    ConfigError
        If a repair is unknown or two of them exclude each other.
    """
    desk = _Desk(chosen(repairs))
    unknown_columns: dict[str, tuple[str, ...]] = {}
    for table in TABLES:
        if table in raw and (unknown := _one_table(desk, table, raw[table])):
            unknown_columns[table] = unknown
    _given(desk, raw, need_supply and not default_link)
    _across_tables(desk)
    if desk.sound("sales") and len(desk.sheets["sales"]):
        desk.breaches += check_timeline(desk.sheets["sales"], as_of)
        if need_supply and not default_link and desk.sound("supply"):
            desk.settle("sales", check_linked(desk.sheets, desk.repairs))
    _usable(desk)
    return _checked(desk, raw, unknown_columns)


def _one_table(desk: _Desk, table: str, raw: pd.DataFrame) -> tuple[str, ...]:
    """Read and check one table by itself; return its unknown columns."""
    read = read_sheet(table, raw, desk.repairs)
    sheet, repaired = mend_negatives(read.sheet, desk.repairs)
    desk.repaired += [*read.repaired, *repaired]
    desk.sheets[table] = sheet
    desk.settle(table, (*read.findings, *check_cells(sheet, read.unreadable, desk.repairs)))
    # Rows that could not be read and were not set aside refuse the table; nothing more can be said of them.
    unread = np.isin(desk.sheets[table].positions, sheet.positions[read.unreadable])
    desk.sheets[table] = fill_defaults(desk.sheets[table].take(~unread) if unread.any() else desk.sheets[table])
    return read.unknown_columns


def _given(desk: _Desk, raw: Mapping[str, pd.DataFrame], supply_needed: bool) -> None:
    needed = ("sales", "supply") if supply_needed else ("sales",)
    for table in needed:
        if table not in raw:
            desk.breaches.append(table_breach(table, Rule.GIVEN, "table-missing", Weight("fatal")))
        elif not desk.sheets[table].n_given or (not len(desk.sheets[table]) and not desk.aside.get(table)):
            desk.breaches.append(table_breach(table, Rule.GIVEN, "table-empty", Weight("fatal")))


def _across_tables(desk: _Desk) -> None:
    targets: tuple[Target, ...] = ("items", "locations")
    for target in targets:
        if desk.sound(target):
            referred = look_up(desk.sheets, target, desk.repairs)
            desk.sheets = dict(referred.sheets)
            desk.breaches += referred.breaches
            desk.repaired += referred.repaired
            for table, gone in referred.aside.items():
                desk.aside[table] = (*desk.aside.get(table, ()), *gone)
    for table in list(desk.sheets):
        _one_row_per_key(desk, table)
    sound = {table: sheet for table, sheet in desk.sheets.items() if desk.sound(table) and len(sheet)}
    for table, finding in check_fits(sound, desk.repairs):
        desk.settle(table, (finding,))
    desk.breaches += check_circles(sound)
    desk.breaches += check_places(sound)
    if "sales" in sound:
        desk.breaches += check_short_links(sound)


def _one_row_per_key(desk: _Desk, table: str) -> None:
    if not desk.sound(table):
        # The table is refused anyway: what can be said of its repeats is said of the rows that have a key.
        whole = np.ones(len(desk.sheets[table]), bool)
        for name in key_of(table):
            whole &= ~desk.sheets[table].column(name).null | (not columns_of(table)[name].required)
        found = one_row_per_key(desk.sheets[table].take(whole), desk.repairs)[1]
        desk.breaches += [finding.breach for finding in found]
        return
    sheet, stock_findings, stock_repairs = one_stock_state(desk.sheets[table], desk.repairs)
    desk.sheets[table], findings, repaired = one_row_per_key(sheet, desk.repairs)
    desk.breaches += [finding.breach for finding in (*stock_findings, *findings)]
    desk.repaired += [*stock_repairs, *repaired]


def _usable(desk: _Desk) -> None:
    """Refuse a table of which most rows were set aside: then it is the table that is wrong, not the rows."""
    for table, gone in desk.aside.items():
        n_aside = len({position for some in gone for position in some.positions.tolist()})
        n_given = desk.sheets[table].n_given
        if n_aside * 2 > n_given:
            desk.breaches.append(
                table_breach(table, Rule.USABLE, "mostly-set-aside", Weight("fatal"), n_aside, n_given)
            )


def _checked(desk: _Desk, raw: Mapping[str, pd.DataFrame], unknown_columns: Mapping[str, tuple[str, ...]]) -> Checked:
    order = {table: place for place, table in enumerate(TABLES)}
    breaches = sorted(
        desk.breaches, key=lambda breach: (not breach.refuses, order[breach.table], _number(breach), breach.code)
    )
    quarantine = {table: aside_frame(raw[table], gone) for table, gone in desk.aside.items() if gone}
    report = tuple(
        report_of(sheet, len(quarantine[table]) if table in quarantine else 0) for table, sheet in desk.sheets.items()
    )
    given = {table: frozenset(sheet.cells) for table, sheet in desk.sheets.items()}
    refused = any(breach.refuses for breach in breaches)
    return Checked(
        frames=MappingProxyType({} if refused else {table: typed_frame(sheet) for table, sheet in desk.sheets.items()}),
        columns_given=MappingProxyType(given),
        breaches=tuple(breaches),
        quarantine=MappingProxyType(quarantine),
        repairs=tuple(desk.repaired),
        unknown_columns=MappingProxyType(dict(unknown_columns)),
        unknown_tables=tuple(sorted(set(raw) - set(TABLES))),
        data_report=report,
    )


def _number(breach: Breach) -> int:
    return int(breach.rule.lstrip(ascii_uppercase))
