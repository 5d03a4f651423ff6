"""Every module of the benchmarks still fits the code that it measures."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import benchmarks

ONLY_IN_THE_BENCH_EXTRA = {"mlforecast", "stockpyl"}


@pytest.mark.parametrize("name", [each.name for each in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")])
def test_a_benchmark_can_be_started(name: str):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in ONLY_IN_THE_BENCH_EXTRA:
            raise
        pytest.skip(f"{missing.name} comes with the bench extra")
    assert module.__name__ == name
