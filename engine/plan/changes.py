"""What a plan changes in the plan before it, line by line, and why; and how stable the two are.

Compared are the lines of ``orders``, ``transfers`` and ``planned`` on order days that both plans cover: from the newer
``as_of`` to the end of the shorter forecast. A line is known again by its id (item, source, destination, kind and
order date). Of the others, an older line and a newer one of the same item, source and destination that are each
other's nearest in time are one line that moved.

Why is read off the stored tables of both plans, for the item at the place, as effects in units (above 0: more is
needed):

- stock: the inventory position falls short of what the older plan expected of it by now, which is its position, with
  its lines of the days since, less its forecast and what it meant to send away in them;
- forecast: mean demand until the next delivery, on the days that both forecasts cover; at a place that only feeds
  others, what is to leave it in those days;
- buffer: the change of safety stock. It is told as the target's where target, class or objective changed;
- dates: more or fewer days to cover until the next delivery, at the mean rate of the newer plan.

The cause told is a limit that cut the newer line, or left it out (as its table ``next_best`` tells), else the largest
effect that points the way of the change. Where none does by half a unit: that all of them are that small, so that whole
lots (or times between orders) fall differently, or that they ask for the opposite, so that other lines answer for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.plan.reasons import json_rows
from engine.plan.tables import plan_table
from engine.policy.types import F64, Texts

Tables = Mapping[str, pd.DataFrame]

COMPARED_TABLES = ("orders", "transfers", "planned", "targets", "forecast", "next_best")
"""Tables of a plan that a comparison reads; of the older plan not ``next_best``."""

CHANGE_CODES = (
    "changed-stock", "changed-forecast", "changed-target", "changed-buffer", "changed-dates", "changed-source",
    "changed-listing", "changed-limit", "changed-lots", "changed-against", "changed-arrival",
)  # fmt: skip
"""Every reason of a change."""

_KEY = ["kind", "item_id", "source_id", "location_id"]
_CELL = ["item_id", "location_id"]
_ROW = {
    **dict.fromkeys(["line_id", "previous_line_id", *_KEY, "change", "reason_code"], "string[pyarrow]"),
    **dict.fromkeys(["units_before", "units"], "float64"),
    **{f"{name}_date{end}": "datetime64[ns]" for name in ("order", "available") for end in ("_before", "")},
}
_OWN_RULES = (
    "target", "least-cost", "no-need", "min-stock", "owed", "lot-multiple", "lot-minimum", "kept-as-planned",
    "price-break", "order-cost", "supplier-minimum",
)  # fmt: skip
"""Rules that cut no line: what was asked for, or more of it."""
_SAME_UNITS = 1e-6
_LEAST_EFFECT = 0.5  # units


@dataclass(frozen=True)
class Edition:
    """A plan as it is compared: the day it was made, the length of its buckets in days, and its tables."""

    as_of: np.datetime64
    bucket_days: int
    tables: Tables

    @property
    def lines(self) -> pd.DataFrame:
        """All lines: line_id, kind, item, source, location, units, order and available date, and their rule."""
        transfers = self.tables["transfers"].rename(columns={"origin_id": "source_id", "dest_id": "location_id"})
        frames = [
            self.tables["orders"].assign(kind="purchase"),
            transfers.assign(kind="transfer"),
            self.tables["planned"].assign(reason_code=""),
        ]
        columns = ["line_id", *_KEY, "units", "order_date", "available_date", "reason_code"]
        texts = dict.fromkeys(["kind", "reason_code"], "string[pyarrow]")
        return pd.concat([frame[columns].astype(texts) for frame in frames], ignore_index=True)

    @property
    def end(self) -> pd.Timestamp:
        """The day after the last one that the forecast covers."""
        last = self.tables["forecast"]["date"].max()
        return pd.Timestamp(self.as_of) if pd.isna(last) else last + pd.Timedelta(days=self.bucket_days)


def plan_changes(newer: Edition, older: Edition) -> dict[str, pd.DataFrame]:
    """Return the tables ``changes`` and ``stability`` of a plan against the one before it.

    Stability, over the older plan's lines of the days in common: ``kept`` have the same units, order day and day of
    arrival in the newer plan; ``lines_kept`` is their number over that of the older lines, ``units_kept`` their units
    over the units of those (NaN without any). ``new``, ``gone``, ``moved`` and ``resized`` count the others; new lines
    are not among the older ones.
    """
    start, end = pd.Timestamp(newer.as_of), min(newer.end, older.end)
    now, before = (_within(edition.lines, start, end) for edition in (newer, older))
    both = before.merge(now[["line_id", "units", "order_date", "available_date", "reason_code"]], on="line_id",
                        suffixes=("_before", ""))  # fmt: skip
    same_units = (both["units"] - both["units_before"]).abs() <= _SAME_UNITS
    same_date = both["available_date"] == both["available_date_before"]
    resized = both[~(same_units & same_date)].assign(previous_line_id=lambda rows: rows["line_id"])
    resized = resized.assign(change=np.where(same_units[resized.index], "moved", "units"))
    gone = before[~before["line_id"].isin(now["line_id"])]
    new = now[~now["line_id"].isin(before["line_id"])]
    moved = _moved(gone, new)
    gone = gone[~gone["line_id"].isin(moved["previous_line_id"])]
    new = new[~new["line_id"].isin(moved["line_id"])]
    kinds = (resized, moved, _gone(gone), _new(new))
    rows = pd.concat([frame[list(_ROW)].astype(_ROW) for frame in kinds], ignore_index=True)
    rows = rows.sort_values(["item_id", "location_id", "order_date", "source_id", "line_id"], ignore_index=True)
    kept = both[same_units & same_date]
    return {"changes": _table(rows, newer, older), "stability": _stability(before, kept, rows)}


def _within(lines: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    return lines[(lines["order_date"] >= start) & (lines["order_date"] < end)]


def _moved(gone: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of an older and a newer line of one item, source and place that are each other's nearest."""
    left = gone.assign(at=gone["order_date"]).sort_values(["at", "line_id"])
    right = new.assign(at=new["order_date"]).sort_values(["at", "line_id"])
    there = pd.merge_asof(left, right, on="at", by=_KEY, direction="nearest", suffixes=("_before", ""))
    back = pd.merge_asof(right, left, on="at", by=_KEY, direction="nearest", suffixes=("", "_before"))
    pairs = there.merge(back[["line_id", "line_id_before"]], on=["line_id", "line_id_before"])
    return pairs.drop(columns="at").rename(columns={"line_id_before": "previous_line_id"}).assign(change="moved")


