"""Limits that all items of a plan share: the budget, what suppliers deliver in a week, the room of sites.

Where the orders of all parts together ask for more than a limit allows, limits are priced (`engine.limits`): every
purchase is one item with one site, its curve as in `engine.plan.ladders`. It may be cut lot by lot, not below its
least order except to nothing. Moves between own sites are as decided; they take up room first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.limits.problem import Curves, Lanes, Purchases, ScarceProblem, Use
from engine.limits.solve import ScarceParams, ScarceSolution, solve_scarce
from engine.messages import Message
from engine.network.decision import Curbed
from engine.network.params import LimitParams
from engine.network.types import BINDING, BUDGET, SITE_CAPACITY, SUPPLIER_CAPACITY, Network
from engine.plan.ladders import Ladders
from engine.plan.tables import empty_table, plan_table
from engine.policy.price_lines import PriceLines
from engine.policy.types import F64, I64, Bools, Days, Texts
from engine.tables import Tables

_SLACK = 1e-6


@dataclass(frozen=True)
class SharedLimits:
    """What limits there are; places without one are not in them.

    Parameters
    ----------
    as_of
        Day of the plan.
    budget
        Money for today's orders, inf without limit.
    per_week
        Units that a supplier delivers of orders of one calendar week.
    ordered
        Units on open orders by supplier and the Monday of the week in which they were ordered.
    volume
        Volume that a site holds.
    """

    as_of: np.datetime64
    budget: float
    per_week: Mapping[str, float]
    ordered: Mapping[tuple[str, np.datetime64], float]
    volume: Mapping[str, float]


@dataclass(frozen=True)
class Shared:
    """What sharing limits led to: cuts by part (None: none), the tables ``limits`` and ``next_best``, and notes."""

    curbed: list[Curbed | None]
    tables: dict[str, pd.DataFrame]
    notes: tuple[Message, ...]


def shared_limits(tables: Tables, params: LimitParams, network: Network) -> SharedLimits | None:
    """Return the limits that the orders of a plan share, None where there are none."""
    as_of = network.calendar.as_of
    suppliers, sites = network.suppliers, tables["locations"]
    per_week = _given(suppliers, "source_id", "capacity_units_per_week")
    volume = _given(sites, "location_id", "capacity_volume")
    if params.budget is None and not per_week and not volume:
        return None
    lines = tables.known_on(as_of)["open_orders"]
    lines = lines[(lines["status"] != "draft") & lines["ordered_on"].notna() & lines["source_id"].isin(list(per_week))]
    ordered: dict[tuple[str, np.datetime64], float] = {}
    weeks = _mondays(lines["ordered_on"].to_numpy().astype("datetime64[D]"))
    for source, week, units in zip(lines["source_id"].astype(object), weeks, lines["units"], strict=True):
        ordered[str(source), week] = ordered.get((str(source), week), 0.0) + float(units)
    return SharedLimits(as_of, np.inf if params.budget is None else params.budget, per_week, ordered, volume)


def share_limits(limits: SharedLimits | None, parts: Sequence[Ladders | None], n_options: Sequence[int]) -> Shared:
    """Return which purchases are cut so that all limits hold, at least cost.

    ``parts`` in order, each with the number of its options in ``n_options``.
    """
    nothing: list[Curbed | None] = [None] * len(parts)
    known = [part for part in parts if part is not None]
    if limits is None or not known:
        return Shared(nothing, {name: empty_table(name) for name in ("limits", "next_best")}, ())
    rows = _Rows.of(known)
    frame, uses = _resources(limits, rows, known, rows.columns["money"])
    bound = frame["bound"].to_numpy(dtype=np.float64)
    problem = _problem(rows, uses, bound)
    asked = problem.used(rows.lots[None, :], np.zeros((0, rows.n)))
    notes = [Message("site-room-at-landing", {"count": len(limits.volume)})] if limits.volume else []
    exceeded = asked > bound + _SLACK * np.maximum(1.0, bound)
    if not exceeded.any():
        return Shared(
            nothing,
            {"limits": _limits_table(frame, asked, asked, 0.0 * bound), "next_best": empty_table("next_best")},
            tuple(notes),
        )
    found = solve_scarce(problem, ScarceParams())
    if rows.paid(found.lots[0]) > limits.budget + _SLACK * max(1.0, limits.budget):
        # Fewer units can cost more each: with every line at its dearest price the budget surely holds.
        problem = _problem(rows, _resources(limits, rows, known, rows.dearest)[1], bound)
        found = solve_scarce(problem, ScarceParams())
    granted = found.lots[0]
    used = problem.used(found.lots, found.moved)
    if np.isfinite(limits.budget):
        used[frame["limit"].to_numpy(dtype=object) == BINDING[BUDGET]] = rows.paid(granted)
    cut = granted < rows.lots
    names = _binding(frame, uses, found, (used, bound), cut)
    values = {
        "count": int(cut.sum()),
        "gap": found.gap,
        "limits": int(exceeded.sum()),
    }
    notes.append(Message("limits-shared", values))
    tables = {
        "limits": _limits_table(frame, asked, used, found.prices),
        "next_best": _next_best(rows, problem, granted, names),
    }
    return Shared(_by_part(parts, n_options, granted * rows.size, names), tables, tuple(notes))


@dataclass(frozen=True)
class _Rows:
    """The purchases of all parts, joined."""

    columns: Mapping[str, Any]
    lots: F64
    n: int
    prices: tuple[PriceLines, ...]

    @classmethod
    def of(cls, parts: Sequence[Ladders]) -> _Rows:
        names = ("line_id", "item_id", "source_id", "location_id", "order_date")
        numbers = ("units", "size", "least", "money", "volume", "ends", "value")
        columns = {name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names + numbers}
        lots = np.rint(columns["units"] / columns["size"])
        return cls(columns, lots, len(lots), tuple(part.prices for part in parts))

    def paid(self, lots: F64) -> float:
        """Return what so many lots of every purchase cost together; one without a price costs nothing."""
        counts = np.cumsum([len(one.start) for one in self.prices])[:-1]
        parts = zip(self.prices, np.split(lots * self.size, counts), strict=True)
        return float(sum(np.nansum(prices.paid(units)) for prices, units in parts))

    @property
    def dearest(self) -> F64:
        """The highest price of a unit of every purchase, shape (n,)."""
        each = [np.where(np.isfinite(one.start), one.price, -np.inf).max(axis=1) for one in self.prices]
        return np.concatenate(each)

    @property
    def size(self) -> F64:
        size: F64 = self.columns["size"]
        return size


def _resources(
    limits: SharedLimits, rows: _Rows, parts: Sequence[Ladders], money: F64
) -> tuple[pd.DataFrame, tuple[Use, ...]]:
    """Return the limits, one a row (limit, place_id, from_date, bound), and what of them each purchase uses.

    ``money``: price of a unit of each.
    """
    found: list[tuple[str, str, np.datetime64, float]] = []
    uses = []
    columns = rows.columns
    if np.isfinite(limits.budget):
        found.append((BINDING[BUDGET], "", limits.as_of, limits.budget))
        uses.append(_use(np.where(money > 0, 0, -1), money))
    week = _mondays(columns["order_date"])
    pairs = list(zip(columns["source_id"].tolist(), week, strict=True))
    number = {}
    for source, monday in sorted({pair for pair in pairs if pair[0] in limits.per_week}):
        left = limits.per_week[source] - limits.ordered.get((source, monday), 0.0)
        number[source, monday] = len(found)
        found.append((BINDING[SUPPLIER_CAPACITY], source, monday, max(left, 0.0)))
    if number:
        uses.append(_use(np.array([number.get(pair, -1) for pair in pairs]), np.ones(rows.n)))
    held: dict[str, float] = {}
    for part in parts:
        sites, place = np.unique(part.held_at.astype(str), return_inverse=True)
        for site, volume in zip(sites.tolist(), np.bincount(place, weights=part.held_volume).tolist(), strict=True):
            held[site] = held.get(site, 0.0) + volume
    room = {}
    for site in sorted(limits.volume):
        if site in held:
            room[site] = len(found)
            found.append((BINDING[SITE_CAPACITY], site, limits.as_of, max(limits.volume[site] - held[site], 0.0)))
    if room:
        taken = np.array([room.get(site, -1) for site in columns["location_id"].tolist()])
        uses.append(_use(np.where(columns["volume"] > 0, taken, -1), columns["volume"]))
    return pd.DataFrame(found, columns=["limit", "place_id", "from_date", "bound"]), tuple(uses)


def _use(resource: I64, amount: F64) -> Use:
    return Use(resource.astype(np.int64)[None, :], np.where(resource >= 0, amount, 1.0)[None, :])


def _problem(rows: _Rows, uses: tuple[Use, ...], bound: F64) -> ScarceProblem:
    columns, none = rows.columns, np.zeros(0, dtype=np.int64)
    return ScarceProblem(
        stock=np.zeros((1, rows.n)),
        curves=Curves(columns["ends"][None], columns["value"][None], np.zeros((1, rows.n))),
        purchases=Purchases(
            rows.size[None, :], columns["least"][None, :], rows.lots[None, :], np.zeros((1, rows.n)), uses
        ),
        lanes=Lanes(none, none, np.zeros(0), np.zeros(0), none, columns["volume"]),
        bound=bound,
    )


def _binding(
    frame: pd.DataFrame, uses: tuple[Use, ...], found: ScarceSolution, room: tuple[F64, F64], cut: Bools
) -> Texts:
    """Return the limit that costs each cut purchase most by its price, or by what is left of it; "" where not cut."""
    used, bound = room
    left = np.where(bound > 0, (bound - used) / np.where(bound > 0, bound, 1.0), 0.0)
    best = np.full(len(cut), -np.inf)
    names = np.full(len(cut), "", dtype=object)
    kinds = frame["limit"].to_numpy(dtype=object)
    for use in uses:
        at = use.resource[0]
        # Of limits without a price the fullest is told.
        weight = np.where(at >= 0, found.prices[at] * use.amount[0] - 1e-9 * left[at], -np.inf)
        better = cut & (weight > best)
        best[better], names[better] = weight[better], kinds[at[better]]
    return names


def _limits_table(frame: pd.DataFrame, asked: F64, used: F64, prices: F64) -> pd.DataFrame:
    return plan_table(
        "limits",
        {
            **{str(name): frame[name].to_numpy() for name in ("limit", "place_id", "from_date", "bound")},
            "asked": np.round(asked, 6),
            "used": np.round(used, 6),
            "price": np.round(prices, 6),
        },
    )


def _next_best(rows: _Rows, problem: ScarceProblem, granted: F64, names: Texts) -> pd.DataFrame:
    """Return what would be bought next, the most saved for its money first: the next lots of every cut purchase."""
    columns = rows.columns
    lots = np.where(granted == 0, columns["least"], 1.0)
    units = lots * rows.size
    level = granted * rows.size
    gain = problem.curves.worth(0, level + units) - problem.curves.worth(0, level)
    value = units * columns["money"]
    rate = np.divide(gain, value, out=np.full(rows.n, np.nan), where=value > 0)
    cut = np.flatnonzero(names != "")
    line = columns["line_id"].astype(str)
    # What costs nothing stands first.
    order = cut[np.lexsort((line[cut], -np.where(np.isnan(rate), np.inf, rate)[cut]))]
    told = ("line_id", "item_id", "source_id", "location_id", "order_date")
    return plan_table(
        "next_best",
        {
            "rank": np.arange(1, len(order) + 1),
            **{name: columns[name][order] for name in told},
            "limit": names[order],
            "units": units[order],
            "value": np.round(value[order], 4),
            "gain": np.round(gain[order], 4),
            "gain_per_money": np.round(rate[order], 6),
        },
    )


def _by_part(
    parts: Sequence[Ladders | None], n_options: Sequence[int], units: F64, names: Texts
) -> list[Curbed | None]:
    curbed: list[Curbed | None] = []
    first = 0
    for part, n in zip(parts, n_options, strict=True):
        here = slice(first, first + (0 if part is None else len(part.option)))
        first = here.stop
        if part is None or not (names[here] != "").any():
            curbed.append(None)
            continue
        of_option, why = np.zeros(n), np.full(n, "", dtype=object)
        of_option[part.option], why[part.option] = units[here], names[here]
        curbed.append(Curbed(of_option, why))
    return curbed


def _given(frame: pd.DataFrame, key: str, name: str) -> dict[str, float]:
    known = frame[frame[name].notna()]
    return dict(zip(known[key].astype(object).astype(str), known[name].astype(np.float64), strict=True))


def _mondays(days: Days) -> Days:
    """Return the Monday of each day's week."""
    number = days.astype("datetime64[D]").astype(np.int64)
    # 1970-01-01 was a Thursday.
    return np.asarray((number - (number + 3) % 7).astype("datetime64[D]"))
