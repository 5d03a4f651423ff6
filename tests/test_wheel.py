"""The wheel carries all that is needed: installed outside the checkout, it plans the demo world."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("engine", "models", "experiments", "api", "configs", "pyproject.toml", "README.md", "LICENSE")


@pytest.mark.slow
def test_the_wheel_runs_the_demo_outside_of_the_checkout(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in SHIPPED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    # Without isolation or dependencies: what is tested is the content of the wheel, not the registry.
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(tmp_path)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("restock-*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    assert not (site / "tests").exists()
    assert not (site / "benchmarks").exists()

    settings = tmp_path / "quick.toml"
    settings.write_text('[forecast]\nmodels = ["seasonal_naive"]\nn_paths = 50\n[run]\nworkers = 1\n')
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "RESTOCK_HOME": str(tmp_path / "home"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def restock(*arguments: str) -> str:
        program = "import engine, sys; from api.cli import main; assert sys.path[1] in engine.__file__; main()"
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = restock("demo", "--config", str(settings), "--out", str(tmp_path / "demo"))
    assert "plan.xlsx" in said
    content = json.loads((tmp_path / "demo" / "plan" / "plan.json").read_text())
    assert all(content["rows"][table] > 0 for table in ("orders", "transfers", "presale_allocations", "alerts"))
    again = restock("demo", "--config", str(settings), "--out", str(tmp_path / "demo"), "--overwrite")
    assert "plan.xlsx" in again
