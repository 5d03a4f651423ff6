"""The net applied with NumPy alone: exact sums, so the batch changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from models.lstm_net import MAX_COLUMNS, MOST, Net, squeezed

N_CHANNELS, N_HIDDEN, N_FEATURES, N_DECODER = 3, 5, 300, 7


def a_net(seed: int = 0, n_features: int = N_FEATURES) -> Net:
    draw = np.random.default_rng(seed).normal
    return Net(
        input_weight=draw(size=(N_CHANNELS, 4 * N_HIDDEN)),
        hidden_weight=draw(size=(N_HIDDEN, 4 * N_HIDDEN)),
        gate_bias=draw(size=4 * N_HIDDEN),
        context_weight=draw(size=(N_HIDDEN, N_DECODER)),
        feature_weight=draw(size=(n_features, N_DECODER)) / 20,
        decoder_bias=draw(size=N_DECODER),
        head_weight=draw(size=(N_DECODER, 2)) / 5,
        head_bias=np.zeros(2),
        centre=np.zeros(n_features),
        spread=np.ones(n_features),
    )


def test_a_series_gets_the_same_bits_alone_in_any_batch_and_in_any_place() -> None:
    assert N_FEATURES > MAX_COLUMNS
    rng = np.random.default_rng(1)
    context = rng.normal(size=(300, 20, N_CHANNELS)).astype(np.float32)
    features = rng.normal(size=(300, 9, N_FEATURES)).astype(np.float32)
    net = a_net()
    together = net.relative_mean(context, features)
    order = rng.permutation(300)
    np.testing.assert_array_equal(net.relative_mean(context[order], features[order]), together[order])
    for size in (1, 2, 3, 7, 33, 129):
        np.testing.assert_array_equal(net.relative_mean(context[:size], features[:size]), together[:size])
    one_step = net.relative_mean(context, features[:, :1])
    np.testing.assert_array_equal(one_step, together[:, :1])


def test_one_step_by_hand() -> None:
    # One channel, one hidden unit, one bucket: gates are the biases, and the history is a zero.
    net = Net(
        input_weight=np.zeros((1, 4)),
        hidden_weight=np.zeros((1, 4)),
        gate_bias=np.array([0.0, 3.0, np.arctanh(0.5), 0.0]),
        context_weight=np.array([[1.0]]),
        feature_weight=np.array([[2.0]]),
        decoder_bias=np.array([0.25]),
        head_weight=np.array([[1.0, 0.0]]),
        head_bias=np.array([0.0, np.log(2.0)]),
        centre=np.array([0.0]),
        spread=np.array([1.0]),
    )
    # Cell 0.5 * 0.5, hidden 0.5 * tanh(0.25); the feature counts as log(1 + e - 1) = 1.
    layer = 0.5 * np.tanh(0.25) + 2.0 + 0.25
    got = net.relative_mean(np.zeros((1, 1, 1), np.float32), np.full((1, 1, 1), np.e - 1, np.float32))
    assert got[0, 0] == pytest.approx(2 * np.log1p(np.exp(layer)), rel=1e-5)


def test_an_unknown_feature_counts_as_its_usual_value() -> None:
    net = a_net(n_features=4)
    context = np.ones((2, 3, N_CHANNELS), np.float32)
    features = np.zeros((2, 1, 4), np.float32)
    features[1] = np.nan
    usual, unknown = net.relative_mean(context, features)
    assert usual == unknown


def test_forecasts_stay_within_bounds_whatever_is_read() -> None:
    net = a_net(n_features=4)
    wild = net.relative_mean(np.full((1, 9, N_CHANNELS), 1e30, np.float32), np.full((1, 2, 4), -1e30, np.float32))
    assert ((wild >= 0) & (wild <= MOST)).all()


def test_features_are_squeezed_on_both_sides_of_zero() -> None:
    found = squeezed(np.array([0.0, np.e - 1, 1 - np.e, np.nan], np.float32))
    np.testing.assert_allclose(found, [0, 1, -1, np.nan], atol=1e-7)
