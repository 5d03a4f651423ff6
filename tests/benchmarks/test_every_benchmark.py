"""Every module of the benchmarks still fits the code that it measures."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import benchmarks

ONLY_IN_THE_BENCH_EXTRA = {"mlforecast", "stockpyl"}


FOLDER = Path(benchmarks.__file__).parent
NAMES = [".".join(path.relative_to(FOLDER.parent).with_suffix("").parts) for path in sorted(FOLDER.rglob("*.py"))]


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("__init__")])
def test_a_benchmark_can_be_started(name: str):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in ONLY_IN_THE_BENCH_EXTRA:
            raise
        pytest.skip(f"{missing.name} comes with the bench extra")
    assert module.__name__ == name
