"""What-ifs: a changed world, or a changed target, in which every policy is walked a second time."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import bucket_start
from engine.demand.span import spacing_of, unique_dates
from engine.errors import ConfigError
from engine.messages import Message, Value
from engine.policy.params import TargetParams
from engine.policy.types import F64
from engine.tables import Tables
from experiments.replay.changed_lead_times import LeadTimeChange, change_lead_times
from experiments.replay.policy_files import PolicySpec, refuse_unknown, validated
from experiments.replay.rules import RuleParams
from experiments.replay.world import World

Aims = TypeVar("Aims", TargetParams, RuleParams)


@dataclass(frozen=True)
class DemandChange:
    """Demand on the days from ``start_date`` to ``end_date`` times ``factor``; of a week its share of such days.

    Policies learn of it as it comes; from ``known_from`` on they are told, as by a forecast override.
    """

    start_date: date
    end_date: date
    factor: float
    item: str = ""
    category: str = ""
    location: str = ""
    known_from: date | None = None

    def __post_init__(self) -> None:
        if self.end_date < self.start_date or not self.factor >= 0:
            raise ValueError("end_date must be >= start_date and factor >= 0. Got others instead.")


@dataclass(frozen=True)
class Closure:
    """A supplier or site that rests; policies know of it from ``known_from`` on, by default from its first day."""

    place: str
    start_date: date
    end_date: date
    blocks: str = "ordering,shipping,receiving"
    known_from: date | None = None

    def __post_init__(self) -> None:
        if self.end_date < self.start_date or (self.known_from or self.start_date) > self.start_date:
            raise ValueError("known_from <= start_date <= end_date must hold. Got others instead.")


@dataclass(frozen=True)
class ServiceChange:
    """Other targets: the service, and the service by ABC class."""

    service: float | None = None
    by_class: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.service is None and not self.by_class:
            raise ValueError("service or by_class must be given. Got neither instead.")


@dataclass(frozen=True)
class WhatIf:
    """The changes of one file, under its name."""

    name: str
    lead_time: tuple[LeadTimeChange, ...] = ()
    demand: tuple[DemandChange, ...] = ()
    closure: tuple[Closure, ...] = ()
    service: ServiceChange | None = None


def read_what_if(path: Path) -> WhatIf:
    """Return the what-if of a file: lists ``[[lead_time]]``, ``[[demand]]``, ``[[closure]]`` and a table ``[service]``.

    Raises
    ------
    ConfigError
        The file cannot be read, changes nothing, or holds an unknown key or a value out of range.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("A what-if is a readable TOML file", f"{path}: {error}", "Correct --what-if") from error
    refuse_unknown(stated, [item.name for item in fields(WhatIf)], str(path))
    kinds = {"lead_time": LeadTimeChange, "demand": DemandChange, "closure": Closure}
    found: dict[str, Any] = {}
    for name, kind in kinds.items():
        rows = stated.get(name, [])
        if not isinstance(rows, list):
            raise ConfigError(f"{name} is a list of tables", f"{rows!r} in {path}", f"Write [[{name}]]")
        found[name] = tuple(_one(kind, row, path, f"{name}.") for row in rows)
    service = stated.get("service")
    if service is not None:
        found["service"] = _one(ServiceChange, service, path, "service.")
    if not any(found.values()):
        raise ConfigError("A what-if changes something", f"nothing in {path}", "Add [[demand]], for example")
    return WhatIf(str(stated.get("name", path.stem)), **found)


def _one(kind: type[Any], row: Mapping[str, Any], path: Path, prefix: str) -> Any:
    refuse_unknown(row, [item.name for item in fields(kind)], str(path), prefix)
    return validated(kind, row, str(path), prefix)


def changed_tables(
    tables: Tables, what_if: WhatIf, world: World, config: PlanConfig
) -> tuple[Tables, pd.DataFrame, tuple[Message, ...]]:
    """Return the tables of the changed world, its closures with ``known_from``, and what was changed.

    Parameters
    ----------
    tables, what_if
        The tables as they are, and what is changed.
    world, config
        Their world and its settings.

    Raises
    ------
    ConfigError
        A change finds nothing to change.
    """
    frames: dict[str, pd.DataFrame] = dict(tables.frames)
    given = dict(tables.columns_given)
    notes = []
    if what_if.lead_time:
        changed, counts = change_lead_times(frames, what_if.lead_time, world, config.supply)
        frames |= changed
        given["supply"] = given.get("supply", frozenset()) | {"item_id", "source_id", "location_id", "lead_time_days"}
        notes += [_told("lead_time", count, what_if) for count in counts]
    for number, demand in enumerate(what_if.demand):
        frames["sales"], count = _other_demand(frames, demand)
        notes.append(_told("demand", count, what_if))
        if demand.known_from is not None:
            told = pd.Timestamp(demand.known_from)
            frames["overrides"] = _with_override(frames["overrides"], demand, told, f"what-if-{number}")
            given["overrides"] = frozenset(str(column) for column in frames["overrides"].columns)
    rows = [
        {
            "place_id": closure.place, "start_date": closure.start_date, "end_date": closure.end_date,
            "blocks": closure.blocks, "known_from": closure.known_from or closure.start_date,
        }
        for closure in what_if.closure
    ]  # fmt: skip
    columns = ["place_id", "start_date", "end_date", "blocks", "known_from"]
    closures = pd.DataFrame(rows, columns=columns)
    dates = dict.fromkeys(("start_date", "end_date", "known_from"), "datetime64[ns]")
    if rows:
        notes.append(_told("closure", len(rows), what_if))
    return replace(tables, frames=frames, columns_given=given), closures.astype(dates), tuple(notes)


