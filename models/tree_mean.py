"""The mean forecast of the global model: what it reads of a panel, its trees, and how their sum is aligned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import lightgbm as lgb
import numpy as np

from engine.demand.panel import DemandPanel, Floats
from models.alignment import Alignment
from models.cold_start import ColdStart
from models.features import RHYTHMS, Codes, Doubles, History, Known, feature_rows, read_history, read_known
from models.group_effects import GroupEffects
from models.known_effects import KnownEffects

PULL = 0.1
"""Share of the level in the forecast: trees may say "next to nothing", yet a rare sale is never impossible."""

CHUNK_SERIES = 1024
"""Series whose features are made at once."""


@dataclass(frozen=True)
class TreeInputs:
    """What a model reads besides the history.

    ``codes``: per attribute, the code of each text seen in the fit. ``regressors``: names, in the fit's order.
    ``is_yearly``: whether the time of the year is read. ``start``: what to expect of a series before it sells.
    ``effects``: of events, promotions and weekdays, for all series; ``groups``: what sets groups apart in them.
    """

    codes: Codes
    regressors: tuple[str, ...]
    is_yearly: bool
    start: ColdStart
    effects: KnownEffects
    groups: GroupEffects

    def factor(self, panel: DemandPanel) -> Doubles:
        """Return the known factor on the demand of every bucket, shape (n, n_buckets)."""
        return self.effects(panel) * self.groups(panel)

    def read(self, panel: DemandPanel) -> tuple[History, Known]:
        """Return what features of a panel are made of."""
        history = read_history(panel, self.start(panel), self.factor(panel))
        return history, read_known(panel, self.codes, self.regressors, self.is_yearly)

    def text(self) -> dict[str, str]:
        """Return the inputs as text."""
        return {
            "codes": json.dumps(self.codes, ensure_ascii=False),
            "regressors": json.dumps(self.regressors, ensure_ascii=False),
            "is_yearly": json.dumps(self.is_yearly),
            "start": self.start.text(),
            "effects": self.effects.text(),
            "groups": self.groups.text(),
        }

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> TreeInputs:
        """Return the inputs that `text` describes."""
        return cls(
            json.loads(text["codes"]),
            tuple(json.loads(text["regressors"])),
            json.loads(text["is_yearly"]),
            ColdStart.from_text(text["start"]),
            KnownEffects.from_text(text["effects"]),
            GroupEffects.from_text(text["groups"]),
        )


@dataclass(frozen=True)
class TreeMean:
    """The mean forecast of a fitted model, for any panel with the same bucket length."""

    trees: lgb.Booster
    inputs: TreeInputs
    alignment: Alignment = field(default_factory=Alignment)

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        mean = np.zeros((panel.n_series, horizon), np.float32)
        for start in range(0, panel.n_series if horizon else 0, CHUNK_SERIES):
            part = panel.take(np.arange(start, min(start + CHUNK_SERIES, panel.n_series)))
            mean[start : start + part.n_series] = self.unaligned(part, horizon)[0]
        return mean * np.float32(self.alignment(panel.calendar.as_of))

    def unaligned(self, panel: DemandPanel, horizon: int) -> tuple[Doubles, Doubles]:
        """Return the forecasts of a chunk of series before they are aligned, and their levels; both (n, horizon)."""
        n, origin = panel.n_series, panel.calendar.n_history
        history, known = self.inputs.read(panel)
        rows, steps = np.repeat(np.arange(n), horizon), np.tile(np.arange(horizon), n)
        origins = np.full(len(rows), origin)
        features = feature_rows(history, known, RHYTHMS[panel.calendar.bucket], rows, origins, steps)
        relative = np.asarray(self.trees.predict(features, num_threads=1)).reshape(-1, horizon)
        level = history.scale[:, origin][:, None] * history.effect[:, origin : origin + horizon]
        return ((1 - PULL) * relative + PULL) * level, level

    def text(self) -> dict[str, str]:
        """Return the model as text."""
        alignment = json.dumps(asdict(self.alignment))
        return {"trees": self.trees.model_to_string(), "alignment": alignment, **self.inputs.text()}

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> TreeMean:
        """Return the model that `text` describes."""
        told = json.loads(text["alignment"])
        alignment = Alignment(tuple(told["since"]), tuple(told["factor"]))
        return cls(lgb.Booster(model_str=text["trees"]), TreeInputs.from_text(text), alignment)
