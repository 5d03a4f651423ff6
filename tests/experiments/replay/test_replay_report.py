"""Tests of what a replay writes: charts that tell what the tables do, and a folder of its own for each policy."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from experiments.exchange.charts import Chart, Shape, bars_chart, lines_chart
from experiments.replay.measures import COST_TERMS
from experiments.replay.report import _charts
from experiments.replay.writer import closing_folders


def costs(**of_policy: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"policy": policy, "demand_as": "sales", "term": term, "value": values.get(term, 0.0)}
        for policy, values in of_policy.items()
        for term in COST_TERMS
    ]
    return pd.DataFrame(rows)


def bars(chart: Chart, shape: Shape) -> list[tuple[float, float]]:
    """Return from and to of each bar of a part, in units of the axis."""
    by_label = {float(tick.label.replace(",", "")): tick.at for tick in chart.y_ticks}
    zero, one = by_label[0.0], by_label[max(by_label)]
    pixels = re.findall(r"M[\d.-]+ ([\d.-]+)H[\d.-]+V([\d.-]+)", shape.path)
    return [tuple((float(at) - zero) / (one - zero) * max(by_label) for at in pair) for pair in pixels]


def test_costs_by_term_are_stacked_up_and_gains_down_and_add_up_to_the_totals():
    table = costs(a={"holding": 100.0, "price-above-cost": -60.0}, b={"holding": 100.0, "price-above-cost": 80.0})
    weekly = {"policy": ["a", "b"], "demand_as": "sales", "date": pd.Timestamp("2023-01-02"), "cost": [40.0, 180.0]}
    tables = {"costs": table, "weekly": pd.DataFrame(weekly).assign(short=0.0, stock_value=1.0)}
    chart = _charts(tables, "sales")[0]
    assert chart.description == "Totals: a 40; b 180."
    holding, price = chart.shapes
    assert bars(chart, holding) == [pytest.approx((0, 100), abs=1), pytest.approx((0, 100), abs=1)]
    assert bars(chart, price) == [pytest.approx((0, -60), abs=1), pytest.approx((100, 180), abs=1)]


def test_a_term_that_is_a_gain_for_all_is_drawn():
    table = costs(a={"holding": 50.0, "price-above-cost": -60.0}, b={"holding": 70.0, "price-above-cost": -60.0})
    weekly = {"policy": ["a", "b"], "demand_as": "sales", "date": pd.Timestamp("2023-01-02"), "cost": [-10.0, 10.0]}
    chart = _charts({"costs": table, "weekly": pd.DataFrame(weekly).assign(short=0.0, stock_value=1.0)}, "sales")[0]
    assert [shape.label for shape in chart.shapes] == ["Holding stock", "Prices paid above unit cost"]
    assert chart.description == "Totals: a -10; b 10."


def test_axes_reach_below_zero_only_where_values_do():
    plain, gain = bars_chart("t", ["a"], {"x": [3.0]}), bars_chart("t", ["a"], {"x": [3.0], "y": [-2.0]})
    assert [tick.label for tick in plain.y_ticks] == ["0", "1", "2", "3"]
    assert [tick.label for tick in gain.y_ticks] == ["-2", "0", "2", "4"]
    week = pd.DataFrame({"date": pd.to_datetime(["2023-01-02", "2023-01-09"]), "value": [-2.0, 3.0]})
    line = lines_chart("t", {"a": week})
    assert [tick.label for tick in line.y_ticks] == ["-2", "0", "2", "4"]
    assert line.shapes[0].path.split("L")[0].split()[1] == str(line.y_ticks[0].at)


def test_every_policy_has_a_closing_folder_of_its_own_below_closing():
    names = ["a b", "a-b", "A-B", "a-b-2", "..", "", "../x", "ours, festival", "été"]
    folders = closing_folders(names)
    assert list(folders) == names
    assert [*folders.values()] == [
        "a-b-3", "a-b", "A-B-2", "a-b-2-2", "policy", "policy-2", "-x", "ours--festival", "été",
    ]  # fmt: skip
    assert len({folder.casefold() for folder in folders.values()}) == len(names)
