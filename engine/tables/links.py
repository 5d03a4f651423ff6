"""Ways in for goods: every pair that still sells has one, none runs in a circle, none is shorter than a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.messages import Value
from engine.tables.breach import Breach, Rule
from engine.tables.cells import Bools
from engine.tables.columns import ANY
from engine.tables.contract import prefix_of
from engine.tables.repairs import SET_ASIDE
from engine.tables.sheet import Finding, Sheet, Weight, rows_breach, table_breach
from engine.tables.timeline import spacing

# A pair without a sale for so long is not planned, so it needs no link.
_STILL_SELLS_DAYS = 182

Edges = list[tuple[str, str]]


def check_linked(sheets: Mapping[str, Sheet], repairs: frozenset[str]) -> tuple[Finding, ...]:
    """Return the finding on pairs of ``sales`` (sorted by key) that still sell and have no link with a lead time."""
    sales = sheets["sales"]
    pairs, group = _pairs(sales)
    last = pairs["last"].max()
    closed, links = _closed(sheets, last), _links(sheets)
    selling = pairs["last"] > last - np.timedelta64(_STILL_SELLS_DAYS, "D")
    without = np.array(
        [
            bool(sells) and closed.isdisjoint(names) and links.isdisjoint(names)
            for item, place, sells in zip(pairs["item_id"], pairs["location_id"], selling, strict=True)
            for names in [((item, place), (item, ANY), (ANY, place), (ANY, ANY))]
        ],
        dtype=bool,
    )
    if not without.any():
        return ()
    rows: Bools = without[group]
    aside = SET_ASIDE in repairs
    places = tuple(
        {"item_id": str(pair.item_id), "location_id": str(pair.location_id)}
        for pair in pairs[without].head(5).itertuples()
    )
    breach = Breach(
        rule=f"{prefix_of('supply')}{int(Rule.LINKED)}",
        code="no-link",
        table="supply",
        severity="quarantined" if aside else "fatal",
        count=int(without.sum()),
        n_rows=len(pairs),
        places=places,
        repairs=() if aside else (SET_ASIDE,),
        values={"days": _STILL_SELLS_DAYS, "n_sales": int(rows.sum())},
    )
    return (Finding(breach, rows if aside else None),)


def check_short_links(sheets: Mapping[str, Sheet]) -> tuple[Breach, ...]:
    """Return the notes on links shorter than a bucket of ``sales``: planning them asks for days."""
    days = {"D": 1, "W": 7, "M": 28}
    bucket = spacing(sheets["sales"].column("date").used())
    found = []
    for table in ("supply", "lanes"):
        if table in sheets and len(sheets[table]):
            lead = sheets[table].column("lead_time_days")
            short = lead.rows_where(lead.values < days[bucket])
            if short.any():
                weight = Weight("noted", (), {"bucket": bucket})
                found.append(rows_breach(sheets[table], Rule.SHORT_LINK, "short-link", short, weight))
    return tuple(found)


def check_circles(sheets: Mapping[str, Sheet]) -> tuple[Breach, ...]:
    """Return the breaches of circular supply between own sites and of bundles that contain themselves."""
    found: list[Breach] = []
    if "bom" in sheets:
        edges = list(_edges(sheets["bom"], "parent_item_id", "component_item_id"))
        if circle := _circle(edges):
            found.append(_circular("bom", circle, "", 1))
    common, by_item = _feeds(sheets)
    if _circle(common + [edge for edges in by_item.values() for edge in edges]):
        circles = [(item, circle) for item in sorted(by_item) if (circle := _circle(common + by_item[item]))]
        if circle := _circle(common):
            circles = [(ANY, circle)]
        if circles:
            item, circle = circles[0]
            found.append(_circular("lanes" if "lanes" in sheets else "item_locations", circle, item, len(circles)))
    return tuple(found)


def _pairs(sales: Sheet) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Return the pairs of sorted sales with their last date, and each row's pair."""
    items, places = sales.cells["item_id"], sales.cells["location_id"]
    starts = np.append(True, (np.diff(items.codes) != 0) | (np.diff(places.codes) != 0))
    first = np.flatnonzero(starts)
    ends = np.append(first[1:], len(sales)) - 1
    frame = pd.DataFrame(
        {
            "item_id": items.values[items.codes[first]],
            "location_id": places.values[places.codes[first]],
            "last": sales.cells["date"].take(ends).expand(),
        }
    )
    return frame, np.cumsum(starts) - 1


