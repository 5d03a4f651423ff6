"""The profile of the year: by hand without noise, flat where nothing comes again; and the count model's use of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import models.count
from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel
from engine.forecast.backtest import actuals_after, interval_pinball
from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import STARTS, synthetic_panel
from models.count import Counts
from models.year_profile import NOISE, NOISE_FACTOR, NOISE_PLACES, YearProfile, learn_profile, place_in_year

QUANTILES = (0.5, 5 / 6, 0.9)
FLAT = YearProfile(np.zeros((1, 52)))


def panel_of(units, bucket="W", category=None, as_of=None) -> DemandPanel:
    """A panel of units (n, n_history) on offer and on sale all the time, without regressors."""
    units = np.asarray(units, np.float32)
    n, h = units.shape
    base = synthetic_panel(n_items=-(-n // 2), n_history=h, n_future=14, bucket=bucket).take(np.arange(n))
    static = pd.DataFrame({"divisible": np.zeros(n, np.bool_)})
    calendar = Calendar(bucket, np.datetime64(as_of or STARTS[bucket]), h, 14)
    return replace(
        base,
        calendar=calendar,
        units=units,
        available=np.ones_like(units),
        offered=np.ones((n, calendar.n_buckets), np.bool_),
        interval=np.tile(np.array([[2, 3]], np.int32), (n, 1)),
        static=static if category is None else static.assign(category=category),
        regressors={},
    )


def learnt(panel: DemandPanel) -> YearProfile:
    return learn_profile(panel, np.ones((panel.n_series, panel.calendar.n_buckets)))[0]


def slow_world(factor, n=240, seed=0, level=1.5) -> np.ndarray:
    """Units of slow series, gamma levels and Poisson demand, times a factor by bucket (n or 1, n_buckets)."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(1.5, level / 1.5, (n, 1))
    return generator.poisson(rate * factor)


def without_a_season(panel: DemandPanel, monkeypatch: pytest.MonkeyPatch):
    """The fit of a count model that takes no season."""
    with monkeypatch.context() as patch:
        patch.setattr(models.count, "learn_profile", lambda part, effect: (FLAT, ()))
        return Counts().fit(panel)


def test_weeks_have_their_iso_numbers_and_months_their_own():
    starts = np.array(["2020-12-28", "2021-01-04", "2021-12-27", "2022-01-03", "2025-12-29"], "datetime64[D]")
    weeks = Calendar("W", np.datetime64("2026-01-05"), 300, 0)
    found = place_in_year(weeks)[np.searchsorted(weeks.starts, starts)]
    # Week 53 of 2020 counts as the 52nd; the last Monday of 2025 begins the first week of 2026.
    assert found.tolist() == [51, 0, 51, 0, 0]
    days = Calendar("D", np.datetime64("2021-01-12"), 15, 0)
    assert place_in_year(days).tolist() == [51] * 7 + [0] * 7 + [1]
    assert place_in_year(Calendar("M", np.datetime64("2025-03-01"), 3, 1)).tolist() == [11, 0, 1, 2]


def test_a_month_that_always_triples_is_found_less_what_years_may_differ():
    month = np.arange(36) % 12
    units = np.repeat(np.where(month == 11, 300.0, 100.0)[None], 30, axis=0)
    profile = learnt(panel_of(units, "M", as_of="2025-01-01")).log[0]
    # Nothing differs between the years, so the noise is the usual one, of 8 places, over 24 repeated places and those.
    noise = NOISE_FACTOR * NOISE_PLACES * NOISE**2 / (24 + NOISE_PLACES)
    assert profile[11] == pytest.approx(np.log(3) * (1 - noise / (3 * np.log(3) ** 2)), abs=0.01)
    assert np.abs(profile[:11]).max() < 0.02


def test_a_peak_of_one_week_is_shared_with_the_weeks_beside_it():
    panel = panel_of(np.full((30, 150), 100.0))
    place = place_in_year(panel.calendar)[:150]
    profile = learnt(replace(panel, units=np.where(place == 49, 300, 100) * np.ones_like(panel.units))).log[0]
    assert profile[[48, 49, 50]] == pytest.approx(np.array([0.25, 0.5, 0.25]) * np.log(3), abs=0.03)
    assert np.abs(np.delete(profile, [48, 49, 50])).max() < 0.02


def test_what_differs_between_years_is_no_season():
    generator = np.random.default_rng(3)
    shock = np.exp(generator.normal(0, 0.25, 150))
    panel = panel_of(slow_world(shock[None]))
    assert (learnt(panel)(panel) == 1).all()
    # The same shocks in every year are one.
    again = np.exp(generator.normal(0, 0.25, 52))[place_in_year(panel.calendar)]
    seasonal = panel_of(slow_world(again[None, :150]))
    assert np.corrcoef(learnt(seasonal)(seasonal)[0], again)[0, 1] > 0.7


