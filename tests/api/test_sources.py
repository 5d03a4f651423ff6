"""Which data a caller may name: nothing outside what was registered or laid under the root."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.sources import Sources, read_sources
from engine.errors import ConfigError


def test_a_folder_under_the_root_is_found(home: Path) -> None:
    assert Sources(home / "data").locate("shop") == str(home / "data" / "shop")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../data", "shop/../..", "/etc/passwd", "gone", "sqlite:////etc/passwd", "a\0b", "n" * 400]
)
def test_nothing_else_is_found(home: Path, name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Sources(home / "data").locate(name)
    assert str(home) not in str(refused.value)


def test_a_link_leads_nowhere_else(home: Path) -> None:
    (home / "secret").mkdir()
    (home / "data" / "link").symlink_to(home / "secret")
    with pytest.raises(ConfigError):
        Sources(home / "data").locate("link")


def test_registered_sources_are_known_by_name_alone(home: Path) -> None:
    (home / "sources.toml").write_text('[sources]\nerp = "env:ERP"\n')
    sources = read_sources(home)
    assert sources.locate("erp") == "env:ERP"
    assert sources.locate("shop") == str(home / "data" / "shop")


@pytest.mark.parametrize(
    "text", ["sources = 1", "[sources]\nerp = 1", "[other]", 'erp = "postgresql://a:s3cret@b/c', "\xff"]
)
def test_a_wrong_register_is_refused_without_its_addresses(home: Path, text: str) -> None:
    (home / "sources.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as refused:
        read_sources(home)
    assert "s3cret" not in str(refused.value)
