import json
from dataclasses import replace

import numpy as np
import pytest

from engine.plan.alerts import ALERT_CODES, AlertInputs, LateInbound, OpenOrderAlerts, alerts
from engine.plan.exposure import NextArrival, SalesFacts
from engine.plan.params import AlertParams
from engine.plan.tables import check_plan_tables
from engine.policy.types import Cells
from experiments.exchange.catalogue import read_catalogue, with_wording
from tests.plans import example_alert_inputs, example_plan, example_world

AS_OF = np.datetime64("2025-01-06")


def inputs(n=1, **changed):
    """A quiet shelf: 10 units of an A item, one sold a day, costs 2 to buy and 3 to miss."""
    cells = {
        "item_id": np.array([f"i{row}" for row in range(n)], dtype=object),
        "location_id": np.full(n, "L", dtype=object),
        "divisible": np.zeros(n, dtype=bool),
        "unit_cost": np.full(n, 2.0),
        "unit_price": np.full(n, 5.0),
        "holding_cost": np.full(n, 0.01),
        "shortage_cost": np.full(n, 3.0),
        "backorder_cost": np.zeros(n),
        "salvage_value": np.zeros(n),
        "target": np.full(n, 0.95),
        "min_stock": np.zeros(n),
        "max_stock": np.full(n, np.inf),
        "abc": np.full(n, "A", dtype=object),
        "available": np.full(n, 10.0),
        "backorders": np.zeros(n),
        "arrivals": np.zeros((n, 14)),
        "end_bucket": np.full(n, 14),
    }
    own = {key: np.asarray(value) for key, value in changed.items() if key in cells}
    rest = {key: value for key, value in changed.items() if key not in cells}
    facts = {
        "edges": AS_OF + np.arange(15),
        "mean_demand": np.ones((n, 14)),
        "next_arrival": NextArrival(np.full(n, 7), np.ones(n, bool)),
        "stock_out_probability": np.zeros(n),
        "expected_short": np.zeros(n),
        "sales": SalesFacts(np.full(n, 7.0), np.full(n, 7.0), np.zeros(n)),
        "late": LateInbound(np.zeros(0, np.int64), np.zeros(0, object), np.zeros(0), np.zeros(0, "datetime64[D]")),
        "changes": no_changes(),
    }
    return AlertInputs(cells=Cells(**(cells | own)), **(facts | rest))


def no_changes():
    none, text, day = np.zeros(0), np.zeros(0, object), np.zeros(0, "datetime64[D]")
    return OpenOrderAlerts(np.zeros(0, np.int64), text, text, text, none, none, day, day, none)


def only(found, code):
    assert found["alert_code"].tolist() == [code]
    row = found.iloc[0]
    return row["money_at_stake"], row["date"], json.loads(row["alert_values"])


def test_a_quiet_shelf_gives_no_alert_and_an_empty_table_with_its_columns():
    check_plan_tables(dict(example_plan().tables) | {"alerts": alerts(inputs(), AlertParams())})
    assert alerts(inputs(), AlertParams()).empty


def test_a_likely_stock_out_costs_the_units_short_times_their_shortage_cost():
    case = inputs(stock_out_probability=np.array([0.3]), expected_short=np.array([4.0]), available=[5.0])
    money, date, values = only(alerts(case, AlertParams()), "stock-out-before-arrival")
    assert money == 12
    assert date == AS_OF + 5
    assert values == {
        "available": 5,
        "earliest_arrival": None,
        "forecast_end": None,
        "next_arrival": "2025-01-13",
        "probability": 0.3,
        "runs_out": "2025-01-11",
        "short": 4,
    }
    assert alerts(case, AlertParams(stock_out_risk=0.31)).empty


def test_a_best_seller_under_three_days_of_cover_costs_what_is_missing_to_three_days():
    money, _, values = only(alerts(inputs(available=[1.0]), AlertParams()), "best-seller-low-cover")
    assert money == 2 * 3
    assert values["cover_days"] == 1
    assert alerts(inputs(available=[1.0], abc=["B"]), AlertParams()).empty
    assert alerts(inputs(available=[3.0]), AlertParams()).empty


