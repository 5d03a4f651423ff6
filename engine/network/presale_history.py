"""What past presales tell of open ones: how much is cancelled, and how much still comes before closing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.policy.types import F64, Texts

PRIOR_UNITS = 50.0
"""A share of cancellations is drawn towards the wider one with the weight of this many units."""


@dataclass(frozen=True)
class Cancellation:
    """Share of ordered units that are cancelled before they ship.

    Parameters
    ----------
    share
        Over all items.
    by_item
        Item by item, drawn towards ``share``.
    learnt
        Whether past presales told it.
    """

    share: float
    by_item: pd.Series
    learnt: bool

    def of(self, items: Texts) -> F64:
        """Return the share of each item."""
        return np.asarray(self.by_item.reindex(items).fillna(self.share), dtype=np.float64)


@dataclass(frozen=True)
class Growth:
    """Units that still come for each unit ordered so far.

    Parameters
    ----------
    ratio
        Mean, >= 0.
    presale_spread, item_spread
        Squared coefficients of variation about it, of a presale as a whole and of an item within its presale, beyond
        what Poisson noise makes.
    """

    ratio: float
    presale_spread: float
    item_spread: float


def learn_cancellation(lines: pd.DataFrame, as_of: np.datetime64, prior: float) -> Cancellation:
    """Return the cancelled share of presales that have shipped.

    Lines as of `engine.network.presale_lines.known_lines`. Shares are means of a beta posterior: that of all items
    about ``prior``, that of an item about the former. A presale of which nothing shipped was called off as a
    whole and tells nothing.
    """
    over = lines[(lines["ships_by"] < pd.Timestamp(as_of)) & lines["status"].isin(["cancelled", "shipped"])]
    shipped = set(over.loc[(over["status"] == "shipped") & (over["units"] > 0), "presale_id"])
    over = over[over["presale_id"].isin(shipped)]
    over = over.assign(cancelled=over["units"].where(over["status"] == "cancelled", 0.0))
    by_item = over.groupby("item_id", sort=True)[["cancelled", "units"]].sum()
    total = by_item.sum()
    share = (float(total["cancelled"]) + PRIOR_UNITS * prior) / (float(total["units"]) + PRIOR_UNITS)
    shares = (by_item["cancelled"] + PRIOR_UNITS * share) / (by_item["units"] + PRIOR_UNITS)
    return Cancellation(share, shares, bool(len(by_item)))


def learn_growth(lines: pd.DataFrame, as_of: np.datetime64, closes_on: pd.Timestamp) -> Growth | None:
    """Return how a presale that closes on a day grows from ``as_of`` on, None where no past presale tells.

    Compared are presales that have closed, all of whose lines are dated, and that had orders as many days before they
    closed. ``ratio`` is what came after that day over what had come; the spreads are moments of
    the Poisson-gamma law: ((came - expected)^2 - expected) over expected^2, summed above and below. With
    one past presale nothing tells how presales differ, and the spread among its items stands in.
    """
    today = pd.Timestamp(as_of)
    past = lines[lines["closes_on"] < today]
    undated = set(past.loc[past["ordered_on"].isna(), "presale_id"])
    past = past[~past["presale_id"].isin(undated)]
    cut = past["closes_on"] - (closes_on - today)
    split = past.assign(
        before=past["units"].where(past["ordered_on"] < cut, 0.0),
        after=past["units"].where(past["ordered_on"] >= cut, 0.0),
    )
    items = split.groupby(["presale_id", "item_id"], sort=True)[["before", "after"]].sum()
    presales = items.groupby("presale_id", sort=True)[["before", "after"]].sum()
    presales = presales[presales["before"] > 0]
    if presales.empty:
        return None
    before, after = presales["before"].to_numpy(np.float64), presales["after"].to_numpy(np.float64)
    ratio = float(after.sum() / before.sum())
    own_ratio = (presales["after"] / presales["before"]).rename("own_ratio")
    items = items[items["before"] > 0].join(own_ratio, on="presale_id", how="inner")
    among_items = _spread(
        items["after"].to_numpy(np.float64), (items["before"] * items["own_ratio"]).to_numpy(np.float64)
    )
    n = len(presales)
    # The ratio itself was fitted to these presales: n / (n - 1) makes good for that.
    among_presales = _spread(after, ratio * before) * n / (n - 1) if n > 1 else among_items
    return Growth(ratio, among_presales, among_items)


def _spread(came: F64, expected: F64) -> float:
    square = float((expected**2).sum())
    if square <= 0:
        return 0.0
    return max(0.0, float(((came - expected) ** 2 - expected).sum()) / square)
