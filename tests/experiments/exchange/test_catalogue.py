import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from engine.messages import Message
from engine.plan.alerts import ALERT_CODES
from engine.plan.changes import CHANGE_CODES
from engine.plan.open_order_lines import OPEN_ORDER_CODES
from engine.plan.reasons import REASON_CODES
from engine.plan.types import PLAN_TABLES
from experiments.exchange.catalogue import Catalogue, plain_number, read_catalogue, render, with_wording

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def parsed_modules() -> list[ast.Module]:
    # Findings of the table contract are worded with their rules, in `experiments.exchange.rule_texts`.
    return [
        ast.parse(path.read_text(encoding="utf-8"))
        for folder in ("engine", "models")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.parent.name != "tables"
    ]


def emitted_codes() -> set[str]:
    """Every constant given as a message's code: to ``Message``, or to a function whose parameter is ``code``."""
    modules = parsed_modules()
    places = {"Message": 0}
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args]
                if "code" in names:
                    places[node.name] = names.index("code")
    return {code for module in modules for call in calls(module, places) for code in constants(call)}


def calls(module: ast.Module, places: dict[str, int]) -> Iterator[ast.expr]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in places:
                yield from node.args[places[name] : places[name] + 1]
                yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")


def constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        yield node.value


@pytest.fixture(scope="module")
def english() -> Catalogue:
    return read_catalogue("en")


def test_the_search_for_codes_finds_some():
    assert len(emitted_codes()) > 3


def test_every_code_that_is_emitted_has_a_sentence(english):
    emitted = emitted_codes() | {*REASON_CODES, *ALERT_CODES, *OPEN_ORDER_CODES, *CHANGE_CODES}
    assert sorted(emitted - set(english.sentences)) == []


def test_every_sentence_can_be_filled(english):
    for code, sentence in english.sentences.items():
        names = set(re.findall(r"\{(\w+)", sentence))
        said = english.render(code, dict.fromkeys(names, 2.5))
        assert "{" not in said, code
        assert said[0].isupper() or sentence[0] == "{", code
        assert said.endswith("."), code


def test_every_column_of_a_plan_has_a_heading(english):
    columns = {column for kinds in PLAN_TABLES.values() for column in kinds if "_q0." not in column}
    assert sorted(columns - set(english.headings)) == []


def make(sentence: str) -> Catalogue:
    return Catalogue(
        "en", {"told": sentence}, {}, {"unknown": "not known", "unlimited": "no limit", "yes": "yes", "no": "no"}
    )


@pytest.mark.parametrize(
    ("sentence", "values", "said"),
    [
        ("{n} units.", {"n": 1234567.0}, "1,234,567 units."),
        ("{n} units.", {"n": 12.345}, "12.3 units."),
        ("{share:percent} of it.", {"share": 0.125}, "12.5% of it."),
        ("Costs {money:money}.", {"money": 1234.5}, "Costs 1,234.50."),
        ("{n:.3f}.", {"n": 0.5}, "0.500."),
        ("It is {n}.", {"n": None}, "It is not known."),
        ("It is {n}.", {"n": float("nan")}, "It is not known."),
        ("Up to {n}.", {"n": float("inf")}, "Up to no limit."),
        ("{flag}.", {"flag": True}, "yes."),
        ("{share:change} it.", {"share": -0.123}, "-12% it."),
        ("{share:change} it.", {"share": 0.004}, "+0% it."),
        ("On {day}.", {"day": "2025-01-06"}, "On 2025-01-06."),
        ("Now[, {more} later].", {"more": 3}, "Now, 3 later."),
        ("Now[, {more} later].", {"more": 0.0}, "Now."),
        ("Now[, {more} later].", {"more": None}, "Now."),
    ],
)
def test_values_are_shown_by_their_kind(sentence, values, said):
    assert render(Message("told", values), make(sentence)) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weekday", "day of the week and month"),
        ("price-below", "price below its mean"),
        ("event_double_11", "Double 11"),
        ("event_double_11_lead", "before Double 11"),
        ("event_chinese_new_year_lag", "after Chinese New Year"),
        ("event_fair_local", "Fair Local"),
        ("promotion_sale", "promotion Sale"),
        ("promotion_any", "promotion"),
        ("user_lead", "Lead"),
        ("price_relative", "price"),
        ("footfall", "Footfall"),
    ],
)
def test_what_changes_a_forecast_has_a_name_for_people(english, name, said):
    assert english.show(name, "factor") == said


def test_a_code_without_a_sentence_is_shown_as_it_is():
    assert make("{n} units.").render("unheard-of", {"b": 2, "a": 1.5}) == "unheard-of: a 1.5, b 2"
    assert make("{n} units.").render("told", {"m": 2}) == "told: m 2"


def test_negative_zero_is_zero():
    assert plain_number(-0.001) == "0"


def test_wording_is_appended_to_tables_that_have_codes():
    table = pd.DataFrame({"alert_code": ["told"], "alert_values": ['{"n": 3}']}, dtype="string[pyarrow]")
    worded = with_wording(table, make("{n} units."))
    assert worded["alert"].tolist() == ["3 units."]
    assert "alert" not in table.columns
    assert worded["alert"].dtype == "string[pyarrow]"
    costs = pd.DataFrame({"term": ["holding"]})
    assert with_wording(costs, make("")) is costs