def changed_policies(
    specs: Sequence[PolicySpec], what_if: WhatIf
) -> tuple[tuple[PolicySpec, ...], tuple[Message, ...]]:
    """Return the twins of policies in the changed world, with changed targets where the what-if has any, and which.

    What was really ordered has no twin: nobody knows what would have been.

    Raises
    ------
    ConfigError
        A target is out of range, or the targets change for no policy.
    """
    own = [spec for spec in specs if spec.kind != "actual"]
    twins = tuple(_twin(spec, what_if) for spec in own)
    if what_if.service is None:
        return twins, ()
    same = [spec.name for spec, twin in zip(own, twins, strict=True) if _aim(spec) == _aim(twin)]
    notes = [_told("service", len(own) - len(same), what_if)]
    if same:
        values: dict[str, Value] = {"name": what_if.name, "count": len(same), "policies": ", ".join(same)}
        notes.append(Message("replay-what-if-service-same", values))
    return twins, tuple(notes)


def _aim(spec: PolicySpec) -> tuple[float, ...] | None:
    """Return the service that a policy aims at by ABC class; None where it goes by something else."""
    if spec.settings is not None:
        targets = spec.settings.targets
        goes = targets.objective in ("cycle_service", "fill_rate") and not targets.aggregate.asked
        aims: TargetParams | RuleParams | None = targets if goes else None
    else:
        aims = spec.params if spec.kind in ("normal", "s_S") else None
    return None if aims is None else tuple(aims.by_class.get(letter, aims.service) for letter in "ABC")


def _twin(spec: PolicySpec, what_if: WhatIf) -> PolicySpec:
    twin = replace(spec, name=f"{spec.name}, {what_if.name}", variant_of=spec.name)
    change = what_if.service
    if change is None:
        return twin
    if _aim(spec) is None:
        return twin
    try:
        if twin.settings is not None:
            targets = _with_service(twin.settings.targets, change)
            return replace(twin, settings=replace(twin.settings, targets=targets))
        if twin.params is not None:
            return replace(twin, params=_with_service(twin.params, change))
    except ValueError as error:
        raise ConfigError(
            "A changed target is a share of an ABC class or of all", str(error), "Correct [service]"
        ) from error
    return twin


def _with_service(own: Aims, change: ServiceChange) -> Aims:
    service = own.service if change.service is None else change.service
    return replace(own, service=service, by_class={**own.by_class, **change.by_class})


def _told(kind: str, count: int, what_if: WhatIf) -> Message:
    if not count:
        raise ConfigError(
            "Every change of a what-if finds something", f"nothing for {kind} in {what_if.name}", "Mend it"
        )
    return Message(f"replay-what-if-{kind.replace('_', '-')}", {"name": what_if.name, "count": count})


def _other_demand(frames: Mapping[str, pd.DataFrame], change: DemandChange) -> tuple[pd.DataFrame, int]:
    sales, items = frames["sales"], frames["items"].set_index("item_id")
    covered = _covered(sales, change)
    chosen = covered > 0
    if change.item:
        chosen &= (sales["item_id"] == change.item).to_numpy(bool)
    if change.location:
        chosen &= (sales["location_id"] == change.location).to_numpy(bool)
    if change.category:
        category = sales["item_id"].map(items["category"])
        chosen &= (category == change.category).fillna(False).to_numpy(bool)
    divisible = sales["item_id"].isin(items.index[items["divisible"].eq(True)]).to_numpy(bool)
    units = sales["units"].to_numpy(np.float64)
    other = units * (1.0 + (change.factor - 1.0) * covered)
    other = np.where(divisible, other, np.rint(other))
    return sales.assign(units=np.where(chosen, other, units)), int(chosen.sum())


def _covered(sales: pd.DataFrame, change: DemandChange) -> F64:
    """Return the share of each row's days that are changed: a row of weekly sales stands for its whole week."""
    days = sales["date"].to_numpy().astype("datetime64[D]")
    spacing = spacing_of(unique_dates(sales))
    first = bucket_start(days, spacing)
    last = first + (6 if spacing == "W" else 0)
    start, end = np.datetime64(change.start_date), np.datetime64(change.end_date)
    inside = (np.minimum(last, end) - np.maximum(first, start)).astype(np.int64) + 1
    return np.maximum(inside, 0) / ((last - first).astype(np.int64) + 1)


def _with_override(overrides: pd.DataFrame, change: DemandChange, told: pd.Timestamp, name: str) -> pd.DataFrame:
    row = {
        "override_id": name, "start_date": pd.Timestamp(change.start_date), "end_date": pd.Timestamp(change.end_date),
        "item_id": change.item or None, "category": change.category or None, "location_id": change.location or None,
        "kind": "forecast", "operation": "multiply", "value": change.factor,
        "known_from": told,
    }  # fmt: skip
    added = pd.DataFrame([row]).reindex(columns=overrides.columns).astype(overrides.dtypes.to_dict())
    return pd.concat([overrides, added], ignore_index=True) if len(overrides) else added
