"""What every forecaster must hold to, as one suite that runs against each of them (docs/design.md, 6)."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.demand.panel import DemandPanel
from engine.errors import RestockError
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import Fitted, FittedState, Forecaster, SamplePaths

N_PATHS = 40
HORIZON = 14
STREAMS = Streams(7)

Make = Callable[[], Forecaster]


class ConformanceError(RestockError):
    """A forecaster breaks a rule of the protocol."""


def check_forecaster(make: Make, panel: DemandPanel | None = None) -> None:
    """Raise `ConformanceError` naming the first rule that the forecaster made by ``make`` breaks.

    Rules: F1 the input is untouched · F2 shape, keys, horizon and number of paths are those asked for ·
    F3 units are whole unless divisible, and zero where not on offer · F4 same seed, same paths; another seed,
    others · F5 a series gets the same paths alone, in a batch and in any order · F6 the future is never read ·
    F7 one bad series never takes down the batch, nor changes what cannot depend on it · F8 the state gives the
    fit back, and pickles · F9 a panel newer than the fit is served · F10 unseen series are served · F11 fitting
    twice gives the same.

    Parameters
    ----------
    panel
        The panel to try, at least 20 series and known future of 14 buckets; `synthetic_panel` if not given.
    """
    trial = synthetic_panel() if panel is None else panel
    fitted = _untouched(make, trial)
    paths = fitted.sample(trial, HORIZON, N_PATHS, STREAMS)
    _shape(fitted, trial, paths)
    _whole_and_offered(paths, trial)
    _seeded(fitted, trial, paths)
    _alone_and_in_any_order(fitted, trial, paths)
    _future_unread(make, trial)
    _bad_series(make, trial)
    _state(make, fitted, trial, paths)
    _newer_panel(make, trial)
    _unseen_series(make, trial)
    _same(make().fit(trial).sample(trial, HORIZON, N_PATHS, STREAMS), paths, "F11: fitting twice gives the same")


def _fail(rule: str, finding: str) -> None:
    raise ConformanceError(f"rule {rule}", finding, "Mend the forecaster; engine/forecast/types.py states the protocol")


def _same(got: SamplePaths, wanted: SamplePaths, rule: str) -> None:
    if got.units.shape != wanted.units.shape:
        _fail(rule, f"shape {got.units.shape} instead of {wanted.units.shape}")
    differ = (got.units != wanted.units).any(axis=(1, 2))
    if differ.any():
        keys = [f"{got.item_id[r]} at {got.location_id[r]}" for r in np.flatnonzero(differ)[:5]]
        _fail(rule, f"other paths for {int(differ.sum())} of {len(differ)} series, first {', '.join(keys)}")


def _untouched(make: Make, panel: DemandPanel) -> Fitted:
    before = pickle.dumps(panel)
    fitted = make().fit(panel)
    fitted.sample(panel, HORIZON, N_PATHS, STREAMS)
    if pickle.dumps(pickle.loads(before)) != pickle.dumps(pickle.loads(pickle.dumps(panel))):
        _fail("F1: the input is untouched", "a panel that changed in fit or sample")
    return fitted


def _shape(fitted: Fitted, panel: DemandPanel, paths: SamplePaths) -> None:
    rule = "F2: shape, keys, horizon and number of paths are those asked for"
    for horizon, n_paths in ((HORIZON, N_PATHS), (1, 3), (panel.calendar.n_future, 1)):
        found = fitted.sample(panel, horizon, n_paths, STREAMS).units.shape
        if found != (panel.n_series, n_paths, horizon):
            _fail(rule, f"shape {found} instead of {(panel.n_series, n_paths, horizon)}")
    if list(paths.item_id) != list(panel.item_id) or list(paths.location_id) != list(panel.location_id):
        _fail(rule, "keys other than the panel's")
    empty = fitted.sample(panel.take(np.zeros(0, np.int64)), HORIZON, N_PATHS, STREAMS)
    if empty.units.shape != (0, N_PATHS, HORIZON):
        _fail(rule, f"shape {empty.units.shape} for a panel without series")


def _whole_and_offered(paths: SamplePaths, panel: DemandPanel) -> None:
    rule = "F3: units are whole unless divisible, and zero where not on offer"
    if (paths.units != np.rint(paths.units)).any():
        _fail(rule, "fractions of a unit")
    ahead = panel.offered[:, panel.calendar.n_history :][:, : paths.horizon]
    if (paths.units.max(axis=1) * ~ahead).any():
        _fail(rule, "units in buckets not on offer")
    if not paths.units.any():
        _fail(rule, "paths that are zero everywhere")


def _seeded(fitted: Fitted, panel: DemandPanel, paths: SamplePaths) -> None:
    rule = "F4: same seed, same paths; another seed, others"
    _same(fitted.sample(panel, HORIZON, N_PATHS, STREAMS), paths, rule)
    if (fitted.sample(panel, HORIZON, N_PATHS, Streams(8)).units == paths.units).all():
        _fail(rule, "the same paths for seeds 7 and 8")


def _alone_and_in_any_order(fitted: Fitted, panel: DemandPanel, paths: SamplePaths) -> None:
    rule = "F5: a series gets the same paths alone, in a batch and in any order"
    n = panel.n_series
    for rows in (np.arange(n)[::-1], np.arange(n)[::3], np.array([0]), np.array([n - 6])):
        got = fitted.sample(panel.take(rows), HORIZON, N_PATHS, STREAMS)
        wanted = SamplePaths(paths.item_id[rows], paths.location_id[rows], paths.units[rows])
        _same(got, wanted, rule)


def _future_unread(make: Make, panel: DemandPanel) -> None:
    """Change what happened after a cutoff; neither the fit nor the sample at the cutoff may notice."""
    rule = "F6: the future is never read"
    past = panel.cut(HORIZON)
    start = past.calendar.n_history
    units, available, price = np.array(panel.units), np.array(panel.available), np.array(panel.price)
    units[:, start:], available[:, start:], price[:, start:] = 9_999, 1, np.nan
    other = replace(panel, units=units, available=available, price=price).cut(HORIZON)
    fitted = make().fit(past)
    wanted = fitted.sample(past, HORIZON, N_PATHS, STREAMS)
    _same(make().fit(other).sample(other, HORIZON, N_PATHS, STREAMS), wanted, rule)


def _bad_series(make: Make, panel: DemandPanel) -> None:
    rule = "F7: one bad series never takes down the batch"
    units, available = np.array(panel.units), np.array(panel.available)
    offered = np.array(panel.offered)
    n_history = panel.calendar.n_history
    units[0] = 0
    units[1] = 5
    units[2, :-1], units[2, -1] = 0, 3
    offered[2, : n_history - 1] = False
    units[3] = np.where(np.arange(n_history) % 9 == 0, 3e6, 0)
    units[4], available[4] = 0, 0
    units[5], offered[5] = 0, False
    bad = replace(panel, units=units, available=available, offered=offered)
    try:
        paths = make().fit(bad).sample(bad, HORIZON, N_PATHS, STREAMS)
    except Exception as error:
        raise ConformanceError(
            f"rule {rule}", f"{type(error).__name__}: {error}", "List it as a note and fall back"
        ) from error
    _whole_and_offered(paths, bad)
    if paths.units[5].any():
        _fail(rule, "units for a series that is never on offer")
    middle = np.median(paths.units[1].sum(axis=1))
    if not 0.5 * 5 * HORIZON <= middle <= 2 * 5 * HORIZON:
        _fail(rule, f"a median of {middle:g} in {HORIZON} buckets for a series of constantly 5")
    for n_history in (0, 1, 5):
        short = panel.cut(panel.calendar.n_history - n_history)
        _attempt(make, short, short, f"{rule}, nor does a history of {n_history} buckets")


def _attempt(make: Make, learnt: DemandPanel, sampled: DemandPanel, rule: str) -> SamplePaths:
    """Fit and sample; an error breaks the rule, whatever it is."""
    try:
        return make().fit(learnt).sample(sampled, HORIZON, N_PATHS, STREAMS)
    except Exception as error:
        finding = f"{type(error).__name__}: {error}"
        raise ConformanceError(f"rule {rule}", finding, "List it as a note and fall back") from error


def _state(make: Make, fitted: Fitted, panel: DemandPanel, paths: SamplePaths) -> None:
    rule = "F8: the state gives the fit back, and pickles"
    state = fitted.state()
    for name, array in state.arrays.items():
        if np.asarray(array).dtype.hasobject:
            _fail(rule, f"array {name} of Python objects in the state")
    copied = FittedState({k: np.array(v) for k, v in state.arrays.items()}, dict(state.text))
    again = make().from_state(copied).sample(panel, HORIZON, N_PATHS, STREAMS)
    _same(again, paths, rule)
    _same(pickle.loads(pickle.dumps(fitted)).sample(panel, HORIZON, N_PATHS, STREAMS), paths, rule)


def _newer_panel(make: Make, panel: DemandPanel) -> None:
    rule = "F9: a panel newer than the fit is served"
    paths = _attempt(make, panel.cut(7), panel, rule)
    if paths.units.shape != (panel.n_series, N_PATHS, HORIZON):
        _fail(rule, f"shape {paths.units.shape}")
    _whole_and_offered(paths, panel)


def _unseen_series(make: Make, panel: DemandPanel) -> None:
    rule = "F10: unseen series are served"
    n = panel.n_series
    seen = panel.take(np.delete(np.arange(n), [2, n // 2, n - 5]))
    paths = _attempt(make, seen, panel, rule)
    _whole_and_offered(paths, panel)
    if not paths.units[[n // 2, n - 5]].any():
        _fail(rule, "no demand at all for unseen series that sell")
