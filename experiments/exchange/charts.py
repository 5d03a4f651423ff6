"""Geometry of the report's charts: forecast fans, stock projections and stock against service, as SVG paths.

Only shapes and labels are made here; the template draws them, and its style sheet colours them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.exchange.catalogue import plain_number

WIDTH, HEIGHT = 460, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 24
_N_DATE_TICKS = 5
_WIDEST = 2.5
N_KINDS = 8
"""Colours that the style sheet has for kinds; further ones begin again."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A filled area or a line: its SVG path, the class that styles it, and its name in the legend ("" = none)."""

    path: str
    style: str
    label: str


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A drawing of fixed size, with a title and a description for those who do not see it.

    ``centred`` says that the labels below stand under their places, also the first and the last.
    """

    title: str
    description: str
    shapes: tuple[Shape, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    today: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM
    centred: bool = False


@dataclass(frozen=True)
class _Frame:
    """Maps dates and units to pixels; ``lowest`` is 0 or below."""

    first: float
    last: float
    highest: float
    lowest: float = 0.0

    def x(self, dates: Floats) -> Floats:
        span = max(self.last - self.first, 1.0)
        return np.asarray(_LEFT + (dates - self.first) / span * (WIDTH - _LEFT - _RIGHT))

    def y(self, units: Floats) -> Floats:
        share = (units - self.lowest) / (self.highest - self.lowest)
        return np.asarray(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM))

    def line(self, dates: Floats, units: Floats) -> str:
        return _path(self.x(dates), self.y(units))

    def band(self, dates: Floats, low: Floats, high: Floats) -> str:
        x = self.x(dates)
        return _path(np.concatenate([x, x[::-1]]), np.concatenate([self.y(low), self.y(high)[::-1]])) + "Z"

    def bars(self, dates: Floats, units: Floats) -> str:
        used = units > 0
        x, y = self.x(dates[used]), self.y(units[used])
        zero = float(self.y(np.zeros(1))[0])
        return "".join(f"M{a:.1f} {zero:.1f}V{b:.1f}" for a, b in zip(x, y, strict=True))


def fan_chart(title: str, history: pd.DataFrame, forecast: pd.DataFrame) -> Chart:
    """Return past sales as a line, and the forecast as bands between its outer quantiles with its mean.

    Parameters
    ----------
    history
        ``date, units``, ascending; may be empty.
    forecast
        ``date, mean`` and quantile columns, ascending; one row at least.
    """
    quantiles = sorted(
        (str(name) for name in forecast if str(name).startswith("q0.")), key=lambda name: float(name[1:])
    )
    past, future = _days(history["date"]), _days(forecast["date"])
    sold = history["units"].to_numpy(dtype=np.float64)
    mean = forecast["mean"].to_numpy(dtype=np.float64)
    tops = [sold, mean, *(forecast[name].to_numpy(dtype=np.float64) for name in quantiles[-1:])]
    frame, y_ticks = _frame(np.concatenate([past, future]), np.concatenate(tops))
    shapes = [
        Shape(
            frame.band(future, forecast[low].to_numpy(np.float64), forecast[high].to_numpy(np.float64)),
            f"band band-{place}",
            f"{_percent(low)}–{_percent(high)}%",
        )
        for place, (low, high) in enumerate(_pairs(quantiles))
    ]
    shapes += [Shape(frame.line(past, sold), "line sold", "sold")] if len(past) else []
    shapes.append(Shape(frame.line(future, mean), "line mean", "mean forecast"))
    description = (
        f"Mean demand of {plain_number(float(mean.sum()))} units from {_iso(future[0])} to {_iso(future[-1])}."
    )
    today = float(frame.x(future[:1])[0]) if len(past) else None
    return Chart(title, description, tuple(shapes), _date_ticks(frame), y_ticks, today)


def stock_chart(title: str, projection: pd.DataFrame) -> Chart:
    """Return projected stock: its mean, a band from the 5 to the 95 % quantile, and arrivals as bars.

    Parameters
    ----------
    projection
        Rows of the table ``projection`` of one item and location, ascending; one row at least.
    """
    dates = _days(projection["date"])
    column = {name: projection[name].to_numpy(dtype=np.float64) for name in _PROJECTED}
    tops = np.concatenate([column["stock_q0.95"], column["stock_mean"], column["inbound"] + column["ordered"]])
    frame, y_ticks = _frame(dates, tops)
    shapes = (
        Shape(frame.band(dates, column["stock_q0.05"], column["stock_q0.95"]), "band band-stock", "5–95%"),
        Shape(frame.bars(dates, column["inbound"] + column["ordered"]), "bar ordered", "arrives, decided in this plan"),
        Shape(frame.bars(dates, column["inbound"]), "bar inbound", "arrives, already on the way"),
        Shape(frame.line(dates, column["stock_mean"]), "line stock", "mean stock"),
    )
    lowest = int(np.argmin(column["stock_mean"]))
    left = plain_number(float(column["stock_mean"][lowest]))
    description = f"Mean stock is lowest on {_iso(dates[lowest])}, with {left} units."
    shown = tuple(shape for shape in shapes if shape.path)
    return Chart(title, description, shown, _date_ticks(frame), y_ticks, None)


def service_chart(title: str, table: pd.DataFrame, names: Mapping[str, str]) -> Chart:
    """Return fill rate against stock value: a line a policy, and the plan's own point.

    Parameters
    ----------
    table
        The table ``stock_to_service``; one row chosen. Points of more than `_WIDEST` times the plan's stock value are
        left out, so that the plan's surroundings can be seen.
    names
        Legend by policy.
    """
    plan = table[table["chosen"] == 1].iloc[0]
    shown = table[table["stock_value"] <= _WIDEST * max(float(plan["stock_value"]), 1.0)]
    lowest = float(np.floor(float(shown["service"].min()) * 10) / 10) if len(shown) else 0.0
    lowest = min(max(lowest, 0.0), 0.9)
    step = _nice_step(max(float(shown["stock_value"].max()), 1.0))
    n_steps = int(np.ceil(max(float(shown["stock_value"].max()), step) / step))
    frame = _Frame(0.0, step * n_steps, 1.0 - lowest)
    shapes = []
    for policy, rows in shown.groupby("policy", sort=False):
        points = rows.sort_values(["stock_value", "service"])
        value, service = (points[name].to_numpy(np.float64) for name in ("stock_value", "service"))
        shapes.append(Shape(frame.line(value, service - lowest), f"line {policy}", names[str(policy)]))
    x = float(frame.x(np.array([plan["stock_value"]]))[0])
    y = float(frame.y(np.array([plan["service"] - lowest]))[0])
    shapes.append(Shape(f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", "band mix-chosen", "this plan"))
    values = np.arange(n_steps + 1, dtype=np.float64) * step
    levels = np.linspace(lowest, 1.0, 5)
    description = (
        f"The plan reaches a fill rate of {plain_number(float(plan['service']) * 100)}% "
        f"with a mean stock value of {plain_number(float(plan['stock_value']))}."
    )
    return Chart(
        title,
        description,
        tuple(shapes),
        tuple(Tick(round(float(a), 1), plain_number(float(v))) for a, v in zip(frame.x(values), values, strict=True)),
        tuple(
            Tick(round(float(a), 1), f"{plain_number(float(v) * 100)}%")
            for a, v in zip(frame.y(levels - lowest), levels, strict=True)
        ),
        None,
    )


_PROJECTED = ("stock_mean", "stock_q0.05", "stock_q0.95", "inbound", "ordered")


def _pairs(quantiles: Sequence[str]) -> list[tuple[str, str]]:
    """Return the bands from the widest to the narrowest; a median in the middle is left alone."""
    return [(quantiles[place], quantiles[-1 - place]) for place in range(len(quantiles) // 2)]


def _percent(name: str) -> str:
    return plain_number(float(name[1:]) * 100)


def _days(dates: pd.Series) -> Floats:
    return dates.to_numpy().astype("datetime64[D]").astype(np.float64)


def _iso(day: float) -> str:
    return str(np.datetime64(int(day), "D"))


def _frame(dates: Floats, units: Floats) -> tuple[_Frame, tuple[Tick, ...]]:
    highest, lowest = float(np.nanmax(units, initial=1.0)), float(np.nanmin(units, initial=0.0))
    step = _nice_step(highest - lowest)
    n_above, n_below = int(np.ceil(highest / step)), int(np.ceil(-lowest / step))
    frame = _Frame(float(dates.min()), float(dates.max()), step * n_above, -step * n_below)
    levels = np.arange(-n_below, n_above + 1, dtype=np.float64) * step
    places = frame.y(levels)
    return frame, tuple(
        Tick(round(float(at), 1), plain_number(float(level))) for at, level in zip(places, levels, strict=True)
    )


def _nice_step(highest: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that needs at most four steps to the highest value."""
    power = 10.0 ** np.floor(np.log10(highest / 4))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor * 4 >= highest * (1 - 1e-12)))


