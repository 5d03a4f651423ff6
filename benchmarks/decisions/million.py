"""Targets for a million item-locations from a shared pool of demand paths, beside plain Python and the memory's speed.

    .venv/bin/python -m benchmarks.decisions.million [--cells 1000000] [--pool-gb 4] [--workers 2] [--folder /tmp]

The pool (at least 4 GB: rows of 200 paths by 28 days, float32) is drawn once into a file that all processes map; that
is not in the time. A cell takes the pool's row of its number, modulo the pool, with stock, inbound, lead time, service
target and lots of its own. Timed are `engine.policy.targets.stock_targets` over chunks in the processes, and reading
the same bytes once, which is the floor of anything that looks at every path. The peer is one item after another in
plain Python, on a sample, with the same order units. Beside seconds on the clock stands processor time, which other
work on the machine leaves alone. Writes benchmarks/results/million.md; the file is deleted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure import tree_pss, write_table
from engine.policy.targets import stock_targets
from engine.policy.types import Cells, Options, Scenarios, StockRule

N_PATHS, HORIZON = 200, 28
CHUNK = 4096
_ROW_BYTES = N_PATHS * HORIZON * 4
_RULE = StockRule("cycle_service", "lost", np.ones(HORIZON, dtype=np.int64))
_AS_OF = np.datetime64("2025-10-27")


@dataclass(frozen=True)
class Pool:
    """A file of demand paths."""

    path: Path
    n_rows: int

    def open(self) -> npt.NDArray[np.float32]:
        """Return the paths, shape (n_rows, n_paths, horizon), mapped and not read."""
        return np.asarray(np.memmap(self.path, dtype=np.float32, mode="r", shape=(self.n_rows, N_PATHS, HORIZON)))


def draw_pool(path: Path, gigabytes: float, seed: int = 0) -> Pool:
    """Write a pool of whole units, geometric by day, with a mean of 0.2 to 6 a day by row."""
    n_rows = int(np.ceil(gigabytes * 1e9 / _ROW_BYTES / CHUNK)) * CHUNK
    pool = np.memmap(path, dtype=np.float32, mode="w+", shape=(n_rows, N_PATHS, HORIZON))
    rng = np.random.default_rng(seed)
    for start in range(0, n_rows, CHUNK):
        rate = rng.uniform(0.2, 6.0, (CHUNK, 1, 1)).astype(np.float32)
        pool[start : start + CHUNK] = np.floor(
            rng.standard_exponential((CHUNK, N_PATHS, HORIZON), dtype=np.float32) * (rate + 0.5)
        )
    pool.flush()
    return Pool(path, n_rows)


def chunk_of(pool: npt.NDArray[np.float32], start: int, stop: int) -> tuple[Cells, Options, Scenarios]:
    """Return the cells [start, stop), their links, and their paths as a view of the pool."""
    n = stop - start
    rng = np.random.default_rng([1, start])
    first = start % len(pool)
    lead = rng.integers(1, 15, n)
    arrivals = np.zeros((n, HORIZON))
    arrivals[np.arange(n), rng.integers(0, HORIZON, n)] = rng.integers(0, 2, n) * rng.integers(0, 40, n)
    number = np.arange(start, stop)
    names = number.astype(str).astype(object)
    price = np.ones(n)
    cells = Cells(
        item_id=names, location_id=np.full(n, "X", dtype=object), divisible=np.zeros(n, dtype=bool), unit_cost=price,
        unit_price=price * 2, holding_cost=price * 0.001, shortage_cost=price, backorder_cost=price * 0.1,
        salvage_value=price * 0, target=rng.choice([0.9, 0.95, 0.98], n), min_stock=price * 0,
        max_stock=np.full(n, np.inf), abc=np.full(n, "A", dtype=object),
        available=rng.integers(0, 60, n).astype(np.float64), backorders=np.zeros(n), arrivals=arrivals,
        end_bucket=np.full(n, HORIZON),
    )  # fmt: skip
    options = Options(
        cell=np.arange(n), origin_cell=np.full(n, -1), source_id=np.full(n, "S", dtype=object), lane=np.full(n, -1),
        primary=np.ones(n, dtype=bool), order_date=np.full(n, _AS_OF), available_date=_AS_OF + lead,
        next_order_date=np.full(n, _AS_OF + 7), next_available_date=_AS_OF + lead + 7,
        send_bucket=np.zeros(n, dtype=np.int64),
        arrival=lead, next_arrival=lead + 7, lead_time_sd_days=np.zeros(n), unit_cost=price, min_units=np.zeros(n),
        multiple=rng.choice([1.0, 6.0], n), max_units=np.full(n, np.inf),
    )  # fmt: skip
    shape = (n, N_PATHS)
    arrival, later = (np.broadcast_to(at.astype(np.int32)[:, None], shape) for at in (lead, lead + 7))
    return cells, options, Scenarios(pool[first : first + n], arrival, later)


def targets_of(pool: Pool, start: int, stop: int) -> tuple[float, float]:
    """Return the units that a chunk's targets order, and the processor seconds of the targets."""
    cells, options, scenarios = chunk_of(pool.open(), start, stop)
    began = time.process_time()
    units = stock_targets(cells, options, scenarios, _RULE).order_units
    return float(units.sum()), time.process_time() - began


