"""Settings from JSON to TOML and back."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.toml_text import toml_text
from engine.errors import ConfigError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=4
)


# How long drawing takes depends on what else the machine does.
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TEXT, VALUE, max_size=4))
def test_what_is_written_reads_the_same(stated: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(stated)) == stated


def test_null_has_no_place() -> None:
    with pytest.raises(ConfigError, match=r"targets\.service = null"):
        toml_text({"targets": {"service": None}})


@pytest.mark.parametrize("stated", [{"a": "\ud800"}, {"\udfff": 1}])
def test_half_a_character_has_no_place(stated: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="surrogate"):
        toml_text(stated)
