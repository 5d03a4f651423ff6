"""Tracking: each run is one MLflow run, by default in an SQLite store under ``RESTOCK_HOME``.

Nothing else imports mlflow, whose import takes seconds.
"""

from __future__ import annotations

import os
import re
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

from engine.plan.types import CONTRACT_VERSION, Plan
from experiments.exchange.plan_meta import PlanMeta

# mlflow reads these when it is imported: it would report usage to its makers, and set up logging for all.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_CONFIGURE_LOGGING"] = "false"

with warnings.catch_warnings():
    # Its tables use a loader that SQLAlchemy 2.1 calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

PLANS, BACKTESTS, REPLAYS = "restock plans", "restock backtests", "restock replays"

_ARTIFACTS = (".parquet", ".json", ".html", ".xlsx")
_LONGEST_PARAM = 6000  # of a value, by MLflow
_PER_BATCH = 100  # parameters or metrics a call, within the limits of MLflow
_LOCK_WAIT_S = 120.0


def track_plan(plan: Plan, meta: PlanMeta, out: Path, home: Path, git_revision: str = "") -> str:
    """Record a written plan as one MLflow run and return its id.

    Parameters
    ----------
    out
        The folder that `experiments.exchange.plan_writer.write_plan` wrote; its tables, workbook and report
        become artifacts.
    home
        ``RESTOCK_HOME``: the store is ``mlflow.db`` in it, made on first use; artifacts lie in ``mlartifacts``.
    git_revision
        Revision of the code, "" if unknown.
    """
    tags = _tags(meta, git_revision) | {"as_of": plan.as_of, "bucket": plan.bucket, "solve_status": plan.solve.status}
    metrics = plan_metrics(plan) | backtest_metrics(plan.backtest)
    client = _client(home)
    with _run(client, home, PLANS, meta.run_id, tags) as run_id:
        with _exclusive(home):
            _log(client, run_id, meta.config, metrics)
        for path in sorted(out.iterdir()):
            if path.suffix in _ARTIFACTS and not path.name.startswith("."):
                client.log_artifact(run_id, str(path), "plan")
    return run_id


def track_backtest(
    scores: pd.DataFrame, meta: PlanMeta, home: Path, details: Path | None = None, git_revision: str = ""
) -> str:
    """Record a backtest as a parent run with one child run a model, and return the parent's id.

    Parameters
    ----------
    scores
        As in `backtest_metrics`.
    details
        A file of scores per series, kept as an artifact of the parent.
    git_revision
        Revision of the code, "" if unknown.
    """
    client = _client(home)
    with _run(client, home, BACKTESTS, meta.run_id, _tags(meta, git_revision)) as parent:
        with _exclusive(home):
            _log(client, parent, meta.config, {})
        for model in sorted(scores["model"].unique()):
            tags = {"mlflow.parentRunId": parent, "model": str(model), **_tags(meta, git_revision)}
            own = scores[scores["model"] == model].drop(columns="model")
            with _run(client, home, BACKTESTS, str(model), tags) as child, _exclusive(home):
                _log(client, child, {"model": str(model)}, _score_metrics(own, ""))
        if details is not None:
            client.log_artifact(parent, str(details), "scores")
    return parent


def track_replay(
    tables: Mapping[str, pd.DataFrame],
    settings: Mapping[str, Mapping[str, str]],
    meta: PlanMeta,
    out: Path,
    home: Path,
    git_revision: str = "",
) -> str:
    """Record a replay as a parent run with one child run a policy, and return the parent's id.

    Parameters
    ----------
    tables
        As from `experiments.replay.result_tables.replay_tables`; the figures of ``summary`` become metrics of the
        policies, by assumption on demand.
    settings
        Settings by policy, as text; policies without an entry have none.
    out
        The folder of the results, whose tables and report become artifacts of the parent.
    """
    client = _client(home)
    with _run(client, home, REPLAYS, meta.run_id, _tags(meta, git_revision)) as parent:
        with _exclusive(home):
            _log(client, parent, meta.config, {})
        summary = tables["summary"]
        for policy in dict.fromkeys(summary["policy"]):
            tags = {"mlflow.parentRunId": parent, "policy": str(policy), **_tags(meta, git_revision)}
            own = summary[summary["policy"] == policy].rename(columns={"demand_as": "segment"}).drop(columns="policy")
            costs = tables["costs"][tables["costs"]["policy"] == policy]
            terms = {f"{_safe(row.demand_as)}/cost/{_safe(row.term)}": float(row.value) for row in costs.itertuples()}
            with _run(client, home, REPLAYS, str(policy), tags) as child, _exclusive(home):
                _log(client, child, settings.get(str(policy), {}), _score_metrics(own, "") | terms)
        for path in sorted(out.iterdir()):
            if path.suffix in _ARTIFACTS and not path.name.startswith("."):
                client.log_artifact(parent, str(path), "replay")
    return parent


