"""What killed workers leave behind: folders and settings under the names of leases that ended without a word."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from api.store.jobs import Lease

logger = logging.getLogger(__name__)


def job_name(plan_id: str, token: int) -> str:
    """Return the name under which one lease of a plan's job writes; no other lease has it."""
    return f"{plan_id}-{token}"


def clear_remains(home: Path, artifacts: Path, held: Lease) -> None:
    """Remove what earlier leases of the same job left half-written, or finished too late to count."""
    for token in range(1, held.token):
        name = job_name(held.plan_id, token)
        (home / "jobs" / f"{name}.toml").unlink(missing_ok=True)
        for folder in (home / "out", artifacts):
            for path in (folder / name, *folder.glob(f".{name}.*")):
                if path.exists():
                    _remove(path)


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError:
        # The worker that lost the job may be writing there yet; a folder that no row names does no harm.
        logger.warning("%s cannot be removed", path, exc_info=True)
