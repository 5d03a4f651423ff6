"""Prophet: conformance, its mean computed from parameters against its own, silence, and the newest level."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import pandas as pd
import pytest
from prophet import Prophet as Original

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.local_design import Design
from models.local_learning import LocalTask
from models.prophet import N_CHANGEPOINTS, REGRESSOR_PRIOR_SCALE, Prophet, ProphetCurve, ProphetParams, _collected

make = partial(Prophet, ProphetParams(max_local_fits=2))

N_DAYS, N_AHEAD = 760, 30


@pytest.fixture(scope="module")
def trial() -> tuple[LocalTask, Design]:
    """Two years of days with seasons, one event and a gap; and the columns with a month ahead."""
    generator = np.random.default_rng(11)
    days = 18000.0 + np.arange(N_DAYS + N_AHEAD)
    pairs = [(365.25, 1), (365.25, 2), (365.25, 3), (7.0, 1), (7.0, 2), (7.0, 3)]
    season = np.stack([f(2 * np.pi * k * days / p) for p, k in pairs for f in (np.sin, np.cos)], axis=1)
    event = (generator.random(len(days)) < 0.05).astype(float)
    mean = 30 * (1 + 0.2 * season[:, 0] + 0.2 * season[:, 6]) * (1 + 0.8 * event)
    demand = generator.poisson(mean[:N_DAYS]).astype(float)
    demand[200:220] = np.nan
    columns = np.column_stack([season, event])
    task = LocalTask("trial", demand, columns[:N_DAYS], days[:N_DAYS], (3, 3))
    return task, Design(season, event[None, :, None], days)


def test_it_holds_to_the_protocol() -> None:
    check_forecaster(make, synthetic_panel(n_items=10, n_history=130))


def test_the_curve_is_prophets_own_mean_inside_the_history(trial: tuple[LocalTask, Design]) -> None:
    task, columns = trial
    rows = pd.DataFrame(
        {"ds": task.days.astype("datetime64[D]").astype("datetime64[ns]"), "y": task.demand, "x0": task.columns[:, -1]}
    ).dropna()
    original = Original(
        n_changepoints=N_CHANGEPOINTS, yearly_seasonality=3, weekly_seasonality=3, daily_seasonality=False,
        seasonality_mode="multiplicative", uncertainty_samples=0,
    )  # fmt: skip
    original.add_regressor("x0", prior_scale=REGRESSOR_PRIOR_SCALE, standardize=False)
    with _collected():
        expected = original.fit(rows).predict(rows)["yhat"].to_numpy()
    curve = ProphetCurve().curve(ProphetCurve().learn(task).params[None], columns)[0, :N_DAYS]
    np.testing.assert_allclose(curve[np.isfinite(task.demand)], expected, rtol=1e-6)


def test_an_event_known_ahead_raises_its_day(trial: tuple[LocalTask, Design]) -> None:
    task, columns = trial
    curve, event = (
        ProphetCurve().curve(ProphetCurve().learn(task).params[None], columns)[0],
        columns.regressors[0, :, 0],
    )
    without = Design(columns.season, np.zeros_like(columns.regressors), columns.days)
    plain = ProphetCurve().curve(ProphetCurve().learn(task).params[None], without)[0]
    lift = (curve / plain)[event == 1]
    assert 1.5 < lift.mean() < 2.1


def test_the_mean_moves_to_the_newest_level(trial: tuple[LocalTask, Design]) -> None:
    task, columns = trial
    params = ProphetCurve().learn(task).params[None]
    doubled = task.demand.copy()
    doubled[-100:] *= 2
    plain = ProphetCurve().mean(params, columns, task.demand[None], N_AHEAD)
    moved = ProphetCurve().mean(params, columns, doubled[None], N_AHEAD)
    assert 1.8 < (moved / plain).mean() < 2.0


def test_it_is_silent_and_leaves_loggers_as_they_were(
    trial: tuple[LocalTask, Design], capfd: pytest.CaptureFixture[str]
) -> None:
    before = {name: logging.getLogger(name).disabled for name in ("prophet", "cmdstanpy")}
    ProphetCurve().learn(trial[0])
    assert capfd.readouterr() == ("", "")
    assert {name: logging.getLogger(name).disabled for name in before} == before


def test_what_prophet_warns_of_is_collected_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with _collected() as told:
        logging.getLogger("prophet.models").warning("Falling back to Newton.")
        logging.getLogger("prophet").info("Disabling daily seasonality.")
        logging.getLogger("cmdstanpy").warning("Chain [1] failed, see /tmp/some-file.txt")
    assert told.warned == {"Falling back to Newton."}
    assert caplog.text == ""
    logging.getLogger("prophet.models").warning("shown again")
    assert "shown again" in caplog.text
