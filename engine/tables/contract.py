"""The data contract: every table by name, and what is read off its schema."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pandas as pd
import pandera.pandas as pa

from engine.tables.columns import TEXT, Kind, Reference
from engine.tables.schemas_demand import DEMAND_SCHEMAS
from engine.tables.schemas_supply import SUPPLY_SCHEMAS

CONTRACT_VERSION = 1

TABLES: Mapping[str, pa.DataFrameSchema] = MappingProxyType(
    {schema.name: schema for schema in (*DEMAND_SCHEMAS[:2], *SUPPLY_SCHEMAS, *DEMAND_SCHEMAS[2:])}
)


def columns_of(table: str) -> Mapping[str, pa.Column]:
    """Return the columns of a table in their order."""
    return cast("Mapping[str, pa.Column]", TABLES[table].columns)


def key_of(table: str) -> tuple[str, ...]:
    """Return the names of the key columns of a table."""
    return cast("tuple[str, ...]", TABLES[table].metadata["key"])


def prefix_of(table: str) -> str:
    """Return what the numbers of a table's rules begin with."""
    return cast("str", TABLES[table].metadata["prefix"])


def kind_of(column: pa.Column) -> Kind:
    """Return how text becomes a value in a column."""
    return cast("Kind", column.metadata["kind"])


def dtype_of(column: pa.Column) -> np.dtype[Any] | pd.StringDtype[Any]:
    """Return the type of a column in `engine.tables.Tables`."""
    name = str(column.dtype)
    return TEXT if name.startswith("string") else np.dtype(name)


def default_of(column: pa.Column) -> str | bool:
    """Return the default of a column ("" if it has none)."""
    return cast("str | bool", column.metadata["default"])


def is_filled(column: pa.Column) -> bool:
    """Return whether the default is written into the checked table."""
    return bool(column.metadata["fill"])


def reference_of(column: pa.Column) -> Reference | None:
    """Return what the ids of a column point at, if anything."""
    return cast("Reference | None", column.metadata["refers"])
