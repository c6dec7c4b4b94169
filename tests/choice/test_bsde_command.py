"""`dlopt solve bsde` as a process: killed, stopped, resumed, refused, swept."""

from __future__ import annotations

import dataclasses
import json
import signal
import time

import pandas as pd
import pytest
from commands import SMALL, dlopt, start, trained, wait_until

from dlopt.choice import preset, write_folder, write_network
from dlopt.choice.production.presets import synthetic


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    write_folder(preset("gravity_strong", 5), place / "five")
    write_folder(dataclasses.replace(preset("gravity_strong", 5), rho=0.06), place / "other")
    write_network(synthetic(2), place / "two")
    return place


@pytest.mark.parametrize("kind", ["export", "network"])
def test_killed_stopped_and_resumed_equals_undisturbed(place, kind):
    model, long = ("five", "analysis.years=1e6") if kind == "export" else ("two", "analysis.response_years=1e6")
    short = long.partition("=")[0] + "=4"
    common = [*SMALL, "budget.steps=120", f"scenario={kind}", f"model={model}"]
    whole, killed, stopped, last = (f"{kind}-{name}" for name in ("whole", "killed", "stopped", "last"))
    assert dlopt(place, "solve", "bsde", *common, short, f"hydra.run.dir={whole}").returncode in (0, 2)

    run = start(place, *common, short, "budget.checkpoint_seconds=1e-3", f"hydra.run.dir={killed}")
    wait_until(lambda: trained(place / killed / "model.pt") >= 10, run)
    run.kill()
    run.wait()
    assert 10 <= trained(place / killed / "model.pt") < 120
    assert json.loads((place / killed / "run.json").read_text())["status"] == "running"

    run = start(place, f"resume={killed}", long, f"hydra.run.dir={stopped}")
    wait_until(lambda: "simulating the long run" in (place / f"{stopped}.err").read_text(), run)
    run.send_signal(signal.SIGTERM)
    began = time.monotonic()
    run.wait(timeout=60)
    assert time.monotonic() - began < 30  # a second or two on a machine of one's own
    assert run.returncode == 2
    assert json.loads((place / stopped / "run.json").read_text())["status"] == "interrupted"

    assert dlopt(place, "solve", "bsde", f"resume={stopped}", short, f"hydra.run.dir={last}").returncode in (0, 2)
    records = [json.loads((place / name / "run.json").read_text()) for name in (whole, last)]
    for key in ("status", "certificate", "message"):
        assert records[0][key] == records[1][key], key
    for path in (place / whole).glob("*.parquet"):
        here, there = (pd.read_parquet(place / name / path.name) for name in (whole, last))
        keep = [column for column in here if column != "seconds"]
        pd.testing.assert_frame_equal(here[keep], there[keep], check_exact=True)


def test_a_signal_stops_training_and_keeps_it(place):
    run = start(place, *SMALL, "budget.steps=100000", "model=five", "hydra.run.dir=signal")
    wait_until(lambda: "step 0" in (place / "signal.err").read_text(), run)
    run.send_signal(signal.SIGINT)
    run.wait(timeout=60)
    assert run.returncode == 2
    record = json.loads((place / "signal" / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["message"].startswith("Stopped after")
    assert 0 < trained(place / "signal" / "model.pt") < 100000
    assert (place / "signal" / "losses.parquet").is_file()

    refused = dlopt(
        place, "solve", "bsde", "resume=signal", "model=other", "method.hidden=8", "budget.steps=9", "seed=1"
    )
    assert refused.returncode == 1
    told = " ".join(refused.stderr.split())
    for part in (
        "model.rho",
        "method.hidden (was 32, now 8)",
        "budget.steps (was 100000, now 9)",
        "seed (was 0, now 1)",
    ):
        assert part in told
    assert not (place / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=five", "method=exact", "model=gravity"], "has no exact solution"),
        (["-m", "model=five", "method=default,exact"], "no exact solution"),
        (["model=five", "method.hiden=3"], "method.hidden"),
        (["model=five", "method.hidden=0"], "must be positive"),
        (["model=five", "resume=nowhere"], "not a run folder"),
    ],
)
def test_unsound_commands_leave_nothing(tmp_path, words, told):
    write_folder(preset("gravity", 8), tmp_path / "five")
    done = dlopt(tmp_path, "solve", "bsde", *words)
    assert done.returncode == 1
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["five"]


def test_a_sweep_runs_every_combination(place):
    words = ["-m", "model=five", "seed=0,1", "budget.steps=5", *SMALL, "analysis.years=4", "hydra.sweep.dir=sweep"]
    done = dlopt(place, "solve", "bsde", *words)
    assert done.returncode == 2, done.stderr  # five steps are too few
    records = [json.loads(path.read_text()) for path in sorted((place / "sweep").glob("*/run.json"))]
    assert [record["seed"] for record in records] == [0, 1]
    assert all(record["status"] == "not_converged" for record in records)
    listed = dlopt(place, "runs", "list", "sweep")
    assert {"0-export", "1-export"} <= set(listed.stdout.split())
    compared = dlopt(place, "runs", "compare", "sweep/0-export", "sweep/1-export")
    assert f"{records[1]['certificate']['value_gap_pct']:+.4f}" in compared.stdout
    assert "seed" in compared.stdout
