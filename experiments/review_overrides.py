"""A past plan's or forecast's overrides beside what happened since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.errors import ConfigError
from engine.forecast.override_scores import by_author, score_overrides
from experiments.exchange.plan_writer import read_plan_tables
from experiments.reading import load_data, parse_date
from experiments.settings import Settings

DETAILS = "assumption_details"


@dataclass(frozen=True)
class Review:
    """Scores of single overrides and of their authors; ``exit_code`` is that of docs/design.md, 9."""

    scores: pd.DataFrame
    authors: pd.DataFrame
    exit_code: int


def review_overrides(
    folder: Path, data: str, settings: Settings, as_of: str | None, repairs: tuple[str, ...], home: Path
) -> Review:
    """Score the overrides that the plan or forecast in ``folder`` applied, by the sales of ``data``.

    Raises
    ------
    ConfigError, DataError
        See `engine.errors`; also if the folder does not hold a plan or a forecast.
    """
    if not (folder / f"{DETAILS}.parquet").exists():
        rule = "A review needs the folder of a plan or a forecast"
        raise ConfigError(rule, f"no {DETAILS}.parquet in {folder}", "Name what restock plan or forecast wrote")
    details = read_plan_tables(folder, [DETAILS])[DETAILS]
    applied = details.loc[details["assumption_code"] == "override-applied", "assumption_values"]
    loaded = load_data(data, settings, as_of, repairs, home, need_supply=False)
    calendar, _ = choose_calendar(loaded.tables, settings.time, parse_date(as_of))
    keys = demand_keys(loaded.tables, calendar)
    interval = np.tile(np.array([0, calendar.n_future], np.int32), (len(keys[0]), 1))
    panel, _ = build_panel(loaded.tables, settings, calendar, keys, interval)
    scores = score_overrides([json.loads(values) for values in applied], panel)
    return Review(scores, by_author(scores), loaded.exit_code)
