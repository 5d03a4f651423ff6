"""Sample paths, and the two small protocols that make a forecaster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from engine.forecast.streams import Streams
from engine.messages import Message


@dataclass(frozen=True)
class SamplePaths:
    """Demand scenarios; path ``k`` is one scenario across all series.

    Parameters
    ----------
    item_id, location_id
        Keys, shape (n,).
    units
        Shape (n, n_paths, horizon), float32, finite, >= 0, whole unless the item is divisible.
        Bucket 0 is the first future bucket of the panel that was sampled.
    """

    item_id: npt.NDArray[np.object_]
    location_id: npt.NDArray[np.object_]
    units: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.units.ndim != 3 or self.units.shape[0] != len(self.item_id):
            raise ValueError(
                f"units must have shape ({len(self.item_id)}, n_paths, horizon). Got {self.units.shape} instead."
            )
        if self.units.dtype != np.float32:
            raise ValueError(f"units must be float32. Got {self.units.dtype} instead.")
        if self.units.size and not (np.isfinite(self.units).all() and self.units.min() >= 0):
            raise ValueError("units must be finite and >= 0. Got NaN, infinite or negative units instead.")
        view = self.units.view()
        view.flags.writeable = False
        object.__setattr__(self, "units", view)

    @property
    def n_paths(self) -> int:
        return int(self.units.shape[1])

    @property
    def horizon(self) -> int:
        return int(self.units.shape[2])


@dataclass(frozen=True)
class FittedState:
    """What a fitted model is, as arrays and text, never as a pickle."""

    arrays: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Fitted(Protocol):
    """A fitted model: samples any subset of series, also of a panel newer than the fit."""

    @property
    def notes(self) -> tuple[Message, ...]:
        """Fall-backs, failed or warning fits and other facts of the fit, for the run's report."""
        ...

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths over the ``horizon`` buckets from the panel's ``as_of`` on."""
        ...

    def state(self) -> FittedState: ...


@runtime_checkable
class Forecaster(Protocol):
    """Learns from a panel without changing it.

    A class also has ``from_state(state) -> Fitted``, the inverse of ``Fitted.state``.
    """

    @property
    def name(self) -> str: ...

    def fit(self, panel: DemandPanel) -> Fitted: ...

    def from_state(self, state: FittedState) -> Fitted: ...
