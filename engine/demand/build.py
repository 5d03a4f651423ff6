"""From checked tables to the demand panel: buckets, keys, history, offer and what is known of the future."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.config import PlanConfig
from engine.demand.attributes import offered_between, static_attributes
from engine.demand.calendar import Bucket, Calendar
from engine.demand.history import build_history
from engine.demand.keys import SeriesKeys, demand_keys
from engine.demand.panel import DemandPanel
from engine.demand.regressors import (
    event_regressors,
    price_plan,
    promotion_regressors,
    relative_price,
    user_regressors,
)
from engine.demand.sales import base_sales
from engine.demand.span import choose_calendar
from engine.demand.spans import scope_of
from engine.demand.succession import with_predecessors
from engine.messages import Message
from engine.tables.tables import Tables

__all__ = ["build_panel", "choose_calendar", "demand_keys"]

Ids = npt.NDArray[np.object_]
DAYS_IN_MONTH = 30.4


def build_panel(
    tables: Tables,
    config: PlanConfig,
    calendar: Calendar,
    keys: tuple[Ids, Ids],
    interval: npt.NDArray[np.int32],
) -> tuple[DemandPanel, tuple[Message, ...]]:
    """Return the panel of the given series, and notes on what was inferred or left out.

    Units add up over channel, region and place shipped from; presale units are not in them and bundles count
    as their components. Only rows known on ``as_of`` are read (``known_from``), and no sale from it on.

    Parameters
    ----------
    calendar
        The history, with ``n_future`` buckets of known future.
    keys
        Item and location ids, sorted (`demand_keys`).
    interval
        Protection interval of each series, shape (n, 2), see `DemandPanel`.
    """
    known = tables.known_on(calendar.as_of)
    names = SeriesKeys(*keys)
    static = static_attributes(known, names)
    scope = scope_of(names, static)
    history = build_history(known, base_sales(known), calendar, names)
    offered, share, offer_notes = offered_between(known, calendar, names, static, history.units)
    available = history.available * np.maximum(share[:, : calendar.n_history], offered[:, : calendar.n_history] == 0)
    events, event_notes = event_regressors(known, config.demand, calendar, scope)
    promotions, promotion_notes = promotion_regressors(known, calendar, scope)
    users, user_notes = user_regressors(known, calendar, scope)
    price, regressors = history.price, {**events, **promotions, **users}
    if known.given("prices"):
        plan = price_plan(known, calendar, scope)
        price = np.where(np.isnan(price), plan[:, : calendar.n_history], price)
        regressors["price_relative"] = relative_price(plan, static["unit_price"].to_numpy(np.float64))
    panel = DemandPanel(
        calendar, names.item_id, names.location_id, history.units, available.astype(np.float32), offered, price,
        interval.astype(np.int32), static, regressors, dormant_buckets(config.demand.dormant_days, calendar.bucket),
    )  # fmt: skip
    panel, succession_notes = with_predecessors(panel, known)
    notes = (*history.notes, *offer_notes, *event_notes, *promotion_notes, *user_notes, *succession_notes)
    return panel, notes


def dormant_buckets(dormant_days: int, bucket: Bucket) -> int:
    """Return the buckets of a run that counts as dormant, at least two (0 = never)."""
    if dormant_days <= 0:
        return 0
    length = {"D": 1.0, "W": 7.0, "M": DAYS_IN_MONTH}[bucket]
    return max(2, int(np.ceil(dormant_days / length)))
