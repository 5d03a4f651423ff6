"""The exchange curve by simulation: stock before receipt against fill rate and stock-outs, textbook and restock.

    .venv/bin/python -m benchmarks.replay.exchange [m5] [uci] [demo] [--items 100] [--weeks 10] [--models boosting]

Both walk the same weeks of weekly orders at several settings: the textbook with a normal buffer on a 13-week moving
mean, restock with its default models, by one cycle service for all and by the stock mix. What either has at equal
service or equal stock is read off between neighbouring settings. Writes benchmarks/results/exchange.md (the curve),
exchange_claim.md (safety stock less 30 % while stock-outs fall from 15 to 5 %) and exchange.csv (every setting).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from functools import partial

import pandas as pd

from benchmarks.decisions.stock_mix import interpolated, mix_target, one_target
from benchmarks.measure import RESULTS, write_table
from benchmarks.replay.exchange_cases import Case, case_of
from benchmarks.replay.exchange_walks import Decide, knowing_more, measured, ours, textbook, walked
from engine.policy.mix_curves import CLASSES

TEXTBOOK = "textbook"
TEXTBOOK_SETTINGS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.995, 0.9999)
POINTS = (0.85, 0.9, 0.95)
SETTINGS = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.999)
FLOOR_BELOW = 0.02
"""The floor of every class in the stock mix lies this much below the share of revenue asked for."""

CYCLE, MIX = "one cycle service", "stock mix"
OUT_THEN, OUT_NOW, LESS = 0.15, 0.05, 0.30
"""The claim: stock-outs before and after, and the safety stock saved."""

ERRORS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Shares of the forecast error that are left, for what the claim would take."""

SAMPLES = {"m5": 600}
"""Items of the data sets that would take long as a whole, where none are asked for."""

KNOWING_SETTINGS = (0.85, 0.9, 0.95, 0.98, 0.99, 0.999)


def policies(case: Case) -> Iterator[tuple[str, float, Decide]]:
    """Yield every policy and setting."""
    for share in TEXTBOOK_SETTINGS:
        yield TEXTBOOK, share, textbook(case, share)
    for share in SETTINGS:
        yield CYCLE, share, ours("cycle_service", one_target(share))
    for share in SETTINGS:
        yield MIX, share, ours("fill_rate", mix_target(share, FLOOR_BELOW, by_revenue=True))


def curve(case: Case) -> pd.DataFrame:
    """Return what every policy reaches at every setting."""
    return pd.DataFrame([_row(case, name, share, decide) for name, share, decide in policies(case)])


def compared(found: pd.DataFrame) -> list[dict[str, object]]:
    """Return restock beside each textbook point: stock at equal fill rate, stock-outs at equal stock, and by class."""
    rows: list[dict[str, object]] = []
    for data, part in found.groupby("data", sort=False):
        for point in POINTS:
            base = _only(part, TEXTBOOK, point)
            for name in (CYCLE, MIX):
                own = part[part["policy"] == name]
                at_fill, at_stock = (interpolated(own, by, base[by]) for by in ("fill", "before"))
                rows.append(
                    {
                        "data": data,
                        "textbook at": f"{point:.0%}",
                        "fill rate": f"{base['fill']:.1%}",
                        "cycles out": f"{base['out']:.1%}",
                        "stock before receipt": f"{base['before']:,.0f}",
                        "restock by": name,
                        "stock at equal fill": _change(at_fill, base, "before"),
                        "cycles out at equal stock": _change(at_stock, base, "out"),
                        "fill of A / B / C at equal fill, points": _points(at_fill, base),
                        "stock of A / B / C at their own equal fill": " / ".join(_by_class(own, base)),
                    }
                )
    return rows


def claim(case: Case, found: pd.DataFrame) -> dict[str, object]:
    """Return the safety stock of restock at 5 % of cycles out against the textbook's at 15 %, and what 30 % takes."""
    before = interpolated(found[found["policy"] == TEXTBOOK], "out", OUT_THEN)
    same = interpolated(found[found["policy"] == TEXTBOOK], "out", OUT_NOW)
    row: dict[str, object] = {"data": case.name, "item-locations": int(case.scored.sum())}
    row["textbook at 15 % out"] = "not reached" if before is None else f"{before['before']:,.0f}"
    row["textbook at 5 % out"] = _change(same, before, "before")
    ratios: dict[float, float] = {}
    for error in ERRORS:
        part = found[found["policy"] == CYCLE] if error == 1.0 else _knowing(case, error)
        # With hindsight no setting runs out: its least stock is the bound.
        lowest = part.sort_values("before").iloc[0].to_dict()
        at = interpolated(part, "out", OUT_NOW) or (lowest if part["out"].max() <= OUT_NOW else None)
        row[_left(error)] = _change(at, before, "before")
        if at is not None and before is not None:
            ratios[error] = at["before"] / before["before"]
    row["30 % less takes"] = _takes(ratios)
    return row


