"""Sweeps on a real Slurm: the results of the other launchers, and jobs that are killed or warned in mid-run."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from cluster import cluster, missing
from economies import small_synthetic

from dlopt.calibrations import write_bundle

REASON = missing()
if not REASON and importlib.util.find_spec("submitit") is None:
    REASON = "submitit missing: pip install '.[slurm]'"
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "never")

SLURM = ["hydra/launcher=slurm", "hydra.launcher.mem_gb=1", "hydra.launcher.timeout_min=60"]
SLOW = ["scenario=dual", "solver=best_response", "solver.rounds=40", "solver.steps=10", "checkpoint_seconds=0.5"]
PATIENCE = 1200.0


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with cluster(tmp_path_factory.mktemp("cluster")) as environment:
        yield {**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "small"
    write_bundle(small_synthetic(), folder)
    return folder


def start(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    program = str(Path(sys.executable).with_name("dlopt"))
    return subprocess.Popen(
        [program, *words], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[str], *codes: int) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in codes, f"exit {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return out


def collected(launcher: list[str], words: list[str], folder: Path, environment: dict[str, str], jobs: int) -> str:
    """SHA-256 of the collected table of a sweep."""
    sweep = folder / launcher[0].rpartition("=")[2]
    given = ["solve", "nash", "-m", *words, *launcher, f"hydra.sweep.dir={sweep}"]
    ended(start(given, folder, environment), 0, 2)
    ended(start(["runs", "collect", str(sweep)], folder, environment), 0)
    table = sweep / "collected-welfare.parquet"
    assert pd.read_parquet(table)["job"].nunique() == jobs
    return hashlib.sha256(table.read_bytes()).hexdigest()


def test_the_launcher_makes_no_difference(environment: dict[str, str], world: Path, tmp_path: Path) -> None:
    """Twelve runs, the same table to the last byte; $DLOPT_SWEEP_CALIBRATION takes another world."""
    calibration = os.environ.get("DLOPT_SWEEP_CALIBRATION", str(world))
    scenarios = os.environ.get("DLOPT_SWEEP_SCENARIOS", "trade_war,dual")
    sweep = [f"scenario={scenarios}", "psi_scale=0,0.5,1", "accounting=paper,standard"]
    words = [*sweep, f"calibration={calibration}"]
    launchers = [["hydra/launcher=basic"], SLURM]
    if importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher"):
        launchers.append(["hydra/launcher=joblib"])
    digests = {launcher[0]: collected(launcher, words, tmp_path, environment, 12) for launcher in launchers}
    assert len(set(digests.values())) == 1, digests


def _kill(job: str, environment: dict[str, str]) -> None:
    """`kill -9` of the process that solves."""
    mine = f"SLURM_JOB_ID={job}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, given = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if b"submitit.core._submit" in words and b"srun" not in words and mine in given:
            os.kill(int(process.name), 9)


def _warn(job: str, environment: dict[str, str]) -> None:
    """What Slurm sends before a time limit."""
    subprocess.run(["scancel", "--signal=USR2", job], env=environment, check=True)


@pytest.mark.parametrize("disturb", [_kill, _warn])
def test_a_job_cut_off_is_requeued_and_finishes(
    disturb: Callable[..., None], environment: dict[str, str], world: Path, tmp_path: Path
) -> None:
    words = [*SLOW, f"calibration={world}"]
    ended(start(["solve", "nash", *words, "hydra.run.dir=alone"], tmp_path, environment), 2)
    process = start(["solve", "nash", "-m", *words, *SLURM, "hydra.sweep.dir=sweep"], tmp_path, environment)
    run, job = tmp_path / "sweep" / "0-dual", ""
    _until(lambda: (run / "checkpoint.pt").exists(), process)
    job = _slurm(["squeue", "--noheader", "--format=%A"], environment).split()[0]
    disturb(job, environment)
    _until(lambda: "Restarts=1" in _slurm(["scontrol", "show", "job", job], environment), process)
    time.sleep(3)  # Slurm refuses the credential of a job that starts in the second in which it was put back
    _slurm(["scontrol", "update", f"JobId={job}", "StartTime=now"], environment)  # else it waits two minutes
    ended(process, 2)
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "not_converged"
    assert record["resumed"] == str(run)
    for table in ("welfare", "policies", "trade"):
        whole, requeued = (pd.read_parquet(folder / f"{table}.parquet") for folder in (tmp_path / "alone", run))
        pd.testing.assert_frame_equal(whole, requeued, check_exact=True)


def _slurm(words: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60).stdout


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"the sweep ended too early: {process.communicate()}")
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail("it did not come to that")
        time.sleep(0.5)
