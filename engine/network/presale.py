"""Demand of presales: what is ordered less what will be cancelled, and what still comes before they close.

Presale demand lies in the bucket of the first day of shipping. By the table contract its units are in neither
``reserved`` nor ``backorders``, and past presales are not in the base history, so nothing is counted twice.
Spot demand, the third term of a presale's total, is the ordinary forecast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.forecast.streams import Streams
from engine.messages import Message, Value
from engine.network.presale_history import Cancellation, learn_cancellation, learn_growth
from engine.network.presale_lines import (
    ORDER_KEY,
    at_cells,
    at_serving_sites,
    date_notes,
    dated_events,
    known_lines,
    open_orders,
)
from engine.network.presale_shares import historical_shares
from engine.network.types import Network
from engine.policy.types import F64, I64
from engine.tables import Tables

_LEAST_SPREAD = 1e-9  # a gamma law tighter than this is a constant
_NOISE = 1e-6  # of a sum of products, before it is rounded up to whole units


@dataclass(frozen=True)
class Presale:
    """Presale demand of cells, ready to be drawn path by path.

    Parameters
    ----------
    rows
        One row per presale, sold item, region, site and component, sorted by them: ``presale_id``,
        ``sold_item_id``, ``region`` ("" if not given), ``location_id``, ``item_id``, ``cell``, ``bucket``, ``ships``
        and ``ships_by`` (first and last day of shipping), ``factor`` (units of the item in a sold unit), ``whole``;
        in sold units ``deposit``, ``paid`` and ``still_to_come`` (mean, less its cancellations); ``cancel_share`` (of
        the deposits), ``presale_spread`` and ``item_spread`` (of what still comes; `presale_history.Growth`).
    shares
        ``cell`` and ``share``: how the items' sales were divided among all their cells
        (`engine.network.presale_shares`).
    streams
        Random numbers.
    notes
        Assumptions and findings.
    """

    rows: pd.DataFrame
    shares: pd.DataFrame
    streams: Streams
    notes: tuple[Message, ...] = ()

    def take(self, cell_rows: I64) -> Presale:
        """Return the demand of some cells, numbered as they are in ``cell_rows``; notes stay with the whole."""
        here = pd.Index(cell_rows)

        def taken(table: pd.DataFrame) -> pd.DataFrame:
            cell = here.get_indexer(pd.Index(table["cell"]))
            return table.assign(cell=cell)[cell >= 0].reset_index(drop=True)

        return replace(self, rows=taken(self.rows), shares=taken(self.shares), notes=())

    @property
    def committed(self) -> F64:
        """Units ordered and not cancelled so far, by row."""
        return _column(self.rows, "factor") * (_column(self.rows, "deposit") + _column(self.rows, "paid"))

    @property
    def expected_cancellations(self) -> F64:
        """Mean units of ``committed`` that will be cancelled, by row."""
        return _column(self.rows, "factor") * _column(self.rows, "deposit") * _column(self.rows, "cancel_share")

    @property
    def still_to_come(self) -> F64:
        """Mean units still to be ordered and not cancelled, by row."""
        return _column(self.rows, "factor") * _column(self.rows, "still_to_come")

    @property
    def expected(self) -> F64:
        """Mean units to be shipped, by row."""
        return self.committed - self.expected_cancellations + self.still_to_come

    def sample(self, n_paths: int) -> F64:
        """Return units to be shipped, row by row and path by path, shape (rows, n_paths); whole where ``whole``.

        Deposits are kept or cancelled unit by unit (binomial); what still comes is Poisson about its mean times two
        gamma factors of mean 1, one of the presale and one of the item in it. The components of a bundle
        share the draws of the bundle.
        """
        first = ~self.rows.duplicated(ORDER_KEY).to_numpy(np.bool_)
        factors = self._factors(n_paths)
        orders = self.rows[first].itertuples(index=False)
        sold = np.array([self._sold(order, n_paths, factors) for order in orders]).reshape(-1, n_paths)
        units = sold[np.cumsum(first) - 1] * _column(self.rows, "factor")[:, None]
        whole = self.rows["whole"].to_numpy(np.bool_)
        units[whole] = np.ceil(units[whole] - _NOISE)
        return np.asarray(units, dtype=np.float64)

    def _factors(self, n_paths: int) -> dict[tuple[str, str], F64]:
        """Return the gamma factors of presales (item "") and of items in them, each of shape (n_paths,)."""
        items = self.rows.drop_duplicates(["presale_id", "sold_item_id"])
        presales = items.drop_duplicates("presale_id")
        draws = {
            (presale, item): (self.streams.series(item, "", f"presale {presale}"), spread)
            for presale, item, spread in zip(
                items["presale_id"], items["sold_item_id"], items["item_spread"], strict=True
            )
        }
        for presale, spread in zip(presales["presale_id"], presales["presale_spread"], strict=True):
            draws[presale, ""] = self.streams.common(f"presale {presale}", "still to come"), spread
        return {
            key: draw.gamma(1.0 / spread, spread, n_paths) if spread > _LEAST_SPREAD else np.ones(n_paths)
            for key, (draw, spread) in draws.items()
        }

    def _sold(self, order: Any, n_paths: int, factors: dict[tuple[str, str], F64]) -> F64:
        """Return the units of what was sold, shape (n_paths,); ``order`` is the first of its rows."""
        presale, item, kept_share = order.presale_id, order.sold_item_id, 1.0 - order.cancel_share
        draw = self.streams.series(item, order.location_id, f"presale {presale} {order.region}")
        whole = math.floor(order.deposit)
        kept = draw.binomial(whole, kept_share, n_paths)
        rest = (order.deposit - whole) * (draw.random(n_paths) < kept_share)
        coming = draw.poisson(order.still_to_come * factors[presale, ""] * factors[presale, item])
        return np.asarray(order.paid + kept + rest + coming, dtype=np.float64)


def presale_demand(tables: Tables, network: Network, config: PlanConfig, streams: Streams) -> Presale:
    """Return the demand of every presale that has not shipped, as known on ``as_of``.

    Committed are the lines with status deposit or paid. Of the deposits the share cancelled in past presales will be
    (else ``config.presale.cancellation_share``), less what of the presale is already cancelled; paid lines
    stay. What still comes before closing follows past presales as many days before they closed, by site as committed
    so far. What should have shipped before ``as_of`` is due at once. A presale of which nothing has shipped, and whose
    orders, those still to come included, fall short of its ``min_units``, is not planned for, and that is told.

    Raises
    ------
    DataError
        If a line has no site that serves it, or the network lacks an item there.
    """
    as_of = network.calendar.as_of
    lines = known_lines(tables, as_of)
    cancellation = learn_cancellation(lines, as_of, config.presale.cancellation_share)
    orders = _with_cancellations(open_orders(lines, as_of), cancellation)
    orders, growth_notes = _with_growth(orders, lines, as_of, cancellation, config.presale.growth_cv)
    orders, minimum_notes = _above_minimum(orders, as_of)
    orders = orders[(orders["deposit"] + orders["paid"] + orders["still_to_come"]) > 0]
    rows = at_cells(at_serving_sites(orders, tables), tables, network)
    notes = [*growth_notes, *minimum_notes, *date_notes(orders, network), *_not_started(tables, lines, as_of)]
    notes += _share_notes(orders, cancellation)
    return Presale(rows, historical_shares(tables, network, set(rows["item_id"])), streams, tuple(notes))


def _with_cancellations(orders: pd.DataFrame, cancellation: Cancellation) -> pd.DataFrame:
    """Return the orders with ``cancel_share``, the share of deposits that will still be cancelled.

    What is already cancelled of a presale counts towards its expected cancellations, so that a company that cancels as
    it goes and one that cancels at the end are both met on average.
    """
    share = cancellation.of(orders["sold_item_id"].to_numpy(object))
    by_presale = orders.assign(due=share * orders["ordered"], open=share * orders["deposit"]).groupby("presale_id")
    due, done, left = (by_presale[name].transform("sum").to_numpy(np.float64) for name in ("due", "cancelled", "open"))
    rest = np.divide(np.maximum(due - done, 0.0), left, out=np.zeros(len(orders)), where=left > 0)
    return orders.assign(cancel_share=share * np.minimum(rest, 1.0))


def _with_growth(
    orders: pd.DataFrame,
    lines: pd.DataFrame,
    as_of: np.datetime64,
    cancellation: Cancellation,
    prior_cv: float,
) -> tuple[pd.DataFrame, list[Message]]:
    """Return the orders with ``still_to_come`` (mean, cancellations taken off) and its spreads."""
    notes = []
    items = orders["sold_item_id"].to_numpy(object)
    ratio, presale_spread, item_spread = np.zeros((3, len(orders)))
    for presale_id, rows in orders.groupby("presale_id", sort=True):
        closes_on = rows["closes_on"].iloc[0]
        if pd.isna(closes_on) or closes_on < pd.Timestamp(as_of):
            continue
        growth = learn_growth(lines, as_of, closes_on, prior_cv)
        values: dict[str, Value] = {"presale_id": str(presale_id), "closes_on": str(closes_on.date())}
        if growth is None:
            notes.append(Message("assumed-no-more-presale-orders", values))
            continue
        at = rows.index.to_numpy(np.int64)
        ratio[at], item_spread[at] = growth.of(items[at])
        presale_spread[at] = growth.presale_spread
        if growth.n_presales == 1:
            notes.append(Message("assumed-presale-spread", {**values, "cv": prior_cv}))
    kept = 1.0 - cancellation.of(items)
    return orders.assign(
        still_to_come=ratio * orders["ordered"] * kept, presale_spread=presale_spread, item_spread=item_spread
    ), notes


def _above_minimum(orders: pd.DataFrame, as_of: np.datetime64) -> tuple[pd.DataFrame, list[Message]]:
    """Return the orders without presales that closed below their minimum or are not expected to reach it, and those."""
    notes = []
    off = set()
    for presale_id, rows in orders.groupby("presale_id", sort=True):
        least = float(rows["min_units"].iloc[0])
        standing = float(rows[["deposit", "paid", "shipped"]].sum().sum())
        units = standing + float(rows["still_to_come"].sum())
        if np.isnan(least) or units >= least or rows["shipped"].sum() > 0:
            continue
        closed = rows["closes_on"].iloc[0] < pd.Timestamp(as_of)
        code = "presale-called-off" if closed else "presale-below-minimum"
        values: dict[str, Value] = {"presale_id": str(presale_id), "units": round(units, 1), "min_units": least}
        notes.append(Message(code, {**values, "missing": round(least - units, 1)}))
        off.add(presale_id)
    return orders[~orders["presale_id"].isin(off)], notes


def _not_started(tables: Tables, lines: pd.DataFrame, as_of: np.datetime64) -> list[Message]:
    """Return the presales to come without a line so far: nothing tells their size."""
    events = dated_events(tables)
    ahead = events[(events["closes_on"] >= pd.Timestamp(as_of)) & ~events["presale_id"].isin(set(lines["presale_id"]))]
    return [
        Message("presale-without-orders", {"presale_id": str(presale), "closes_on": str(closes.date())})
        for presale, closes in zip(ahead["presale_id"], ahead["closes_on"], strict=True)
    ]


def _share_notes(orders: pd.DataFrame, cancellation: Cancellation) -> list[Message]:
    notes = []
    deposit, paid = float(orders["deposit"].sum()), float(orders["paid"].sum())
    if deposit > 0 and not cancellation.learnt:
        notes.append(
            Message("assumed-presale-cancellations", {"share": round(cancellation.share, 6), "units": deposit})
        )
    if paid > 0:
        notes.append(Message("assumed-paid-presale-kept", {"units": paid}))
    return notes


def _column(rows: pd.DataFrame, name: str) -> F64:
    return rows[name].to_numpy(np.float64)
