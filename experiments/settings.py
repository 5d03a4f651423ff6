"""Settings: TOML files that state only what differs from ``configs/default.toml``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from engine.config import PlanConfig
from engine.errors import ConfigError
from experiments.setting_kinds import refuse_other_kinds

CONFIG_VERSION = "1"

CONFIGS = Path(__file__).parent.parent / "configs"
"""The shipped settings; the folder holds no Python, so it is found beside this package, also in a wheel."""


@dataclass(frozen=True)
class RunParams:
    """``workers``: processes to use; 0 takes every core. Results do not depend on it."""

    workers: int = 0

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"workers must be >= 0. Got {self.workers} instead.")

    @property
    def n_workers(self) -> int:
        return self.workers or os.cpu_count() or 1


@dataclass(frozen=True)
class Settings(PlanConfig):
    """All settings of a run: those of the plan, of its execution, and per forecaster (``[models.NAME]``)."""

    config_version: str = CONFIG_VERSION
    run: RunParams = field(default_factory=RunParams)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def flat(self) -> dict[str, str]:
        """Return every setting by dotted name, as text (the form that is tracked)."""
        return dict(_flatten("", asdict(self)))


def default_toml() -> str:
    """Return the text of ``configs/default.toml`` as shipped."""
    return (CONFIGS / "default.toml").read_text(encoding="utf-8")


def read_settings(path: Path | None) -> Settings:
    """Return the default settings, overridden by those of the file at ``path`` (None: none).

    Raises
    ------
    ConfigError
        The file is missing or no TOML, or a key or value is unknown (the nearest known key is named).
    """
    if path is None:
        return parse_settings("", "defaults")
    try:
        return parse_settings(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("A config file is a readable UTF-8 file", f"{path}: {error}", "Correct --config") from error


def parse_settings(text: str, name: str) -> Settings:
    """Return the settings in ``text`` (TOML) over the defaults; ``name`` stands in errors."""
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("A config file is TOML", f"{name}: {error}", "Correct the line named") from error
    _refuse_unknown(Settings, stated, name)
    refuse_other_kinds(Settings, stated, name)
    version = stated.get("config_version", CONFIG_VERSION)
    if version != CONFIG_VERSION:
        raise ConfigError(
            f"config_version is {CONFIG_VERSION!r}",
            f"{version!r} in {name}",
            "Bring the file up to this version",
        )
    merged = _merge(tomllib.loads(default_toml()), stated)
    try:
        return TypeAdapter(Settings).validate_python(merged, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        finding = f"{place} = {first['input']!r} in {name}: {first['msg']}"
        raise ConfigError("Every setting has a value of its kind and range", finding, "Correct the value") from error


def _refuse_unknown(kind: type, stated: Mapping[str, Any], name: str, prefix: str = "") -> None:
    hints = get_type_hints(kind)
    known = {item.name: hints[item.name] for item in fields(kind)}
    for key, value in stated.items():
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            raise ConfigError(
                "Every setting is one that restock knows",
                f"{prefix}{key} in {name}",
                f"The nearest known one is {prefix}{near[0]}",
            )
        if is_dataclass(known[key]) and isinstance(value, Mapping):
            _refuse_unknown(known[key], value, name, f"{prefix}{key}.")


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _flatten(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flatten(f"{name}.", value)
        else:
            yield name, str(value)
