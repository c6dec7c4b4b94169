"""`-m`: one folder per job, and the worst of their exit codes."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_every_job_has_its_folder(dlopt: Any, launcher: str) -> None:
    solve = dlopt
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
        solve = dlopt.installed
    words = ["scenario=trade_war,subsidy", "-m", "psi_scale=0,1", f"hydra/launcher={launcher}"]
    done = solve("solve", "nash", *words, f"calibration={dlopt.world}", "threads=1")
    runs = dlopt.runs()
    assert [path.name for path in runs] == ["0-trade_war", "1-trade_war", "2-subsidy", "3-subsidy"]
    assert len({path.parent for path in runs}) == 1
    records = [json.loads((path / "run.json").read_text()) for path in runs]
    assert {record["status"] for record in records} == {"converged"}
    assert "psi_scale=0" in records[2]["command"]
    assert "Traceback" not in done.stderr
    welfare = [pd.read_parquet(path / "welfare.parquet")["real_income_change_pct"] for path in runs]
    assert (welfare[0] - welfare[1]).abs().max() > 1e-6


def test_the_worst_counts(dlopt: Any) -> None:
    solver = "solver.rounds=1 solver.steps=1"
    words = ["scenario=trade_war", "-m", "solver=best_response", *solver.split(), "seed=0,1"]
    dlopt("solve", "nash", *words, f"calibration={dlopt.world}", code=2)
    assert len(dlopt.runs()) == 2


def test_a_failed_job_does_not_stop_the_others(dlopt: Any) -> None:
    words = ["-m", "scenario=trade_war,dual", f"calibration={dlopt.world}"]
    dlopt("solve", "nash", *words, code=1, fake="crash")
    statuses = [json.loads((path / "run.json").read_text())["status"] for path in dlopt.runs()]
    assert statuses == ["failed", "failed"]


def test_a_sweep_that_cannot_be_leaves_nothing(dlopt: Any) -> None:
    dlopt("solve", "nash", "-m", "scenario=trade_war", "psi_scale=0,-1", f"calibration={dlopt.world}", code=1)
    assert not list(dlopt.folder.iterdir())


def test_slurm_template_composes(dlopt: Any) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["scenario=dual", "hydra/launcher=slurm", "hydra.launcher.partition=long", "--cfg", "hydra"]
    assert "partition: long" in dlopt("solve", "nash", *words).stdout
