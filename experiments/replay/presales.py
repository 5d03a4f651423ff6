"""Presales in a replay: the orders that its sites owe, what of them is known on a day, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.policy.types import F64, Bools
from engine.simulation import PresaleOrders

TEXTS = ("presale_id", "line_id", "item_id", "region", "location_id")
_COLUMNS = [*TEXTS, "units", "status", "ordered_on"]
_NOISE = 1e-9


@dataclass(frozen=True)
class WorldPresales:
    """The presale orders of a world; bundles stand in them as their components.

    Parameters
    ----------
    rows
        One row an order line and item, in the order of ``orders``: `presales` as given (presale_id, line_id, item_id,
        region, location_id, ordered_on), ``gift`` (whether the line is of another item, which this one comes with),
        ``settled`` (whether nothing of it stood when the replay began; then its cell says nothing), and days:
        ``told`` (of ordering), ``paid`` (its balance is due), ``gone`` (it is cancelled; NaT: never). What happens on
        a day is known from the next day on.
    events
        `presale_events`, with ``first_told``, the day of the first order.
    orders
        The lines as they stand at the start of the replay.
    """

    rows: pd.DataFrame
    events: pd.DataFrame
    orders: PresaleOrders

    def known(self, day: np.datetime64) -> Bools:
        """Return which lines are known at the start of a day."""
        return _before(self.rows["told"], day)

    def cells(self, day: np.datetime64, n_cells: int) -> Bools:
        """Return the cells with known lines that were not settled before the replay, shape (n_cells,)."""
        found = np.zeros(n_cells, bool)
        found[self.orders.cell[self.known(day) & ~self.rows["settled"].to_numpy(bool)]] = True
        return found

    def owed(self, orders: PresaleOrders, now: tuple[int, np.datetime64], n_cells: int) -> F64:
        """Return the units by cell, shape (n_cells,), that are known to be due and have not left.

        Parameters
        ----------
        orders
            The lines as they stand.
        now
            The bucket that begins, and its first day.
        """
        due = self.known(now[1]) & ~_before(self.rows["gone"], now[1]) & (orders.due <= now[0])
        units = np.where(due, orders.units - orders.shipped, 0.0)
        return np.bincount(orders.cell, weights=units, minlength=n_cells).astype(np.float64)

    def tables(self, orders: PresaleOrders, day: np.datetime64) -> dict[str, pd.DataFrame]:
        """Return `presales` and `presale_events` as known at the start of a day; a presale is from its opening on."""
        told = _before(self.events["first_told"], day) | _before(self.events["opens_on"], day + 1)
        lines = _standing(self.rows, orders, day)
        return {
            "presale_events": self.events[told].drop(columns="first_told"),
            "presales": lines.loc[_before(lines["told"], day), _COLUMNS],
        }

    def state(self, orders: PresaleOrders, day: np.datetime64) -> pd.DataFrame:
        """Return `presales` as they stand at the start of a day, those to come and what becomes of them included.

        Orders and cancellations of that day and later are told by their dates, so that a plan of that day reads what
        it could know, and a replay from that day on meets the same orders. A gift is left out: its item brings it.
        """
        lines = _standing(self.rows, orders, day)
        lines = lines[~lines["gift"]]
        gone = lines["gone"].notna() & lines["status"].ne("shipped")
        dated = lines["ordered_on"].notna() | _before(lines["told"], day)
        lines = lines.assign(
            ordered_on=lines["ordered_on"].where(dated, lines["told"]),
            status=lines["status"].where(~gone, "cancelled"),
            cancelled_on=lines["gone"].where(gone),
        )
        return lines[[*_COLUMNS, "cancelled_on"]].reset_index(drop=True)


def _before(dates: pd.Series, day: np.datetime64) -> Bools:
    """Return which dates lie before a day; those that are not given do not."""
    return (dates < pd.Timestamp(day)).to_numpy(bool)


def _standing(rows: pd.DataFrame, orders: PresaleOrders, day: np.datetime64) -> pd.DataFrame:
    """Return the lines with units and status at the start of a day; what has left of a line is a line of its own.

    A line stands as a deposit until its balance is due, and as paid from then on.
    """
    rest = orders.units - orders.shipped
    left = rest <= _NOISE
    open_as = np.where(_before(rows["paid"], day), "paid", "deposit")
    status = np.where(left, "shipped", np.where(_before(rows["gone"], day), "cancelled", open_as))
    lines = rows.assign(units=np.where(left, orders.units, rest), status=status)
    part = (orders.shipped > _NOISE) & ~left
    if not part.any():
        return lines
    gone = rows[part].assign(line_id=rows["line_id"][part] + f"/{day}", units=orders.shipped[part], status="shipped")
    return pd.concat([lines, gone], ignore_index=True)
