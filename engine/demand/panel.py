"""The demand panel: every series' history and what is known of its future, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.object_]


@dataclass(frozen=True)
class DemandPanel:
    """History and known future of ``n`` series (item, location); arrays are read-only.

    Parameters
    ----------
    calendar
        The buckets; ``n_history`` before ``as_of``, ``n_future`` from it on.
    item_id, location_id
        Keys, shape (n,), text; sorted by item, then location; unique.
    units
        Units sold, shape (n, n_history), float32, >= 0. Presale units are not in it.
    available
        Share of the bucket on sale, shape (n, n_history), in [0, 1]. Below 1 demand was at least the units.
    offered
        Whether dates alone (launch, end, active) put the item on offer, shape (n, n_buckets). What
        history itself tells (`on_offer`) is inferred from it and from `units`, so a cut never looks ahead.
    price
        Price paid, shape (n, n_history), float32, NaN where none was seen.
    interval
        Shape (n, 2), int32: first bucket served by today's order and by the next one, counted from
        ``as_of``; the protection interval is the buckets [0, interval[:, 1]).
    static
        Attributes, one row per series in the same order (category, brand, region, unit_price, ...).
    regressors
        Known-future regressors by name, each (n_buckets,) if common or (n, n_buckets); NaN = not given.
    dormant_buckets
        A run without sales while available at least this long is not on offer (0 = never inferred).
    """

    calendar: Calendar
    item_id: Ids
    location_id: Ids
    units: Floats
    available: Floats
    offered: Bools
    price: Floats
    interval: npt.NDArray[np.int32]
    static: pd.DataFrame
    regressors: Mapping[str, Floats]
    dormant_buckets: int = 0

    def __post_init__(self) -> None:
        n, h, b = len(self.item_id), self.calendar.n_history, self.calendar.n_buckets
        shapes = {
            "location_id": (n,),
            "units": (n, h),
            "available": (n, h),
            "offered": (n, b),
            "price": (n, h),
            "interval": (n, 2),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} must have shape {shape}. Got {array.shape} instead.")
        for name, values in self.regressors.items():
            if values.shape not in ((b,), (n, b)):
                raise ValueError(f"regressor {name} must have shape {(b,)} or {(n, b)}. Got {values.shape} instead.")
        if len(self.static) != n:
            raise ValueError(f"static must have {n} rows. Got {len(self.static)} instead.")
        if self.units.size and not (np.isfinite(self.units).all() and self.units.min() >= 0):
            raise ValueError("units must be finite and >= 0. Got NaN, infinite or negative units instead.")
        if self.available.size and not (self.available.min() >= 0 and self.available.max() <= 1):
            raise ValueError("available must lie in [0, 1]. Got values outside instead.")
        if (self.interval[:, 0] < 0).any() or (self.interval[:, 1] < self.interval[:, 0]).any():
            raise ValueError("interval must satisfy 0 <= start <= end. Got others instead.")
        for name in ("item_id", "location_id", "units", "available", "offered", "price", "interval"):
            object.__setattr__(self, name, _read_only(getattr(self, name)))
        object.__setattr__(self, "regressors", MappingProxyType({k: _read_only(v) for k, v in self.regressors.items()}))

    def __reduce__(self) -> tuple[object, ...]:
        fields = [getattr(self, name) for name in self.__dataclass_fields__]
        fields[9] = dict(self.regressors)
        return DemandPanel, tuple(fields)

    @property
    def n_series(self) -> int:
        return len(self.item_id)

    def take(self, rows: npt.NDArray[np.int64]) -> DemandPanel:
        """Return the panel of the given series, in the given order."""
        n = self.n_series
        return replace(
            self,
            **{
                name: getattr(self, name)[rows]
                for name in ("item_id", "location_id", "units", "available", "offered", "price", "interval")
            },
            static=self.static.iloc[rows].reset_index(drop=True),
            regressors={k: v[rows] if v.shape[0] == n and v.ndim == 2 else v for k, v in self.regressors.items()},
        )

    def cut(self, n_back: int) -> DemandPanel:
        """Return the panel as it was ``n_back`` buckets earlier: those buckets become known future only."""
        h = self.calendar.n_history - n_back
        if n_back < 0 or h < 0:
            raise ValueError(f"n_back must lie in [0, {self.calendar.n_history}]. Got {n_back} instead.")
        calendar = Calendar(
            self.calendar.bucket, self.calendar.starts[h] if n_back else self.calendar.as_of, h,
            self.calendar.n_future + n_back,
        )  # fmt: skip
        return replace(
            self, calendar=calendar, units=self.units[:, :h], available=self.available[:, :h], price=self.price[:, :h]
        )


def _read_only(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    view = array.view()
    view.flags.writeable = False
    return view
