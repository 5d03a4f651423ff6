"""The items of the demo world and what each is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.forecast.streams import Streams
from experiments.demo_world.law import Law

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

CENTRAL = "DC"
SITES = ("DC", "WH-EAST", "WH-NORTH", "WH-SOUTH")
REGIONS = ("east", "north", "south")
DEFAULT_HISTORY_WEEKS = 130
BUNDLE = "DW-900"
NEVER = 10**6


@dataclass(frozen=True)
class Assortment:
    """Stocked items, one row each in the order of their ids; days count from the world's start.

    ``level`` is units a day over all regions, ``share`` (n, 3) splits it by region. ``launch`` and ``end``
    are the first day on sale and the day after the last (`NEVER` for none). ``decay_from`` is the day from
    which a dying item fades. ``components`` are the rows of the bundle's two components.
    """

    item_id: Texts
    name: Texts
    category: I64
    level: F64
    share: F64
    unit_cost: F64
    unit_price: F64
    volume: F64
    pack: I64
    launch: I64
    end: I64
    decay_from: I64
    intermittent: Bools
    direct: Bools
    near_only: Bools
    near_too: Bools
    presale: Bools
    components: tuple[int, int]

    @property
    def n_items(self) -> int:
        return len(self.item_id)


def make_assortment(law: Law, streams: Streams) -> Assortment:
    """Return the items: which kind each is, its level, costs and dates."""
    said = law["items"]
    n = said["n_stocked"]
    draw = streams.common("assortment", law["world"]["start"].isoformat())
    item_id = np.array([f"DW-{number:03d}" for number in range(1, n + 1)], object)
    category = draw.integers(0, len(said["categories"]), n)
    kind = _kinds(law, draw)
    intermittent = kind == "intermittent"
    level = np.where(intermittent, _lognormal(draw, said["intermittent_level"], n), _lognormal(draw, said["level"], n))
    unit_cost = np.round(_lognormal(draw, said["unit_cost"], n), 2)
    low, high = said["mark_up"]
    mark_up = draw.uniform(low, high, n)
    launch, end, decay_from = _dates(kind, law, draw)
    regular = np.flatnonzero(kind == "regular")
    by_level = regular[np.argsort(-level[regular], kind="stable")]
    pack = np.array(said["packs"])[np.clip(np.digitize(level, [0.8, 4.0, 12.0]), 0, len(said["packs"]) - 1)]
    near_only = _chosen(np.arange(n), said["n_near_only"], n, draw)
    names = [f"Made-up {said['categories'][c]} {number:03d}" for number, c in enumerate(category, start=1)]
    return Assortment(
        item_id=item_id,
        name=np.array(names, object),
        category=category,
        level=level,
        share=draw.dirichlet(
            np.array(said["region_share"]) / sum(said["region_share"]) * said["region_share_sharpness"] * 3, n
        ),
        unit_cost=unit_cost,
        unit_price=np.round(unit_cost * mark_up, 1),
        volume=np.round(_lognormal(draw, said["volume"], n), 5),
        pack=pack.astype(np.int64),
        launch=launch,
        end=end,
        decay_from=decay_from,
        intermittent=intermittent,
        direct=_chosen(by_level[: 2 * said["n_direct"]], said["n_direct"], n, draw),
        near_only=near_only,
        near_too=~near_only & (draw.random(n) < law["supply"]["near_and_far_share"]),
        presale=_chosen(by_level[: 2 * said["n_presale"]], said["n_presale"], n, draw),
        components=(int(by_level[3]), int(by_level[len(by_level) // 3])),
    )


def _lognormal(draw: np.random.Generator, law: Law, n: int) -> F64:
    return np.exp(draw.normal(law["log_mean"], law["log_sd"], n))


def _kinds(law: Law, draw: np.random.Generator) -> Texts:
    said = law["items"]
    kinds = ["intermittent"] * said["n_intermittent"] + ["launching"] * said["n_launching"]
    kinds += ["new"] * (said["n_new"] - said["n_launching"])
    kinds += ["ended"] * said["n_ended"] + ["dying"] * (said["n_dying"] - said["n_ended"])
    kinds += ["regular"] * (said["n_stocked"] - len(kinds))
    return draw.permutation(np.array(kinds, object))


def _dates(kind: Texts, law: Law, draw: np.random.Generator) -> tuple[I64, I64, I64]:
    """Return launch, end and the start of decay, in days from the world's start."""
    n, now = len(kind), 7 * DEFAULT_HISTORY_WEEKS
    launch = np.where(kind == "new", 7 * draw.integers(52, DEFAULT_HISTORY_WEEKS - 5, n), 0)
    launch = np.where(kind == "launching", now + 7 * draw.integers(3, 9, n), launch)
    dying = (kind == "dying") | (kind == "ended")
    decay_from = np.where(dying, now - 7 * draw.integers(8, 60, n), NEVER)
    end = np.where(kind == "ended", now + 7 * draw.integers(6, 30, n), NEVER)
    return launch.astype(np.int64), end.astype(np.int64), decay_from.astype(np.int64)


def _chosen(candidates: I64, n_chosen: int, n: int, draw: np.random.Generator) -> Bools:
    rows = np.zeros(n, bool)
    rows[draw.choice(candidates, n_chosen, replace=False)] = True
    return rows
