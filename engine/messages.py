"""What a person reads leaves the engine as a code and its values; wording is added at the edge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Message:
    """A fact to be told: a code of the message catalogue and the values that fill it.

    Used for reasons, alerts, assumptions and fit notes. The catalogues in
    ``experiments/exchange`` hold one wording per code and language.
    """

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __reduce__(self) -> tuple[type[Message], tuple[str, dict[str, Value]]]:
        return Message, (self.code, dict(self.values))

    def values_json(self) -> str:
        """Return the values as JSON with sorted keys, the form of ``reason_values`` in the tables."""
        return json.dumps(dict(self.values), sort_keys=True, ensure_ascii=False, allow_nan=False)
