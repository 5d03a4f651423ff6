"""Lead times of a what-if: those that the data state, those of the default link, and those that receipts teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.network.types import Network
from engine.policy.params import SupplyParams
from engine.policy.types import Bools
from engine.tables.columns import DEFAULT_SOURCE
from experiments.replay.world import World

Frames = Mapping[str, pd.DataFrame]

_ENDS = {"supply": ("source_id", "location_id"), "lanes": ("origin_id", "dest_id")}


@dataclass(frozen=True)
class LeadTimeChange:
    """Lead times of links from ``source`` to ``location`` of ``item`` ("" = any): ``days``, or times ``factor``."""

    source: str = ""
    location: str = ""
    item: str = ""
    days: float | None = None
    factor: float | None = None

    def __post_init__(self) -> None:
        if (self.days is None) == (self.factor is None):
            raise ValueError("either days or factor must be given. Got both or neither instead.")
        if not (self.days or self.factor or 0.0) > 0:
            raise ValueError("days and factor must be > 0. Got others instead.")

    def names(self, source: pd.Series, location: pd.Series, item: pd.Series) -> Bools:
        """Return which links, given by their ends and item, the change is for."""
        chosen = np.ones(len(source), bool)
        for column, value in ((source, self.source), (location, self.location), (item, self.item)):
            if value:
                chosen &= (column == value).fillna(False).to_numpy(bool)
        return chosen


def change_lead_times(
    frames: Frames, changes: Sequence[LeadTimeChange], world: World, default: SupplyParams
) -> tuple[dict[str, pd.DataFrame], list[int]]:
    """Return ``supply``, ``lanes`` and ``receipts`` of the changed world, and how many links' rows each change finds.

    Receipts before the replay teach lead times that go before those stated, so they are changed alike: their days of
    ordering are moved. A default link that is changed is stated in ``supply``, for every policy.

    Parameters
    ----------
    frames
        Tables by name.
    changes
        What is changed, one after the other.
    world
        The world as it is.
    default
        Terms of its default link.
    """
    supply, lanes, receipts = (frames[name] for name in ("supply", "lanes", "receipts"))
    unstated, stated = _default_links(world.network, default, supply), _with_default(lanes, default)
    bought, moved, counts = np.zeros(len(unstated), bool), np.zeros(len(lanes), bool), []
    for change in changes:
        parts = [(supply, "supply"), (stated, "lanes"), (unstated, "supply")]
        chosen = [change.names(rows[_ENDS[kind][0]], rows[_ENDS[kind][1]], rows["item_id"]) for rows, kind in parts]
        supply, stated, unstated = (_changed(rows, own, change) for (rows, _), own in zip(parts, chosen, strict=True))
        receipts = _taught(receipts, change, world.date_of(world.first))
        moved |= chosen[1]
        bought |= chosen[2]
        counts.append(sum(int(own.sum()) for own in chosen))
    lane_terms = {name: lanes[name].mask(moved, stated[name]) for name in ("lead_time_days", "lead_time_sd_days")}
    if bought.any():
        added = unstated[bought]
        supply = pd.concat([supply, added], ignore_index=True) if len(supply) else added.reset_index(drop=True)
    return {"supply": supply, "lanes": lanes.assign(**lane_terms), "receipts": receipts}, counts


def refuse_unmoved(world: World, other: World, changes: Sequence[LeadTimeChange]) -> None:
    """Refuse a change after which every link takes as many whole days as before.

    A change of rows that hold only later cannot show on the first day, so it is let pass.
    """
    before, after = _lead_days(world.network), _lead_days(other.network)
    days = before["days"].to_numpy()
    moved = after.set_index(list(_LINK))["days"].reindex(pd.MultiIndex.from_frame(before[list(_LINK)])).to_numpy()
    differ = np.isfinite(moved) & (moved != days)
    first, rows = pd.Timestamp(world.date_of(world.first)), other.tables["supply"]
    later = ((rows["valid_from"] > first) | (rows["known_from"] > first)).to_numpy(bool)
    for change in changes:
        links = change.names(before["source_id"], before["location_id"], before["item_id"])
        future = later & change.names(rows["source_id"], rows["location_id"], rows["item_id"])
        if not (differ & links).any() and not future.any():
            raise ConfigError(
                "A changed lead time moves the whole days that some link takes",
                f"none from {change.source or 'any source'} to {change.location or 'any place'} "
                f"for {change.item or 'any item'}",
                "Mend [[lead_time]] in the what-if",
            )


_LINK = ("source_id", "location_id", "item_id")


def _lead_days(network: Network) -> pd.DataFrame:
    cell = network.options.cell
    return pd.DataFrame(
        {
            "source_id": network.options.source_id,
            "location_id": network.cells.location_id[cell],
            "item_id": network.cells.item_id[cell],
            "days": network.days.lead_days.astype(np.float64),
        }
    )


def _default_links(network: Network, default: SupplyParams, supply: pd.DataFrame) -> pd.DataFrame:
    """Return a row of ``supply`` for each cell that only the default link brings units to."""
    options = network.options
    cell = options.cell[(options.source_id == DEFAULT_SOURCE) & options.primary]
    rows = pd.DataFrame(
        {
            "item_id": network.cells.item_id[cell],
            "source_id": DEFAULT_SOURCE,
            "location_id": network.cells.location_id[cell],
            "lead_time_days": default.lead_time_days,
            "lead_time_sd_days": default.lead_time_sd_days,
        }
    )
    return rows.reindex(columns=supply.columns).astype(supply.dtypes.to_dict())


def _with_default(lanes: pd.DataFrame, default: SupplyParams) -> pd.DataFrame:
    """Return lanes of which those without a lead time have that of the default link."""
    lead, sd = lanes["lead_time_days"], lanes["lead_time_sd_days"]
    days = np.nan if default.lead_time_days is None else default.lead_time_days
    return lanes.assign(
        lead_time_days=lead.fillna(days),
        lead_time_sd_days=sd.where(lead.notna() | sd.notna(), default.lead_time_sd_days),
    )


def _changed(rows: pd.DataFrame, chosen: Bools, change: LeadTimeChange) -> pd.DataFrame:
    lead = rows["lead_time_days"].to_numpy(np.float64)
    other = np.full(len(rows), change.days) if change.factor is None else lead * change.factor
    return rows.assign(lead_time_days=np.where(chosen, other, lead))


def _taught(receipts: pd.DataFrame, change: LeadTimeChange, first: np.datetime64) -> pd.DataFrame:
    """Return receipts of which those before the replay took as long as the change says, ordered on other days.

    Where it says days, their mean comes to these.
    """
    took = (receipts["received_on"] - receipts["ordered_on"]).dt.days.to_numpy(np.float64)
    chosen = change.names(receipts["source_id"], receipts["location_id"], receipts["item_id"])
    chosen &= (took >= 0) & (receipts["received_on"] < pd.Timestamp(first)).to_numpy(bool)
    if not chosen.any():
        return receipts
    factor = change.factor
    if factor is None:
        mean = float(took[chosen].mean())
        if mean == 0:
            took, mean = np.where(chosen, 1.0, took), 1.0
        factor = float(change.days or 0.0) / mean
    days = np.rint(took * factor)
    ordered = receipts["received_on"] - pd.to_timedelta(np.where(chosen, days, 0.0), unit="D")
    return receipts.assign(ordered_on=receipts["ordered_on"].where(~chosen, ordered))
