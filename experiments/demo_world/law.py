"""The law of the demo world, from the one file that holds its parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

Law = Mapping[str, Any]


def load_law() -> Law:
    """Return the parameters of ``law.toml`` by section."""
    text = files("experiments.demo_world").joinpath("law.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
