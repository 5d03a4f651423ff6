"""Prices, promotions and festivals of the demo world, and what they do to demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from engine.forecast.streams import Streams
from experiments.demo_world.assortment import F64, Assortment
from experiments.demo_world.law import Law


@dataclass(frozen=True)
class Offers:
    """What is asked for each item each day, and how that moves demand.

    ``price`` and ``log_lift`` have shape (n_items, n_days); ``promotions`` holds item (row), start, end
    (days, inclusive), discount, kind and known (day); ``price_steps`` item, start, price and known.
    """

    price: F64
    log_lift: F64
    promotions: pd.DataFrame
    price_steps: pd.DataFrame


def make_offers(law: Law, items: Assortment, streams: Streams) -> Offers:
    """Return prices, promotions and their effects over the whole world."""
    n_days = 7 * law["world"]["n_weeks"]
    said = law["promotions"]
    list_price = np.zeros((items.n_items, n_days))
    lift = _festival_lift(law, items, streams, n_days)
    discount = np.zeros((items.n_items, n_days))
    promotions: list[tuple[int, int, int, float, str, int]] = []
    steps: list[tuple[int, int, float, int]] = []
    windows = festival_windows(law)
    for item in range(items.n_items):
        draw = streams.series(items.item_id[item], "", "offers")
        list_price[item], own_steps = _list_price(items.unit_price[item], said, n_days, draw)
        steps.extend((item, start, price, start - said["known_days"]) for start, price in own_steps)
        elasticity = draw.uniform(*said["elasticity"])
        taken = np.zeros(n_days + 60, bool)
        for start, end in windows:
            joins = draw.random() < said["festival_share"]
            taken[max(start - 14, 0) : end + 14] = True
            if joins and items.launch[item] <= start and end < items.end[item]:
                promotions.append((item, start, end, said["festival_discount"], "festival", start - said["known_days"]))
                discount[item, start : end + 1] = said["festival_discount"]
        for start in 7 * np.arange(1, n_days // 7 - 2):
            wanted = draw.random() < said["per_year"] / 52.0
            days, share = int(draw.choice(said["days"])), float(draw.choice(said["discounts"]))
            effect = elasticity * share * float(np.exp(draw.normal(0.0, said["lift_log_sd"])))
            last = start + days - 1
            free = not taken[start : last + said["after_days"] + 1].any()
            if not (wanted and free and items.launch[item] + 28 <= start and last < items.end[item]):
                continue
            taken[start : last + 14] = True
            promotions.append((item, int(start), last, share, "price", int(start) - said["known_days"]))
            discount[item, start : last + 1] = share
            lift[item, start : last + 1] += effect
            lift[item, last + 1 : last + 1 + said["after_days"]] += said["after_log"]
    lift += said["price_elasticity"] * np.log(list_price / list_price[:, :1])
    return Offers(
        price=np.round(list_price * (1.0 - discount), 2),
        log_lift=lift,
        promotions=pd.DataFrame(promotions, columns=["item", "start", "end", "discount", "kind", "known"]),
        price_steps=pd.DataFrame(steps, columns=["item", "start", "price", "known"]),
    )


def day_of(law: Law, when: date) -> int:
    """Return a date as days from the world's start."""
    return int((when - law["world"]["start"]).days)


def festival_windows(law: Law) -> list[tuple[int, int]]:
    """Return first and last day of each festival's price, within the world."""
    found = []
    for festival in law["festivals"].values():
        for anchor in festival["anchors"] if festival["price_days"] else ():
            day = day_of(law, anchor)
            start, end = day + festival["price_days"][0], day + festival["price_days"][1]
            if start >= 0 and end < 7 * law["world"]["n_weeks"]:
                found.append((start, end))
    return sorted(found)


def _festival_lift(law: Law, items: Assortment, streams: Streams, n_days: int) -> F64:
    """Return the log effects of the festivals, shape (n_items, n_days)."""
    lift = np.zeros((items.n_items, n_days))
    for name, festival in law["festivals"].items():
        pull = np.array(
            [streams.series(item, "", f"pull {name}").uniform(*law["festival_pull"]["range"]) for item in items.item_id]
        )
        shape = np.zeros(n_days)
        for anchor in festival["anchors"]:
            for first, last, effect in festival["effects"]:
                start, end = day_of(law, anchor) + first, day_of(law, anchor) + last + 1
                shape[max(start, 0) : max(end, 0)] += effect
        lift += pull[:, None] * shape
    return lift


def _list_price(
    opening: float, said: Law, n_days: int, draw: np.random.Generator
) -> tuple[F64, list[tuple[int, float]]]:
    """Return the price on the list by day, and the days on which it was set."""
    price, steps = np.full(n_days, opening), [(0, opening)]
    for start in 7 * np.arange(8, n_days // 7):
        if draw.random() < said["list_price_changes_per_year"] / 52.0:
            raised = round(price[-1] * (1.0 + draw.uniform(*said["list_price_step"])), 1)
            price[start:] = raised
            steps.append((int(start), raised))
    return price, steps
