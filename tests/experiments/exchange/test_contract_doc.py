"""The page on the data contract is the one that the schemas give."""

from __future__ import annotations

from pathlib import Path

from engine.tables.contract import TABLES, columns_of
from experiments.exchange.contract_doc import contract_page

PAGE = Path(__file__).parents[3] / "docs" / "data-contract.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == contract_page()


def test_every_table_and_column_is_described() -> None:
    for table, schema in TABLES.items():
        assert schema.description
        assert all(column.description for column in columns_of(table).values())
