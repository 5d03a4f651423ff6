"""What past presales tell of open ones: how much is cancelled, and how much still comes before closing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.policy.types import F64, Texts

PRIOR_UNITS = 50.0
"""A share of cancellations is drawn towards the wider one with the weight of this many units."""

PRIOR_PRESALES = 2.0
"""How presales differ is drawn towards the configured spread with the weight of this many presales."""


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
        Mean over all items, >= 0.
    presale_spread
        Squared coefficient of variation of a presale as a whole about it, beyond what Poisson noise makes.
    item_spread
        The same of an item within its presale, where nothing is known of the item itself.
    by_item
        By item that past presales had: ``factor`` on the ratio, and its own ``spread``.
    n_presales
        Past presales that tell.
    """

    ratio: float
    presale_spread: float
    item_spread: float
    by_item: pd.DataFrame
    n_presales: int

    def of(self, items: Texts) -> tuple[F64, F64]:
        """Return ratio and item spread of each item; a new item has those of all."""
        own = self.by_item.reindex(items)
        ratio = self.ratio * own["factor"].fillna(1.0).to_numpy(np.float64)
        return ratio, own["spread"].fillna(self.item_spread).to_numpy(np.float64)


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


def learn_growth(lines: pd.DataFrame, as_of: np.datetime64, closes_on: pd.Timestamp, prior_cv: float) -> Growth | None:
    """Return how a presale that closes on a day grows from ``as_of`` on, None where no past presale tells.

    Compared are presales that have closed, all of whose lines are dated, and that had orders as many days before they
    closed. ``ratio`` is what came after that day over what had come, pooled. Spreads are moments of the Poisson-gamma
    law: ((came - expected)^2 - expected) over expected^2, summed above and below.

    *Presales* differ by what n of them show with n - 1 degrees of freedom, drawn towards ``prior_cv`` squared with the
    weight of `PRIOR_PRESALES`; a further 1/n of it is what the pooled ratio itself may be off.

    *Items* keep what they repeat: of the spread among items the part that recurs from presale to presale (the mean
    product of an item's deviations in two of them) is credited to the item, by Bühlmann's credibility
    (Experience rating and credibility, ASTIN Bulletin 4, 1967); a single presale credits nothing.
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
    ratio, n = float(after.sum() / before.sum()), len(presales)
    # The ratio itself was fitted to these presales: n / (n - 1) makes good for that.
    seen = _spread(after, ratio * before) * n / (n - 1) if n > 1 else 0.0
    among_presales = ((n - 1) * seen + PRIOR_PRESALES * prior_cv**2) / (n - 1 + PRIOR_PRESALES) * (1 + 1 / n)
    own_ratio = (presales["after"] / presales["before"]).rename("own_ratio")
    items = items[items["before"] > 0].join(own_ratio, on="presale_id", how="inner")
    items = items.assign(expected=items["before"] * items["own_ratio"])
    among_items = _spread(items["after"].to_numpy(np.float64), items["expected"].to_numpy(np.float64))
    return Growth(ratio, among_presales, among_items, _credited(items, among_items), n)


def _credited(items: pd.DataFrame, spread: float) -> pd.DataFrame:
    """Return factor and remaining spread of each item, from what came and was expected by presale and item."""
    rows = items.assign(off=items["after"] - items["expected"], square=items["expected"] ** 2)
    rows = rows.assign(off_square=rows["off"] ** 2)
    sums = rows.groupby("item_id", sort=True)[["after", "expected", "off", "off_square", "square"]].sum()
    # Products of two different presales: the square of the sum less the squares.
    products = float((sums["off"] ** 2 - sums["off_square"]).sum())
    pairs = float((sums["expected"] ** 2 - sums["square"]).sum())
    recurs = min(max(products / pairs, 0.0), spread) if pairs > 0 else 0.0
    expected = sums["expected"].to_numpy(np.float64)
    square = sums["square"].to_numpy(np.float64)
    # Error of after / expected: what does not recur, by presale, and Poisson noise.
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (spread - recurs) * square / expected**2 + 1.0 / expected
        raw = sums["after"].to_numpy(np.float64) / expected
    known = (expected > 0) & (recurs > 0)
    weight = np.where(known, recurs / (recurs + np.where(known, error, 1.0)), 0.0)
    factor = 1.0 + weight * (np.where(known, raw, 1.0) - 1.0)
    # The spread is of the factor about 1; the item's draw has mean 1, so it is told relative to the item's own mean.
    left = np.where(factor > 0, (spread - weight * recurs) / np.where(factor > 0, factor, 1.0) ** 2, 0.0)
    return pd.DataFrame({"factor": factor, "spread": left}, index=sums.index)


def _spread(came: F64, expected: F64) -> float:
    square = float((expected**2).sum())
    if square <= 0:
        return 0.0
    return max(0.0, float(((came - expected) ** 2 - expected).sum()) / square)