def _gone(lines: pd.DataFrame) -> pd.DataFrame:
    ids = lines["line_id"]
    before = {f"{name}_before": lines[name] for name in ("units", "order_date", "available_date")}
    return lines.assign(**before, previous_line_id=ids, units=0.0, change="gone", reason_code="")


def _new(lines: pd.DataFrame) -> pd.DataFrame:
    dates = {f"{name}_before": lines[name] for name in ("order_date", "available_date")}
    return lines.assign(**dates, previous_line_id="", units_before=0.0, change="new")


def _stability(before: pd.DataFrame, kept: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    total = float(before["units"].sum())
    counts = rows["change"].value_counts()
    measures = {
        "lines": len(before),
        "lines_kept": len(kept) / len(before) if len(before) else np.nan,
        "units_kept": float(kept["units"].sum()) / total if total > 0 else np.nan,
        "new": counts.get("new", 0),
        "gone": counts.get("gone", 0),
        "moved": counts.get("moved", 0),
        "resized": counts.get("units", 0),
    }
    return plan_table("stability", {"measure": list(measures), "value": np.array([*measures.values()], np.float64)})


def _table(rows: pd.DataFrame, newer: Edition, older: Edition) -> pd.DataFrame:
    effects = _effects(rows, newer, older)
    left_out = _left_out(rows, newer)
    bound = rows["reason_code"].astype(object).str.split("-", n=1).str[1].fillna("")
    rows = rows.assign(rule=left_out.where(left_out.notna(), bound), left_out=left_out.notna())
    more = np.sign((rows["units"] - rows["units_before"]).to_numpy(np.float64))
    earlier = np.sign((rows["order_date_before"] - rows["order_date"]).dt.days.to_numpy(np.float64))
    code = _codes(rows, effects, np.where(more != 0, more, earlier))
    names = ("stock", "forecast", "buffer", "dates", "position", "expected_position")
    values = {name: np.round(effects[name].to_numpy(np.float64), 3) for name in names}
    units = {"units": rows["units"].to_numpy(np.float64), "units_before": rows["units_before"].to_numpy(np.float64)}
    texts = {
        "rule": rows["rule"].to_numpy(object),
        "target": effects["target"].to_numpy(np.float64),
        "target_before": effects["target_before"].to_numpy(np.float64),
        "source_before": effects["source_id_before"].fillna("").to_numpy(object),
    }
    return plan_table(
        "changes",
        {
            **{name: rows[name] for name in _ROW if name != "reason_code"},
            "reason_code": code,
            "reason_values": json_rows({**values, **units, **texts}),
        },
    )


def _left_out(rows: pd.DataFrame, newer: Edition) -> pd.Series:
    """Return the limit that left out the older line of each row altogether, NaN where none did."""
    cut = newer.tables["next_best"]
    cut = cut[~cut["line_id"].isin(newer.tables["orders"]["line_id"])]
    return rows["previous_line_id"].astype(object).map(dict(zip(cut["line_id"], cut["limit"], strict=True)))


def _codes(rows: pd.DataFrame, effects: pd.DataFrame, way: F64) -> Texts:
    names = np.array(["stock", "forecast", "buffer", "dates"], dtype=object)
    sizes = np.nan_to_num(effects[list(names)].to_numpy(np.float64)) * way[:, None]
    code: Texts = np.array([f"changed-{name}" for name in names], dtype=object)[sizes.argmax(axis=1)]
    # Less than half a unit moves nothing by itself.
    small = np.abs(sizes).max(axis=1, initial=0.0) < _LEAST_EFFECT
    unmoved = sizes.max(axis=1, initial=0.0) < _LEAST_EFFECT
    code[unmoved] = np.where(small, "changed-lots", "changed-against")[unmoved]
    code[way == 0] = "changed-arrival"
    code[(code == "changed-buffer") & effects["retargeted"].to_numpy(bool)] = "changed-target"
    cut = (rows["rule"] != "") & ~rows["rule"].isin(_OWN_RULES) & (rows["units"] < rows["units_before"])
    code[(cut | rows["left_out"]).to_numpy(bool)] = "changed-limit"
    code[effects["resourced"].to_numpy(bool)] = "changed-source"
    code[effects["unlisted"].to_numpy(bool)] = "changed-listing"
    return code


def _effects(rows: pd.DataFrame, newer: Edition, older: Edition) -> pd.DataFrame:
    """Return the effects on each row's item at its place, row by row."""
    facts = [
        "source_id", "abc", "objective", "target", "next_available_date", "protection_demand", "safety_stock",
        "position",
    ]  # fmt: skip
    now, before = (edition.tables["targets"][[*_CELL, *facts]] for edition in (newer, older))
    cells = rows[_CELL].drop_duplicates()
    cells = cells.merge(now, on=_CELL, how="left").merge(before, on=_CELL, how="left", suffixes=("", "_before"))
    until = cells[[*_CELL, "next_available_date"]]
    start, day = pd.Timestamp(newer.as_of), pd.Timestamp(older.as_of)
    placed = _within(older.lines, day, start)
    sent = _sent(placed)
    expected = (
        cells["position_before"] + _sums(cells, placed, "units")
        - _sums(cells, sent, "units") - _forecast(cells, older, day, until.assign(next_available_date=start))
    )  # fmt: skip
    end = min(newer.end, older.end)
    common = until.assign(next_available_date=until["next_available_date"].where(lambda day: day < end, end))
    foreseen = _forecast(cells, newer, start, common) - _forecast(cells, older, start, common)
    leaving = _leaving(cells, newer, start, common) - _leaving(cells, older, start, common)
    days = (cells["next_available_date"] - start).dt.days
    days_before = (cells["next_available_date_before"] - day).dt.days
    rate = cells["protection_demand"] / days.where(days > 0)
    both = cells["position"].notna() & cells["position_before"].notna()
    cells = cells.assign(
        expected_position=expected,
        stock=expected - cells["position"],
        forecast=foreseen + leaving,
        buffer=cells["safety_stock"] - cells["safety_stock_before"],
        dates=(days - days_before) * rate,
        retargeted=both & np.logical_or.reduce([_differ(cells, name) for name in ("target", "abc", "objective")]),
        resourced=both & _differ(cells, "source_id"),
        unlisted=~both,
    )
    return rows[_CELL].merge(cells, on=_CELL, how="left")


def _differ(cells: pd.DataFrame, name: str) -> npt.NDArray[np.bool_]:
    return (cells[name] != cells[f"{name}_before"]).fillna(True).to_numpy(bool)


def _sums(cells: pd.DataFrame, lines: pd.DataFrame, column: str) -> pd.Series:
    """Return the sum of a column by cell, 0 where there is none; aligned with ``cells``."""
    sums = lines.groupby(_CELL, as_index=False).agg(total=(column, "sum"))
    return cells[_CELL].merge(sums, on=_CELL, how="left")["total"].fillna(0.0)


def _forecast(cells: pd.DataFrame, edition: Edition, start: pd.Timestamp, until: pd.DataFrame) -> pd.Series:
    """Return the mean forecast of each cell from a day to its own; a part of a bucket counts by its days."""
    table = edition.tables["forecast"][[*_CELL, "date", "mean"]].merge(until, on=_CELL)
    length = pd.Timedelta(days=edition.bucket_days)
    first = np.maximum(table["date"].to_numpy(), start.to_datetime64())
    last = np.minimum((table["date"] + length).to_numpy(), table["next_available_date"].to_numpy())
    share = np.maximum((last - first) / length.to_timedelta64(), 0.0)
    return _sums(cells, table.assign(inside=table["mean"] * share), "inside")


def _leaving(cells: pd.DataFrame, edition: Edition, start: pd.Timestamp, until: pd.DataFrame) -> pd.Series:
    """Return what transfers take from each cell from a day to its own."""
    sent = _sent(edition.lines).merge(until, on=_CELL)
    inside = (sent["order_date"] >= start) & (sent["order_date"] < sent["next_available_date"])
    return _sums(cells, sent[inside], "units")


def _sent(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the transfers among lines, by the place that gives."""
    sent = lines[lines["kind"] == "transfer"]
    return sent.assign(location_id=sent["source_id"])
