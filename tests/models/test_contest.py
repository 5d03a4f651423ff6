"""The contest: who wins a segment, and when a segment follows all the others."""

from __future__ import annotations

import numpy as np
import pytest

from engine.forecast.backtest import IntervalScores
from models.contest import MIN_SCORED, Scores, choose, only, score_table
from models.segments import Segments

N = 2 * MIN_SCORED
SEGMENTS = Segments(np.array(["A-smooth"] * N + ["C-smooth"] * N, object), np.ones(2 * N))
FIRST, LATER = np.arange(2 * N) < N, np.arange(2 * N) >= N


def scores(loss: np.ndarray, n_cutoffs: int = 1) -> Scores:
    one = IntervalScores(loss, np.full(len(loss), 10.0), loss, np.full(len(loss), 0.4), np.full(len(loss), 0.6))
    return Scores((one,) * n_cutoffs)


def losses(in_a: float, in_c: float, spread_in_c: float = 0.0) -> Scores:
    """Return losses of a mean by segment, those of C going up and down by ``spread_in_c`` from series to series."""
    shaken = in_c + spread_in_c * np.where(np.arange(2 * N) % 2, 1, -1)
    return scores(np.where(FIRST, in_a, shaken))


def test_a_segment_follows_all_where_its_own_winner_is_not_surely_better() -> None:
    # In C the mean gap is 0.2. Its standard error is 3 / sqrt(47), or 0.44, and then a tenth of that.
    for spread, winner in ((3.0, "overall"), (0.3, "own")):
        race = {"baseline": losses(9.0, 9.0), "overall": losses(2.0, 4.0), "own": losses(8.0, 3.8, spread)}
        assert choose(race, SEGMENTS, 0.02) == {"A-smooth": "overall", "C-smooth": winner}


def test_a_baseline_that_is_surely_better_in_a_segment_keeps_it() -> None:
    race = {"baseline": losses(9.0, 3.0), "overall": losses(2.0, 4.0)}
    assert choose(race, SEGMENTS, 0.02) == {"A-smooth": "overall", "C-smooth": "baseline"}


def test_a_segment_with_few_scored_intervals_follows_all() -> None:
    few = LATER & (np.arange(2 * N) < N + MIN_SCORED - 1)
    race = {"baseline": losses(9.0, 3.0), "overall": losses(2.0, 4.0)}
    thin = {name: Scores(tuple(only(s, FIRST | few) for s in own.by_cutoff)) for name, own in race.items()}
    assert choose(thin, SEGMENTS, 0.02) == {"A-smooth": "overall", "C-smooth": "overall"}


def test_one_more_cutoff_that_says_the_same_makes_no_segment_surer() -> None:
    # Two cutoffs of one series are no two witnesses: the standard error is that over series.
    loss = {"baseline": losses(9.0, 9.0), "overall": losses(2.0, 4.0), "own": losses(8.0, 3.8, 1.5)}
    twice = {name: Scores(own.by_cutoff * 2) for name, own in loss.items()}
    assert choose(loss, SEGMENTS, 0.02) == choose(twice, SEGMENTS, 0.02)


def test_the_choice_is_scored_by_whom_it_serves() -> None:
    race = {"baseline": losses(9.0, 3.0), "overall": losses(2.0, 4.0)}
    chosen = {"A-smooth": "overall", "C-smooth": "baseline"}
    half = np.arange(2 * N) % 2 == 0
    table = score_table(race, SEGMENTS, chosen, {"AX": half & FIRST, "B": np.zeros(2 * N, np.bool_), "X": half})
    own = table[table["model"] == "best_of"].set_index("segment")
    assert own["loss"].to_dict() == pytest.approx({"all": 2.5, "AX": 2.0, "X": 2.5})
    assert own["n_series"].to_dict() == {"all": 2 * N, "AX": N / 2, "X": N}
    # The error of an interval is its loss here, of a demand of 10.
    assert own["wape"]["all"] == pytest.approx(0.25)
    baseline = table[table["model"] == "baseline"].set_index("segment")
    assert baseline["loss"][["all", "AX", "X"]].tolist() == pytest.approx([6.0, 9.0, 6.0])
    assert set(table.loc[table["model"] == "overall", "segment"]) == {"all", "A-smooth", "C-smooth"}
