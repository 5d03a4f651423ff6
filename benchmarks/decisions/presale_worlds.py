"""Random worlds before a festival: sites with stock, a presale that is half over, and how it ends.

Every draw comes from one generator seeded with the world's number. What a plan may read are the tables; what happens
after its day stands apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

AS_OF = pd.Timestamp("2025-10-27")
OPEN_DAYS, SHIP_DAYS = 26, 7
LEAD_DAYS, REVIEW_DAYS = 40, 28
"""Of purchases: none can land before the presale has shipped."""

_HISTORY_DAYS = 112
_CANCELLED = 0.1
_CLOSES = {"D11-2023": "2023-11-10", "D11-2024": "2024-11-10", "D11-2025": "2025-11-10"}

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lanes:
    """Ways between sites by origin and destination, (s, s): days, cost of a unit, cost of a trip."""

    days: F64
    unit_cost: F64
    trip_cost: F64


@dataclass(frozen=True)
class World:
    """A world on `AS_OF`, and what only time tells.

    Parameters
    ----------
    tables
        What is known: the contract's tables, by name.
    lanes
        Ways between sites.
    stock
        Units on hand, (items, sites).
    ordinary
        Ordinary demand from `AS_OF` to the day before shipping, (items, sites). Not known.
    final
        Presale units that ship: all orders less cancellations, (items, sites). Not known.
    """

    tables: dict[str, pd.DataFrame]
    lanes: Lanes
    stock: F64
    ordinary: F64
    final: F64

    @property
    def ship_bucket(self) -> int:
        """Days from `AS_OF` to the first day of shipping."""
        return int((_ships("D11-2025") - AS_OF).days)


def make_world(seed: int) -> World:
    """Return the world of a seed.

    Three to five sites, each with its own region; eight to fourteen items. A site's part of the presale differs from
    its part of ordinary sales by a factor with a log-deviation of 0.5, an item's there by 0.25 more. Stock is the
    presale and six weeks of sales, times 0.85 to 1.35, split as ordinary sales with a log-deviation of 0.3. How early
    orders come differs between presales, items and sites.
    """
    rng = np.random.default_rng(seed)
    n_sites, n_items = int(rng.integers(3, 6)), int(rng.integers(8, 15))
    popular = rng.lognormal(0.0, 0.6, n_items) * 8.0
    share = rng.dirichlet(np.full(n_sites, 6.0))
    rate = popular[:, None] * share * rng.lognormal(0.0, 0.15, (n_items, n_sites))
    size = popular * rng.uniform(30.0, 90.0, n_items)
    mix = share * rng.lognormal(0.0, 0.5, n_sites) * rng.lognormal(0.0, 0.25, (n_items, n_sites))
    mix /= mix.sum(axis=1, keepdims=True)

    lines, final = [], np.zeros((n_items, n_sites))
    for presale_id in _CLOSES:
        growth = rng.lognormal(0.0, 0.2)
        ordered = rng.poisson(size[:, None] * growth * mix)
        found, kept = _orders(rng, presale_id, ordered)
        lines.append(found)
        final = kept
    days = int((_ships("D11-2025") - AS_OF).days)
    total = (size + 42.0 * rate.sum(axis=1)) * rng.uniform(0.85, 1.35)
    held = share * rng.lognormal(0.0, 0.3, (n_items, n_sites))
    stock = np.floor(total[:, None] * held / held.sum(axis=1, keepdims=True))
    lanes = Lanes(
        days=rng.integers(2, 6, (n_sites, n_sites)).astype(np.float64),
        unit_cost=np.round(rng.uniform(0.2, 0.8, (n_sites, n_sites)), 2),
        trip_cost=np.round(rng.uniform(30.0, 90.0, (n_sites, n_sites)), 0),
    )
    sold = rng.poisson(rate, (_HISTORY_DAYS, n_items, n_sites))
    prices = np.round(rng.uniform(20.0, 80.0, n_items), 2)
    tables = _tables((stock, sold, prices), lanes, pd.concat(lines, ignore_index=True))
    return World(tables, lanes, stock, rng.poisson(rate * days).astype(np.float64), final)


def item_ids(n_items: int) -> list[str]:
    """Return the ids of the items, in order."""
    return [f"I{number:02d}" for number in range(n_items)]


def site_ids(n_sites: int) -> list[str]:
    """Return the ids of the sites, in order; the region of site ``S0`` is ``R0``."""
    return [f"S{number}" for number in range(n_sites)]


def _ships(presale_id: str) -> pd.Timestamp:
    return pd.Timestamp(_CLOSES[presale_id]) + pd.Timedelta(days=1)


def _orders(rng: np.random.Generator, presale_id: str, ordered: npt.NDArray[np.int64]) -> tuple[pd.DataFrame, F64]:
    """Return the lines known on `AS_OF` of a presale with so many orders in the end, and what of them ships."""
    closes = pd.Timestamp(_CLOSES[presale_id])
    over = closes < AS_OF
    pace = rng.lognormal(0.0, 0.2)
    kept = np.zeros(ordered.shape)
    rows: list[tuple[object, ...]] = []
    for item, site in np.ndindex(*ordered.shape):
        # A rush at the opening and one at the end; the pace shifts weight from one to the other.
        own = pace * rng.lognormal(0.0, 0.15)
        day = np.arange(OPEN_DAYS)
        weight = own * np.exp(-day / 6.0) + 0.25 + 0.8 * np.exp(-(OPEN_DAYS - 1 - day) / 5.0)
        by_day = rng.multinomial(ordered[item, site], weight / weight.sum())
        cancelled = rng.binomial(by_day, _CANCELLED)
        kept[item, site] = float((by_day - cancelled).sum())
        for number in np.flatnonzero(by_day).tolist():
            date = closes - pd.Timedelta(days=OPEN_DAYS - 1 - number)
            if date >= AS_OF:
                continue
            states = (("shipped", by_day - cancelled), ("cancelled", cancelled)) if over else (("deposit", by_day),)
            for status, units in states:
                if units[number] > 0:
                    line = f"{item}-{site}-{number}-{status}"
                    rows.append((presale_id, line, f"I{item:02d}", float(units[number]), date, status, f"R{site}"))
    columns = ["presale_id", "line_id", "item_id", "units", "ordered_on", "status", "region"]
    return pd.DataFrame(rows, columns=columns), kept


def _tables(
    goods: tuple[F64, npt.NDArray[np.int64], F64], lanes: Lanes, lines: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    stock, sold, prices = goods
    items, sites = item_ids(stock.shape[0]), site_ids(stock.shape[1])
    history = pd.date_range(AS_OF - pd.Timedelta(days=len(sold)), periods=len(sold))
    keys = pd.MultiIndex.from_product([history, items, sites], names=["date", "item_id", "location_id"]).to_frame(
        index=False
    )
    pairs = pd.MultiIndex.from_product([items, sites], names=["item_id", "location_id"]).to_frame(index=False)
    ends = [(a, b) for a in range(len(sites)) for b in range(len(sites)) if a != b]
    return {
        "sales": keys.assign(units=sold.reshape(-1).astype(np.float64)),
        "items": pd.DataFrame({"item_id": items, "unit_price": prices, "unit_cost": np.round(prices * 0.5, 2)}),
        "inventory": pairs.assign(on_hand=stock.reshape(-1)),
        "supply": pd.DataFrame(
            {
                "item_id": ["*"], "source_id": ["MAKER"], "location_id": ["*"],
                "lead_time_days": [float(LEAD_DAYS)], "review_period_days": [REVIEW_DAYS],
            }
        ),
        "lanes": pd.DataFrame(
            [
                (sites[a], sites[b], "*", lanes.days[a, b], lanes.unit_cost[a, b], lanes.trip_cost[a, b], "lateral")
                for a, b in ends
            ],
            columns=["origin_id", "dest_id", "item_id", "lead_time_days", "unit_cost", "trip_cost", "role"],
        ),
        "service_regions": pd.DataFrame(
            {"region": [f"R{n}" for n in range(len(sites))], "location_id": sites, "rank": 1}
        ),
        "presale_events": pd.DataFrame(
            [
                (
                    name, pd.Timestamp(closes) - pd.Timedelta(days=OPEN_DAYS - 1), pd.Timestamp(closes), _ships(name),
                    _ships(name) + pd.Timedelta(days=SHIP_DAYS),
                )
                for name, closes in _CLOSES.items()
            ],
            columns=["presale_id", "opens_on", "closes_on", "ship_from", "ship_by"],
        ),
        "presales": lines,
    }  # fmt: skip
