"""Lines planned for later order days as further options, so that what they bring in time counts for presales."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd

from engine.network.types import Network
from engine.policy.types import F64, Options

_LINK = ["item_id", "source_id", "location_id"]


def with_planned(network: Network, units: F64, planned: pd.DataFrame) -> tuple[Network, F64]:
    """Return the network with an option more for each planned line, and the units of all options.

    Parameters
    ----------
    units
        Units of today's options, shape (m,).
    planned
        The table ``planned`` of the network's cells: item_id, source_id, location_id, units, order_date and
        available_date. What a line takes from its giver is part of the giver's demand already.
    """
    options, calendar = network.options, network.calendar
    links = pd.DataFrame(
        {
            "item_id": network.cells.item_id[options.cell],
            "source_id": options.source_id,
            "location_id": network.cells.location_id[options.cell],
            "option": np.arange(options.n_options),
        }
    ).drop_duplicates(_LINK)
    lines = planned.astype(dict.fromkeys(_LINK, object)).merge(links, on=_LINK)
    starts = calendar.edges[calendar.n_history : -1]
    # An arrival inside a bucket serves from the next one on.
    arrival = np.searchsorted(starts, lines["available_date"].to_numpy().astype("datetime64[D]"), side="left")
    lines, arrival = lines[arrival < network.horizon], arrival[arrival < network.horizon]
    of = np.concatenate([np.arange(options.n_options), lines["option"].to_numpy(np.int64)])
    today = np.arange(options.n_options)
    columns = {f.name: getattr(options, f.name)[of] for f in fields(Options)}
    later = {
        "primary": np.zeros(len(lines), dtype=bool),
        "order_date": lines["order_date"].to_numpy().astype("datetime64[D]"),
        "available_date": lines["available_date"].to_numpy().astype("datetime64[D]"),
        "arrival": arrival,
        "next_arrival": np.maximum(arrival, columns["next_arrival"][len(today) :]),
    }
    for name, values in later.items():
        columns[name] = np.concatenate([columns[name][: len(today)], values.astype(columns[name].dtype)])
    # By cell, then arrival, as options are.
    order = np.lexsort((columns["arrival"], columns["cell"]))
    joined = Options(**{name: values[order] for name, values in columns.items()})
    brought = np.concatenate([units, lines["units"].to_numpy(np.float64)])[order]
    return replace(network, options=joined), brought