def plan_metrics(plan: Plan) -> dict[str, float]:
    """Return the totals of a plan: lines, units and value of its decisions, alerts, cost by term."""
    tables = plan.tables
    totals: dict[str, float] = {"solve/gap": plan.solve.gap}
    for name in ("orders", "transfers"):
        totals[f"{name}/lines"] = len(tables[name])
        totals[f"{name}/units"] = float(tables[name]["units"].sum())
        totals[f"{name}/value"] = float(tables[name]["value"].sum())
    totals["presale/units"] = float(tables["presale_allocations"]["units"].sum())
    totals["alerts/count"] = len(tables["alerts"])
    totals["alerts/money_at_stake"] = float(tables["alerts"]["money_at_stake"].sum())
    totals["assumptions/count"] = len(tables["assumptions"])
    for term, value in zip(tables["costs"]["term"], tables["costs"]["value"], strict=True):
        totals[f"cost/{_safe(term)}"] = float(value)
    return {name: value for name, value in totals.items() if np.isfinite(value)}


def backtest_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Return the scores of a backtest by name: ``backtest/MODEL/SEGMENT/SCORE``.

    Parameters
    ----------
    scores
        One row per ``model`` and, if there is such a column, ``segment``; every other numeric column is a score.
    """
    found: dict[str, float] = {}
    if len(scores):
        for model, own in scores.groupby("model", sort=True):
            found |= _score_metrics(own.drop(columns="model"), f"backtest/{_safe(str(model))}/")
    return found


def _tags(meta: PlanMeta, git_revision: str) -> dict[str, str]:
    tags = {
        "run_id": meta.run_id,
        "snapshot_id": meta.snapshot_id,
        "git_revision": git_revision,
        "contract_version": CONTRACT_VERSION,
        "config_version": meta.config_version,
        "data": meta.data,
        "notice": meta.notice,
    }
    return {name: value for name, value in tags.items() if value}


def _score_metrics(scores: pd.DataFrame, prefix: str) -> dict[str, float]:
    numeric = scores.select_dtypes("number").columns
    segments = scores["segment"].astype(str) if "segment" in scores else pd.Series("all", index=scores.index)
    return {
        f"{prefix}{_safe(segment)}/{_safe(str(name))}": float(value)
        for name in numeric
        for segment, value in zip(segments, scores[name], strict=True)
        if np.isfinite(value)
    }


def _safe(name: str) -> str:
    # MLflow takes letters, digits and these; a slash would make a level of its own.
    return re.sub(r"[^\w\-. ]", "_", name)


def _log(client: MlflowClient, run_id: str, params: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    settings = [Param(_safe(name), _short(value)) for name, value in sorted(params.items())]
    scores = [Metric(name, value, 0, 0) for name, value in sorted(metrics.items())]
    for start in range(0, max(len(settings), len(scores)), _PER_BATCH):
        rows = slice(start, start + _PER_BATCH)
        client.log_batch(run_id, metrics=scores[rows], params=settings[rows])


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST_PARAM else value[: _LONGEST_PARAM - 8] + " … (cut)"


@contextmanager
def _run(client: MlflowClient, home: Path, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """Yield the id of a new run, which ends as finished, or as failed if the block does."""
    with _exclusive(home):
        found = client.get_experiment_by_name(experiment)
        # A store of an earlier version lacks the experiments that came later.
        number = found.experiment_id if found else _new_experiment(client, home, experiment)
        run_id = str(client.create_run(number, run_name=name, tags=dict(tags)).info.run_id)
    status = "FAILED"
    try:
        yield run_id
        status = "FINISHED"
    finally:
        with _exclusive(home):
            client.set_terminated(run_id, status)


def _new_experiment(client: MlflowClient, home: Path, name: str) -> str:
    artifacts = (home.absolute() / "mlartifacts" / name.split()[-1]).as_uri()
    return str(client.create_experiment(name, artifact_location=artifacts))


def _client(home: Path) -> MlflowClient:
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    with _exclusive(home):
        store = home / "mlflow.db"
        if not store.exists():
            _create(store, home / "mlartifacts")
        return MlflowClient(f"sqlite:///{store}")


def _create(store: Path, artifacts: Path) -> None:
    """Make the store under another name and rename it: one that was killed half-way is never opened."""
    part = store.with_name(f".{store.name}.{uuid4().hex}.part")
    made = SqlAlchemyStore(f"sqlite:///{part}", artifacts.as_uri())
    for name in (PLANS, BACKTESTS, REPLAYS):
        made.create_experiment(name, artifact_location=f"{artifacts.as_uri()}/{name.split()[-1]}")
    made.engine.dispose()
    part.rename(store)


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Hold the lock of the tracker: SQLite's own file lock, which ends with the process that holds it."""
    with closing(sqlite3.connect(home / "mlflow.lock", timeout=_LOCK_WAIT_S, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield
