"""The report of a replay: one HTML file that opens offline, with the policies side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.plan.types import CONTRACT_VERSION
from experiments.exchange.catalogue import Catalogue, read_catalogue
from experiments.exchange.charts import Chart, bars_chart, lines_chart
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.report import report_template
from experiments.exchange.report_data import Grid, Total, grid, money
from experiments.replay.measures import COST_TERMS

Tables = Mapping[str, pd.DataFrame]

_SUMMARY = (
    "policy", "cost", "place", "fill_rate", "cycle_service", "stock_out_share", "stock_value", "stock_units", "turns",
    "order_lines", "transfers", "units_bought", "opening_value", "closing_value",
)  # fmt: skip
_BY_CLASS = (
    "abc", "policy", "cost", "fill_rate", "stock_out_share", "stock_value", "turns", "demand", "short",
)  # fmt: skip
_OF_SITES = (
    *("location_id", "policy", "capacity_volume", "mean_volume", "most_volume", "share_over"),
    *("waited_volume", "waited_days", "most_waiting_volume", "share_waiting"),
)
_OF_PRESALES = ("presale_units", "presale_local", "presale_waiting_days")
_KINDS = {
    **dict.fromkeys(("cost", "stock_value", "opening_value", "closing_value", "value", "value_bought"), "money"),
    **dict.fromkeys(("fill_rate", "cycle_service", "stock_out_share", "marked_share", "place"), "share"),
    **dict.fromkeys(("presale_local", "share_over", "share_waiting"), "share"),
}
_ROWS = 400


def render_replay(tables: Tables, scored: tuple[str, str], first_day: str, meta: PlanMeta) -> str:
    """Return the report as HTML; needs no network and no file beside it.

    Parameters
    ----------
    tables
        As from `experiments.replay.result_tables.replay_tables`, with the assumptions worded.
    scored
        First and last day that count.
    first_day
        First day of the replay.
    """
    catalogue = read_catalogue()
    assumptions = list(dict.fromkeys(tables["summary"]["demand_as"]))
    of_presales = _OF_PRESALES if tables["summary"]["presale_units"].any() else ()
    return report_template("replay.html.j2").render(
        meta=meta,
        contract_version=CONTRACT_VERSION,
        scored=scored,
        first_day=first_day,
        totals=_totals(tables["summary"]),
        summaries=[(name, _grid(tables["summary"], name, _SUMMARY + of_presales, catalogue)) for name in assumptions],
        charts=_charts(tables, assumptions[0]),
        grids={
            "differences": _differences(tables["differences"], catalogue),
            "by_class": _grid(tables["by_class"], assumptions[0], _BY_CLASS + of_presales, catalogue),
            "costs": _grid(_wide_costs(tables["costs"], catalogue), assumptions[0], None, catalogue),
            "censored": grid(
                tables["summary"], ("policy", "demand_as", "cost", "fill_rate", "marked_share", "beyond_sales"), _ROWS,
                catalogue, as_kind=_KINDS,
            ),
            "site_room": _grid(tables["site_room"], assumptions[0], _OF_SITES, catalogue),
            "assumptions": grid(tables["assumptions"], ("assumption", "count"), _ROWS, catalogue, "assumptions"),
        },
    )  # fmt: skip


def _totals(summary: pd.DataFrame) -> tuple[Total, ...]:
    """Return a figure a policy: what it costs, and what it reaches."""
    rows = summary[summary["demand_as"] == summary["demand_as"].iloc[0]]
    return tuple(
        Total(
            str(row.policy), money(float(row.cost)), f"{row.fill_rate:.1%} filled, stock worth {money(row.stock_value)}"
        )
        for row in rows.itertuples()
    )


def _grid(table: pd.DataFrame, assumption: str, columns: tuple[str, ...] | None, catalogue: Catalogue) -> Grid:
    rows = table[table["demand_as"] == assumption]
    if columns is not None and "abc" in columns:
        rows = rows.sort_values("abc", kind="stable")
    shown = columns or tuple(str(name) for name in rows.columns if name != "demand_as")
    kinds = {**dict.fromkeys(shown, "money"), **_KINDS} if columns is None else _KINDS
    return grid(rows, shown, _ROWS, catalogue, as_kind=kinds)


def _wide_costs(costs: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Return one row a policy and one column a term that costs anything."""
    order = list(dict.fromkeys(costs["policy"]))
    wide = costs.pivot_table(index=["demand_as", "policy"], columns="term", values="value", aggfunc="sum")
    used = [term for term in COST_TERMS if wide[term].abs().sum() > 0]
    wide = wide[used].rename(columns={term: catalogue.words.get(f"cost-{term}", term) for term in used})
    wide = wide.reset_index().rename_axis(columns=None)
    place = wide["policy"].map({name: number for number, name in enumerate(order)})
    return wide.assign(place=place).sort_values("place", kind="stable").drop(columns="place")


def _differences(rows: pd.DataFrame, catalogue: Catalogue) -> Grid:
    """Return the differences as text, shares in percentage points."""
    is_share = rows["measure"].isin(["fill_rate", "stock_out_share"]).to_numpy(bool)
    texts = {
        name: [
            f"{value * 100:+.2f} points" if share else f"{value:+,.0f}"
            for value, share in zip(rows[name], is_share, strict=True)
        ]
        for name in ("difference", "low", "high")
    }
    sure = np.where((rows["low"] > 0) | (rows["high"] < 0), "yes", "")
    measure = [catalogue.heading(name) for name in rows["measure"]]
    shown = rows.assign(**texts, measure=measure, sure=sure)
    columns = ("policy", "base", "demand_as", "measure", "difference", "low", "high", "sure")
    return grid(shown, columns, _ROWS, catalogue)


def _charts(tables: Tables, assumption: str) -> tuple[Chart, ...]:
    weekly = tables["weekly"]
    weekly = weekly[weekly["demand_as"] == assumption]
    policies = list(dict.fromkeys(weekly["policy"]))

    def over_time(title: str, column: str) -> Chart:
        named = {
            name: weekly[weekly["policy"] == name][["date", column]].set_axis(["date", "value"], axis=1)
            for name in policies
        }
        return lines_chart(title, named)

    costs = tables["costs"]
    costs = costs[costs["demand_as"] == assumption]
    words = read_catalogue().words
    value = costs.groupby(["term", "policy"])["value"].sum()
    by_term = {
        words.get(f"cost-{term}", term): [float(value[term, name]) for name in policies]
        for term in COST_TERMS
        if value[term].abs().sum() > 0
    }
    return (
        bars_chart("Cost by term", policies, by_term),
        over_time("Cost a week", "cost"),
        over_time("Units short a week", "short"),
        over_time("Stock value", "stock_value"),
    )
