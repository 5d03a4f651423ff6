"""Message catalogues: the wording of codes, in one language a file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter, capwords
from typing import Any

import pandas as pd

from engine.messages import Message

FOLDER = Path(__file__).parent / "catalogues"

WORDING: Mapping[str, tuple[str, str]] = {
    "reason": ("reason_code", "reason_values"),
    "alert": ("alert_code", "alert_values"),
    "assumption": ("assumption_code", "assumption_values"),
}
"""Wording column to the columns of code and values that it is made from."""


@dataclass(frozen=True)
class _Part:
    """A stretch of a sentence: literal text, each followed by a placeholder's name and format, or by nothing."""

    fields: tuple[tuple[str, str | None, str], ...]
    optional: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name, _ in self.fields if name is not None)


@dataclass(frozen=True)
class Catalogue:
    """Sentences by code, headings by column, and single words, in one language.

    A placeholder ``{name}`` shows a value by its kind; ``{name:money}``, ``{name:percent}``,
    ``{name:units}`` and ``{name:days}`` say how; ``{name:change}`` shows a share with its sign, ``{name:factor}``
    the name of what changes a forecast. A part in square brackets is left out where one of its values is unknown
    or zero.
    """

    language: str
    sentences: Mapping[str, str]
    headings: Mapping[str, str]
    words: Mapping[str, str]

    def render(self, code: str, values: Mapping[str, Any]) -> str:
        """Return the sentence of a code, filled.

        A code or a value that the catalogue and the message do not share is shown as it is, so that a plan
        is not lost for the want of a word; tests hold that no code of restock comes to this.
        """
        sentence = self.sentences.get(code)
        parts = () if sentence is None else _parse(sentence)
        if not parts or any(name not in values for part in parts for name in part.names):
            shown = ", ".join(f"{name} {self.show(value)}" for name, value in sorted(values.items()))
            return f"{code}: {shown}" if shown else code
        return "".join(self._fill(part, values) for part in parts)

    def show(self, value: object, spec: str = "") -> str:
        """Return a value as text; ``spec`` is money, percent, units, days, or empty (by its kind)."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return self.words["unknown"]
        if isinstance(value, bool):
            return self.words["yes" if value else "no"]
        if spec == "factor":
            return self.factor(str(value))
        if not isinstance(value, (int, float)):
            return str(value)
        if math.isinf(value):
            return self.words["unlimited"]
        if spec == "money":
            return f"{value:,.2f}"
        if spec == "percent":
            return f"{plain_number(value * 100)}%"
        if spec == "change":
            return f"{value:+.0%}"
        if spec in ("", "units", "days"):
            return plain_number(value)
        return format(value, spec)

    def factor(self, name: str) -> str:
        """Return what changes a forecast in words: a word of the catalogue, or made of a regressor's name."""
        if word := self.words.get(f"factor-{name}"):
            return word
        kind, _, rest = name.partition("_")
        moment = next((end for end in ("_lead", "_lag") if rest.endswith(end)), "") if kind == "event" else ""
        word = self.words.get(f"factor-{kind}{moment.replace('_', '-')}", "{name}")
        return word.format(name=capwords((rest or name).removesuffix(moment).replace("_", " ")))

    def heading(self, column: str) -> str:
        """Return the heading of a column; its name where the catalogue has none."""
        return self.headings.get(column, column)

    def _fill(self, part: _Part, values: Mapping[str, Any]) -> str:
        if part.optional and any(values[name] in (None, 0) for name in part.names):
            return ""
        return "".join(
            literal + ("" if name is None else self.show(values[name], spec)) for literal, name, spec in part.fields
        )


def render(message: Message, catalogue: Catalogue) -> str:
    """Return the sentence of a message."""
    return catalogue.render(message.code, message.values)


def plain_number(value: float) -> str:
    """Return a number for people: thousands separated, few decimals.

    Examples
    --------
    >>> plain_number(12345.0), plain_number(123.46), plain_number(12.34), plain_number(1.20)
    ('12,345', '123', '12.3', '1.2')
    """
    size = abs(value)
    decimals = 0 if value == round(value) or size >= 100 else 1 if size >= 10 else 2
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


@lru_cache
def read_catalogue(language: str = "en") -> Catalogue:
    """Return the catalogue of a language ("en")."""
    content = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return Catalogue(language, content["sentences"], content["headings"], content["words"])


def with_wording(table: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Return a plan's table with its wording column (``reason``, ``alert``, ``assumption``) appended."""
    for wording, (code, values) in WORDING.items():
        if code in table.columns:
            return table.assign(**{wording: _sentences(table[code], table[values], catalogue)})
    return table


def _sentences(codes: Iterable[str], values: Iterable[str], catalogue: Catalogue) -> pd.Series:
    told = [catalogue.render(code, json.loads(text)) for code, text in zip(codes, values, strict=True)]
    return pd.Series(told, dtype="string[pyarrow]")


@lru_cache(maxsize=4096)
def _parse(sentence: str) -> tuple[_Part, ...]:
    # Splitting at brackets leaves what stood inside them at the odd places.
    stretches = re.split(r"\[([^\]]*)\]", sentence)
    return tuple(
        _Part(
            tuple((literal, name, spec or "") for literal, name, spec, _ in Formatter().parse(text)),
            optional=place % 2 == 1,
        )
        for place, text in enumerate(stretches)
        if text
    )
