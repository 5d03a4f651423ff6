import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from engine.messages import Message
from engine.plan.assemble import assumption_tables
from engine.plan.tables import empty_table
from engine.plan.types import PLAN_TABLES, SolveReport
from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.charts import fan_chart, service_chart, stock_chart
from experiments.exchange.plan_meta import PlanMeta, with_item_names
from experiments.exchange.plan_writer import worded_tables
from experiments.exchange.report import render_report
from experiments.exchange.report_data import backtest_grid, effects_grid, items_that_matter, value_added_grid
from tests.plans import NAMES, example_backtest, example_history, example_plan

META = PlanMeta("run-1", "sha256:abc", "1", data="demo", notice="Made up.", item_names=NAMES)
VOID = {"meta", "link", "br", "hr", "img", "input", "line", "path"}


class Outline(HTMLParser):
    """Collects tags, addresses and text, and that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.open, self.addresses, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    parsed = Outline()
    parsed.feed(html)
    return parsed


@pytest.fixture(scope="module")
def plan():
    return example_plan()


@pytest.fixture(scope="module")
def html(plan):
    return render_report(plan, named(plan), META, example_history())


def named(plan):
    return {name: with_item_names(table, META) for name, table in worded_tables(plan, read_catalogue()).items()}


def test_the_report_is_well_formed_and_needs_nothing_from_outside(html):
    parsed = outline(html)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert all(address.startswith("#") for address in parsed.addresses)
    assert not re.search(r"https?://|@import|url\(", html)


def test_links_of_the_navigation_lead_to_sections(html):
    ids = set(re.findall(r'<section id="(\w+)"', html))
    assert {address[1:] for address in outline(html).addresses} == ids


def test_names_are_escaped(html):
    assert "Tea caddy <tin>" not in html
    assert "Tea caddy &lt;tin&gt;" in html


def test_alerts_come_in_the_order_of_their_rank(plan, html):
    said = list(worded_tables(plan, read_catalogue())["alerts"]["alert"])
    text = "".join(outline(html).text)
    places = [text.find(sentence) for sentence in said]
    assert -1 not in places
    assert places == sorted(places)


def test_the_items_that_matter_have_two_charts_each(html):
    assert html.count("<svg") == 2 * 12 + 1
    assert html.count('class="card"') == 12


def test_the_stock_mix_is_drawn_with_the_plans_own_point(plan, html):
    table = plan.tables["stock_to_service"]
    names = {name: name for name in table["policy"]}
    chart = service_chart("Fill rate", table, names)
    assert [shape.label for shape in chart.shapes] == [*names, "this plan"]
    # 9,000 of the 15,000 that one axis spans (13,000 in steps of 5,000); 95 % halfway from 90 to 100 % on the other.
    x = chart.left + 9000 / 15000 * (chart.right - chart.left)
    y = chart.bottom - 0.05 / 0.1 * (chart.bottom - chart.top)
    assert chart.shapes[-1].path.startswith(f"M{x - 4:.1f} {y:.1f}")
    # What costs many times as much would press the rest against the edge.
    assert chart.shapes[1].path.count("L") == 1
    assert "fill rate of 95%" in chart.description
    assert "One fill rate for all" in html
    assert '<section id="mix">' in html


def test_without_an_aggregate_target_no_mix_is_shown(plan):
    tables = named(plan) | {"stock_to_service": plan.tables["stock_to_service"].head(0)}
    found = render_report(plan, tables, META, example_history())
    assert "Stock to service" not in found


def test_each_item_that_matters_says_what_its_forecast_is_made_of(html):
    assert html.count("+35% Double 11; -8% price above its mean:") == 12


def test_items_that_matter_are_those_with_most_money_in_play(plan):
    tables = named(plan)
    first = items_that_matter(tables, 3)
    worth = tables["orders"].assign(money=lambda t: t["value"] + t["cost_of_waiting"])
    dearest = worth.sort_values("money").iloc[-1]
    assert (dearest["item_id"], dearest["location_id"]) in first


def test_a_place_without_a_forecast_of_its_own_names_no_forecaster(plan, html):
    assert "<dt>Forecaster</dt>" in html
    targets = plan.tables["targets"].assign(model="")
    without = replace(plan, tables={**plan.tables, "targets": targets})
    assert "<dt>Forecaster</dt>" not in render_report(without, named(without), META, example_history())


def test_value_added_is_the_share_of_loss_saved_over_the_baseline():
    found = backtest_grid(example_backtest(), 100, read_catalogue())
    rows = [dict(zip(found.headings, row, strict=True)) for row in found.rows]
    assert [(row["Segment"], row["Forecaster"], row["Value added"], row["Used"]) for row in rows[:4]] == [
        ("all", "boosting", "16.0%", ""), ("all", "seasonal_naive", "0.0%", ""),
        ("A-smooth", "boosting", "21.2%", "yes"), ("A-smooth", "seasonal_naive", "0.0%", ""),
    ]  # fmt: skip
    assert rows[-1]["Value added"] == "-2.5%"


def test_what_the_choice_adds_is_told_by_class_and_apart_from_the_segments(plan):
    scores = example_backtest()
    loss = {"seasonal_naive": (1.25, 2.0), "best_of": (1.0, 1.5)}
    rows = [
        {"model": model, "segment": segment, "n_series": 48.0, "loss": value, "wape": 0.2 * value, "chosen": False}
        for model, values in loss.items()
        for segment, value in zip(("all", "AX"), values, strict=True)
    ]
    told = pd.concat([scores, pd.DataFrame(rows)], ignore_index=True).drop_duplicates(["model", "segment"])
    found = value_added_grid(told, 10, read_catalogue())
    assert [(row[0], row[1], row[3]) for row in found.rows] == [("A", "X", "25.0%"), ("all", "all", "20.0%")]
    assert "AX" not in {row[0] for row in backtest_grid(told, 100, read_catalogue()).rows}
    assert "Forecast value added by class" in render_report(replace(plan, backtest=told), named(plan), META)


def test_effects_are_shown_with_their_ranges_where_the_fit_tells_any(plan, html):
    assert "What changes demand" not in html
    values = {"share": 0.2, "value": None, "factor": 1.42, "low": 1.31, "high": 1.54, "buckets": 3210}
    made = [
        Message("known-effect", {**values, "name": "promotion_sale"}),
        Message("known-effect", {**values, "name": "user_rain", "share": None, "value": 12.0}),
        Message("known-effect", {**values, "name": "event_double_11", "share": None}),
    ]
    told = replace(plan, tables=dict(plan.tables) | assumption_tables(made))
    assert "What changes demand" in render_report(told, named(told), META)
    found = effects_grid(told.tables["assumption_details"], 10, read_catalogue())
    assert found.rows == (
        ("Double 11", "", "1.42", "1.31", "1.54", "3,210"),
        ("promotion Sale", "20%", "1.42", "1.31", "1.54", "3,210"),
        ("Rain", "12", "1.42", "1.31", "1.54", "3,210"),
    )


def test_an_empty_plan_is_a_report_that_says_so(plan):
    tables = {name: empty_table(name, (0.5,) if name == "forecast" else ()) for name in PLAN_TABLES}
    empty = replace(plan, tables=tables, backtest=pd.DataFrame(), solve=SolveReport("uncoupled", 0, 0, 0, {}))
    html = render_report(empty, worded_tables(empty, read_catalogue()), PlanMeta("r", "s", "1"))
    assert outline(html).open == []
    assert "None." in html
    assert "<svg" not in html


def test_a_plan_without_prices_says_how_many_lines_lack_them(plan):
    orders = plan.tables["orders"].assign(value=np.nan, unit_cost=np.nan)
    unpriced = replace(plan, tables=dict(plan.tables) | {"orders": orders})
    html = render_report(unpriced, named(unpriced), META)
    assert f"{len(orders)} without a price" in html


def points(path):
    return np.array([[float(part) for part in pair.split()] for pair in re.split("[ML]", path.strip("MZ"))])


def test_a_fan_lies_inside_its_axes_and_around_its_mean(plan):
    forecast = plan.tables["forecast"].query("item_id == '0001' and location_id == 'DC'")
    chart = fan_chart("Demand", forecast.head(0).assign(units=0.0), forecast)
    for shape in chart.shapes:
        x, y = points(shape.path).T
        assert chart.left - 0.1 <= x.min() <= x.max() <= chart.right + 0.1
        assert chart.top - 0.1 <= y.min() <= y.max() <= chart.bottom + 0.1
    band, mean = points(chart.shapes[0].path), points(chart.shapes[-1].path)
    low, high = band[: len(mean), 1], band[len(mean) :, 1][::-1]
    assert ((high <= mean[:, 1]) & (mean[:, 1] <= low)).all()
    assert chart.y_ticks[0].label == "0"


def test_a_chart_of_nothing_but_zeros_can_be_drawn(plan):
    projection = (
        plan.tables["projection"]
        .head(5)
        .assign(**dict.fromkeys(["stock_mean", "stock_q0.05", "stock_q0.95", "inbound", "ordered"], 0.0))
    )
    chart = stock_chart("Stock", projection)
    assert all(np.isfinite(points(shape.path)).all() for shape in chart.shapes)