def test_a_category_has_its_own_peak_and_an_unknown_one_that_of_all():
    kind = np.repeat(["toys", "tools"], [60, 180])
    place = place_in_year(panel_of(np.zeros((2, 150))).calendar)[:150]
    factor = np.where((kind == "toys")[:, None] & np.isin(place, (48, 49, 50)), 4.0, 1.0)
    panel = panel_of(slow_world(factor, level=4.0), category=kind)
    profile = learnt(panel)
    unknown = replace(panel, static=panel.static.assign(category="games"))
    at = np.flatnonzero(place == 49)[-1]
    toys, tools = profile(panel)[[0, -1], at]
    assert toys > 2.5
    assert tools < 1.3
    assert profile(unknown)[0, at] == pytest.approx(np.exp(profile.log[0, 49]), rel=0.05)
    assert tools < profile(unknown)[0, at] < toys


def test_a_year_and_a_bit_is_too_short_for_a_season_and_this_is_told(monkeypatch):
    panel = panel_of(slow_world(np.ones((1, 64)), n=60))
    profile, notes = learn_profile(panel, np.ones((60, panel.calendar.n_buckets)))
    assert (profile(panel) == 1).all()
    assert [(note.code, dict(note.values)) for note in notes] == [("season-too-short", {"n_buckets": 64, "least": 65})]
    fitted = Counts().fit(panel)
    assert "season-too-short" in [note.code for note in fitted.notes]
    plain = without_a_season(panel, monkeypatch)
    paths = [one.sample(panel, 5, 50, Streams(1)).units for one in (fitted, plain)]
    assert (paths[0] == paths[1]).all()


def test_a_profile_that_a_state_describes_is_the_same():
    panel = panel_of(slow_world(np.ones((1, 150)), level=6.0), category=np.repeat(["a", "b"], 120))
    profile = learnt(panel)
    again = YearProfile.from_state(profile.state())
    assert (again.log == profile.log).all()
    assert again.codes == profile.codes


def test_counts_with_a_season_conform_and_no_planted_future_moves_them():
    panel = synthetic_panel(bucket="W", n_history=140)
    peak = np.isin(place_in_year(panel.calendar)[:140], (20, 21, 48, 49, 50))
    panel = replace(panel, units=np.where(peak, 3 * panel.units, panel.units))
    assert np.ptp(learnt(panel).log[0]) > 0
    check_forecaster(Counts, panel)


def test_a_season_pays_before_a_peak(monkeypatch):
    # Two Christmases were seen; the third begins in the first week ahead.
    whole = Calendar("W", np.datetime64("2025-01-06"), 150, 14)
    place = place_in_year(whole)[:150]
    factor = np.select([np.isin(place, (49, 50)), np.isin(place, (24, 25, 26, 27))], [3.0, 0.5], 1.0)
    panel = panel_of(slow_world(factor[None]), as_of="2025-01-06")
    back = 150 - int(np.flatnonzero(place == 49)[-1])
    past, actuals = panel.cut(back), actuals_after(panel, back, 3)
    loss = [
        interval_pinball(fitted.sample(past, 3, 400, Streams(1)), actuals, panel.interval, QUANTILES).mean()
        for fitted in (Counts().fit(past), without_a_season(past, monkeypatch))
    ]
    assert loss[0] < 0.6 * loss[1]


def test_a_world_without_a_season_is_forecast_as_well_as_before(monkeypatch):
    panel = panel_of(slow_world(np.ones((1, 150))))
    past, actuals = panel.cut(10), actuals_after(panel, 10, 3)
    paths = [
        fitted.sample(past, 3, 400, Streams(1)) for fitted in (Counts().fit(past), without_a_season(past, monkeypatch))
    ]
    loss = [interval_pinball(one, actuals, panel.interval, QUANTILES).mean() for one in paths]
    assert loss[0] < 1.02 * loss[1]
    means = [one.units.mean() for one in paths]
    assert means[0] == pytest.approx(means[1], rel=0.03)


def test_a_planned_promotion_lifts_the_counts_as_past_ones_did():
    generator = np.random.default_rng(4)
    promoted = (generator.random((240, 164)) < 0.1).astype(np.float32)
    units = slow_world(1 + promoted[:, :150])
    panel = panel_of(units)
    means = []
    for ahead in (0, 1):
        promoted[:, 150:] = ahead
        planned = replace(panel, regressors={"promotion": promoted.copy()})
        means.append(Counts().fit(planned).sample(planned, 4, 400, Streams(1)).units.mean())
    assert means[1] / means[0] == pytest.approx(2.0, rel=0.12)