def _date_ticks(frame: _Frame) -> tuple[Tick, ...]:
    days = np.unique(np.round(np.linspace(frame.first, frame.last, _N_DATE_TICKS)))
    labels = [pd.Timestamp(_iso(day)).strftime("%-d %b") for day in days]
    return tuple(Tick(round(float(at), 1), label) for at, label in zip(frame.x(days), labels, strict=True))


def _path(x: Floats, y: Floats) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)) if len(x) else ""


def lines_chart(title: str, named: Mapping[str, pd.DataFrame]) -> Chart:
    """Return one line a name over time.

    Parameters
    ----------
    named
        ``date, value`` by name, ascending; one row at least.
    """
    dates = np.concatenate([_days(rows["date"]) for rows in named.values()])
    values = np.concatenate([rows["value"].to_numpy(dtype=np.float64) for rows in named.values()])
    frame, y_ticks = _frame(dates, values)
    shapes = tuple(
        Shape(frame.line(_days(rows["date"]), rows["value"].to_numpy(np.float64)), f"line kind-{place % N_KINDS}", name)
        for place, (name, rows) in enumerate(named.items())
    )
    means = "; ".join(f"{name} {plain_number(float(rows['value'].mean()))}" for name, rows in named.items())
    return Chart(title, f"Means: {means}.", shapes, _date_ticks(frame), y_ticks, None)


