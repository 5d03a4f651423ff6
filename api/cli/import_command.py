"""``restock import``: public data sets into contract tables."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.importers.registry import run_import


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.argument("src", type=click.Path(path_type=Path, exists=True))
@click.argument("dst", type=click.Path(path_type=Path))
def command(source: str, src: Path, dst: Path) -> None:
    """Turn SRC into contract tables in the folder DST; SOURCE is uci-online-retail, m5 or vn2."""
    for table, rows in run_import(source, src, dst).items():
        click.echo(f"{table}: {rows:,} rows")
    click.echo(f"Tables are in {dst}. Next: restock plan {dst}")
