"""The demand of the demo world: its expectation, and what customers really ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.forecast.streams import Streams
from experiments.demo_world.assortment import BUNDLE, F64, I64, REGIONS, Assortment
from experiments.demo_world.law import Law
from experiments.demo_world.promotions import Offers


@dataclass(frozen=True)
class Demand:
    """True demand by item, region and day, presales aside; shape (n_items, 3, n_days), units.

    ``own`` is asked for by itself, ``expected`` is its mean given levels, patterns, prices and festivals
    (shared shocks and chance averaged out). ``bundle`` and ``expected_bundle``, shape (3, n_days), are
    bundles; each takes one unit of both components.
    """

    own: F64
    expected: F64
    bundle: F64
    expected_bundle: F64


def make_demand(law: Law, items: Assortment, offers: Offers, streams: Streams) -> Demand:
    """Return the demand of all items over the whole world."""
    expected = _expected(law, items, offers, streams)
    shocks = _shared_shocks(law, streams, expected.shape[2])
    own = np.zeros_like(expected)
    for item in range(items.n_items):
        for place, region in enumerate(REGIONS):
            draw = streams.series(items.item_id[item], region, "units")
            rate = expected[item, place] * shocks[items.category[item]]
            counts = _spells if items.intermittent[item] else _counts
            own[item, place] = counts(law, rate, draw)
    expected_bundle = 0.25 * np.minimum(expected[items.components[0]], expected[items.components[1]])
    bundle = np.stack(
        [
            _counts(law, expected_bundle[place], streams.series(BUNDLE, region, "units"))
            for place, region in enumerate(REGIONS)
        ]
    )
    return Demand(own, expected, bundle, expected_bundle)


def _expected(law: Law, items: Assortment, offers: Offers, streams: Streams) -> F64:
    n_days = offers.price.shape[1]
    day = np.arange(n_days)
    log = (
        np.log(items.level[:, None] * items.share)[:, :, None]
        + (_pattern(law, items, streams, day) + offers.log_lift + _life(law, items, streams, day))[:, None, :]
    )
    log = log + _level_shifts(law, items, streams, n_days)
    on_sale = (day >= items.launch[:, None]) & (day < items.end[:, None])
    return np.where(on_sale[:, None, :], np.exp(log), 0.0)


def _pattern(law: Law, items: Assortment, streams: Streams, day: I64) -> F64:
    """Return weekday and yearly log effects, shape (n_items, n_days)."""
    said = law["pattern"]
    weekday, year = day % 7, 2.0 * np.pi * day / 365.25
    log = np.zeros((items.n_items, len(day)))
    waves = [wave for k in (1, 2) for wave in (np.sin(k * year), np.cos(k * year))]
    sd = np.repeat(said["year_log_sd"], 2)
    for category in range(len(law["items"]["categories"])):
        draw = streams.common(f"pattern {category}", "")
        by_weekday = draw.normal(0.0, said["weekday_log_sd"], 7) + said["weekend_log"] * (np.arange(7) >= 5)
        by_year = draw.normal(0.0, sd) @ np.stack(waves)
        log[items.category == category] = by_weekday[weekday] - by_weekday.mean() + by_year
    own = [streams.series(item, "", "year").normal(0.0, said["item_year_log_sd"], 2) for item in items.item_id]
    with_own: F64 = log + np.array(own) @ np.stack(waves[:2])
    return with_own


def _life(law: Law, items: Assortment, streams: Streams, day: I64) -> F64:
    """Return the log effect of growing after a launch and of fading away, shape (n_items, n_days)."""
    drawn = [streams.series(item, "", "life").random(2) for item in items.item_id]
    lows, highs = zip(law["life"]["ramp_days"], law["life"]["decay_days"], strict=True)
    ramp, decay = (np.array(lows) + np.array(drawn) * (np.array(highs) - np.array(lows))).T
    age = day - items.launch[:, None]
    growing = (items.launch > 0)[:, None] & (age >= 0)
    grown = -np.log1p(np.exp(-(age / ramp[:, None] * 6.0 - 3.0).clip(-50.0, 50.0)))
    fading = (day - items.decay_from[:, None]).clip(0, None) / decay[:, None]
    effect: F64 = np.where(growing, grown, 0.0) - fading
    return effect


def _level_shifts(law: Law, items: Assortment, streams: Streams, n_days: int) -> F64:
    """Return the piecewise constant log levels, shape (n_items, 3, n_days)."""
    said = law["level_shift"]
    log = np.zeros((items.n_items, len(REGIONS), n_days))
    for item in range(items.n_items):
        draw = streams.series(items.item_id[item], "", "level shift")
        for _ in range(draw.poisson(said["per_year"] * n_days / 365.25)):
            when, size = int(draw.integers(0, n_days)), draw.laplace(0.0, said["log_scale"])
            place = int(draw.integers(0, len(REGIONS)))
            alone = draw.random() < said["regional_share"]
            log[item, place if alone else slice(None), when:] += size
    return log


def _shared_shocks(law: Law, streams: Streams, n_days: int) -> F64:
    """Return what days and weeks do to all items of a category alike, shape (n_categories, n_days), mean one."""
    said = law["shared"]
    all_items = streams.common("shock day", "").normal(0.0, said["day_log_sd"], n_days)
    shocks = []
    for category in range(len(law["items"]["categories"])):
        draw = streams.common(f"shock {category}", "")
        jump = draw.standard_t(said["week_degrees"], n_days // 7).clip(-said["week_cap"], said["week_cap"])
        week = np.zeros(n_days // 7)
        for number in range(1, len(week)):
            week[number] = said["week_ar"] * week[number - 1] + said["week_log_scale"] * jump[number]
        own = draw.normal(0.0, said["category_day_log_sd"], n_days)
        shock = np.exp(np.repeat(week, 7) + all_items + own)
        shocks.append(shock / shock.mean())
    return np.array(shocks)


def _counts(law: Law, rate: F64, draw: np.random.Generator) -> F64:
    """Return units a day: Poisson over a mixture of a quiet and a wild gamma law, and rare bulk orders."""
    said = law["dispersion"]
    quiet_shape = float(np.exp(draw.normal(said["quiet_shape"]["log_mean"], said["quiet_shape"]["log_sd"])))
    wild = draw.random(len(rate)) < said["wild_share"]
    quiet_ratio = (1.0 - said["wild_share"] * said["wild_ratio"]) / (1.0 - said["wild_share"])
    mixed = np.where(
        wild,
        said["wild_ratio"] * draw.gamma(said["wild_shape"], 1.0 / said["wild_shape"], len(rate)),
        quiet_ratio * draw.gamma(quiet_shape, 1.0 / quiet_shape, len(rate)),
    )
    # Bulk orders are part of the expected demand, not on top of it.
    bulk_share = said["bulk_per_day"] * said["bulk_days"]
    bulk_size = np.maximum(said["bulk_days"] * rate, 1.0)
    bulk_chance = said["bulk_per_day"] * said["bulk_days"] * rate / bulk_size
    bulk = (draw.random(len(rate)) < bulk_chance) * draw.geometric(1.0 / bulk_size)
    units: F64 = (draw.poisson(rate * (1.0 - bulk_share) * mixed) + bulk).astype(np.float64)
    return units


def _spells(law: Law, rate: F64, draw: np.random.Generator) -> F64:
    """Return units a day of an item that sells in spells: busy and idle in turn, one or more at a time."""
    said = law["intermittent"]
    busy = np.zeros(len(rate), bool)
    day, now_busy = 0, bool(draw.random() < said["busy_days"] / (said["busy_days"] + said["idle_days"]))
    while day < len(rate):
        spell = int(draw.geometric(1.0 / (said["busy_days"] if now_busy else said["idle_days"])))
        busy[day : day + spell] = now_busy
        day, now_busy = day + spell, not now_busy
    busy_share = said["busy_days"] / (said["busy_days"] + said["idle_days"])
    buyers = draw.poisson(np.where(busy, rate / busy_share, 0.0) / (1.0 + said["extra_size"]))
    extra = draw.poisson(said["extra_size"] * buyers)
    units: F64 = (buyers + extra).astype(np.float64)
    return units
