"""The tables of a replay: what each policy reached, by class and over time, and how sure the differences are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.policy.types import F64, I64, Bools, Texts
from engine.simulation.bootstrap import Measure, Redraw, Sums, differences
from experiments.replay.measures import COST_TERMS, PRESALE_UNITS, Score

MEASURES: Mapping[str, Measure] = {
    "cost": lambda sums: sums["cost"],
    "fill_rate": lambda sums: 1.0 - _part(sums["short"], sums["demand"]),
    "stock_out_share": lambda sums: _part(sums["ran_out"], sums["asked"]),
    "stock_value": lambda sums: sums["stock_value"] / np.maximum(sums["weeks"], 1.0),
}
"""Figures whose differences are told with their interval."""

_SUMMED = ("cost", "demand", "short", "ran_out", "asked", "stock_value", "weeks")


@dataclass(frozen=True)
class Grounds:
    """What scores are read with.

    Parameters
    ----------
    item_id, location_id, abc
        Of each cell, shape (n_cells,).
    sells
        Which cells have demand of their own.
    weeks
        Mondays or first days of the scored weeks.
    n_buckets
        Scored buckets, days or weeks.
    value
        Worth of a unit in stock, shape (n_cells,).
    """

    item_id: Texts
    location_id: Texts
    abc: Texts
    sells: Bools
    weeks: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    n_buckets: int
    value: F64

    @property
    def item(self) -> I64:
        """Number of each cell's item."""
        return np.unique(self.item_id.astype(str), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class Compared:
    """Which policies are compared with which.

    Parameters
    ----------
    order
        All policies, as they are shown.
    pairs
        Pairs of (base, other) whose differences are told.
    between
        The textbook policy and the bound that others have their place between.
    seed
        Of the draws.
    """

    order: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    between: tuple[str, str]
    seed: int
    redraw: Redraw = field(default_factory=Redraw)


def replay_tables(scores: Sequence[Score], grounds: Grounds, compared: Compared) -> dict[str, pd.DataFrame]:
    """Return the tables of a replay by name."""
    place = {name: number for number, name in enumerate(compared.order)}
    scores = sorted(scores, key=lambda score: (score.assumption != "sales", place[score.policy]))
    return {
        "summary": _with_place(pd.DataFrame([_summary(score, grounds) for score in scores]), compared.between),
        "by_class": pd.DataFrame([row for score in scores for row in _by_class(score, grounds)]),
        "weekly": pd.concat([_weekly(score, grounds) for score in scores], ignore_index=True),
        "costs": pd.DataFrame([row for score in scores for row in _costs(score)]),
        "differences": _differences(scores, grounds, compared),
        "items": pd.concat([_items(score, grounds) for score in scores], ignore_index=True),
    }


def _summary(score: Score, grounds: Grounds) -> dict[str, object]:
    everything = np.ones(len(grounds.abc), bool)
    row: dict[str, object] = {"policy": score.policy, "demand_as": score.assumption}
    row |= _figures(score, grounds, everything)
    totals = score.totals
    row["cycle_service"] = _ratio(totals["n_cycles"] - totals["n_cycles_short"], totals["n_cycles"])
    for name in ("orders", "order_lines", "transfers", "units_bought", "value_bought", "units_moved"):
        row[name] = totals[name]
    row["opening_value"], row["closing_value"] = totals["opening_value"], totals["closing_value"]
    row["expired"] = float(score.units["expired"].sum())
    row["marked_share"] = _ratio(score.units["marked"].sum(), grounds.n_buckets * grounds.sells.sum())
    row["beyond_sales"] = float(score.units["beyond_sales"].sum())
    return row


def _figures(score: Score, grounds: Grounds, rows: Bools) -> dict[str, float]:
    """Return the figures of some cells: cost, service, stock and turns."""
    units = {name: array[rows] for name, array in score.units.items()}
    n_weeks = len(grounds.weeks)
    stock_value = float(units["stock_value"].sum()) / n_weeks
    sold_value = float((grounds.value[rows, None] * (units["served"] + units["presale_served"])).sum())
    return {
        "cost": float(sum(array[rows].sum() for array in score.costs.values())),
        "fill_rate": 1.0 - _ratio(units["short"].sum(), units["demand"].sum()),
        "stock_out_share": _ratio(units["ran_out"].sum(), units["asked"].sum()),
        "demand": float(units["demand"].sum()),
        "short": float(units["short"].sum()),
        "stock_units": float(units["stock"].sum()) / n_weeks,
        "stock_value": stock_value,
        "turns": _ratio(sold_value * 52.0 / n_weeks, stock_value),
        **_presale_figures({name: float(units[name].sum()) for name in PRESALE_UNITS}),
    }


def _presale_figures(units: Mapping[str, float]) -> dict[str, float]:
    """Return presale units, the share that left on the first day, and the mean days waited; NaN without presales."""
    owed = units["presale_units"] + units["presale_before"]
    return {
        "presale_units": units["presale_units"],
        "presale_local": _ratio(units["presale_on_time"], units["presale_units"]),
        "presale_waiting_days": _ratio(units["presale_days"], owed),
    }


def _with_place(summary: pd.DataFrame, between: tuple[str, str]) -> pd.DataFrame:
    """Return the summary with each policy's place by cost between two others: 0 is the first, 1 the second.

    Where the first costs no more than the second there is no place between them.
    """
    place = np.full(len(summary), np.nan)
    cost = summary["cost"].to_numpy(np.float64)
    for assumption in summary["demand_as"].unique():
        own = (summary["demand_as"] == assumption).to_numpy(bool)
        ends = [cost[own & (summary["policy"] == name).to_numpy(bool)] for name in between]
        if all(len(end) for end in ends) and ends[0][0] > ends[1][0]:
            place[own] = (ends[0][0] - cost[own]) / (ends[0][0] - ends[1][0])
    return summary.assign(place=place)


def _by_class(score: Score, grounds: Grounds) -> list[dict[str, object]]:
    rows = []
    for letter in sorted(set(grounds.abc)):
        of_class = grounds.abc == letter
        figures = _figures(score, grounds, of_class)
        rows.append({"policy": score.policy, "demand_as": score.assumption, "abc": letter, **figures})
    return rows


def _weekly(score: Score, grounds: Grounds) -> pd.DataFrame:
    total = {name: array.sum(axis=0) for name, array in score.units.items()}
    return pd.DataFrame(
        {
            "policy": score.policy,
            "demand_as": score.assumption,
            "date": grounds.weeks.astype("datetime64[ns]"),
            "demand": total["demand"],
            "short": total["short"],
            "fill_rate": 1.0 - _part(total["short"], total["demand"]),
            "stock_units": total["stock"],
            "stock_value": total["stock_value"],
            **{f"cost_{term}": score.costs[term].sum(axis=0) for term in COST_TERMS},
            "cost": sum(array.sum(axis=0) for array in score.costs.values()),
        }
    )


def _costs(score: Score) -> list[dict[str, object]]:
    return [
        {"policy": score.policy, "demand_as": score.assumption, "term": term, "value": float(array.sum())}
        for term, array in score.costs.items()
    ]


def _items(score: Score, grounds: Grounds) -> pd.DataFrame:
    units = {name: array.sum(axis=1) for name, array in score.units.items()}
    return pd.DataFrame(
        {
            "policy": score.policy,
            "demand_as": score.assumption,
            "item_id": pd.array(grounds.item_id, dtype="string[pyarrow]"),
            "location_id": pd.array(grounds.location_id, dtype="string[pyarrow]"),
            "abc": grounds.abc,
            "demand": units["demand"],
            "short": units["short"],
            "stock_units": units["stock"] / len(grounds.weeks),
            "stock_value": units["stock_value"] / len(grounds.weeks),
            "cost": sum(array.sum(axis=1) for array in score.costs.values()),
            "beyond_sales": units["beyond_sales"],
            "presale_units": units["presale_units"],
            "presale_on_time": units["presale_on_time"],
            "presale_days": units["presale_days"],
        }
    )


def _differences(scores: Sequence[Score], grounds: Grounds, compared: Compared) -> pd.DataFrame:
    by_name = {(score.assumption, score.policy): score for score in scores}
    rows = []
    for assumption in dict.fromkeys(score.assumption for score in scores):
        for base, other in compared.pairs:
            if (assumption, base) not in by_name or (assumption, other) not in by_name:
                continue
            first, second = (_by_item(by_name[assumption, name], grounds) for name in (base, other))
            # The same draws for every pair, so that all differences are judged on the same items and weeks.
            found = differences(first, second, MEASURES, compared.redraw, np.random.default_rng(compared.seed))
            rows += [
                {
                    "policy": other, "base": base, "demand_as": assumption, "measure": name,
                    "difference": interval.difference, "low": interval.low, "high": interval.high,
                }
                for name, interval in found.items()
            ]  # fmt: skip
    columns = ["policy", "base", "demand_as", "measure", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _by_item(score: Score, grounds: Grounds) -> Sums:
    """Return what `MEASURES` sum, by item and week."""
    item = grounds.item
    n_items, n_weeks = int(item.max(initial=-1)) + 1, len(grounds.weeks)
    arrays = {**score.units, "cost": np.sum(list(score.costs.values()), axis=0)}
    sums = {}
    for name in _SUMMED[:-1]:
        sums[name] = np.zeros((n_items, n_weeks))
        np.add.at(sums[name], item, arrays[name])
    # Of each drawn item an even share of its week, so that their sum counts weeks.
    sums["weeks"] = np.full((n_items, n_weeks), 1.0 / n_items)
    return sums


def _part(part: F64, whole: F64) -> F64:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0 else float("nan")
