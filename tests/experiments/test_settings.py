"""Settings: the shipped defaults are the defaults of the code, and mistakes are named."""

import tomllib
from dataclasses import asdict

import pytest

from engine.config import PlanConfig
from engine.errors import ConfigError
from experiments.settings import Settings, default_toml, parse_settings, read_settings


def test_the_shipped_file_states_every_default_of_the_code() -> None:
    stated = tomllib.loads(default_toml())
    expected = asdict(Settings())
    expected.pop("models")
    assert expected["supply"].pop("lead_time_days") is None, "a lead time has no default"
    assert expected["limits"].pop("budget") is None, "a budget has no default"
    as_lists = {
        section: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        if isinstance(values, dict)
        else values
        for section, values in expected.items()
    }
    assert stated == as_lists


def test_a_file_states_only_what_differs() -> None:
    settings = parse_settings('[targets]\nservice = 0.9\nby_class = { A = 0.98 }\n[time]\nbucket = "W"', "mine.toml")
    assert settings.targets.service == 0.9
    assert settings.targets.by_class == {"A": 0.98}
    assert settings.time.bucket == "W"
    assert settings.forecast == PlanConfig().forecast


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings("[targets]\nservise = 0.9", "mine.toml")
    assert str(caught.value) == (
        "Every setting is one that restock knows. Found targets.servise in mine.toml. "
        "The nearest known one is targets.service"
    )


@pytest.mark.parametrize(
    "text",
    [
        '[time]\nbucket = "Q"',
        "[forecast]\nn_paths = 0",
        "[targets]\nservice = 1.5",
        "[targets]\nservice = 95",
        "[targets]\nby_class = { A = 98 }",
        "[supply]\nlead_time_days = -1",
        "[supply]\nreview_period_days = 0",
        "[run]\nworkers = -1",
        "targets = 3",
        'seed = "x"',
    ],
)
def test_a_value_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_settings(text, "mine.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[limits]\nbudget = true",
            "limits.budget is a number. Found true in mine.toml. Write digits, without quotes",
        ),
        ("seed = false", "seed is a whole number. Found false in mine.toml. Write digits, without quotes"),
        (
            '[targets]\nservice = "0.9"',
            "targets.service is a number. Found '0.9' in mine.toml. Write digits, without quotes",
        ),
        (
            "[targets]\nby_class = { A = 0.98, C = true }",
            "targets.by_class.C is a number. Found true in mine.toml. Write digits, without quotes",
        ),
        (
            "[targets.aggregate]\nshare = true",
            "targets.aggregate.share is a number. Found true in mine.toml. Write digits, without quotes",
        ),
        (
            '[forecast]\nquantiles = [0.1, "0.5"]',
            "forecast.quantiles.1 is a number. Found '0.5' in mine.toml. Write digits, without quotes",
        ),
        ("[forecast]\nmodels = [3]", "forecast.models.0 is a text. Found 3 in mine.toml. Write it in quotes"),
        (
            "[demand]\nholiday_country = 49",
            "demand.holiday_country is a text. Found 49 in mine.toml. Write it in quotes",
        ),
        ("[time]\nbucket = true", "time.bucket is a text. Found true in mine.toml. Write it in quotes"),
    ],
)
def test_a_value_of_another_kind_is_refused_and_not_read_as_one(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "mine.toml")
    assert str(caught.value) == told


def test_whole_numbers_may_stand_where_numbers_do_and_models_have_settings_of_any_kind() -> None:
    settings = parse_settings("[limits]\nbudget = 5\n[models.own]\nfast = true\nname = 'x'", "mine.toml")
    assert settings.limits.budget == 5.0
    assert settings.models["own"] == {"fast": True, "name": "x"}


def test_a_missing_file_is_a_config_error(tmp_path) -> None:
    with pytest.raises(ConfigError):
        read_settings(tmp_path / "absent.toml")


def test_flat_names_every_setting() -> None:
    flat = Settings().flat()
    assert flat["targets.service"] == "0.95"
    assert flat["run.workers"] == "0"
