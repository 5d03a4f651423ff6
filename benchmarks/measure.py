"""Run a command and measure it: wall time, and peak memory as the summed PSS of the process tree."""

from __future__ import annotations

import platform
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Measured:
    """Wall seconds, peak PSS in GB and the exit code of a command."""

    seconds: float
    peak_gb: float
    exit_code: int


def measure(command: Sequence[str], env: Mapping[str, str] | None = None, every_seconds: float = 0.5) -> Measured:
    """Run ``command`` to its end; raise ``RuntimeError`` with its output if it fails (5 is done in part)."""
    start = time.monotonic()
    peak = 0
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
        reader.start()
        while process.poll() is None:
            peak = max(peak, tree_pss(process.pid))
            time.sleep(every_seconds)
        reader.join()
    if process.returncode not in (0, 5):
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(said)[-4000:]}")
    return Measured(time.monotonic() - start, peak / 1e9, process.returncode)


def tree_pss(pid: int) -> int:
    """Return the summed PSS of a process and its descendants, bytes; those that just ended count nothing."""
    total = 0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in tree:
        try:
            total += member.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def machine() -> str:
    """Return one line that states the machine."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, {platform.system()}"


def write_table(name: str, title: str, rows: Sequence[Mapping[str, object]], notes: Sequence[str] = ()) -> Path:
    """Write ``rows`` as a Markdown table to ``benchmarks/results/NAME.md``, print it and return its path."""
    columns = list(rows[0])
    lines = [f"# {title}", "", f"Machine: {machine()}.", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows]
    lines += ["", *notes]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    return path
