"""What a plan's outputs say about its run besides the plan itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class PlanMeta:
    """Where a plan comes from.

    Parameters
    ----------
    run_id
        Names the run in outputs, tracker and store.
    snapshot_id
        Content hash of the data.
    config_version
        Version of the configuration's keys.
    config
        Every setting by dotted name, as text. Passwords in addresses, here and in ``data``, are starred out.
    data
        Name of the data for people.
    notice
        A warning to stand on top of the report, such as that the data are made up; "" for none.
    item_names, location_names
        Names by id, where given.
    """

    run_id: str
    snapshot_id: str
    config_version: str
    config: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    notice: str = ""
    item_names: Mapping[str, str] = field(default_factory=dict)
    location_names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A database address may hold a password; what is written or tracked never does.
        object.__setattr__(self, "data", without_password(self.data))
        object.__setattr__(self, "config", {name: without_password(text) for name, text in self.config.items()})


def with_item_names(table: pd.DataFrame, meta: PlanMeta) -> pd.DataFrame:
    """Return the table with a column ``item_name`` behind ``item_id``, if names are known and it has items."""
    if not meta.item_names or "item_id" not in table.columns:
        return table
    names = table["item_id"].map(meta.item_names).fillna("").astype("string[pyarrow]")
    named = table.copy(deep=False)
    named.insert(list(table.columns).index("item_id") + 1, "item_name", names)
    return named


def without_password(text: str) -> str:
    """Return the text with the password of each address in it starred out.

    Examples
    --------
    >>> without_password("postgresql://erp:secret@db/sales")
    'postgresql://erp:***@db/sales'
    """
    return re.sub(r"(://[^/\s:@]*):[^/\s]*@", r"\1:***@", text)
