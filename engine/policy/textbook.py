"""Textbook stock formulas, for planners who ask and as oracles of the sampled curves.

Sources: SS = Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed., Wiley 2019 (equation numbers);
SPT = Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 4th ed., CRC Press 2017 (chapters).
Units and their standard deviations; unmet demand is backordered.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import betainc, ndtr, ndtri, pdtr


def critical_ratio(holding_cost: float, shortage_cost: float) -> float:
    """Return the share of outcomes to cover at least cost, p / (h + p) (SS eq. 4.27)."""
    if not holding_cost >= 0 or not shortage_cost > 0:
        raise ValueError(f"costs must be >= 0 and > 0. Got {holding_cost} and {shortage_cost} instead.")
    return shortage_cost / (holding_cost + shortage_cost)


def interval_moments(
    demand_mean: float, demand_sd: float, days_mean: float, days_sd: float = 0.0
) -> tuple[float, float]:
    """Return mean and standard deviation of demand over an interval of random length (SPT chapter 6).

    Daily demand, of the given mean and deviation, is independent from day to day and of the length:
    variance = days_mean * demand_sd ** 2 + demand_mean ** 2 * days_sd ** 2.
    """
    return days_mean * demand_mean, math.sqrt(days_mean * demand_sd**2 + demand_mean**2 * days_sd**2)


def normal_safety_stock(service: float, demand_sd: float) -> float:
    """Return the safety stock for a cycle service and the deviation of demand over R + L (SS eq. 4.30)."""
    return float(ndtri(_share(service))) * demand_sd


def normal_loss(level: float, mean: float, sd: float) -> float:
    """Return E[max(0, D - level)] for normal demand (SS eqs. C.22 and C.31)."""
    z = (level - mean) / sd
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return sd * (density - z * float(ndtr(-z)))


def normal_order_up_to_for_fill_rate(
    fill_rate: float, lead: tuple[float, float], protection: tuple[float, float]
) -> float:
    """Return the least order-up-to level of an (R, S) policy that reaches a fill rate (SPT chapter 6).

    Units short in a cycle are those short at its end less those already short when it begins, so
    E[short] = loss(S over R + L) - loss(S over L). The second term is often left out, which overstates shortage.

    Parameters
    ----------
    lead, protection
        Mean and deviation of demand over L and over R + L; their means differ by the demand of a cycle.
    """
    allowed = (1.0 - _share(fill_rate)) * (protection[0] - lead[0])

    def short(level: float) -> float:
        return normal_loss(level, *protection) - normal_loss(level, *lead)

    high = protection[0] + protection[1]
    while short(high) > allowed:
        high += protection[1]
    low = lead[0] - 10.0 * protection[1]
    while high - low > 1e-9 * max(1.0, abs(high)):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if short(middle) > allowed else (low, middle)
    return high


def poisson_order_up_to(service: float, mean: float) -> int:
    """Return the least S with P(D <= S) >= service for Poisson demand over R + L (SS section 4.3)."""
    return _least_level(lambda level: float(pdtr(level, mean)), service)


def negative_binomial_order_up_to(service: float, mean: float, variance: float) -> int:
    """Return the least S with P(D <= S) >= service for negative binomial demand; ``variance`` above ``mean``."""
    successes, probability = _negative_binomial(mean, variance)
    return _least_level(lambda level: float(betainc(successes, level + 1, probability)), service)


def poisson_loss(level: int, mean: float) -> float:
    """Return E[max(0, D - level)] for Poisson demand, by E[(D - S)+] = E[D] - sum of P(D > x) over x < S."""
    return mean - sum(1.0 - float(pdtr(x, mean)) for x in range(level))


def _least_level(distribution: Callable[[int], float], service: float) -> int:
    _share(service)
    high = 1
    while distribution(high) < service:
        high *= 2
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if distribution(middle) < service else (low, middle)
    return high


def _negative_binomial(mean: float, variance: float) -> tuple[float, float]:
    """Return the number of successes and their probability that give these moments."""
    if not variance > mean > 0:
        raise ValueError(f"moments must satisfy variance > mean > 0. Got {variance} and {mean} instead.")
    return mean * mean / (variance - mean), mean / variance


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"a service must lie in (0, 1). Got {value} instead.")
    return value
