"""The data report: what a folder, workbook or database holds, what was repaired and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.exchange.load import Loaded
from experiments.exchange.rule_texts import render_report
from experiments.reading import load_data
from experiments.settings import Settings


@dataclass(frozen=True)
class DataReport:
    """The report as text, and what it rests on; ``exit_code`` is that of docs/design.md, 9."""

    text: str
    loaded: Loaded

    @property
    def exit_code(self) -> int:
        return self.loaded.exit_code


def check_data(data: str, settings: Settings, as_of: str | None, repairs: tuple[str, ...], home: Path) -> DataReport:
    """Return the report of ``data``, also of refused data.

    Raises
    ------
    ConfigError
        If ``data`` does not exist or cannot be reached.
    """
    loaded = load_data(data, settings, as_of, repairs, home)
    return DataReport(render_report(loaded.checked), loaded)