def _knowing(case: Case, error: float) -> pd.DataFrame:
    shares = KNOWING_SETTINGS if error else KNOWING_SETTINGS[:1]
    name = f"{CYCLE}, {error:.0%} of the error"
    decisions = ((share, knowing_more(case, ours("cycle_service", one_target(share)), error)) for share in shares)
    return pd.DataFrame([_row(case, name, share, decide) for share, decide in decisions])


def _left(error: float) -> str:
    names = {1.0: "restock at 5 % out", 0.0: "hindsight"}
    return names.get(error, f"with {error:.0%} of its forecast error")


def _takes(ratios: Mapping[float, float]) -> str:
    """Return the share of the forecast error that may be left for the claim, read off between the shares tried."""
    errors = sorted(ratios)
    if not errors or ratios[errors[0]] > 1.0 - LESS:
        return "not reached"
    if ratios[errors[-1]] <= 1.0 - LESS:
        return "reached"
    table = pd.DataFrame({"error": errors, "ratio": [ratios[error] for error in errors]})
    at = interpolated(table, "ratio", 1.0 - LESS)
    return "not reached" if at is None else f"{1 - at['error']:.0%} less forecast error"


def _row(case: Case, name: str, share: float, decide: Decide) -> dict[str, object]:
    row = {"data": case.name, "policy": name, "setting": share, **measured(case, walked(case, decide))}
    shown = {key: row[key] for key in ("data", "policy", "setting", "fill", "out", "before")}
    print(shown, file=sys.stderr, flush=True)
    return row


def _only(part: pd.DataFrame, policy: str, setting: float) -> dict[str, float]:
    return part[(part["policy"] == policy) & (part["setting"] == setting)].iloc[0].to_dict()


def _change(at: Mapping[str, float] | None, base: Mapping[str, float] | None, name: str) -> str:
    return "not reached" if at is None or base is None else f"{100 * (at[name] / base[name] - 1):+.1f} %"


def _points(at: Mapping[str, float] | None, base: Mapping[str, float]) -> str:
    if at is None:
        return "not reached"
    return " / ".join(f"{100 * (at[f'fill {c}'] - base[f'fill {c}']):+.1f}" for c in CLASSES)


def _by_class(own: pd.DataFrame, base: Mapping[str, float]) -> Iterator[str]:
    for c in CLASSES:
        yield _change(interpolated(own, f"fill {c}", base[f"fill {c}"]), base, f"before {c}")


def main(arguments: list[str]) -> None:
    """Measure the named data sets, all by default, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["uci", "m5", "demo"], help="m5, uci, demo")
    parser.add_argument("--weeks", type=int, default=16, help="weeks of orders; the first R + L, at least 4, settle")
    parser.add_argument(
        "--items", type=int, help="so many items, evenly spaced by rank of units; default: M5 600, else all"
    )
    parser.add_argument("--models", nargs="+", default=[], help="candidates; default: those of the settings")
    asked = parser.parse_args(arguments)
    made = partial(case_of, weeks=asked.weeks, models=tuple(asked.models))
    RESULTS.mkdir(exist_ok=True)
    curves: list[pd.DataFrame] = []
    claims: list[dict[str, object]] = []
    for name in asked.data:
        n_items = None if name == "demo" else asked.items or SAMPLES.get(name)
        case = made(name, n_items=n_items)
        curves.append(curve(case))
        claims.append(claim(case, curves[-1]))
        every = pd.concat(curves, ignore_index=True)
        every.to_csv(RESULTS / "exchange.csv", index=False)
        notes = _notes(asked)
        write_table("exchange", "Stock before receipt against service, by simulation", compared(every), notes)
        write_table("exchange_claim", "Safety stock less 30 % while stock-outs fall from 15 to 5 %", claims, notes)


def _notes(asked: argparse.Namespace) -> list[str]:
    models = " and ".join(asked.models) or "the default ones, chosen by backtest"
    sample = (
        f"{asked.items or SAMPLES['m5']} items of M5{' and UCI' if asked.items else ''}, evenly spaced by rank of units"
    )
    return [
        f"{asked.weeks} weekly order days at the end of the history (demo: Double 11 among them, true demand), the "
        f"first R + L, at least four weeks, not scored; {sample}; items on record at the first order day count. R = 7 "
        "and L = 14 days, in the demo world those of its links. Lost sales, no late delivery, sources never short.",
        f"Models: {models}; refitted every four weeks. Every policy sees the same record of sales and opens with the "
        "textbook level at 50 %. Restock's stock mix asks a share of revenue, with a floor "
        f"{100 * FLOOR_BELOW:.0f} points below it for every class.",
        "Stock before receipt: value of what is left when an order comes in, mean over cycles, at unit cost, else "
        "price. Fill rate by revenue. Cycles out: of those with demand, the share that run short.",
        "Asked at each point: 15 % less stock at equal fill rate or 25 % fewer cycles out at equal stock, no class "
        "worse. All settings: exchange.csv.",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
