"""What to compare with beside the organiser: a textbook order-up-to level, and orders that know the future."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from benchmarks.vn2.game import F64, HOLDING, LEAD_WEEKS, SHORTAGE, History, Policy, Stock, step
from benchmarks.vn2.organiser import LEVEL_WEEKS, order_up_to

PROTECTION_WEEKS = LEAD_WEEKS + 1
FRACTILE = SHORTAGE / (SHORTAGE + HOLDING)


def normal_buffer(past: History, stock: Stock) -> F64:
    """Return the order up to mean + z * deviation of three weeks, both from the last 13 weeks in stock, shape (n,).

    z is the newsvendor's fractile, shortage / (shortage + holding) = 0.83 (Silver, Pyke and Thomas, Inventory and
    Production Management in Supply Chains, 2017, ch. 7).
    """
    known = past.in_stock[:, -LEVEL_WEEKS:]
    units = past.units[:, -LEVEL_WEEKS:]
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, units, 0.0).sum(axis=1) / count
    deviation = np.sqrt((np.where(known, units - mean[:, None], 0.0) ** 2).sum(axis=1) / count)
    level = PROTECTION_WEEKS * mean + NormalDist().inv_cdf(FRACTILE) * np.sqrt(PROTECTION_WEEKS) * deviation
    return order_up_to(level, stock)


def foresight(history: History) -> Policy:
    """Return the policy that knows all demand: each order brings just what its week will lack, the least cost there is.

    An order costs nothing, so no unit is worth having a week early.
    """

    def order(past: History, stock: Stock) -> F64:
        today = len(past.weeks)
        for week in range(today, today + LEAD_WEEKS):
            stock, _, _ = step(stock, np.zeros(len(stock.on_hand)), history.units[:, week])
        lacking: F64 = np.maximum(history.units[:, today + LEAD_WEEKS] - stock.on_hand, 0.0)
        return lacking

    return order
