"""What an older plan meant to order on days still to come, by today's options."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.network.steady import Meant
from engine.network.types import Network
from engine.plan.changes import Edition
from engine.policy.params import Objective
from engine.policy.types import I64
from engine.tables import Tables

_LINK = ["item_id", "location_id", "source_id"]


def nothing_meant(network: Network) -> Meant:
    """Return what is meant without an older plan."""
    none = np.zeros(0, dtype=np.int64)
    return Meant(none, none, np.zeros(0), np.zeros(network.options.n_options, dtype=np.int64))


def meant_before(network: Network, tables: Tables, older: Edition | None, objective: Objective) -> Meant:
    """Return what an older plan meant for the primary options.

    Only for cells that have the source, the objective and the target that they had in it: another aim is no chance.
    A line that an open order names (``restock_line_id``) is placed and is not held to. A plan of the same day says
    nothing, since its lines of today may be placed without a name.

    Raises
    ------
    ConfigError
        The plan is of a later day.
    """
    as_of = network.calendar.as_of
    if older is None or older.as_of == as_of:
        return nothing_meant(network)
    if older.as_of > as_of:
        rule = "A plan is compared with an older one"
        raise ConfigError(rule, f"{as_of} against {older.as_of}", "Name a plan of an earlier day")
    links = _primary_links(network)
    lines = older.lines
    lines = lines[lines["order_date"] >= pd.Timestamp(as_of)].merge(links, on=[*_LINK, "kind"])
    lines = lines.assign(day=(lines["order_date"] - pd.Timestamp(as_of)).dt.days).sort_values(["option", "day"])
    placed = lines["line_id"].isin(tables["open_orders"]["restock_line_id"].dropna())
    known_days = np.zeros(network.options.n_options, dtype=np.int64)
    known_days[_same_aim(network, links, older, objective)] = (older.end - pd.Timestamp(as_of)).days
    return Meant(
        lines["option"].to_numpy(np.int64),
        lines["day"].to_numpy(np.int64),
        lines["units"].where(~placed).to_numpy(np.float64),
        np.maximum(known_days, 0),
    )


def _primary_links(network: Network) -> pd.DataFrame:
    cells, options = network.cells, network.options
    rows = np.flatnonzero(options.primary)
    cell = options.cell[rows]
    return pd.DataFrame(
        {
            "item_id": cells.item_id[cell],
            "location_id": cells.location_id[cell],
            "source_id": options.source_id[rows],
            "kind": np.where(options.origin_cell[rows] < 0, "purchase", "transfer"),
            "option": rows,
            "target_now": cells.target[cell],
        }
    ).astype(dict.fromkeys([*_LINK, "kind"], "string[pyarrow]"))


def _same_aim(network: Network, links: pd.DataFrame, older: Edition, objective: Objective) -> I64:
    """Return the options whose cell is in the older plan with the same source, objective and target."""
    before = older.tables["targets"][[*_LINK, "objective", "target"]]
    both = links.merge(before[before["objective"] == objective], on=_LINK)
    same = np.isclose(both["target_now"].astype(float), both["target"].astype(float), rtol=1e-6, equal_nan=True)
    return both["option"].to_numpy(np.int64)[same]
