"""Forecasters are found by name, loaded when asked for, and refuse settings they do not know."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from engine.errors import ConfigError
from engine.execution import Run, Serial
from engine.forecast.params import ForecastParams
from engine.forecast.types import Forecaster
from models.registry import CLASSES, EXTRAS, create


@pytest.mark.parametrize("name", list(CLASSES))
def test_every_name_gives_a_forecaster_of_that_name(name: str) -> None:
    if name in EXTRAS and find_spec("gluonts") is None:
        pytest.skip(f"the extra `{EXTRAS[name]}` is not installed")
    forecaster = create(name)
    assert isinstance(forecaster, Forecaster)
    assert forecaster.name == name


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'booting'.*Did you mean 'boosting'"):
        create("booting")


@pytest.mark.parametrize("absent", ["torch", "gluonts.torch.distributions"])
def test_a_library_that_is_not_installed_is_told_with_its_extra(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models.lstm", "models.lstm_training"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ConfigError, match=r"lstm needs the extra 'lstm'.*no module '.*pip install 'restock\[lstm\]'"):
        create("lstm")


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'n_tree'.*Did you mean 'n_trees'"):
        create("boosting", {"n_tree": 3})


def test_a_setting_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="n_trees must be >= 2"):
        create("boosting", {"n_trees": 0})


def test_a_forecaster_without_settings_refuses_any() -> None:
    with pytest.raises(ConfigError, match="seasonal_naive must be one of none"):
        create("seasonal_naive", {"season": 7})


def test_max_local_fits_comes_from_the_forecast_settings_unless_stated() -> None:
    forecast = ForecastParams(max_local_fits=7)
    assert create("arima", None, forecast).params.max_local_fits == 7
    assert create("arima", {"max_local_fits": 3}, forecast).params.max_local_fits == 3


def test_per_series_models_take_the_executor_of_the_run() -> None:
    executor = Serial(1)
    assert create("prophet", None, None, Run(executor=executor)).executor is executor


def test_importing_the_registry_imports_no_forecaster_library() -> None:
    code = (
        "import sys, models.registry, models.best_of; "
        "print(sorted({'lightgbm', 'prophet', 'statsmodels', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
