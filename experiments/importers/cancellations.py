"""Matching cancellations to the order lines they cancel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

KEY = ["customer_id", "stock_code", "price"]


def match_cancellations(orders: pd.DataFrame, cancellations: pd.DataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the units cancelled of each order line, and whether each cancellation found its line.

    A cancellation takes back one line of the same customer, stock code and price that is not later
    than itself and still holds as many units: the latest whose whole quantity it is, otherwise the
    latest that holds at least as many. Cancellations are served in the order of time.

    Parameters
    ----------
    orders, cancellations
        Columns customer_id, stock_code, price, units (> 0) and time, in the order of the file.

    Returns
    -------
    tuple
        Cancelled units, shape (n_orders,); matched, shape (n_cancellations,), booleans.
    """
    cancelled = np.zeros(len(orders))
    matched = np.zeros(len(cancellations), bool)
    lines = _lines_by_key(orders, cancellations)
    units, time = orders["units"].to_numpy(float), orders["time"].to_numpy()
    keys = list(zip(*(cancellations[column].tolist() for column in KEY), strict=True))
    asked, when = cancellations["units"].to_numpy(float), cancellations["time"].to_numpy()
    for row in np.argsort(when, kind="stable"):
        candidates = lines.get(keys[row])
        if candidates is None:
            continue
        left = units[candidates] - cancelled[candidates]
        fitting = (time[candidates] <= when[row]) & (left >= asked[row])
        exact = fitting & (left == asked[row]) & (units[candidates] == asked[row])
        chosen = np.flatnonzero(exact if exact.any() else fitting)
        if len(chosen):
            cancelled[candidates[chosen[-1]]] += asked[row]
            matched[row] = True
    return cancelled, matched


def _lines_by_key(orders: pd.DataFrame, cancellations: pd.DataFrame) -> dict[Any, npt.NDArray[Any]]:
    """Return the rows of ``orders`` under each key that a cancellation names, oldest first."""
    named = pd.MultiIndex.from_frame(cancellations[KEY].drop_duplicates())
    rows = np.flatnonzero(pd.MultiIndex.from_frame(orders[KEY]).isin(named))
    rows = rows[np.argsort(orders["time"].to_numpy()[rows], kind="stable")]
    grouped = orders.iloc[rows].assign(row=rows).groupby(KEY, sort=False)["row"]
    return {key: group.to_numpy() for key, group in grouped}
