"""The demo world's tables of what is known ahead: events, promotions, prices, and presales."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.demo_world.assortment import F64, REGIONS, SITES
from experiments.demo_world.history import Ledger
from experiments.demo_world.master_tables import dates, texts
from experiments.demo_world.promotions import day_of
from experiments.demo_world.scene import Scene

HOLIDAY_DAYS = (-1, 6)
PRESALE_NOTICE_DAYS = 30


def offer_tables(scene: Scene, today: int) -> dict[str, pd.DataFrame]:
    """Return events, promotions and prices as known on ``today`` (days from the world's start)."""
    promotions = scene.offers.promotions
    known = promotions[promotions["known"] <= today]
    return {
        "events": _events(scene),
        "promotions": pd.DataFrame(
            {
                "promotion_id": texts(f"P-{number + 1:04d}" for number in known.index),
                "item_id": texts(scene.items.item_id[known["item"]]),
                "start_date": dates(scene, known["start"]),
                "end_date": dates(scene, known["end"]),
                "discount": known["discount"].to_numpy(),
                "kind": texts(known["kind"]),
                "known_from": dates(scene, known["known"].clip(lower=0)),
            }
        ),
        "prices": _prices(scene, today),
    }


def _events(scene: Scene) -> pd.DataFrame:
    """Return the festivals' own days; what is asked for around them stands in promotions and prices."""
    rows = []
    for name, festival in scene.law["festivals"].items():
        first, last = HOLIDAY_DAYS if festival["kind"] == "holiday" else (0, 0)
        for anchor in festival["anchors"]:
            day = day_of(scene.law, anchor)
            rows.append((name, day + first, day + last, festival["kind"]))
    names, starts, ends, kinds = zip(*sorted(rows), strict=True)
    return pd.DataFrame(
        {
            "event": texts(names),
            "start_date": dates(scene, starts),
            "end_date": dates(scene, ends),
            "kind": texts(kinds),
        }
    )


def _prices(scene: Scene, today: int) -> pd.DataFrame:
    """Return the price asked from each day on which it changes, with the day on which that was settled.

    A row holds until the next one; so a replay that does not know a promotion yet sees the price before it go on.
    """
    offers = scene.offers
    listed = np.zeros((scene.items.n_items, scene.n_days + 1))
    known = np.zeros(listed.shape, np.int64)
    steps = offers.price_steps[offers.price_steps["known"] <= today]
    for item, start, price, since in steps.itertuples(index=False):
        listed[item, start:] = price
        known[item, start] = max(since, 0)
    asked = listed.copy()
    promotions = offers.promotions[offers.promotions["known"] <= today]
    for item, start, end, discount, _, since in promotions.itertuples(index=False):
        asked[item, start : end + 1] = np.round(listed[item, start : end + 1] * (1.0 - discount), 2)
        known[item, [start, end + 1]] = max(since, 0)
    changes = np.diff(asked, axis=1, prepend=0.0) != 0.0
    row, day = np.nonzero(changes)
    return pd.DataFrame(
        {
            "item_id": texts(scene.items.item_id[row]),
            "location_id": texts(["*"] * len(row)),
            "start_date": dates(scene, day),
            "price": asked[row, day],
            "known_from": dates(scene, known[row, day]),
        }
    )


def presale_shipped(scene: Scene, ledger: Ledger) -> F64:
    """Return the presale units that found stock, shape (n_items, 3, n_past_days); presales ship first."""
    n_days = ledger.trace.n_buckets
    served = ledger.trace.served.reshape(scene.items.n_items, len(SITES), n_days)[:, 1:]
    shipped: F64 = np.minimum(served, scene.presales.due[:, :, :n_days])
    return shipped


def presale_lines(scene: Scene, ledger: Ledger) -> pd.DataFrame:
    """Return the lines ordered so far: those of `Presales`, and their status; what found no stock is cancelled."""
    today = ledger.state.bucket
    events = scene.presales.events.set_index("presale_id")
    lines = scene.presales.lines
    lines = lines[lines["ordered"] < today].reset_index(drop=True)
    ships = events["ship_from"].loc[lines["presale_id"]].to_numpy()
    standing = lines["units"].to_numpy(np.float64) * ~lines["cancelled"].to_numpy()
    before = lines.assign(standing=standing).groupby(["presale_id", "item", "region"])["standing"].cumsum() - standing
    stocked = np.zeros(len(lines))
    past = ships < today
    stocked[past] = presale_shipped(scene, ledger)[
        lines["item"].to_numpy()[past], lines["region"].to_numpy()[past], ships[past]
    ]
    got = np.minimum((stocked - before.to_numpy()).clip(0.0), standing)
    open_part = lines[~past].assign(status="deposit")
    shipped = lines[past & (got > 0)].assign(units=got[past & (got > 0)], status="shipped")
    lost = lines["units"].to_numpy(np.float64) - got
    cancelled = lines[past & (lost > 0)].assign(units=lost[past & (lost > 0)], status="cancelled")
    split = cancelled["line_id"].isin(shipped["line_id"])
    cancelled = cancelled.assign(line_id=cancelled["line_id"].where(~split, cancelled["line_id"] + "-b"))
    return pd.concat([shipped, cancelled, open_part]).sort_values("line_id", ignore_index=True)


def presale_tables(scene: Scene, lines: pd.DataFrame, today: int) -> dict[str, pd.DataFrame]:
    """Return presale_events and presales as known on ``today``; ``lines`` as of `presale_lines`."""
    events = scene.presales.events
    events = events[events["opens"] <= today + PRESALE_NOTICE_DAYS]
    return {
        "presale_events": pd.DataFrame(
            {
                "presale_id": texts(events["presale_id"]),
                "opens_on": dates(scene, events["opens"]),
                "closes_on": dates(scene, events["closes"]),
                "balance_due_on": dates(scene, events["balance_due"]),
                "ship_from": dates(scene, events["ship_from"]),
                "ship_by": dates(scene, events["ship_by"]),
            }
        ),
        "presales": pd.DataFrame(
            {
                "presale_id": texts(lines["presale_id"]),
                "line_id": texts(lines["line_id"]),
                "item_id": texts(scene.items.item_id[lines["item"].to_numpy(np.int64)]),
                "units": lines["units"].astype(np.float64),
                "ordered_on": dates(scene, lines["ordered"]),
                "status": texts(lines["status"]),
                "region": texts(np.array(REGIONS, object)[lines["region"].to_numpy(np.int64)]),
            }
        ),
    }
