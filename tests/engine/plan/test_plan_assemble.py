import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.messages import Message
from engine.plan.assemble import assumption_tables, promised_service
from engine.plan.explain import explain
from tests.plans import example_decision, example_plan, example_world


@pytest.fixture(scope="module")
def tables():
    return dict(example_plan().tables)


def test_a_target_row_adds_up(tables):
    targets = tables["targets"]
    position = targets["available"] + targets["inbound"] - targets["backorders"]
    np.testing.assert_allclose(targets["order_up_to"] - targets["protection_demand"], targets["safety_stock"])
    ordered = targets["order_units"] > 0
    assert set(targets.loc[ordered, "reason_code"]) == {"stock-ordered"}
    assert targets["order_units"].sum() == example_world().units.sum()
    # Inbound that comes after the next delivery is in no position.
    assert (position <= targets["position"] + 1e-9).all()


def test_expected_service_is_the_one_that_the_objective_names():
    decided = replace(example_decision(example_world()), cycle_service=np.array([0.9]), fill_rate=np.array([0.97]))
    assert promised_service(decided, "fill_rate") == [0.97]
    assert [promised_service(decided, name)[0] for name in ("cost", "cycle_service", "days_of_cover")] == [0.9] * 3


messages = st.lists(
    st.builds(Message, st.sampled_from(["a-code", "b-code"]), st.fixed_dictionaries({"n": st.integers(0, 3)})),
    max_size=20,
)


@given(messages, st.randoms(use_true_random=False))
def test_no_assumption_is_lost_and_their_order_does_not_matter(made, random):
    tables = assumption_tables(made)
    assert tables["assumptions"]["count"].sum() == len(made)
    details = tables["assumption_details"]
    again = [
        Message(code, json.loads(values))
        for code, values, count in zip(
            details["assumption_code"], details["assumption_values"], details["count"], strict=True
        )
        for _ in range(count)
    ]
    assert sorted((m.code, m.values_json()) for m in again) == sorted((m.code, m.values_json()) for m in made)
    shuffled = list(made)
    random.shuffle(shuffled)
    for name, table in assumption_tables(shuffled).items():
        assert table.equals(tables[name])


def test_an_explanation_holds_every_row_of_a_pair_and_no_other(tables):
    found = {
        pair: explain(tables, *pair)
        for pair in itertools.product(tables["targets"]["item_id"].unique(), ["DC", "EAST", "NORTH", "SOUTH"])
    }
    for part, table in (
        ("orders", "orders"),
        ("transfers_in", "transfers"),
        ("transfers_out", "transfers"),
        ("alerts", "alerts"),
    ):
        assert sum(len(getattr(each, part)) for each in found.values()) == len(tables[table])


def test_an_unknown_pair_names_where_the_item_is(tables):
    with pytest.raises(ConfigError, match="item 0001 at DC, EAST, NORTH, SOUTH, not at WEST"):
        explain(tables, "0001", "WEST")
    with pytest.raises(ConfigError, match="no item 1"):
        explain(tables, "1", "DC")
