"""Writes the page on the data contract from the schemas.

python -m experiments.exchange.contract_doc docs/data-contract.md
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandera.pandas as pa

from engine.tables.breach import Rule
from engine.tables.contract import (
    CONTRACT_VERSION,
    TABLES,
    columns_of,
    default_of,
    key_of,
    kind_of,
    prefix_of,
    reference_of,
)
from experiments.exchange.rule_sentences import FILE_RULES, NUMBERED_RULES, REPAIR_TEXTS, REPAIRED_THINGS
from experiments.exchange.rule_texts import render_constraint

_KINDS = {"id": "id", "text": "text", "choice": "word", "number": "number", "date": "date", "flag": "yes/no"}

_INTRODUCTION = """# The data contract

Version {version}. This page is generated from the schemas in `engine/tables` by
`python -m experiments.exchange.contract_doc docs/data-contract.md`.

Data are a folder of CSV (perhaps gzipped) or Parquet files, an Excel workbook (`.xlsx`, a sheet a table) or a SQL
database (a table or view a table, by URL; `env:NAME` names a variable that holds the URL). File, sheet and table
names are those below. Only `sales` is required, and for a plan `supply` or a default link in the configuration.

- Dates are written `2025-01-31`. Numbers are plain (`1234.5`); money is in one currency, quantities in the item's
  base unit. CSV is UTF-8, separated by comma, semicolon, tab or bar.
- Ids are text everywhere: leading zeros are kept, there is no `.0`, case is kept. Text is put into Unicode NFC
  and spaces around it are taken off; both are reported with counts.
- An empty cell means "not given". Rows without any value are no rows. Columns that the contract does not know are
  named and not read.
- `known_from`, where a table has it, is the day on which a row became known. It belongs to the key; of several
  rows that differ only in it the latest known on the day of planning holds.
- Rows are numbered as a spreadsheet shows them: the header is row 1. For Parquet and databases the first row is
  row 2 as well; a database returns its rows in no stated order, so there the key is what identifies a row.
"""

_SEVERITIES = """## What becomes of a breach

| | |
|---|---|
| fatal | The data are refused (exit code 3). |
| repairable | Refused, unless `--repair` names the repair. Every change is reported with counts. |
| contradiction | Rows contradict each other, so that no plan can satisfy them (exit code 4). |
| quarantined | The rows are set aside in a quarantine file, with numbers and rules; the exit code is 5. |
| noted | Told, nothing else. |

A table of which more than half of the rows would be set aside is refused. With `--repair set-aside` rows that would
refuse the data are quarantined instead.
"""


def contract_page() -> str:
    """Return the page on the data contract in Markdown."""
    parts = [_INTRODUCTION.format(version=CONTRACT_VERSION), "## Tables\n"]
    parts += [_table(name, schema) for name, schema in TABLES.items()]
    parts += [_rules(), _SEVERITIES, _repairs()]
    return "\n".join(parts)


def _table(name: str, schema: pa.DataFrameSchema) -> str:
    lines = [
        f"### {name}",
        "",
        f"{schema.description} Its rules begin with {prefix_of(name)}.",
        "",
        "| column | kind | | what it holds |",
        "|---|---|---|---|",
    ]
    key = key_of(name)
    for column, definition in columns_of(name).items():
        title = f"**{column}**" if column in key else column
        required = "required" if definition.required else ""
        lines.append(f"| {title} | {_KINDS[kind_of(definition)]} | {required} | {_described(definition)} |")
    lines += [f"\n{check.description}: {_ROW_CHECKS[str(check.name)]}." for check in schema.checks]
    return "\n".join([*lines, ""])


_ROW_CHECKS = {
    "start-after-end": "the first is not after the second",
    "minimum-above-maximum": "the first is not above the second",
    "same-place": "they differ",
}


def _described(definition: pa.Column) -> str:
    said = [str(definition.description)]
    said += [f"It {render_constraint(check)}." for check in definition.checks]
    reference = reference_of(definition)
    if reference is not None:
        said.append(f"Listed in `{reference.target}` where that is given.")
    default = default_of(definition)
    if default != "":
        said.append(f"Default: {str(default).lower() if isinstance(default, bool) else default}.")
    return " ".join(said)


def _rules() -> str:
    lines = ["## Rules", "", "A rule is named by its table and a number that means the same for every table: `S3`"]
    lines += ["and `I3` are both rule 3. What the rules of a table begin with stands above.", "", "| | |", "|---|---|"]
    lines += [f"| {int(rule)} | {NUMBERED_RULES[rule]} |" for rule in Rule]
    lines += [f"| {name} | {text} |" for name, text in FILE_RULES.items()]
    return "\n".join([*lines, ""])


def _repairs() -> str:
    lines = ["## Repairs", "", "`--repair` takes a comma-separated list of these.", "", "| | |", "|---|---|"]
    lines += [f"| `{name}` | {REPAIRED_THINGS[name]}: {text} |" for name, text in REPAIR_TEXTS.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(contract_page(), encoding="utf-8")
