"""How sure effects are: closed forms, shared shocks, few series, and what ranges cover when effects are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import PoissonRegressor

from experiments.exchange.catalogue import read_catalogue, render
from models.effect_errors import (
    RANGE_DEVIATIONS,
    Cells,
    EffectErrors,
    effect_errors,
    effect_notes,
    effect_ranges,
)
from models.features import PRICE

N_SERIES, N_BUCKETS = 40, 200


@dataclass(frozen=True)
class Column:
    """A column as `models.known_effects` has it."""

    name: str
    value: float | None
    scale: float
    effect: float


def learnt(columns: np.ndarray, units: np.ndarray, level: np.ndarray, penalty: float) -> tuple[Cells, np.ndarray]:
    """Fit columns (n_columns, n_series, n_buckets) as `models.known_effects` does; levels are known here."""
    design = sparse.csr_matrix(columns.reshape(len(columns), -1).T)
    exposure = np.broadcast_to(level, units.shape).reshape(-1).astype(np.float64)
    fit = PoissonRegressor(alpha=penalty, max_iter=1000, tol=1e-8)
    fit.fit(design, units.reshape(-1) / exposure, sample_weight=exposure)
    series, bucket = (index.reshape(-1) for index in np.indices(units.shape))
    cells = Cells(design, units.reshape(-1).astype(float), exposure * fit.predict(design), exposure, series, bucket)
    return cells, fit.coef_


def on_days(*days: int) -> np.ndarray:
    column = np.zeros((N_SERIES, N_BUCKETS))
    column[:, list(days)] = 1
    return column


def errors_of(cells: Cells, penalty: float = 0.0) -> np.ndarray:
    return effect_errors(cells, penalty).of(np.eye(cells.design.shape[1]))


def test_of_poisson_demand_the_error_is_that_of_two_sums() -> None:
    rng = np.random.default_rng(0)
    column = (rng.random((N_SERIES, N_BUCKETS)) < 0.2).astype(float)
    units = rng.poisson(3 * np.exp(0.4 * column))
    cells, _ = learnt(column[None], units, np.full((N_SERIES, 1), 3.0), 1e-12)
    # log(a / b) of two Poisson sums has variance 1 / a + 1 / b.
    expected = np.sqrt(1 / units[column == 1].sum() + 1 / units[column == 0].sum())
    assert errors_of(cells)[0] == pytest.approx(expected, rel=0.2)


def test_a_day_of_all_series_is_no_surer_than_days_are_alike() -> None:
    rng = np.random.default_rng(1)
    shock, level = rng.normal(0, 0.15, N_BUCKETS), np.full((N_SERIES, 1), 200.0)
    columns = np.stack([on_days(50), on_days(*range(100, 116))])
    steady, _ = learnt(columns, rng.poisson(np.broadcast_to(level, (N_SERIES, N_BUCKETS))), level, 1e-12)
    shaken, _ = learnt(columns, rng.poisson(level * np.exp(shock)), level, 1e-12)
    assert (errors_of(steady) < 0.03).all()
    one_day, sixteen_days = errors_of(shaken)
    assert one_day == pytest.approx(0.15, rel=0.25)
    assert one_day / sixteen_days > 2.5


def test_series_that_answer_differently_make_a_promotion_less_sure() -> None:
    rng = np.random.default_rng(2)
    level = np.full((N_SERIES, 1), 20.0)
    promotion = (rng.random((N_SERIES, N_BUCKETS)) < 0.1).astype(float)
    own = rng.normal(0.5, 0.4, (N_SERIES, 1))
    same, _ = learnt(promotion[None], rng.poisson(level * np.exp(0.5 * promotion)), level, 1e-12)
    apart, _ = learnt(promotion[None], rng.poisson(level * np.exp(own * promotion)), level, 1e-12)
    # Larger answers weigh more in the sum, so the error is about, not exactly, that of a mean of series.
    assert errors_of(apart)[0] == pytest.approx(0.4 / np.sqrt(N_SERIES), rel=0.35)
    assert errors_of(apart)[0] > 3 * errors_of(same)[0]


def test_what_one_series_alone_tells_is_not_sure_because_the_fit_passes_through_it() -> None:
    rng = np.random.default_rng(3)
    column = np.zeros((N_SERIES, N_BUCKETS))
    column[0, 20] = 1
    cells, _ = learnt(column[None], rng.poisson(4 * np.ones((N_SERIES, N_BUCKETS))), np.full((N_SERIES, 1), 4.0), 1e-12)
    assert errors_of(cells)[0] > 0.8 / np.sqrt(max(cells.units.reshape(N_SERIES, -1)[0, 20], 1))


def test_a_penalty_that_hides_an_effect_leaves_it_unsure() -> None:
    rng = np.random.default_rng(4)
    level = np.full((N_SERIES, 1), 1.0)
    units = rng.poisson(level * np.exp(0.6 * on_days(30)))
    free, _ = learnt(on_days(30)[None], units, level, 1e-12)
    held, effect = learnt(on_days(30)[None], units, level, 0.01)
    assert effect[0] < 0.3
    # The prior of a penalty p has variance 1 / (p x weight), of which the data leave nearly all.
    assert errors_of(held, 0.01)[0] == pytest.approx(1 / np.sqrt(0.01 * N_SERIES * N_BUCKETS), rel=0.3)
    assert errors_of(free)[0] > errors_of(held, 0.01)[0]


def test_four_of_five_ranges_hold_the_effect() -> None:
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        level = np.exp(rng.normal(2, 0.5, (N_SERIES, 1)))
        promotion = (rng.random((N_SERIES, N_BUCKETS)) < 0.1).astype(float)
        columns = np.stack([on_days(50, 51), promotion, on_days(*range(7, N_BUCKETS, 7))])
        effect = rng.normal(0, 0.3, 3)
        shock = np.convolve(rng.normal(0, 0.1, N_BUCKETS), [0.8, 0.6])[:N_BUCKETS]
        mean = level * np.exp(np.tensordot(effect, columns, 1) + shock)
        units = rng.poisson(mean * rng.gamma(4, 0.25, mean.shape))
        cells, found = learnt(columns, units, level, 1e-5)
        inside.append(np.abs(found - effect) <= RANGE_DEVIATIONS * errors_of(cells, 1e-5))
    # Of 180 ranges of 80 %, chance alone leaves between 72 % and 88 % with the truth 99 times of 100.
    assert 0.72 <= np.mean(inside) <= 0.88
    assert np.mean(inside, axis=0).min() > 0.6


def test_buckets_without_cells_change_nothing() -> None:
    rng = np.random.default_rng(5)
    cells, _ = learnt(
        on_days(50)[None], rng.poisson(np.full((N_SERIES, N_BUCKETS), 5.0)), np.full((N_SERIES, 1), 5.0), 0
    )
    later = Cells(cells.design, cells.units, cells.expected, cells.exposure, cells.series, cells.bucket + 30)
    np.testing.assert_allclose(errors_of(later), errors_of(cells), rtol=1e-6)


@pytest.fixture
def terms() -> tuple[Column, ...]:
    return (
        Column("", 1.0, 1.0, 0.3),
        Column("event_fair", 0.5, 1.0, 0.1),
        Column("event_fair", 1.0, 1.0, 0.4),
        Column(PRICE, None, 0.5, -0.6),
        Column("promotion_sale", None, 1.0, 0.2),
        Column("promotion_sale_depth", None, 0.4, 0.3),
        Column("user_rain", None, 12.0, 0.5),
    )


def test_statements_are_of_whole_causes_at_usual_values(terms: tuple[Column, ...]) -> None:
    design = np.zeros((10, len(terms)))
    design[:3, 2], design[:, 3], design[4:8, 4], design[4:8, 5], design[9, 6] = 1, 0.3, 1, 0.5, 1
    nothing = np.zeros(10, np.int64)
    cells = Cells(sparse.csr_matrix(design), np.ones(10), np.ones(10), np.ones(10), nothing, nothing)
    covariance = np.diag([0, 0, 0.04, 0.01, 0.01, 0.04, 0])
    errors = EffectErrors(covariance, np.zeros_like(covariance), np.zeros_like(covariance))
    fair, price, sale, rain = effect_ranges(terms, cells, errors)
    assert (fair.name, fair.share, fair.value, fair.n_buckets) == ("event_fair", None, None, 3)
    assert fair.factor == pytest.approx(np.exp(0.4))
    assert fair.high / fair.factor == pytest.approx(np.exp(RANGE_DEVIATIONS * 0.2))
    # Half of the deepest promotion, 0.4; its error is that of 1 x the one and 0.5 x the other.
    assert (sale.name, sale.share, sale.n_buckets) == ("promotion_sale", pytest.approx(0.2), 4)
    assert sale.factor == pytest.approx(np.exp(0.2 + 0.5 * 0.3))
    assert sale.factor / sale.low == pytest.approx(np.exp(RANGE_DEVIATIONS * np.sqrt(0.01 + 0.25 * 0.04)))
    assert (price.share, price.factor) == (-0.1, pytest.approx(0.9 ** (-0.6 / 0.5)))
    assert (rain.value, rain.factor) == (12.0, pytest.approx(np.exp(0.5)))


def test_notes_say_it_in_words(terms: tuple[Column, ...]) -> None:
    cells = Cells(sparse.csr_matrix(np.ones((4, 7))), *np.ones((3, 4)), *np.zeros((2, 4), np.int64))
    errors = EffectErrors(*np.zeros((3, 7, 7)))
    said = [render(note, read_catalogue()) for note in effect_notes(effect_ranges(terms, cells, errors))]
    assert said[0] == "Fair: x1.49 (80% range 1.49 to 1.49), learnt from 4 buckets of items and places."
    assert said[1].startswith("price of -10%: x1.13")
    assert said[2].startswith("promotion Sale of 40%: x1.65")
    assert said[3].startswith("Rain at 12: x1.65")


def test_without_named_columns_there_is_nothing_to_say() -> None:
    cells = Cells(sparse.csr_matrix(np.ones((4, 1))), *np.ones((3, 4)), *np.zeros((2, 4), np.int64))
    assert effect_ranges((Column("", 1.0, 1.0, 0.1),), cells, EffectErrors(*np.zeros((3, 1, 1)))) == ()
