"""What the report shows: totals, tables of text, and the items that matter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_integer_dtype, is_numeric_dtype

from engine.plan.tables import column_kinds
from engine.plan.types import PLAN_TABLES
from experiments.exchange.catalogue import Catalogue, plain_number
from experiments.exchange.charts import Chart, fan_chart, stock_chart
from experiments.exchange.plan_meta import PlanMeta
from models.value_added import EVERY, NAMES, forecast_value_added

Tables = Mapping[str, pd.DataFrame]

N_ITEMS = 12
_HISTORY_PER_FORECAST = 2  # drawn buckets of history for each bucket of forecast


@dataclass(frozen=True)
class Total:
    """A figure of the summary: a label, the figure, and a line below it."""

    label: str
    figure: str
    note: str


@dataclass(frozen=True)
class Grid:
    """A table as text; ``numeric`` says which columns are set flush right. ``left_out`` rows are not shown."""

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class ItemCard:
    """An item at a place: its facts, sentences, what makes up its forecast, and charts."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    forecast_reasons: tuple[str, ...]
    charts: tuple[Chart, ...]


def totals(tables: Tables) -> tuple[Total, ...]:
    """Return the figures at the top of the report."""
    orders, transfers, targets = tables["orders"], tables["transfers"], tables["targets"]
    unpriced = int(orders["value"].isna().sum())
    presale, found = tables["presale_allocations"], tables["alerts"]
    figures = [
        Total("Purchases", money(orders["value"].sum()), f"{_count(orders, 'line')}, {_units(orders)} units"
              + (f"; {unpriced} without a price" if unpriced else "")),
        Total("Transfers", _units(transfers), f"units in {_count(transfers, 'line')}"),
        Total("Alerts", f"{len(found):,}", f"{money(found['money_at_stake'].sum())} at stake"),
        Total("Expected cost", money(tables["costs"]["value"].sum()), "holding, shortage, ordering and moving"),
    ]  # fmt: skip
    if len(presale):
        placed = presale[presale["supply_kind"] != "short"]
        later = _units(presale[presale["reason_code"] == "presale-not-covered-yet"])
        short = _units(presale[presale["reason_code"] == "presale-short"])
        told = f"units placed; {later} left to later orders, {short} short"
        figures.insert(2, Total("Presale", _units(placed), told))
    if len(targets):
        weights = targets["protection_demand"].to_numpy()
        known = targets["expected_service"].notna().to_numpy() & (weights > 0)
        if known.any():
            service = float(np.average(targets["expected_service"].to_numpy()[known], weights=weights[known]))
            figures.append(Total("Expected service", f"{service:.1%}", f"over {len(targets):,} items and places"))
    return tuple(figures)


def grid(
    table: pd.DataFrame,
    columns: Sequence[str],
    limit: int,
    catalogue: Catalogue,
    name: str = "",
    as_kind: Mapping[str, str] | None = None,
) -> Grid:
    """Return the first rows of a table as text, formatted by kind.

    Parameters
    ----------
    columns
        Columns to show, in order.
    limit
        Most rows to show.
    name
        Table of the plan, for the kinds of its columns; without one the kinds are read off the values.
    as_kind
        Kinds of columns that no table of the plan has.
    """
    kinds = {**(column_kinds(name, list(table.columns)) if name in PLAN_TABLES else {}), **(as_kind or {})}
    shown = table.head(limit)
    texts = [_texts(shown[column], kinds.get(column, "")) for column in columns]
    numeric = tuple(is_numeric_dtype(table[column]) and not is_bool_dtype(table[column]) for column in columns)
    return Grid(
        headings=tuple(catalogue.heading(column) for column in columns),
        numeric=numeric,
        rows=tuple(zip(*texts, strict=True)),
        left_out=len(table) - len(shown),
    )


