"""Policy files: a usual settings file is restock with these settings; one with ``[policy]`` is another policy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import TypeAdapter, ValidationError

from engine.errors import ConfigError
from experiments.replay.rules import RuleKind, RuleParams
from experiments.setting_kinds import refuse_other_kinds
from experiments.settings import CONFIG_VERSION, Settings, parse_settings

OURS: Literal["restock"] = "restock"
TEXTBOOK_NAME, ACTUAL_NAME, FORESIGHT_NAME = "textbook", "actual", "foresight"
Kind = Literal["restock", "normal", "s_S", "weeks_of_cover", "min_max", "actual", "perfect_foresight"]
_REFERENCES: Mapping[str, Kind] = {
    TEXTBOOK_NAME: "normal",
    ACTUAL_NAME: "actual",
    FORESIGHT_NAME: "perfect_foresight",
}
"""Names of the policies that stand beside those asked for, and their kinds."""


@dataclass(frozen=True)
class PolicySpec:
    """A policy by name. ``settings`` are given for restock only; ``params`` for textbook policies only.

    ``variant_of`` names the policy that this is a what-if of, "" for none.
    """

    name: str
    kind: Kind
    settings: Settings | None = None
    params: RuleParams | None = None
    variant_of: str = ""

    def __post_init__(self) -> None:
        if (self.kind == OURS) != (self.settings is not None):
            raise ValueError(f"settings must be given for restock and only for it. Got kind {self.kind!r} instead.")
        if (self.kind in get_args(RuleKind)) != (self.params is not None):
            raise ValueError(f"params must be given for textbook policies only. Got kind {self.kind!r} instead.")


def read_policies(paths: Sequence[Path]) -> tuple[PolicySpec, ...]:
    """Return the policies of files, each named by its file, or by ``name`` in its ``[policy]``.

    Raises
    ------
    ConfigError
        A file cannot be read, holds an unknown key or a value out of range, two policies share a name, or one has the
        name of a policy of another kind that stands beside all.
    """
    specs = tuple(_read(path) for path in paths)
    for spec in specs:
        if _REFERENCES.get(spec.name, spec.kind) != spec.kind:
            raise ConfigError(
                f"Only a policy of kind {_REFERENCES[spec.name]} is called {spec.name}, as the one beside all others",
                f"kind {spec.kind}",
                'Rename the file, or give `name = "..."` in its [policy]',
            )
    refuse_repeated([spec.name for spec in specs])
    return specs


def refuse_repeated(names: Sequence[str]) -> None:
    """Refuse a name that several policies have, what-ifs included."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError("Policies have different names", ", ".join(twice), 'Give one of them `name = "..."`')


def with_references(specs: Sequence[PolicySpec], settings: Settings, has_actual: bool) -> tuple[PolicySpec, ...]:
    """Return the policies with those beside which they stand, where none of their kind is given.

    These are a textbook policy with the same targets, what was really ordered where the data tell, and the bound that
    knows demand.
    """
    kinds = {spec.kind for spec in specs}
    targets = settings.targets
    added = []
    if "normal" not in kinds:
        params = RuleParams("normal", service=targets.service, by_class=dict(targets.by_class))
        added.append(PolicySpec(TEXTBOOK_NAME, "normal", params=params))
    if has_actual and "actual" not in kinds:
        added.append(PolicySpec(ACTUAL_NAME, "actual"))
    if "perfect_foresight" not in kinds:
        added.append(PolicySpec(FORESIGHT_NAME, "perfect_foresight"))
    return (*specs, *added)


def _read(path: Path) -> PolicySpec:
    try:
        text = path.read_text(encoding="utf-8")
        stated = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("A policy file is a readable TOML file", f"{path}: {error}", "Correct --policy") from error
    if "policy" not in stated:
        return PolicySpec(path.stem, OURS, settings=parse_settings(text, str(path)))
    known = ["policy", "config_version"]
    refuse_unknown(stated, known, str(path))
    if stated.get("config_version", CONFIG_VERSION) != CONFIG_VERSION:
        raise ConfigError(
            f"config_version is {CONFIG_VERSION!r}",
            f"{stated['config_version']!r} in {path}",
            "Bring the file up to it",
        )
    policy = stated["policy"]
    if not isinstance(policy, Mapping):
        raise ConfigError("[policy] is a table", f"{policy!r} in {path}", 'Write [policy] and below it kind = "normal"')
    return _policy(dict(policy), path)


def _policy(policy: dict[str, Any], path: Path) -> PolicySpec:
    name, stated = str(policy.pop("name", path.stem)), policy.get("kind")
    kinds = [known for known in get_args(Kind) if known != OURS]
    if stated not in kinds:
        raise ConfigError("policy.kind is one of " + ", ".join(kinds), f"{stated!r} in {path}", "Name one of them")
    kind = cast(Kind, stated)
    rule = kind in get_args(RuleKind)
    allowed = [item.name for item in fields(RuleParams)] if rule else ["kind"]
    refuse_unknown(policy, [*allowed, "name"], str(path), "policy.")
    if not rule:
        return PolicySpec(name, kind)
    return PolicySpec(name, kind, params=validated(RuleParams, policy, str(path), "policy."))


def refuse_unknown(stated: Mapping[str, Any], known: Sequence[str], file: str, prefix: str = "") -> None:
    """Refuse a key that is not known, naming the nearest one that is."""
    for key in stated:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)
            raise ConfigError(
                "Every setting is one that restock knows",
                f"{prefix}{key} in {file}",
                f"The nearest known one is {prefix}{near[0]}",
            )


def validated(kind: type[Any], values: Mapping[str, Any], file: str, prefix: str = "") -> Any:
    """Return a dataclass of values; one of the wrong kind or out of range is refused by its name."""
    refuse_other_kinds(kind, values, file, prefix)
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = prefix + ".".join(str(part) for part in first["loc"])
        finding = f"{place} = {first['input']!r} in {file}: {first['msg']}"
        raise ConfigError("Every setting has a value of its kind and range", finding, "Correct the value") from error
