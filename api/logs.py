"""Logging of the entry points: one line format on stderr, without passwords."""

from __future__ import annotations

import logging

from api.store.address import redact


class Redacting(logging.Formatter):
    """Formats as usual, then takes the passwords out of every address, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logging(level: int = logging.INFO) -> None:
    """Log to stderr from ``level`` on; a second call changes the level alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger().setLevel(level)
    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