def bars_chart(title: str, names: Sequence[str], parts: Mapping[str, Sequence[float]]) -> Chart:
    """Return one upright bar a name, stacked of its parts; ``parts`` holds a value for each name.

    Parts below zero are stacked downwards from it.
    """
    heights = np.array([list(values) for values in parts.values()], dtype=np.float64).reshape(-1, len(names))
    ups, downs = np.maximum(heights, 0.0), np.minimum(heights, 0.0)
    frame, y_ticks = _frame(np.arange(2.0), np.concatenate([ups.sum(axis=0), downs.sum(axis=0)]))
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(names), 1)
    middle = _LEFT + slot * (np.arange(len(names)) + 0.5)
    shapes = []
    for place, (name, values) in enumerate(zip(parts, heights, strict=True)):
        start = np.where(values < 0, downs[:place].sum(axis=0), ups[:place].sum(axis=0))
        low, high = frame.y(start), frame.y(start + values)
        half = min(slot * 0.35, 40.0)
        path = "".join(
            f"M{x - half:.1f} {a:.1f}H{x + half:.1f}V{b:.1f}H{x - half:.1f}Z"
            for x, a, b in zip(middle, low, high, strict=True)
        )
        shapes.append(Shape(path, f"band kind-{place % N_KINDS}", name))
    longest = max(3, int(slot / 6.0))
    ticks = tuple(
        Tick(round(float(x), 1), name if len(name) <= longest else f"{name[: longest - 1]}…")
        for x, name in zip(middle, names, strict=True)
    )
    told = "; ".join(
        f"{name} {plain_number(float(total))}" for name, total in zip(names, heights.sum(axis=0), strict=True)
    )
    return Chart(title, f"Totals: {told}.", tuple(shapes), ticks, y_ticks, None, centred=True)