def _closed(sheets: Mapping[str, Sheet], day: np.datetime64) -> set[tuple[str, str]]:
    """Return the pairs, or items at any place, that nothing need be ordered for: ended, inactive, or bundles."""
    closed: set[tuple[str, str]] = set()
    for table in ("items", "item_locations"):
        if table in sheets:
            sheet = sheets[table]
            ends, active = sheet.column("end_date"), sheet.cells.get("active")
            ended = ends.rows_where(ends.values < day)
            if active is not None:
                ended |= active.rows_where(~active.values.astype(bool))
            over = sheet.take(ended)
            places = over.cells["location_id"].expand() if table == "item_locations" else [ANY] * len(over)
            closed |= set(zip(over.cells["item_id"].expand(), places, strict=True))
    if "bom" in sheets:
        closed |= {(parent, ANY) for parent in sheets["bom"].cells["parent_item_id"].expand()}
    return closed


def _links(sheets: Mapping[str, Sheet]) -> set[tuple[str, str]]:
    """Return the (item, destination) of every link with a lead time; either may be ``*``."""
    links: set[tuple[str, str]] = set()
    for table, dest in (("supply", "location_id"), ("lanes", "dest_id")):
        if table in sheets:
            sheet = sheets[table]
            timed = sheet.take(~sheet.column("lead_time_days").null)
            links |= set(zip(timed.cells["item_id"].expand(), timed.cells[dest].expand(), strict=True))
    if "item_locations" in sheets:
        sheet = sheets["item_locations"]
        fed = sheet.take(~sheet.column("replenished_from").null)
        links |= set(zip(fed.cells["item_id"].expand(), fed.cells["location_id"].expand(), strict=True))
    return links


def _feeds(sheets: Mapping[str, Sheet]) -> tuple[Edges, dict[str, Edges]]:
    """Return who replenishes whom: for every item, and for single items. Lateral lanes may run both ways."""
    common: Edges = []
    by_item: dict[str, Edges] = {}
    if "lanes" in sheets:
        lanes = sheets["lanes"]
        role = lanes.column("role")
        lateral = role.rows_where(np.array([value == "lateral" for value in role.values], bool))
        feeding = lanes.take(~lateral)
        for item, edge in zip(feeding.cells["item_id"].expand(), _edges(feeding, "origin_id", "dest_id"), strict=True):
            (common if item == ANY else by_item.setdefault(item, [])).append(edge)
    if "item_locations" in sheets:
        sheet = sheets["item_locations"]
        fed = sheet.take(~sheet.column("replenished_from").null)
        for item, edge in zip(
            fed.cells["item_id"].expand(), _edges(fed, "replenished_from", "location_id"), strict=True
        ):
            by_item.setdefault(item, []).append(edge)
    return common, by_item


def _edges(sheet: Sheet, tail: str, head: str) -> Iterator[tuple[str, str]]:
    return zip(sheet.column(tail).expand(), sheet.column(head).expand(), strict=True)


def _circle(edges: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a circle of the graph, its first node repeated at the end, or nothing if there is none.

    Nodes without a way out are taken away until none is left; what stays leads into a circle.
    """
    ways: dict[str, set[str]] = {}
    back: dict[str, set[str]] = {}
    for tail, head in edges:
        ways.setdefault(tail, set()).add(head)
        ways.setdefault(head, set())
        back.setdefault(head, set()).add(tail)
    ended = [node for node, heads in ways.items() if not heads]
    while ended:
        node = ended.pop()
        del ways[node]
        for tail in back.get(node, ()):
            ways[tail].discard(node)
            if not ways[tail]:
                ended.append(tail)
    if not ways:
        return ()
    path = [min(ways)]
    while (following := min(ways[path[-1]])) not in path:
        path.append(following)
    return (*path[path.index(following) :], following)


def _circular(table: str, circle: tuple[str, ...], item: str, count: int) -> Breach:
    values: dict[str, Value] = {"circle": " → ".join(circle), "item": item}
    return table_breach(table, Rule.CIRCULAR, "circular", Weight("fatal", (), values), count, count)