def by_source(lines: pd.DataFrame, keys: Sequence[str], catalogue: Catalogue, name: str) -> Grid:
    """Return lines, units and value by source (and place), most money first."""
    sums = lines.groupby(list(keys), as_index=False).agg(
        lines=("line_id", "size"), units=("units", "sum"), value=("value", "sum")
    )
    sums = sums.sort_values(["value", *keys], ascending=[False, *(True for _ in keys)])
    return grid(sums, [*keys, "lines", "units", "value"], 50, catalogue, name)


def backtest_grid(scores: pd.DataFrame, limit: int, catalogue: Catalogue) -> Grid:
    """Return scores by segment, the lowest loss first, with what each model adds over the baseline.

    Value added is the share by which a model's loss is below that of the baseline, the first model listed.
    """
    if scores.empty:
        return Grid((), (), ())
    # Classes have a table of their own.
    scores = scores[~scores["segment"].isin(set(NAMES) - {EVERY})]
    baseline = scores[scores["model"] == scores["model"].iloc[0]].set_index("segment")["loss"]
    table = scores.assign(value_added=1 - scores["loss"] / scores["segment"].map(baseline))
    table = table.sort_values(["segment", "loss"], key=_all_first, kind="stable")
    columns = [name for name in _SCORES if name in table]
    return grid(table, columns, limit, catalogue, "", dict.fromkeys(_SHARES, "share"))


def value_added_grid(scores: pd.DataFrame, limit: int, catalogue: Catalogue) -> Grid:
    """Return how much better than the baseline the chosen forecasts met the past, by ABC and XYZ class."""
    table = forecast_value_added(scores)
    if table.empty:
        return Grid((), (), ())
    columns = ("abc", "xyz", "n_series", "value_added", "wape", "baseline", "baseline_wape")
    return grid(table, columns, limit, catalogue, "", dict.fromkeys(_SHARES, "share"))


def effects_grid(details: pd.DataFrame, limit: int, catalogue: Catalogue) -> Grid:
    """Return what events, promotions and prices do to demand, with ranges: notes of the fit among the assumptions."""
    told = details.loc[details["assumption_code"] == "known-effect", "assumption_values"]
    rows = [json.loads(values) for values in told]
    table = pd.DataFrame(rows, columns=["name", "share", "value", "factor", "low", "high", "buckets"])
    at = [
        catalogue.show(share, "percent") if share is not None else "" if value is None else catalogue.show(value)
        for share, value in ((row["share"], row["value"]) for row in rows)
    ]
    table = table.assign(effect=[catalogue.factor(name) for name in table["name"]], at=at)
    return grid(table, ("effect", "at", "factor", "low", "high", "buckets"), limit, catalogue)


_SHARES = ("value_added", "wape", "bias", "coverage", "baseline_wape")
_SCORES = ("segment", "model", "n_series", "loss", "value_added", "wape", "bias", "coverage", "chosen")


def _all_first(column: pd.Series) -> pd.Series:
    return column.where(column != "all", "") if column.name == "segment" else column


def items_that_matter(tables: Tables, limit: int = N_ITEMS) -> list[tuple[str, str]]:
    """Return the pairs of item and location with most money in play, most first.

    Money in play: money at stake in alerts, value of orders, cost of leaving lines out. Pairs without any
    follow by their mean forecast.
    """
    key = ["item_id", "location_id"]
    transfers = tables["transfers"].rename(columns={"dest_id": "location_id"})
    in_play = pd.concat(
        [
            _money_by(tables["alerts"], "money_at_stake"),
            _money_by(tables["orders"], "value"),
            _money_by(tables["orders"], "cost_of_waiting"),
            _money_by(transfers, "cost_of_waiting"),
        ]
    )
    forecast = tables["forecast"].groupby(key, as_index=False)["mean"].sum()
    # A central place may have stock to project without demand of its own.
    drawn = pd.concat([forecast[key], tables["projection"][key]]).drop_duplicates().merge(forecast, on=key, how="left")
    score = drawn.merge(in_play.groupby(key, as_index=False)["money"].sum(), on=key, how="left")
    score = score.fillna({"money": 0.0, "mean": 0.0}).sort_values(
        ["money", "mean", *key], ascending=[False, False, True, True]
    )
    return [(str(item), str(place)) for item, place in score[key].head(limit).itertuples(index=False)]


