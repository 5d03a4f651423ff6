"""What a forecaster scored on M5, and the tables that show it beside others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.forecast.m5.hierarchy import LEVELS
from benchmarks.forecast.m5.score import mean_of_levels

Rows = list[dict[str, object]]
MISSING = "–"


@dataclass(frozen=True)
class Report:
    """Scores of one forecaster.

    Parameters
    ----------
    name
        The forecaster.
    seconds
        Wall time by stage.
    wrmsse, wspl
        By level; empty where the forecaster does not give what is scored.
    wql
        Of the fixed sample, NaN where not given.
    bias
        Forecast total over the actual one, less 1, by week.
    calibration
        Rows of a table.
    notes
        What the fit has to tell.
    peak_gb
        Peak memory of all processes, NaN where not measured.
    """

    name: str
    seconds: Mapping[str, float]
    wrmsse: Mapping[int, float] = field(default_factory=dict)
    wspl: Mapping[int, float] = field(default_factory=dict)
    wql: float = float("nan")
    bias: Sequence[float] = ()
    calibration: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()
    peak_gb: float = float("nan")

    def text(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def of_text(cls, text: str) -> Report:
        """Return the report that `text` describes."""
        found = cls(**json.loads(text))
        # JSON knows no number as a key.
        wrmsse, wspl = ({int(level): s for level, s in part.items()} for part in (found.wrmsse, found.wspl))
        return replace(found, wrmsse=wrmsse, wspl=wspl)


def level_rows(reports: Sequence[Report]) -> Rows:
    """Return a row a level, and their mean, with a column for each report and score that it has."""
    columns: list[tuple[str, Mapping[int, float]]] = []
    for score in ("wrmsse", "wspl"):
        columns += [(f"{score.upper()} {one.name}", getattr(one, score)) for one in reports if getattr(one, score)]
    levels = sorted({level for _, scores in columns for level in scores})
    rows: Rows = []
    for level in levels:
        name = " × ".join(column.removesuffix("_id") for column in LEVELS[level - 1]) or "total"
        shown = {column: _number(scores.get(level, float("nan"))) for column, scores in columns}
        rows.append({"level": f"{level} {name}", **shown})
    return [*rows, {"level": "mean", **{column: _number(mean_of_levels(dict(scores))) for column, scores in columns}}]


def summary_rows(reports: Sequence[Report]) -> Rows:
    """Return a row a forecaster: time by stage, memory, WQL and the bias of each week."""
    stages = list(dict.fromkeys(stage for one in reports for stage in one.seconds))
    return [
        {
            "forecaster": one.name,
            **{f"{stage} s": _number(one.seconds.get(stage, float("nan")), 1) for stage in stages},
            "peak GB": _number(one.peak_gb, 2),
            "WQL sample": _number(one.wql),
            "bias % by week": " ".join(f"{100 * share:+.1f}" for share in one.bias) or MISSING,
        }
        for one in reports
    ]


def calibration_rows(reports: Sequence[Report]) -> Rows:
    """Return the calibration rows of all reports, shares in per cent."""
    return [
        {
            "forecaster": one.name,
            **{k: f"{100 * v:.1f}" if isinstance(v, float) else v for k, v in row.items()},
        }
        for one in reports
        for row in one.calibration
    ]


def markdown(title: str, rows: Rows) -> list[str]:
    """Return the lines of a titled Markdown table."""
    columns = list(rows[0])
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return [*lines, *("| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows), ""]


def _number(value: float, digits: int = 4) -> str:
    return MISSING if value != value else f"{value:.{digits}f}"
