"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest


def wait_for_iterations(folder: Path, sign: str = "waiting") -> None:
    """Until the solver is under way."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(sign in path.read_text() for path in folder.rglob("dlopt.log")):
            return
        time.sleep(0.05)
    pytest.fail("nothing was solved")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_keeps_the_result(dlopt: Any, number: signal.Signals) -> None:
    running = dlopt.start("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", fake="slow")
    wait_for_iterations(dlopt.folder)
    running.signal(number)
    screen = running.ended(2)
    record = dlopt.record()
    assert record["status"] == "interrupted"
    assert (dlopt.runs()[0] / "policies.parquet").exists()
    assert "interrupted" in screen.stdout
    assert "Traceback" not in screen.stderr


def test_the_second_stops_at_once(dlopt: Any) -> None:
    running = dlopt.start("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", fake="slow")
    wait_for_iterations(dlopt.folder)
    running.signal(signal.SIGINT)
    running.signal(signal.SIGTERM)
    screen = running.ended(2)
    assert dlopt.record()["status"] == "interrupted"
    assert "Traceback" not in screen.stderr


def test_a_sweep_stops_as_a_whole(dlopt: Any) -> None:
    words = ["-m", "scenario=dual,trade_war,subsidy", f"calibration={dlopt.world}"]
    running = dlopt.start("solve", "nash", *words, fake="slow")
    wait_for_iterations(dlopt.folder)
    running.signal(signal.SIGTERM)
    screen = running.ended(2)
    assert "Traceback" not in screen.stderr
    assert len(dlopt.runs()) == 3
    assert not list(dlopt.folder.rglob(".stop"))


def test_workers_stop_with_the_sweep(dlopt: Any) -> None:
    """The marker in the sweep's folder reaches jobs in processes that got no signal."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    algorithm = ["solver=best_response", "solver.rounds=100000", "solver.steps=1", "solver.learning_rate=1e-9"]
    words = ["-m", "scenario=dual,trade_war,subsidy", *algorithm, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    process = dlopt.start_installed("solve", "nash", *words, f"calibration={dlopt.world}")
    wait_for_iterations(dlopt.folder, "off by")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert len(dlopt.runs()) == 3
    assert not list(dlopt.folder.rglob(".stop"))
