"""Writing settings as TOML: the standard library reads it but does not write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.errors import ConfigError


def toml_text(settings: Mapping[str, Any]) -> str:
    """Return settings, as JSON gives them, as one TOML document with a dotted key a line.

    Raises
    ------
    ConfigError
        TOML cannot say it: a value is null, or a text holds half of a surrogate pair.

    Examples
    --------
    >>> toml_text({"seed": 1, "targets": {"service": 0.9}})
    'seed = 1\\ntargets.service = 0.9\\n'
    """
    return "".join(f"{line}\n" for line in _lines("", settings))


def _lines(prefix: str, settings: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in settings.items():
        name = f"{prefix}{_text(key)}" if not key.isidentifier() or not key.isascii() else f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            lines += _lines(f"{name}.", value)
        else:
            lines.append(f"{name} = {_value(name, value)}")
    return lines


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)} = {_value(name, item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(name, item) for item in value) + "]"
    raise ConfigError(
        "A setting is text, a number, true or false, or a list of these", f"{name} = null", "Leave it out"
    )


def _text(text: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ConfigError("A setting is Unicode text", f"half of a surrogate pair in {text!r}", "Correct it")
    # TOML's basic strings are JSON's but for DEL, which must be escaped; other characters stand for themselves.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
