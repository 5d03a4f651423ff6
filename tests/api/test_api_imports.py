"""What the service loads: a request must never wait for a forecaster, a solver or the tracker."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "mlflow", "statsmodels", "prophet", "lightgbm", "sklearn", "pulp", "highspy", "matplotlib", "pandera", "alembic",
    "openpyxl", "xlsxwriter", "holidays", "models", "experiments.tracking", "experiments.run_plan",
}  # fmt: skip


def test_the_service_loads_nothing_heavy() -> None:
    script = "import json, sys, api.app; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout))
    assert "api.routes.plans" in loaded
    assert loaded & HEAVY == set()
