"""What a finished run says on stdout."""

from __future__ import annotations

import json

import click
import pandas as pd

from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.plan_writer import worded_tables
from experiments.exchange.rule_texts import render_notices
from experiments.run_forecast import ForecastResult
from experiments.run_plan import RunResult

N_ALERTS = 5


def show_plan(result: RunResult, as_json: bool) -> None:
    """Print the totals of a plan, its first alerts and where its outputs are."""
    plan = result.plan
    tables = worded_tables(plan, read_catalogue())
    rows = {name: len(table) for name, table in tables.items()}
    if as_json:
        content = {
            "run_id": result.run_id,
            "as_of": plan.as_of,
            "bucket": plan.bucket,
            "snapshot_id": result.snapshot_id,
            "out": str(result.out),
            "tracked_run": result.tracked or None,
            "exit_code": result.exit_code,
            "solve": {"status": plan.solve.status, "gap": plan.solve.gap},
            "rows": rows,
            "value_ordered": float(tables["orders"]["value"].sum()),
            "repairs": [vars(repair) for repair in result.loaded.checked.repairs],
            "quarantined": {name: len(frame) for name, frame in result.loaded.checked.quarantine.items()},
        }
        click.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))
        return
    for notice in render_notices(result.loaded.checked):
        click.echo(notice)
    orders, transfers = tables["orders"], tables["transfers"]
    click.echo(f"Plan as of {plan.as_of}, in buckets of {_bucket(plan.bucket)}: {rows['targets']:,} items at locations")
    click.echo(f"  orders               {len(orders):>7,}   {orders['units'].sum():>12,.0f} units   {_money(orders)}")
    click.echo(f"  transfers            {len(transfers):>7,}   {transfers['units'].sum():>12,.0f} units")
    presale = tables["presale_allocations"].query("supply_kind != 'short'")
    click.echo(f"  presale allocations  {len(presale):>7,}   {presale['units'].sum():>12,.0f} units")
    if len(tables["presale_summary"]):
        click.echo(f"    - {_presale_worth(tables['presale_summary'])}")
    click.echo(f"  alerts               {rows['alerts']:>7,}")
    for text in _alerts(tables["alerts"].head(N_ALERTS)):
        click.echo(f"    - {text}")
    click.echo(f"  assumptions          {rows['assumptions']:>7,}   listed in the workbook and the report")
    click.echo(f"Workbook  {result.out / 'plan.xlsx'}")
    click.echo(f"Report    {result.out / 'report.html'}")
    if result.tracked:
        click.echo(f"Tracked   MLflow run {result.tracked}")


def _presale_worth(summary: pd.DataFrame) -> str:
    """Return the shares of all presale units that ship locally on day one, and what else they would be."""
    units = summary["units"]
    plan, nothing, history = (
        f"{(summary[f'share_local{case}'] * units).sum() / units.sum():.1%}" for case in ("", "_nothing", "_historical")
    )
    return f"{plan} ship locally on day one (doing nothing {nothing}, split by history {history})"


def show_forecast(result: ForecastResult, as_json: bool) -> None:
    """Print where the forecast tables are and how long they are."""
    rows = {name: len(table) for name, table in result.tables.items()}
    if as_json:
        click.echo(json.dumps({"run_id": result.run_id, "out": str(result.out), "rows": rows}, indent=2))
        return
    for name, count in rows.items():
        click.echo(f"{name}: {count:,} rows")
    click.echo(f"Tables are in {result.out}")


def _alerts(alerts: pd.DataFrame) -> list[str]:
    # What is told of no single item or place has none to show.
    subjects = alerts[["item_id", "location_id"]].fillna("")
    return [
        f"{' at '.join(filter(None, subject))}: {text}".removeprefix(": ")
        for subject, text in zip(subjects.itertuples(index=False), alerts["alert"], strict=True)
    ]


def _bucket(bucket: str) -> str:
    return {"D": "days", "W": "weeks", "M": "months"}[bucket]


def _money(orders: pd.DataFrame) -> str:
    unpriced = int(orders["value"].isna().sum())
    note = f" ({unpriced:,} lines without a cost)" if unpriced else ""
    return f"{orders['value'].sum():,.2f} in money{note}"
