"""The chance of a sale in a bucket as a hidden Markov chain that all series share.

Every series is, in every bucket, in one of a few states, each with its own chance of a sale; from bucket to bucket
it mostly stays, sometimes moves. How often it moves, where to, and where series start is learnt from all of them: so
new parts, dying parts and slow drift are what the data show them to be, and a series with little history is read in
the light of the others. The first state is that of a series not in demand yet: none comes back to it, so that what
a first sale promises is not mistaken for what a late one does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

N_RATES = 20
LEAST, MOST = 0.0005, 0.995
"""Chances of a sale, evenly spaced in log odds; the state of no demand yet has the least of them too."""

STAY, REACH = 0.97, 3.0
PRIOR_MOVES = 20.0
"""What is assumed of the moves before any is seen: staying with this probability, else mostly to one of the states
within reach; it counts as this many moves from each state."""

N_ROUNDS = 25
"""Rounds of expectation and maximisation; the score on later buckets changes little after 20."""

MAX_CELLS = 200_000
"""Buckets of series that the chain is learnt from; beyond it every k-th series is left in."""


@dataclass(frozen=True)
class Evidence:
    """What the history says of sales, arrays of shape (n, n_history).

    Parameters
    ----------
    sold
        Whether the bucket had a sale.
    share
        Share of the bucket in which a sale would have been seen: 0 where not on offer, below 1 where censored.
    exposure
        How many plain buckets this one is worth by season and known effects, > 0.
    """

    sold: Bools
    share: Floats
    exposure: Doubles

    def take(self, rows: npt.NDArray[np.int64]) -> Evidence:
        """Return the evidence of some series."""
        return Evidence(self.sold[rows], self.share[rows], self.exposure[rows])


@dataclass(frozen=True)
class SaleChain:
    """States of a series and its moves between them.

    Parameters
    ----------
    rate
        Chance of a sale in a bucket, by state, shape (n_states,).
    start
        Chance of each state in the first bucket, shape (n_states,).
    move
        Chance of going from a state (row) to another (column) between buckets, shape (n_states, n_states).
    """

    rate: Doubles
    start: Doubles
    move: Doubles

    def ahead(self, evidence: Evidence) -> Doubles:
        """Return the chance of each state in the bucket after the history, shape (n_states, n)."""
        n, n_history = evidence.sold.shape
        chance = np.repeat(self.start[:, None], n, axis=1)
        for t in range(n_history):
            chance = self.next(_given(chance, self.likelihood(evidence, t)))
        return chance

    def likelihood(self, evidence: Evidence, t: int) -> Doubles:
        """Return the likelihood of each state in bucket ``t``, shape (n_states, n).

        A sale falls anywhere in the bucket: none was seen in a share of it with probability 1 - share * rate.
        """
        rate = rate_over(self.rate[:, None], evidence.exposure[:, t])
        return np.where(evidence.sold[:, t], rate, 1 - evidence.share[:, t] * rate)

    def rate_of(self, chance: Doubles) -> Doubles:
        """Return the chance of a sale in a plain bucket from that of the states (n_states, n), shape (n,)."""
        total = np.zeros(chance.shape[1])
        for state, rate in enumerate(self.rate):
            total += rate * chance[state]
        return total

    def next(self, chance: Doubles) -> Doubles:
        """Return the chance of each state one bucket later, shape (n_states, n).

        Added up state by state: a matrix product gives other last bits in another batch.
        """
        later = np.zeros_like(chance)
        for state, row in enumerate(self.move):
            later += row[:, None] * chance[state]
        return later


def rate_over(rate: Doubles, exposure: Doubles) -> Doubles:
    """Return the chance of a sale in a bucket that is worth ``exposure`` plain ones of chance ``rate``."""
    if (exposure == 1).all():
        return np.broadcast_to(rate, np.broadcast_shapes(rate.shape, exposure.shape))
    return np.where(exposure == 1, rate, -np.expm1(exposure * np.log1p(-rate)))


def read_evidence(panel: DemandPanel, exposure: Doubles) -> Evidence:
    """Return which buckets had a sale, and how much of each bucket could have had one.

    ``exposure`` says of every bucket how many plain ones it is worth, shape (n, n_buckets).
    """
    h = panel.calendar.n_history
    offer = on_offer(panel)[:, :h]
    share = np.where(offer, panel.available, np.float32(0))
    return Evidence(offer & (panel.units > 0), share, exposure[:, :h])


def evenly(n: int, most: int) -> npt.NDArray[np.int64]:
    """Return at most ``most`` of the numbers 0 to ``n`` - 1, evenly spaced."""
    return np.arange(n) if n <= most else np.rint(np.linspace(0, n - 1, most)).astype(np.int64)


def learn_chain(evidence: Evidence) -> SaleChain:
    """Return the chain that explains the sales of all series best (Baum, Petrie, Soules and Weiss 1970)."""
    odds = np.linspace(np.log(LEAST / (1 - LEAST)), np.log(MOST / (1 - MOST)), N_RATES)
    rate = np.concatenate([[LEAST], 1 / (1 + np.exp(-odds))])
    assumed = _assumed_moves()
    start, move = np.concatenate([[0.5], np.full(N_RATES, 0.5 / N_RATES)]), assumed
    n, n_history = evidence.sold.shape
    if n == 0 or n_history == 0:
        return SaleChain(rate, start, move)
    part = evidence.take(evenly(n, max(1, MAX_CELLS // n_history)))
    likelihood = np.stack([SaleChain(rate, start, move).likelihood(part, t) for t in range(n_history)])
    with threadpool_limits(limits=1):
        for _ in range(N_ROUNDS):
            first, moves = _expected(SaleChain(rate, start, move), likelihood)
            start = (first + 0.5) / (first + 0.5).sum()
            move = moves + PRIOR_MOVES * assumed
            move = move / move.sum(axis=1, keepdims=True)
    return SaleChain(rate, start, move)


def _assumed_moves() -> Doubles:
    state = np.arange(N_RATES)
    near = np.exp(-np.abs(state[:, None] - state) / REACH)
    np.fill_diagonal(near, 0)
    move = np.zeros((N_RATES + 1, N_RATES + 1))
    move[1:, 1:] = (1 - STAY) * near / near.sum(axis=1, keepdims=True)
    move[0, 1:] = (1 - STAY) / N_RATES
    np.fill_diagonal(move, STAY)
    return move


def _given(chance: Doubles, likelihood: Doubles) -> Doubles:
    """Return the chance of each state given the likelihood of what was seen, shape (n_states, n)."""
    weight = chance * likelihood
    total = weight[0].copy()
    for row in weight[1:]:
        total += row
    return np.asarray(weight / total, np.float64)


def _expected(chain: SaleChain, likelihood: Doubles) -> tuple[Doubles, Doubles]:
    """Return the expected number of series in each state at first, and of moves from state to state.

    ``likelihood`` is that of each state in each bucket of the history, shape (n_history, n_states, n).
    """
    n_history, n_states, n = likelihood.shape
    held = np.empty(likelihood.shape)
    chance = np.repeat(chain.start[:, None], n, axis=1)
    for t in range(n_history):
        held[t] = _given(chance, likelihood[t])
        chance = chain.move.T @ held[t]
    moves = np.zeros((n_states, n_states))
    after = np.ones((n_states, n))
    for t in range(n_history - 1, 0, -1):
        after = after * likelihood[t]
        after /= ((chain.move.T @ held[t - 1]) * after).sum(axis=0)
        moves += chain.move * (held[t - 1] @ after.T)
        after = chain.move @ after
    first = held[0] * after
    return (first / first.sum(axis=0)).sum(axis=1), moves
