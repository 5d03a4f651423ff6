"""Reading data for a run: load, check, and what was set aside."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.errors import ConfigError
from engine.execution import Run
from engine.tables import Tables
from experiments.exchange.load import STATE, Loaded, WithState, load
from experiments.exchange.result_folder import refuse_existing
from experiments.settings import Settings


class Asked(Protocol):
    """What requests for a plan and for a replay have in common, as in `experiments.run_plan.PlanRequest`."""

    @property
    def data(self) -> str: ...
    @property
    def home(self) -> Path: ...
    @property
    def repairs(self) -> tuple[str, ...]: ...
    @property
    def out(self) -> Path | None: ...
    @property
    def overwrite(self) -> bool: ...
    @property
    def opening(self) -> str | None: ...


@dataclass(frozen=True)
class Started:
    """A run that has read its data: its id, the folder of its results, what was loaded, the checked tables."""

    run_id: str
    out: Path
    loaded: Loaded
    tables: Tables


def start_run(request: Asked, settings: Settings, run: Run, as_of: str | None = None) -> Started:
    """Return a run with its data read, once it is known that its results may be written.

    Raises
    ------
    ConfigError, DataError
        See `engine.errors`.
    """
    run_id = uuid.uuid4().hex
    out = request.out or request.home / "out" / run_id
    refuse_existing(out, request.overwrite)
    run.step("read", 0, 1)
    data = request.data if request.opening is None else WithState(request.data, request.opening)
    loaded = load_data(data, settings, as_of, request.repairs, request.home)
    tables = loaded.tables
    if request.opening is not None and "set-aside" not in request.repairs:
        _refuse_set_aside(loaded)
    run.step("read", 1, 1)
    return Started(run_id, out, loaded, tables)


def state_day(tables: Tables, stated: str | None, option: str) -> str | None:
    """Return the day that a run with an opening begins on: as stated, else that of the opening, None if it has none.

    Raises
    ------
    ConfigError
        The opening was counted on another day, or on several.
    """
    days = sorted({str(day.date()) for day in tables["inventory"]["counted_on"].dropna()})
    wanted = parse_date(stated, option)
    if len(days) > 1 or (days and wanted is not None and str(wanted) != days[0]):
        raise ConfigError(
            "An opening is the stock at the start of one day, and the run begins on it",
            f"counted_on {', '.join(days[:5])}" + (f", {option} {wanted}" if wanted is not None else ""),
            f"Use {option} {days[0]}, or another opening",
        )
    return stated or (days[0] if days else None)


def parse_date(text: str | None, option: str = "--as-of") -> np.datetime64 | None:
    """Return an ISO date, None for None; ``option`` stands in the error."""
    if text is None:
        return None
    try:
        return np.datetime64(text, "D")
    except ValueError as error:
        raise ConfigError(f"{option} is a date such as 2025-10-27", repr(text), "Write it as year-month-day") from error


def _refuse_set_aside(loaded: Loaded) -> None:
    """Refuse an opening of which the check left rows out: the rest would pass for the whole stock."""
    for table in STATE:
        if (rows := loaded.checked.quarantine.get(table)) is not None:
            named = [f"{item} at {place}" for item, place in zip(rows["item_id"], rows["location_id"], strict=True)]
            raise ConfigError(
                "Every row of an opening names an item and a location that are known",
                f"{len(rows)} rows of {table} that do not, first {', '.join(named[:5])}",
                "Mend the opening, or list them in items and locations",
            )


def load_data(
    data: str | WithState,
    settings: Settings,
    as_of: str | None,
    repairs: tuple[str, ...],
    home: Path,
    need_supply: bool = True,
) -> Loaded:
    """Return what ``data`` hold and what is wrong with them; refused data raise when their tables are asked for."""
    return load(
        data,
        home,
        repairs,
        as_of=parse_date(as_of),
        default_link=settings.supply.lead_time_days is not None,
        need_supply=need_supply,
    )
