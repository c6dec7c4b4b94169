"""`-m`: one folder per job, and the worst of their exit codes."""

from __future__ import annotations

import json
import shutil
import time
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


def test_retry_runs_only_what_is_not_done(dlopt: Any) -> None:
    words = ["-m", "scenario=dual", "psi_scale=0,0.5,1", f"calibration={dlopt.world}", "hydra.sweep.dir=sweep"]
    dlopt("solve", "nash", *words, fake="converged")
    sweep = dlopt.folder / "sweep"
    shutil.rmtree(sweep / "0-dual")
    failed = json.loads((sweep / "1-dual" / "run.json").read_text())
    (sweep / "1-dual" / "run.json").write_text(json.dumps({**failed, "status": "failed"}))
    kept = (sweep / "2-dual" / "run.json").read_bytes()
    shown = dlopt("runs", "collect", "sweep", code=2).stdout
    assert "missing" in shown
    assert "failed" in shown
    dlopt("runs", "retry", "sweep", fake="converged")
    assert (sweep / "2-dual" / "run.json").read_bytes() == kept
    dlopt("runs", "collect", "sweep")
    table = pd.read_parquet(sweep / "collected-welfare.parquet")
    assert table.groupby("psi_scale").size().to_dict() == {0.0: 3, 0.5: 3, 1.0: 3}
    assert "nothing to do" in dlopt("runs", "retry", "sweep").stdout


def test_a_killed_run_goes_on(dlopt: Any) -> None:
    """`kill -9`: listed as killed, resumed to the same tables."""
    slow = ["solver=best_response", "solver.rounds=10", "solver.steps=4", "checkpoint_seconds=0"]
    words = ["solve", "nash", "scenario=dual", f"calibration={dlopt.world}", *slow]
    dlopt(*words, "hydra.run.dir=whole", code=2)
    running = dlopt.start(*words, "hydra.run.dir=cut")
    cut = dlopt.folder / "cut"
    while running.process.is_alive() and not (cut / "checkpoint.pt").exists():
        time.sleep(0.01)
    running.process.kill()
    running.process.join()
    assert json.loads((cut / "run.json").read_text())["status"] == "running"
    assert "killed" in dlopt("runs", "list", ".").stdout
    dlopt("solve", "nash", "resume=cut", "hydra.run.dir=cut", code=2)
    assert not (cut / "checkpoint.pt").exists()
    for name in ("welfare", "policies", "trade"):
        whole, resumed = (pd.read_parquet(dlopt.folder / run / f"{name}.parquet") for run in ("whole", "cut"))
        pd.testing.assert_frame_equal(whole, resumed, check_exact=True)