def test_an_alert_names_the_next_arrival_only_where_something_is_on_order():
    names = ("next_arrival", "earliest_arrival", "forecast_end")
    for bucket, on_order, told, said in (
        (3, True, "next_arrival", "the next arrival on 2025-01-09"),
        (3, False, "earliest_arrival", "before 2025-01-09, the earliest that an order could arrive (none is on order)"),
        (
            14,
            False,
            "forecast_end",
            "before 2025-01-20 (none is on order for the days until then, and no order could arrive)",
        ),
    ):
        coming = NextArrival(np.array([bucket]), np.array([on_order]))
        case = inputs(
            stock_out_probability=np.array([0.3]), expected_short=np.array([4.0]), next_arrival=coming, available=[1.0]
        )
        found = with_wording(alerts(case, AlertParams()), read_catalogue())
        for text in found["alert_values"]:
            assert [name for name in names if json.loads(text)[name] is not None] == [told]
        sentences = found.set_index("alert_code")["alert"]
        assert said in sentences["stock-out-before-arrival"]
        best_seller = sentences["best-seller-low-cover"]
        assert ("Next arrival on 2025-01-09." in best_seller) == on_order
        assert ("None is on order" in best_seller) == (not on_order)


def test_excess_is_what_lies_beyond_the_cover_inbound_included():
    arrivals = np.zeros((1, 14))
    arrivals[0, 3] = 100
    money, _, values = only(alerts(inputs(available=[100.0], arrivals=arrivals), AlertParams()), "excess-stock")
    # 180 days at one a day, of which only 14 are forecast: the rate goes on.
    assert values["excess"] == 20
    assert money == 40
    assert values["cover_days"] == 200


def test_dead_stock_is_told_once_and_not_as_excess():
    case = inputs(mean_demand=np.zeros((1, 14)), sales=SalesFacts(np.zeros(1), np.zeros(1), np.array([180.0])))
    money, _, values = only(alerts(case, AlertParams()), "dead-stock")
    assert (money, values["days_unsold"]) == (20, 180)


def test_late_lines_share_the_shortage_that_they_cause():
    late = LateInbound(np.array([0, 0]), np.array(["P1", "P2"], object), np.array([30.0, 10.0]), np.full(2, AS_OF - 3))
    found = alerts(inputs(late=late, expected_short=np.array([8.0])), AlertParams())
    assert found["money_at_stake"].tolist() == [18, 6]
    assert [json.loads(text)["days_late"] for text in found["alert_values"]] == [3, 3]


def test_a_jump_costs_what_the_forecast_does_not_foresee_and_noise_is_no_jump():
    jump = SalesFacts(np.array([40.0]), np.array([7.0]), np.zeros(1))
    money, _, values = only(alerts(inputs(sales=jump), AlertParams()), "sales-jump")
    assert values["forecast"] == 7
    assert money == 33 * 3
    noise = SalesFacts(np.array([3.0]), np.array([0.5]), np.zeros(1))
    assert alerts(inputs(sales=noise), AlertParams()).empty


def test_alerts_are_ranked_by_money_and_unknown_money_comes_last():
    case = inputs(n=3, available=[1.0, 0.0, 1.0], shortage_cost=[3.0, 3.0, np.nan])
    found = alerts(case, AlertParams())
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["item_id"].tolist() == ["i1", "i0", "i2"]
    assert np.isnan(found["money_at_stake"].iloc[-1])


def test_the_example_raises_every_alert_that_exists():
    rng = example_world()
    found = alerts(example_alert_inputs(rng), AlertParams(excess_cover_days=20))
    assert set(found["alert_code"]) == set(ALERT_CODES)
    assert found["money_at_stake"].is_monotonic_decreasing


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="mean_demand"):
        replace(inputs(), mean_demand=np.ones((1, 3)))
