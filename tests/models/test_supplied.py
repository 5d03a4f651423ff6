"""A forecaster of the user's own is found by package.module:Class, and refused with what it lacks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.execution import Run, Serial
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import FittedState, Forecaster
from models.registry import create

WHOLE = """
from dataclasses import dataclass, field
from models.moving_average import MovingAverage

@dataclass(frozen=True)
class MineParams:
    speed: int = 1

    def __post_init__(self):
        if self.speed < 1:
            raise ValueError(f"speed must be >= 1. Got {self.speed} instead.")

@dataclass(frozen=True)
class Mine:
    params: MineParams = field(default_factory=MineParams)
    executor: object = None
    name: str = "mine"
    cold_start: bool = True

    def fit(self, panel):
        return MovingAverage().fit(panel)

    def from_state(self, state):
        return MovingAverage().from_state(state)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a text as the importable module `shop.own`."""

    def write(text: str) -> None:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "__init__.py").touch()
        (tmp_path / "shop" / "own.py").write_text(text, encoding="utf-8")

    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shop", "shop.own"):
        # Registered as absent before the test, so that what the test imports is forgotten after it.
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    return write


def test_it_is_made_with_its_settings_and_the_executor_of_the_run(module: Callable[[str], None]) -> None:
    module(WHOLE)
    executor = Serial(1)
    made = create("shop.own:Mine", {"speed": 7}, None, Run(executor=executor))
    assert isinstance(made, Forecaster)
    assert (made.name, made.cold_start) == ("mine", True)
    assert (made.forecaster.params.speed, made.forecaster.executor is executor) == (7, True)


def test_it_fits_and_comes_back_from_its_state(module: Callable[[str], None]) -> None:
    module(WHOLE)
    made, panel = create("shop.own:Mine"), synthetic_panel(n_items=3)
    state = made.fit(panel).state()
    assert made.from_state(state).state().text == state.text


@pytest.mark.parametrize(
    ("params", "finding"), [({"sped": 2}, r"'sped'.*Did you mean 'speed'"), ({"speed": 0}, "speed must be >= 1")]
)
def test_its_settings_are_checked_like_those_of_shipped_ones(
    module: Callable[[str], None], params: dict[str, int], finding: str
) -> None:
    module(WHOLE)
    with pytest.raises(ConfigError, match=finding):
        create("shop.own:Mine", params)


@pytest.mark.parametrize("name", ["shop.own:", ":Mine", "shop.own:Mine:x", "shop/own.py:Mine", "shop.own:Mine()"])
def test_a_name_of_another_form_is_refused_before_anything_is_loaded(name: str) -> None:
    with pytest.raises(ConfigError, match=r"must be named package\.module:Class"):
        create(name)


def test_a_module_that_is_not_there_is_refused_with_where_to_put_it() -> None:
    with pytest.raises(ConfigError, match=r"No module named 'nowhere_at_all'.*PYTHONPATH"):
        create("nowhere_at_all:Mine")


def test_a_module_that_fails_to_load_is_refused_with_its_own_error(module: Callable[[str], None]) -> None:
    module("1 / 0")
    with pytest.raises(ConfigError, match=r"'shop\.own:Mine' must load.*ZeroDivisionError"):
        create("shop.own:Mine")


def test_a_class_that_is_not_in_the_module_is_refused_with_those_that_are(module: Callable[[str], None]) -> None:
    module("class Yours: pass\nMine = 3")
    with pytest.raises(ConfigError, match="no class 'Mine' among Yours"):
        create("shop.own:Mine")


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("name = 'mine'\n    def fit(self, panel): ...", "without from_state"),
        ("def fit(self, panel): ...\n    def from_state(self, state): ...", "without name"),
        ("def __init__(self, size): ...", "size.*Give its other fields defaults"),
        ("name = 'boosting'\n    def fit(self, panel): ...\n    def from_state(self, state): ...", "'boosting'"),
        ("name = 3\n    def fit(self, panel): ...\n    def from_state(self, state): ...", "must be a text"),
    ],
)
def test_a_class_that_is_no_forecaster_is_refused_with_what_it_lacks(
    module: Callable[[str], None], body: str, finding: str
) -> None:
    module(f"class Mine:\n    {body}")
    with pytest.raises(ConfigError, match=finding):
        create("shop.own:Mine")


def test_a_fit_that_cannot_sample_is_refused(module: Callable[[str], None]) -> None:
    module(
        "class Mine:\n    name = 'mine'\n"
        "    def fit(self, panel): return None\n    def from_state(self, state): return {}\n"
    )
    made = create("shop.own:Mine")
    with pytest.raises(ConfigError, match=r"fit of a forecaster.*a NoneType without notes, sample, state from mine"):
        made.fit(synthetic_panel(n_items=2))
    with pytest.raises(ConfigError, match=r"from_state of a forecaster.*a dict without notes"):
        made.from_state(FittedState())
