import numpy as np
import pandas as pd
import pytest

from engine.forecast.summary import quantile_column
from engine.plan.tables import check_plan_tables, empty_table, plan_table
from engine.plan.types import PLAN_KEYS, PLAN_TABLES
from tests.plans import example_plan


@pytest.fixture(scope="module")
def tables():
    return dict(example_plan().tables)


def test_the_example_plan_follows_the_contract_and_has_rows_everywhere(tables):
    check_plan_tables(tables)
    assert all(len(table) for table in tables.values())


def test_empty_tables_follow_the_contract_with_their_columns():
    tables = {name: empty_table(name, (0.05, 0.5) if name == "forecast" else ()) for name in PLAN_TABLES}
    check_plan_tables(tables)
    assert list(tables["forecast"].columns) == ["item_id", "location_id", "date", "mean", "q0.05", "q0.5"]


def test_keys_are_columns_of_their_tables():
    assert all(set(key) <= set(PLAN_TABLES[table]) for table, key in PLAN_KEYS.items())


def test_everything_wrong_is_told_at_once(tables):
    broken = dict(tables)
    del broken["costs"]
    broken["extra"] = tables["costs"]
    broken["alerts"] = tables["alerts"].drop(columns="date")
    broken["orders"] = tables["orders"].astype({"units": "float32"})
    broken["targets"] = tables["targets"].assign(safety_stock=np.inf)
    broken["planned"] = pd.concat([tables["planned"], tables["planned"]])
    with pytest.raises(ValueError, match="must follow their contract") as caught:
        check_plan_tables(broken)
    said = str(caught.value)
    for finding in (
        "table costs is missing", "table extra is unknown", "alerts: columns", "units is float32 instead of float64",
        "safety_stock is infinite in 48 rows", "12 rows repeat the key ['line_id']",
    ):  # fmt: skip
        assert finding in said


def test_a_null_text_is_told(tables):
    broken = tables | {"costs": plan_table("costs", {"term": [None, "holding"], "value": [1.0, np.nan]})}
    with pytest.raises(ValueError, match=r"costs: term is null in 1 rows\."):
        check_plan_tables(broken)


def test_a_table_is_built_only_from_its_own_columns_of_one_length():
    with pytest.raises(ValueError, match=r"Lacks \['value'\], has unknown \['worth'\]"):
        plan_table("costs", {"term": ["holding"], "worth": [1.0]})
    with pytest.raises(ValueError, match="one length"):
        plan_table("costs", {"term": ["holding", "trips"], "value": [1.0]})


@pytest.mark.parametrize(("level", "name"), [(0.05, "q0.05"), (0.5, "q0.5"), (0.975, "q0.975")])
def test_quantile_columns_bear_the_shortest_decimal(level, name):
    assert quantile_column(level) == name


def test_a_quantile_outside_the_open_unit_interval_is_refused():
    with pytest.raises(ValueError, match="a quantile must"):
        quantile_column(1.0)
