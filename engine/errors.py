"""The exceptions of restock and the exit codes they lead to.

RestockError                    1  unexpected
├── ConfigError                 2  usage or configuration
├── DataError                   3  data refused (engine.tables raises it with its breaches)
├── ContradictionError          4  data contradict each other: no plan can satisfy them
└── Cancelled                   1  the caller asked to stop
"""

from __future__ import annotations


class RestockError(Exception):
    """Base of all errors raised on purpose; says the rule, what was found and the remedy.

    Parameters
    ----------
    rule
        What must hold.
    finding
        What was found instead, with values and counts.
    remedy
        What the reader can do about it.
    """

    exit_code = 1

    def __init__(self, rule: str, finding: str, remedy: str) -> None:
        super().__init__(rule, finding, remedy)
        self.rule = rule
        self.finding = finding
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.rule}. Found {self.finding}. {self.remedy}"


class ConfigError(RestockError):
    """A setting or an argument is missing, unknown or out of range."""

    exit_code = 2


class DataError(RestockError):
    """The data break a rule of the table contract."""

    exit_code = 3


class ContradictionError(RestockError):
    """The data contradict each other, so that no plan satisfies them."""

    exit_code = 4


class Cancelled(RestockError):
    """The caller asked the run to stop; nothing half-written is left behind."""

    def __init__(self, stage: str) -> None:
        super().__init__("A run goes on until it is cancelled", f"a request to stop during {stage}", "Run it again")
        self.stage = stage

    def __reduce__(self) -> tuple[type[Cancelled], tuple[str]]:
        return Cancelled, (self.stage,)
