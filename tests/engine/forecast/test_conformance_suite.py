"""The conformance suite itself: a good forecaster passes, and each broken one is caught by the rule it breaks."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.forecast.conformance import ConformanceError, check_forecaster
from engine.forecast.pooled import offered_ahead
from engine.forecast.types import FittedState, SamplePaths


@dataclass(frozen=True)
class Fit:
    """Poisson paths around the mean of each series' history, broken in the way that ``fault`` names."""

    fault: str = ""
    noise: float = 0.0
    seen: frozenset = frozenset()
    notes: tuple = ()
    drawn: list = field(default_factory=list)

    def sample(self, panel, horizon, n_paths, streams):
        units = np.zeros((panel.n_series, n_paths, horizon), np.float32)
        shared = np.random.default_rng(len(self.drawn) if self.fault == "unseeded" else 0)
        self.drawn.append(1)
        if self.fault == "reads-siblings":
            level = np.full(panel.n_series, panel.units.mean() if panel.units.size else 0.0)
        else:
            known = np.where(panel.offered[:, : panel.calendar.n_history], panel.units, np.nan)
            counts = np.isfinite(known).sum(1)
            level = np.nansum(known, 1) / np.maximum(counts, 1)
        for r in range(panel.n_series):
            stream = streams.series(panel.item_id[r], panel.location_id[r])
            rng = shared if self.fault in ("unseeded", "one-generator", "fixed-seed") else stream
            units[r] = rng.poisson(level[r] + self.noise, (n_paths, horizon))
            if self.fault == "forgets" and (panel.item_id[r], panel.location_id[r]) not in self.seen:
                raise KeyError(panel.item_id[r])
        if self.fault == "fractions":
            units += 0.5
        if self.fault != "sells-what-is-not-offered":
            units *= offered_ahead(panel, horizon)[:, None, :]
        if self.fault == "one-path-too-few":
            units = units[:, 1:]
        return SamplePaths(panel.item_id, panel.location_id, units)

    def state(self):
        return FittedState({"noise": np.array([0.0 if self.fault == "forgets-state" else self.noise])})


@dataclass(frozen=True)
class Model:
    fault: str = ""
    name: str = "model"

    def fit(self, panel):
        if self.fault == "writes-input":
            units = panel.units.base if panel.units.base is not None else panel.units
            units.flags.writeable = True
            units[0, 0] += 1
        if self.fault == "dies-on-zeros" and (panel.units.sum(1) == 0).any():
            raise FloatingPointError("a series without sales")
        if self.fault == "reads-the-future" and panel.units.base is not None:
            return Fit(noise=float(panel.units.base.mean()))
        noise = 1.0 if self.fault == "forgets-state" else 0.0
        return Fit(self.fault, noise, frozenset(zip(panel.item_id, panel.location_id, strict=True)))

    def from_state(self, state):
        return Fit("" if self.fault == "forgets" else self.fault, float(state.arrays["noise"][0]))


def test_a_sound_forecaster_passes():
    check_forecaster(Model)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("writes-input", "F1"),
        ("one-path-too-few", "F2"),
        ("fractions", "F3"),
        ("sells-what-is-not-offered", "F3"),
        ("unseeded", "F4"),
        ("fixed-seed", "F4"),
        ("one-generator", "F4"),
        ("reads-siblings", "F5"),
        ("reads-the-future", "F6"),
        ("dies-on-zeros", "F7"),
        ("forgets-state", "F8"),
        ("forgets", "F10"),
    ],
)
def test_a_broken_forecaster_is_caught_by_the_rule_it_breaks(fault, rule):
    with pytest.raises(ConformanceError, match=f"rule {rule}"):
        check_forecaster(lambda: Model(fault))
