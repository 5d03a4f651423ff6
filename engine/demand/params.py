"""Settings of time and demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TimeParams:
    """``bucket``: "auto" reads the spacing of the dates; else "D", "W" or "M" (months: forecasting only)."""

    bucket: Literal["auto", "D", "W", "M"] = "auto"


@dataclass(frozen=True)
class DemandParams:
    """How sales become demand.

    ``unmet``: what becomes of demand that finds no stock. ``dormant_days``: a run without sales while on sale, at
    least this long, is not on offer (0 switches it off). ``holiday_country``: ISO code for the `holidays` library,
    empty for none.
    """

    unmet: Literal["lost", "backordered", "served_elsewhere"] = "lost"
    dormant_days: int = 180
    holiday_country: str = ""
    shopping_festivals: tuple[str, ...] = ()
