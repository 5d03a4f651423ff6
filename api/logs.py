"""Logging of the entry points that serve: one line format on stderr, without passwords."""

from __future__ import annotations

import logging

from api.store.address import redact


class Redacting(logging.Formatter):
    """Formats as usual, then takes the passwords out of every address, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logging() -> None:
    """Log to stderr from ``INFO`` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