def read_of(pool: Pool, start: int, stop: int) -> tuple[float, float]:
    """Return the largest of a chunk's values, for which every byte is read once, and the processor seconds."""
    first = start % pool.n_rows
    began = time.process_time()
    largest = pool.open()[first : first + stop - start].max()
    return float(largest), time.process_time() - began


def spread(
    executor: ProcessPoolExecutor, work: Callable[[int, int], tuple[float, float]], n_cells: int
) -> tuple[float, float]:
    """Return seconds on the clock and processor seconds of ``work`` over all chunks."""
    starts = range(0, n_cells, CHUNK)
    stops = [min(start + CHUNK, n_cells) for start in starts]
    began = time.perf_counter()
    busy = sum(seconds for _, seconds in executor.map(work, starts, stops))
    return time.perf_counter() - began, busy


def plain_orders(pool: Pool, n: int) -> tuple[float, float]:
    """Return the units ordered by the first cells, one by one in plain Python, and the processor seconds for one."""
    cells, options, scenarios = chunk_of(pool.open(), 0, n)
    paths = scenarios.paths.tolist()
    inbound = cells.arrivals.tolist()
    began, total = time.process_time(), 0.0
    for item in range(n):
        lands, until = int(options.arrival[item]), int(options.next_arrival[item])
        needs = [need for path in paths[item] if (need := _need(path, inbound[item], float(cells.available[item]),
                                                                lands, until)) is not None]  # fmt: skip
        needs.sort()
        lot, target = float(options.multiple[item]), float(cells.target[item])
        # So many needs must be covered; the order is raised to whole lots.
        wanted = min(target * (len(needs) + 1), len(needs)) - 1e-9
        covered = int(-(-wanted // 1))
        units = max(needs[covered - 1], 0.0) if covered > 0 else 0.0
        total += -(-units // lot) * lot
    return total, (time.process_time() - began) / n


def _need(path: list[float], inbound: list[float], stock: float, lands: int, until: int) -> float | None:
    """Return the least order without shortage on a path, None where its interval asks for nothing."""
    for day in range(lands):
        stock = max(stock + inbound[day] - path[day], 0.0)
    if not any(path[lands:until]):
        return None
    level = highest = 0.0
    for day in range(lands, until):
        level += path[day] - inbound[day]
        highest = max(highest, level)
    return highest - stock


def main(arguments: list[str]) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--pool-gb", type=float, default=4.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=400, help="cells of plain Python")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        pool = draw_pool(Path(folder) / "paths", asked.pool_gb)
        with ProcessPoolExecutor(asked.workers) as executor:
            watched = _Peak()
            # The first time brings the file into memory and starts the processes.
            floor = [spread(executor, partial(read_of, pool), asked.cells) for _ in range(2)][-1]
            ours = spread(executor, partial(targets_of, pool), asked.cells)
            peak = watched.stop()
        units, per_item = plain_orders(pool, asked.sample)
        same, _ = targets_of(pool, 0, asked.sample)
    if abs(same - units) > 1e-6:
        raise RuntimeError(f"plain Python must order the same units. Got {units} against {same}.")
    plain = per_item * asked.cells
    rows = [
        {"what": "targets", "clock s": f"{ours[0]:.0f}", "processor s": f"{ours[1]:.0f}"},
        {"what": "floor: the same bytes read once", "clock s": f"{floor[0]:.0f}", "processor s": f"{floor[1]:.0f}"},
        {"what": "plain Python, from a sample", "clock s": "", "processor s": f"{plain:,.0f}"},
        {"what": "plain Python over targets", "clock s": "", "processor s": f"{plain / ours[1]:.0f} x"},
    ]
    notes = [
        f"Asked: 60 s on the clock, 6 GB. Memory {(peak + pool.n_rows * _ROW_BYTES) / 1e9:.1f} GB: {peak / 1e9:.1f} of "
        "all processes (PSS, at the most), and the pool, which the system keeps in its page cache. "
        f"{asked.cells:,} cells, {N_PATHS} paths of {HORIZON} days, {asked.workers} processes, chunks of "
        f"{CHUNK:,}; pool of {pool.n_rows * _ROW_BYTES / 1e9:.1f} GB, drawn before and not timed. Cycle service of "
        "0.90 to 0.98, lost sales, lead times of 1 to 14 days, weekly review, packs of 1 or 6, inbound. "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end. Plain Python: {asked.sample} cells, the "
        "same order units. stockpyl is not among the project's packages and is not measured.",
    ]
    write_table("million", "Targets for a million item-locations", rows, notes)


class _Peak:
    """Largest summed PSS of this process and its children, looked at every half second until stopped."""

    def __init__(self) -> None:
        self._most, self._stopped = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stopped.wait(0.5):
            self._most = max(self._most, tree_pss(os.getpid()))

    def stop(self) -> int:
        """Return the peak in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._most


if __name__ == "__main__":
    main(sys.argv[1:])
