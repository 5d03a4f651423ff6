"""The LSTM: conformance, what it learns, and the same bits however it is computed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.moving_average import thirteen_weeks

NEEDED = "the extra `lstm` is not installed"
pytest.importorskip("torch", reason=NEEDED)
pytest.importorskip("gluonts", reason=NEEDED)

import torch  # noqa: E402
from gluonts.torch.distributions import NegativeBinomialOutput  # noqa: E402

from models.lstm import Lstm, LstmForecast, LstmParams  # noqa: E402
from models.lstm_training import Layers, train  # noqa: E402
from models.lstm_windows import Inputs, draw_windows  # noqa: E402

TINY = LstmParams(n_hidden=6, n_decoder=8, n_windows=400, n_steps=4, n_epochs=2)
LEARNT = LstmParams(n_hidden=16, n_decoder=24, n_windows=4_000, n_steps=4, n_epochs=8)


@pytest.mark.parametrize("bucket", ["D", "W"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(partial(Lstm, TINY), synthetic_panel(bucket=bucket))


def test_the_order_of_series_changes_nothing() -> None:
    panel = synthetic_panel(n_history=200)
    rows = np.random.default_rng(0).permutation(panel.n_series)
    straight = Lstm(TINY).fit(panel).sample(panel, 7, 20, Streams(1)).units
    shuffled = Lstm(TINY).fit(panel.take(rows)).sample(panel, 7, 20, Streams(1)).units
    np.testing.assert_array_equal(straight, shuffled)


def test_the_net_gives_what_the_library_gives() -> None:
    panel = synthetic_panel(n_history=200)
    windows = draw_windows(panel, Inputs.learn(panel), 28, TINY)
    torch.manual_seed(3)
    layers = Layers(windows.context.shape[2], windows.features.shape[2], replace(TINY, dropout=0.0))
    n_features = windows.features.shape[2]
    net = layers.net(np.zeros(n_features), np.ones(n_features))
    scaled = np.random.default_rng(0).normal(size=windows.features.shape)
    # Undo the logarithm that the net takes of features, so that both read the same numbers.
    features = (np.sign(scaled) * np.expm1(np.abs(scaled))).astype(np.float32)
    with torch.no_grad():
        parameters = layers.parameters(torch.from_numpy(windows.context), torch.from_numpy(scaled.astype(np.float32)))
        wanted = NegativeBinomialOutput().distribution(parameters).mean.numpy()
    np.testing.assert_allclose(net.relative_mean(windows.context, features), wanted, rtol=2e-3)


def test_training_leaves_the_libraries_generator_and_threads_alone() -> None:
    panel = synthetic_panel(n_history=120)
    torch.manual_seed(5)
    expected, n_threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    train(draw_windows(panel, Inputs.learn(panel), 28, TINY), TINY)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    assert torch.get_num_threads() == n_threads


def test_it_learns_the_weekdays() -> None:
    panel = synthetic_panel(n_items=20, n_history=300)
    flat = replace(panel, regressors={})
    wave = np.sin(2 * np.pi * np.arange(300, 328) / 7)
    by_day = Lstm(LEARNT).fit(flat).mean_at(flat, 28).sum(axis=0)
    assert np.corrcoef(by_day, wave)[0, 1] > 0.8


def test_a_promotion_known_ahead_raises_the_forecast() -> None:
    panel = synthetic_panel(n_items=20, n_history=300)
    fitted = Lstm(LEARNT).fit(panel)
    past, ahead = np.split(np.array(panel.regressors["promotion"]), [panel.calendar.n_history], axis=-1)
    on, off = (
        replace(panel, regressors={"promotion": np.concatenate([past, np.full_like(ahead, value)], axis=-1)})
        for value in (1, 0)
    )
    lift = fitted.mean_at(on, 14).sum() / fitted.mean_at(off, 14).sum()
    assert 1.3 < lift < 3


def test_its_state_is_arrays_of_numbers() -> None:
    panel = synthetic_panel(n_history=160)
    fitted = Lstm(TINY).fit(panel)
    assert isinstance(fitted, LstmForecast)
    state = fitted.state()
    assert state.arrays["net/hidden_weight"].shape == (6, 24)
    assert not any(array.dtype.hasobject for array in state.arrays.values())


def test_too_little_history_falls_back_to_the_moving_average_and_says_so() -> None:
    panel = synthetic_panel(n_history=40)
    fitted = Lstm(TINY).fit(panel)
    assert "local-too-short" in [note.code for note in fitted.notes]
    np.testing.assert_array_equal(fitted.mean_at(panel, 7), thirteen_weeks(panel, 7))
    again = Lstm(TINY).from_state(fitted.state())
    np.testing.assert_array_equal(
        again.sample(panel, 7, 20, Streams(1)).units, fitted.sample(panel, 7, 20, Streams(1)).units
    )
