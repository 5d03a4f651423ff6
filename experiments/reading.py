"""Reading data for a run: load, check, and what was set aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.errors import ConfigError
from experiments.exchange.load import Loaded, load
from experiments.settings import Settings


def parse_date(text: str | None, option: str = "--as-of") -> np.datetime64 | None:
    """Return an ISO date, None for None; ``option`` stands in the error."""
    if text is None:
        return None
    try:
        return np.datetime64(text, "D")
    except ValueError as error:
        raise ConfigError(f"{option} is a date such as 2025-10-27", repr(text), "Write it as year-month-day") from error


def load_data(
    data: str, settings: Settings, as_of: str | None, repairs: tuple[str, ...], home: Path, need_supply: bool = True
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
