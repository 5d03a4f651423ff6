"""The demo world's tables that do not change with time: items, places, links and bundles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from experiments.demo_world.assortment import BUNDLE, CENTRAL, NEVER, REGIONS, SITES
from experiments.demo_world.links import FAR, LAW_OF, NEAR, REGION_OF, WAREHOUSES, closed_spans, lane_rows
from experiments.demo_world.scene import Scene


def master_tables(scene: Scene) -> dict[str, pd.DataFrame]:
    """Return items, locations, item_locations, supply, suppliers, lanes, closures, service_regions and bom."""
    return {
        "items": _items(scene),
        "locations": pd.DataFrame(
            {
                "location_id": texts(SITES),
                "kind": texts(["dc", *["warehouse"] * len(WAREHOUSES)]),
                "region": texts([None, *REGIONS]),
            }
        ),
        "item_locations": pd.DataFrame(
            {
                "item_id": texts(scene.cells.item_id),
                "location_id": texts(scene.cells.location_id),
                "active": True,
                "replenished_from": texts([None if site == CENTRAL else CENTRAL for site in scene.cells.location_id]),
            }
        ),
        "supply": _supply(scene),
        "suppliers": pd.DataFrame(
            {
                "source_id": texts([FAR, NEAR]),
                "order_cost": [scene.law["supply"][LAW_OF[name]]["order_cost"] for name in (FAR, NEAR)],
                "min_order_value": [scene.law["supply"][LAW_OF[name]]["min_order_value"] for name in (FAR, NEAR)],
            }
        ),
        "lanes": _as_text(lane_rows(scene.law), ["origin_id", "dest_id", "item_id", "role", "order_weekdays"]),
        "closures": _closures(scene),
        "service_regions": _service_regions(),
        "bom": pd.DataFrame(
            {
                "parent_item_id": texts([BUNDLE] * 2),
                "component_item_id": texts(scene.items.item_id[list(scene.items.components)]),
                "units": [1.0, 1.0],
            }
        ),
    }


def texts(values: Any) -> pd.api.extensions.ExtensionArray:
    """Return values as a text column."""
    return pd.array(list(values), dtype="string[pyarrow]")


def dates(scene: Scene, days: Any) -> pd.DatetimeIndex:
    """Return days counted from the world's start as dates; `NEVER` is none."""
    days = np.asarray(days, np.int64)
    found = (np.datetime64(scene.start, "D") + days).astype("datetime64[ns]")
    return pd.DatetimeIndex(np.where(days >= NEVER - 1, np.datetime64("NaT", "ns"), found))


def _as_text(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame.astype(dict.fromkeys(columns, "string[pyarrow]"))


def _items(scene: Scene) -> pd.DataFrame:
    items = scene.items
    parts = list(items.components)
    categories = np.array(scene.law["items"]["categories"], object)
    launched = np.where(items.launch > 0, items.launch, NEVER)
    return pd.DataFrame(
        {
            "item_id": texts([*items.item_id, BUNDLE]),
            "name": texts([*items.name, "Made-up gift set"]),
            "category": texts([*categories[items.category], "gift sets"]),
            "unit_cost": [*items.unit_cost, items.unit_cost[parts].sum().round(2)],
            "unit_price": [*items.unit_price, (0.9 * items.unit_price[parts].sum()).round(1)],
            "volume": [*items.volume, items.volume[parts].sum().round(5)],
            "launch_date": dates(scene, [*launched, NEVER]),
            "end_date": dates(scene, [*(items.end - 1), NEVER]),
        }
    )


def _supply(scene: Scene) -> pd.DataFrame:
    links = scene.links
    item = links["item"].to_numpy()
    pack = scene.items.pack[item].astype(np.float64)
    central = (links["location_id"] == CENTRAL).to_numpy()
    sd: Mapping[str, float] = {name: scene.law["supply"][law]["lead_time_sd_days"] for name, law in LAW_OF.items()}
    return pd.DataFrame(
        {
            "item_id": texts(scene.items.item_id[item]),
            "source_id": texts(links["source_id"]),
            "location_id": texts(links["location_id"]),
            "lead_time_days": links["lead_time_days"],
            "lead_time_sd_days": links["source_id"].map(sd).astype(np.float64),
            "review_period_days": 7.0,
            "order_weekdays": texts(["1"] * len(links)),
            "unit_cost": links["unit_cost"],
            "min_order_units": np.where(central, pack, 1.0),
            "order_multiple": np.where(central, pack, 1.0),
            "preference": links["preference"],
        }
    )


def _closures(scene: Scene) -> pd.DataFrame:
    rows = [(place, *span) for place in (FAR, NEAR) for span in closed_spans(scene.law)]
    places, first, last = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "place_id": texts(places),
            "start_date": dates(scene, first),
            "end_date": dates(scene, last),
            "blocks": texts(["ordering"] * len(rows)),
        }
    )


def _service_regions() -> pd.DataFrame:
    rows = []
    for site, region in REGION_OF.items():
        others = [other for other in WAREHOUSES if other != site]
        rows += [(region, other, rank) for rank, other in enumerate([site, *others], start=1)]
    regions, sites, ranks = zip(*rows, strict=True)
    rank = np.array(ranks, np.float64)
    return pd.DataFrame(
        {
            "region": texts(regions),
            "location_id": texts(sites),
            "rank": rank,
            "ship_cost": 3.0 + 2.5 * (rank > 1),
            "ship_days": 1.0 + 2.0 * (rank > 1),
        }
    )
