"""Tests of policy files and what-if files: what they mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.errors import ConfigError
from engine.tables import Tables
from experiments.replay.policy_files import PolicySpec, read_policies, with_references
from experiments.replay.rules import RuleParams
from experiments.replay.what_if import ServiceChange, WhatIf, changed_policies, changed_tables, read_what_if
from experiments.replay.withheld import known_on
from experiments.settings import parse_settings, read_settings
from tests.replays import small_frames, small_world


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_usual_settings_file_is_restock_and_a_policy_table_is_what_it_says(tmp_path: Path):
    ours = written(tmp_path, "[targets]\nservice = 0.9\n", "ours.toml")
    rule = written(tmp_path, '[policy]\nkind = "s_S"\nname = "the old way"\norder_weeks = 2\n', "rule.toml")
    first, second = read_policies([ours, rule])
    assert (first.name, first.kind, first.settings.targets.service) == ("ours", "restock", 0.9)
    assert (second.name, second.params) == ("the old way", RuleParams("s_S", order_weeks=2.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[policy]\nkind = "s_S"\norder_week = 2\n', "order_weeks"),
        ('[policy]\nkind = "sS"\n', "policy.kind is one of normal"),
        ('[policy]\nkind = "normal"\nservice = 1.5\n', "service must lie in"),
        ('[policy]\nkind = "s_S"\norder_weeks = true\n', "policy.order_weeks is a number. Found true"),
        ('[policy]\nkind = "actual"\nservice = 0.9\n', "service"),
        ('[policy]\nkind = "normal"\n[targets]\nservice = 0.9\n', "targets"),
        ("[target]\nservice = 0.9\n", "targets"),
    ],
)
def test_what_a_policy_file_does_not_mean_is_refused(tmp_path: Path, text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        read_policies([written(tmp_path, text)])


def test_policies_of_one_name_are_refused(tmp_path: Path):
    path = written(tmp_path, '[policy]\nkind = "normal"\n')
    with pytest.raises(ConfigError, match="different names"):
        read_policies([path, path])


@pytest.mark.parametrize(
    ("name", "own", "other"),
    [
        ("textbook", "normal", "weeks_of_cover"),
        ("actual", "actual", "normal"),
        ("foresight", "perfect_foresight", "s_S"),
    ],
)
def test_the_name_of_a_reference_is_for_policies_of_its_kind(tmp_path: Path, name: str, own: str, other: str):
    (spec,) = read_policies([written(tmp_path, f'[policy]\nkind = "{own}"\n', f"{name}.toml")])
    assert (spec.name, spec.kind) == (name, own)
    with pytest.raises(ConfigError, match=f"Only a policy of kind {own} is called {name}"):
        read_policies([written(tmp_path, f'[policy]\nkind = "{other}"\n', f"{name}.toml")])


def test_references_stand_beside_unless_one_of_their_kind_is_given():
    settings = read_settings(None)
    cover = PolicySpec("cover", "weeks_of_cover", params=RuleParams("weeks_of_cover"))
    normal = PolicySpec("n", "normal", params=RuleParams())
    assert [spec.name for spec in with_references([cover], settings, True)] == [
        "cover",
        "textbook",
        "actual",
        "foresight",
    ]
    assert [spec.name for spec in with_references([normal], settings, False)] == ["n", "foresight"]


WHAT_IF = """
name = "festival"
[[lead_time]]
source = "S"
factor = 2
[[demand]]
start_date = 2023-02-20
end_date = 2023-02-26
factor = 10
item = "A"
known_from = 2023-02-13
[[closure]]
place = "S"
start_date = 2023-02-20
end_date = 2023-03-05
[service]
service = 0.8
"""


def test_a_what_if_changes_what_it_names_and_nothing_else(tmp_path: Path):
    tables = Tables.of(small_frames())
    other, closures, notes = changed_tables(
        tables, read_what_if(written(tmp_path, WHAT_IF)), small_world(), PlanConfig()
    )
    assert other["supply"]["lead_time_days"].tolist() == [14.0]
    units = other["sales"].set_index(["item_id", "date"])["units"]
    plain = tables["sales"].set_index(["item_id", "date"])["units"]
    changed = units[units != plain]
    assert changed.to_dict() == {("A", pd.Timestamp("2023-02-20")): 60.0}
    assert {note.values["count"] for note in notes} == {1}
    day_before, first_day = pd.Timestamp("2023-02-19").to_datetime64(), pd.Timestamp("2023-02-20").to_datetime64()
    assert len(known_on(other, day_before, closures)["closures"]) == 0
    assert known_on(other, first_day, closures)["closures"]["place_id"].tolist() == ["S"]
    assert len(known_on(other, pd.Timestamp("2023-02-12").to_datetime64(), closures)["overrides"]) == 0
    assert known_on(other, day_before, closures)["overrides"]["value"].tolist() == [10.0]


def test_changed_demand_is_whole_except_of_items_listed_as_divisible(tmp_path: Path):
    frames = small_frames()
    items = pd.DataFrame({"item_id": ["A"], "divisible": [True]})
    path = written(tmp_path, "[[demand]]\nstart_date = 2023-01-01\nend_date = 2023-12-31\nfactor = 0.3\n")
    other, _, _ = changed_tables(
        Tables.of(frames | {"items": items}), read_what_if(path), small_world(frames), PlanConfig()
    )
    was, now = frames["sales"]["units"].to_numpy(float), other["sales"]["units"].to_numpy(float)
    of_a = other["sales"]["item_id"].eq("A").to_numpy(bool)
    assert now[of_a] == pytest.approx(0.3 * was[of_a])
    assert now[~of_a].tolist() == (0.3 * was[~of_a]).round().tolist() != was[~of_a].tolist()


@pytest.mark.parametrize(
    ("start", "end", "factors"),
    [
        # From a Tuesday to the Monday after: six days of one week and one of the next.
        ("2023-02-14", "2023-02-20", {"2023-02-13": 1 + 9 * 6 / 7, "2023-02-20": 1 + 9 / 7}),
        ("2023-02-15", "2023-02-19", {"2023-02-13": 1 + 9 * 5 / 7}),
        ("2023-02-13", "2023-02-26", {"2023-02-13": 10.0, "2023-02-20": 10.0}),
    ],
)
def test_weekly_demand_changes_by_the_days_of_a_week_that_are_named(
    tmp_path: Path, start: str, end: str, factors: dict[str, float]
):
    frames = small_frames()
    frames["items"] = frames["items"].assign(divisible=True)
    path = written(
        tmp_path, f"[[demand]]\nstart_date = {start}\nend_date = {end}\nfactor = 10\nknown_from = 2023-02-01\n"
    )
    other, _, notes = changed_tables(Tables.of(frames), read_what_if(path), small_world(frames), PlanConfig())
    ratio = (
        other["sales"].set_index(["date", "item_id"])["units"] / frames["sales"].set_index(["date", "item_id"])["units"]
    )
    weekly = ratio[ratio != 1].groupby("date").mean()
    assert {str(day.date()): value for day, value in weekly.items()} == pytest.approx(factors)
    assert notes[0].values["count"] == 2 * len(factors)


def test_days_change_by_the_day_and_whole_units_stay_whole(tmp_path: Path):
    days = pd.date_range("2023-01-02", periods=70, freq="D")
    frames = small_frames() | {"sales": pd.DataFrame({"item_id": "A", "location_id": "P", "date": days, "units": 3.0})}
    path = written(tmp_path, "[[demand]]\nstart_date = 2023-02-14\nend_date = 2023-02-15\nfactor = 1.5\n")
    other, _, _ = changed_tables(Tables.of(frames), read_what_if(path), small_world(), PlanConfig())
    units = other["sales"].set_index("date")["units"]
    assert units[units != 3].to_dict() == {pd.Timestamp("2023-02-14"): 4.0, pd.Timestamp("2023-02-15"): 4.0}


def test_twins_have_the_changed_target_and_what_really_happened_has_none(tmp_path: Path):
    specs = [PolicySpec("n", "normal", params=RuleParams(by_class={"A": 0.99})), PolicySpec("actual", "actual")]
    (twin,), _ = changed_policies(specs, read_what_if(written(tmp_path, WHAT_IF)))
    assert (twin.name, twin.variant_of) == ("n, festival", "n")
    assert (twin.params.service, twin.params.by_class) == (0.8, {"A": 0.99})


def ours(name: str, targets: str) -> PolicySpec:
    return PolicySpec(name, "restock", settings=parse_settings(f"[targets]\n{targets}\n", name))


def test_policies_that_go_by_no_service_are_named_and_stay_as_they_are():
    plain = [
        ours("least cost", 'objective = "cost"'),
        ours("cover", 'objective = "days_of_cover"'),
        ours("mix", 'objective = "fill_rate"\n[targets.aggregate]\nshare = 0.9'),
        ours("classes", "by_class = {A = 0.9, B = 0.9, C = 0.9}"),
        PolicySpec("min", "min_max", params=RuleParams("min_max")),
        PolicySpec("bound", "perfect_foresight"),
    ]
    moved = [ours("service", "service = 0.9"), PolicySpec("n", "normal", params=RuleParams())]
    twins, notes = changed_policies([*plain, *moved], WhatIf("more", service=ServiceChange(service=0.98)))
    counted, same = notes
    assert (counted.code, counted.values["count"]) == ("replay-what-if-service", 2)
    assert same.values["policies"] == ", ".join(spec.name for spec in plain)
    for spec, twin in zip(plain[:3] + plain[4:], twins[:3] + twins[4:6], strict=True):
        assert (twin.settings, twin.params) == (spec.settings, spec.params)
    assert (twins[-2].settings.targets.service, twins[-1].params.service) == (0.98, 0.98)


@pytest.mark.parametrize("change", [ServiceChange(service=0.0), ServiceChange(by_class={"D": 0.9})])
@pytest.mark.parametrize("spec", [ours("service", ""), PolicySpec("n", "normal", params=RuleParams())])
def test_a_changed_target_out_of_range_is_refused(change: ServiceChange, spec: PolicySpec):
    with pytest.raises(ConfigError, match="A changed target is a share"):
        changed_policies([spec], WhatIf("less", service=change))


def test_targets_that_change_for_no_policy_are_refused():
    with pytest.raises(ConfigError, match="finds something"):
        changed_policies([ours("cover", 'objective = "days_of_cover"')], WhatIf("x", service=ServiceChange(0.98)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "changes something"),
        ("[service]\n", "service or by_class must be given"),
        ("[[demand]]\nfactor = 2\n", "start_date"),
        ("[[lead_time]]\ndays = 3\nfactor = 2\n", "either days or factor"),
        (
            '[[closure]]\nplace = "S"\nstart_date = 2023-02-20\nend_date = 2023-02-26\nknown_from = 2023-02-21\n',
            "known_from",
        ),
        ("[[closures]]\n", "closure"),
        ("[[demand]]\nstart_date = 1\n", "demand.start_date is a date. Found 1"),
    ],
)
def test_a_what_if_that_says_nothing_sensible_is_refused(tmp_path: Path, text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        read_what_if(written(tmp_path, text))


def test_a_change_that_finds_nothing_is_refused(tmp_path: Path):
    path = written(tmp_path, '[[lead_time]]\nsource = "nobody"\ndays = 3\n')
    with pytest.raises(ConfigError, match="finds something"):
        changed_tables(Tables.of(small_frames()), read_what_if(path), small_world(), PlanConfig())