def item_cards(
    tables: Tables, pairs: Iterable[tuple[str, str]], meta: PlanMeta, history: pd.DataFrame | None
) -> list[ItemCard]:
    """Return a card with charts for each pair."""
    return [_card(tables, item, place, meta, history) for item, place in pairs]


def money(value: float) -> str:
    """Return money for people, without a currency: ``"12,345"``, with cents below a hundred."""
    return f"{value:,.2f}" if abs(value) < 100 and value != round(value) else f"{value:,.0f}"


def _card(tables: Tables, item: str, place: str, meta: PlanMeta, history: pd.DataFrame | None) -> ItemCard:
    names = ("targets", "orders", "alerts", "forecast", "projection", "forecast_reasons")
    rows = {name: _of(tables[name], item, place) for name in names}
    moves = _of(tables["transfers"].rename(columns={"dest_id": "location_id"}), item, place)
    charts = []
    if len(rows["forecast"]):
        past = rows["forecast"].head(0).assign(units=0.0) if history is None else _of(history, item, place)
        sold = past.sort_values("date").tail(_HISTORY_PER_FORECAST * len(rows["forecast"]))
        charts.append(fan_chart("Demand", sold, rows["forecast"]))
    if len(rows["projection"]):
        charts.append(stock_chart("Stock", rows["projection"]))
    facts = [
        (label, plain_number(float(value)) if is_numeric else str(value))
        for column, label, is_numeric in _FACTS
        for value in rows["targets"][column]
        if pd.notna(value) and value != ""
    ]
    sentences = [*rows["alerts"]["alert"], *rows["orders"]["reason"], *moves["reason"]]
    sentences = sentences or [*rows["targets"]["reason"]]
    return ItemCard(
        title=_named(item, meta.item_names),
        subtitle=_named(place, meta.location_names),
        facts=tuple(facts),
        sentences=tuple(str(sentence) for sentence in sentences),
        forecast_reasons=tuple(str(sentence) for sentence in rows["forecast_reasons"]["reason"]),
        charts=tuple(charts),
    )


_FACTS = (
    ("available", "In stock", True),
    ("inbound", "On the way", True),
    ("safety_stock", "Safety stock", True),
    ("reorder_point", "Reorder point", True),
    ("order_up_to", "Order up to", True),
    ("abc", "Class", False),
    ("model", "Forecaster", False),
)


def _of(table: pd.DataFrame, item: str, place: str) -> pd.DataFrame:
    return table[(table["item_id"] == item) & (table["location_id"] == place)]


def _money_by(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table[["item_id", "location_id"]].assign(money=table[column].fillna(0.0))


def _named(key: str, names: Mapping[str, str]) -> str:
    name = names.get(key, "")
    return f"{key} · {name}" if name else key


def _count(table: pd.DataFrame, noun: str) -> str:
    return f"{len(table):,} {noun}{'' if len(table) == 1 else 's'}"


def _units(table: pd.DataFrame) -> str:
    return plain_number(float(table["units"].sum()))


def _texts(column: pd.Series, kind: str) -> list[str]:
    if is_datetime64_any_dtype(column.dtype):
        return [str(text) for text in column.dt.strftime("%Y-%m-%d").fillna("")]
    if is_bool_dtype(column.dtype):
        return ["yes" if value else "" for value in column]
    if not is_numeric_dtype(column.dtype):
        return [str(text) for text in column.fillna("")]
    if kind == "share":
        return ["–" if np.isnan(value) else f"{value:.1%}" for value in column]
    if kind == "money":
        return ["–" if np.isnan(value) else money(float(value)) for value in column]
    if is_integer_dtype(column.dtype):
        return [f"{value:,}" for value in column]
    return ["–" if np.isnan(value) else plain_number(float(value)) for value in column]
