"""The demo world's tables of what happened: sales, stock, receipts, and what is on its way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from engine.simulation import Lines, Shipments
from experiments.demo_world.assortment import BUNDLE, F64, REGIONS, SITES
from experiments.demo_world.history import Ledger
from experiments.demo_world.links import WAREHOUSES
from experiments.demo_world.master_tables import dates, texts
from experiments.demo_world.offer_tables import presale_shipped
from experiments.demo_world.scene import Scene


@dataclass(frozen=True)
class _Sold:
    """Units sold by item, region and day, presales aside; the bundle is the last row. ``in_stock`` likewise."""

    units: F64
    in_stock: F64


def stock_tables(scene: Scene, ledger: Ledger, presales: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return sales, stock_history, inventory, receipts and open_orders; ``presales`` as of `presale_lines`."""
    sold = _sold(scene, ledger)
    state = ledger.state
    return {
        "sales": pd.concat([_sales(scene, sold), _presale_sales(scene, sold, presales)], ignore_index=True),
        "stock_history": _stock_history(scene, ledger),
        "inventory": pd.DataFrame(
            {
                "item_id": texts(scene.cells.item_id),
                "location_id": texts(scene.cells.location_id),
                "on_hand": state.on_hand,
                "counted_on": dates(scene, np.full(scene.cells.n_cells, state.bucket)),
            }
        ),
        "receipts": _receipts(scene, ledger.arrived),
        "open_orders": _open_orders(scene, state.inbound, state.bucket),
    }


def _sold(scene: Scene, ledger: Ledger) -> _Sold:
    """Return what was sold as what, and the share of each day on sale.

    Customers who find the bundle incomplete buy the component that is there; so a component's sales are
    all that left its stock, less the bundles.
    """
    shape = (scene.items.n_items, len(SITES), ledger.trace.n_buckets)
    served = ledger.trace.served.reshape(shape)[:, 1:] - presale_shipped(scene, ledger)
    own = scene.demand.own[:, :, : shape[2]]
    bundles = scene.demand.bundle[:, : shape[2]]
    for component in scene.items.components:
        bundles = np.minimum(bundles, (served[component] - own[component]).clip(0.0))
    units = np.concatenate([served, bundles[None]])
    for component in scene.items.components:
        units[component] -= bundles
    in_stock = _in_stock(scene, ledger).reshape(shape)[:, 1:]
    both = np.minimum(*(in_stock[component] for component in scene.items.components))
    return _Sold(units, np.concatenate([in_stock, both[None]]))


def _in_stock(scene: Scene, ledger: Ledger) -> F64:
    """Return the share of each day on sale, shape (n_cells, n_days), in twenty-fourths.

    Customers come at random times: the last of ``k`` units goes to the k-th of ``d`` customers, whose time is
    beta distributed (k, d - k + 1). The share tells no more of the demand than a shop's clock would.
    """
    trace = ledger.trace
    units = trace.served
    sold_out = (trace.closing <= 0) & (trace.demand > 0)
    share = np.where((trace.closing <= 0) & (units <= 0), 0.0, 1.0)
    row, day = np.nonzero(sold_out & (units > 0))
    chance = _uniform(scene, "sold out")[row, day]
    time = betaincinv(units[row, day], trace.demand[row, day] - units[row, day] + 1.0, chance)
    share[row, day] = np.clip(np.floor(time * 24.0), 1.0, 23.0) / 24.0
    return share


def _uniform(scene: Scene, purpose: str) -> F64:
    """Return a random number for each cell and day of the world; the same for every as-of date."""
    values: F64 = scene.streams.common(purpose, "").random((scene.cells.n_cells, scene.n_days))
    return values


def _sales(scene: Scene, sold: _Sold) -> pd.DataFrame:
    """Return one row an item, warehouse and day with a sale or a stock-out, while the item is on sale."""
    n_items, _, n_days = sold.units.shape
    day = np.arange(n_days)
    on_sale = np.ones((n_items, n_days), bool)
    on_sale[:-1] = (day >= scene.items.launch[:, None]) & (day < scene.items.end[:, None])
    told = on_sale[:, None, :] & ((sold.units > 0) | (sold.in_stock < 1.0))
    item, place, when = np.nonzero(told)
    units = sold.units[item, place, when]
    price = np.concatenate([scene.offers.price, _bundle_price(scene)])[item, when]
    chance = _uniform(scene, "returned")[np.minimum(item, n_items - 2) * len(SITES) + place + 1, when]
    returned = (chance < 1.0 - (1.0 - scene.law["planner"]["returned_share"]) ** units) & (units > 0)
    return pd.DataFrame(
        {
            **_sale_keys(scene, item, place),
            "date": dates(scene, when),
            "channel": texts(["online"] * len(item)),
            "units": units,
            "returned_units": returned.astype(np.float64),
            "price": price,
            "in_stock": sold.in_stock[item, place, when],
        }
    )


