"""The Double 11 presales of the demo world: deposits by region, a share of them cancelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.forecast.streams import Streams
from experiments.demo_world.assortment import F64, REGIONS, Assortment
from experiments.demo_world.demand import Demand
from experiments.demo_world.law import Law
from experiments.demo_world.promotions import day_of


@dataclass(frozen=True)
class Presales:
    """All presales of the world.

    ``events`` holds presale_id, opens, closes, balance_due, ship_from, ship_by (days from the world's
    start); ``lines`` presale_id, line_id, item (row), region (place), units, ordered (day), cancelled.
    ``due`` (n_items, 3, n_days) is what is to be shipped on each day: the lines that are not cancelled.
    """

    events: pd.DataFrame
    lines: pd.DataFrame
    due: F64


def make_presales(law: Law, items: Assortment, demand: Demand, streams: Streams) -> Presales:
    """Return the presales; a year's size follows the item's expected demand before it opens."""
    said = law["presale"]
    n_days = demand.own.shape[2]
    due = np.zeros((items.n_items, len(REGIONS), n_days))
    events, lines = [], []
    for anchor in law["festivals"][said["anchor"]]["anchors"]:
        ships = day_of(law, anchor)
        opens = ships - said["open_days"]
        if opens < 28 or ships + said["ship_days"] >= n_days:
            continue
        presale_id = f"D11-{anchor.year}"
        events.append((presale_id, opens, ships - 1, ships, ships, ships + said["ship_days"]))
        year = _lines_of(law, items, demand, streams, (presale_id, opens))
        lines.append(year)
        standing = year[~year["cancelled"]]
        item, region = (standing[column].to_numpy(np.int64) for column in ("item", "region"))
        np.add.at(due, (item, region, np.full(len(item), ships)), standing["units"].to_numpy(np.float64))
    columns = ["presale_id", "opens", "closes", "balance_due", "ship_from", "ship_by"]
    return Presales(pd.DataFrame(events, columns=columns), pd.concat(lines, ignore_index=True), due)


def _lines_of(law: Law, items: Assortment, demand: Demand, streams: Streams, presale: tuple[str, int]) -> pd.DataFrame:
    """Return one year's lines: the deposits of an item in a region on a day, standing and cancelled apart."""
    said, (presale_id, opens) = law["presale"], presale
    profile = np.array(said["deposit_profile"]) / sum(said["deposit_profile"])
    rows: list[tuple[int, int, int, int, bool]] = []
    for item in np.flatnonzero(items.presale):
        worth = streams.series(items.item_id[item], "", "presale").uniform(*said["days_of_sales"])
        draw = streams.series(items.item_id[item], "", presale_id)
        total = worth * np.exp(draw.normal(0.0, said["year_log_sd"]))
        recent = demand.expected[item, :, opens - 28 : opens].mean(axis=1)
        by_region = total * recent * np.exp(draw.normal(0.0, said["region_log_sd"], len(REGIONS)))
        deposits = draw.poisson(by_region[:, None] * profile)
        cancelled = draw.binomial(deposits, said["cancelled_share"])
        for place, day in np.argwhere(deposits > 0):
            both = ((deposits - cancelled)[place, day], False), (cancelled[place, day], True)
            rows.extend((int(item), int(place), int(units), opens + int(day), gone) for units, gone in both if units)
    lines = pd.DataFrame(rows, columns=["item", "region", "units", "ordered", "cancelled"])
    lines = lines.sort_values(["ordered", "item", "region", "cancelled"], ignore_index=True)
    line_id = [f"{presale_id}-{number:05d}" for number in range(1, len(lines) + 1)]
    return lines.assign(presale_id=presale_id, line_id=line_id)
