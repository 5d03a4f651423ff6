"""``restock check``: the data report, nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from api.cli.options import Reading, home, json_option, reads_data
from experiments.check_data import DataReport, check_data
from experiments.exchange.rule_texts import render
from experiments.settings import read_settings


@click.command("check")
@reads_data
@json_option
def command(reading: Reading, as_json: bool) -> int:
    """Check the tables of DATA and print what was found, repaired and set aside."""
    report = check_data(reading.data, read_settings(reading.config), reading.as_of, reading.repairs, home())
    click.echo(_as_json(report) if as_json else report.text, nl=as_json)
    return report.exit_code


def _as_json(report: DataReport) -> str:
    checked = report.loaded.checked
    content = {
        "source": report.loaded.source,
        "snapshot": report.loaded.snapshot,
        "refused": checked.refused,
        "exit_code": report.exit_code,
        "tables": [asdict(table) for table in checked.data_report],
        "repairs": [asdict(repair) for repair in checked.repairs],
        "quarantined": {name: len(rows) for name, rows in checked.quarantine.items()},
        "breaches": [
            {
                "rule": breach.rule,
                "code": breach.code,
                "table": breach.table,
                "severity": breach.severity,
                "text": render(breach),
            }
            for breach in checked.breaches
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)