def _sale_keys(scene: Scene, item: np.ndarray, place: np.ndarray) -> dict[str, object]:
    ids = texts([*scene.items.item_id, BUNDLE])
    return {
        "item_id": ids.take(item),
        "location_id": texts(WAREHOUSES).take(place),
        "region": texts(REGIONS).take(place),
    }


def _bundle_price(scene: Scene) -> F64:
    price: F64 = np.round(0.9 * scene.offers.price[list(scene.items.components)].sum(axis=0, keepdims=True), 2)
    return price


def _presale_sales(scene: Scene, sold: _Sold, presales: pd.DataFrame) -> pd.DataFrame:
    """Return the presale units that were shipped, on the day on which they were ordered."""
    shipped = presales[presales["status"] == "shipped"]
    by_day = shipped.groupby(["item", "region", "ordered"], as_index=False)["units"].sum()
    item, place, when = (by_day[column].to_numpy(np.int64) for column in ("item", "region", "ordered"))
    discount = scene.law["presale"]["discount"]
    return pd.DataFrame(
        {
            **_sale_keys(scene, item, place),
            "date": dates(scene, when),
            "channel": texts(["presale"] * len(item)),
            "units": by_day["units"].to_numpy(np.float64),
            "returned_units": np.zeros(len(item)),
            "price": np.round(scene.offers.price[item, when] * (1.0 - discount), 2),
            "in_stock": sold.in_stock[item, place, when],
        }
    )


def _stock_history(scene: Scene, ledger: Ledger) -> pd.DataFrame:
    n_cells, n_days = ledger.trace.closing.shape
    cell, day = np.repeat(np.arange(n_cells), n_days), np.tile(np.arange(n_days), n_cells)
    return pd.DataFrame(
        {
            "item_id": texts(scene.cells.item_id).take(cell),
            "location_id": texts(scene.cells.location_id).take(cell),
            "date": dates(scene, day),
            "closing_on_hand": ledger.trace.closing.ravel(),
        }
    )


def _receipts(scene: Scene, arrived: Shipments) -> pd.DataFrame:
    got = arrived.take(arrived.lines.units > 0)
    lines = got.lines
    return pd.DataFrame(
        {
            **_order_columns(scene, lines),
            "received_on": dates(scene, got.arrives),
            "units": lines.units,
        }
    ).drop(columns=["restock_line_id"])


def _open_orders(scene: Scene, inbound: Shipments, today: int) -> pd.DataFrame:
    """Return the lines on their way, those that were to leave later aside: they are not placed yet."""
    lines = inbound.take((inbound.lines.sent < today) & (inbound.lines.units > 0)).lines
    moved = lines.origin >= 0
    return pd.DataFrame(
        {
            **_order_columns(scene, lines),
            "units": lines.units,
            "due_date": dates(scene, lines.due),
            "kind": texts(np.where(moved, "transfer", "purchase")),
            "status": texts(np.where(moved, "shipped", "firm")),
        }
    )


def _order_columns(scene: Scene, lines: Lines) -> dict[str, object]:
    """Return the columns that receipts and open orders share.

    A line that is named ``order/number`` belongs to an order of many lines; any other is an order of its own,
    placed for the plan's line of that name.
    """
    parts = [str(line_id).rpartition("/") for line_id in lines.line_id]
    return {
        "order_id": texts(order or number for order, _, number in parts),
        "line_no": texts(number if order else "1" for order, _, number in parts),
        "restock_line_id": texts(None if order else number for order, _, number in parts),
        "item_id": texts(scene.cells.item_id).take(lines.cell),
        "location_id": texts(scene.cells.location_id).take(lines.cell),
        "source_id": texts(lines.source_id),
        "ordered_on": dates(scene, lines.sent),
    }
