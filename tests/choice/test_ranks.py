"""Several processes, really started, train as one does: to the last bit, stopped and resumed by any number."""

from __future__ import annotations

import dataclasses
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from commands import ENVIRONMENT, LEAST, SMALL, dlopt, start, trained, wait_until
from dlopt.cli.processes import ProcessesError
from dlopt.cli.solve.launch import solve
from rank_worker import CASES, STEPS, halfway, resumed
from rank_worker import trained as train

from dlopt.choice import (
    AnalysisOptions,
    Budget,
    Ranks,
    load_checkpoint,
    preset,
    solve_bsde,
    write_folder,
    write_network,
)
from dlopt.choice.production.presets import synthetic
from dlopt.choice.traits import traits_of

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no Gloo to train on CPUs together"
)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def assert_same(here, there):
    """Trainings equal to the last bit, but for the time they took and what only a solve measures."""
    for part in ("value", "pool"):
        assert here[part].keys() == there[part].keys()
        for key, tensor in here[part].items():
            assert torch.equal(tensor, there[part][key]), key
    assert torch.equal(here["generator"], there["generator"])
    ours, theirs = (
        [row | {"seconds": 0, "decision_accuracy": 0} for row in state["history"]] for state in (here, there)
    )
    assert ours == theirs


def assert_same_runs(ended, model):
    """A run whose training was shared, and one by one process throughout: training, refinement, certificate."""
    whole = ended.with_name(f"{ended.name}-whole")
    whole.mkdir()
    least = AnalysisOptions(**LEAST, years=4)
    method = dataclasses.replace(traits_of(model).method, pieces=2)
    result = solve_bsde(model, method, Budget(steps=80), analysis=least, checkpoint=whole / "model.pt")
    assert_same(*(load_checkpoint(folder / "model.pt").training for folder in (ended, whole)))
    assert record(ended)["certificate"] == dataclasses.asdict(result.certificate)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two processes trained."""
    place = tmp_path_factory.mktemp("together")
    torch.save(halfway(), place / "halfway.pt")
    worker = Path(__file__).with_name("rank_worker.py")
    done = subprocess.run([*TORCHRUN, worker, place], env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [torch.load(place / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("case", CASES)
def test_two_train_as_one(together, case):
    assert_same(together[0][case], train(case))


def test_all_hold_the_same(together):
    for case in CASES:
        for key, tensor in together[0][case]["value"].items():
            assert torch.equal(tensor, together[1][case]["value"][key])
    assert together[0]["timed"] == together[1]["timed"] == 20


def test_any_number_goes_on_with_what_any_number_began(together):
    assert together[0]["halfway"]["step"] == together[1]["halfway"]["step"] == STEPS // 2
    whole = train("odd")
    assert_same(together[0]["resumed"], whole)
    assert_same(resumed(together[0]["halfway"]), whole)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_all_rows_are_somebodys(size):
    for n in (0, 1, 3, 128):
        rows = []
        for rank in range(size):
            ranks = Ranks().cut(2)
            ranks.rank, ranks.size = rank, size
            rows += [row for piece in ranks.pieces(n) for row in range(n)[piece]]
        assert rows == list(range(n))


@pytest.mark.parametrize("pieces", [1, 5])
@pytest.mark.parametrize("case", ["odd_network", "one_state_of_the_pool"])
def test_other_pieces_train_the_same_to_rounding(case, pieces, monkeypatch):
    whole = train(case)["value"]
    model, method = CASES[case]
    monkeypatch.setitem(CASES, case, (model, dataclasses.replace(method, pieces=pieces)))  # of five some have no row
    for key, tensor in train(case)["value"].items():
        torch.testing.assert_close(tensor, whole[key], rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    write_folder(preset("gravity_strong", 5), place / "five")
    write_network(synthetic(2), place / "two")
    return place


def record(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_training_begun_by_two_is_stopped_and_ended_by_one(place):
    words = [*SMALL, "analysis.years=4", "model=five", "method.pieces=2", "budget.steps=80"]
    words.append("budget.checkpoint_seconds=1e-3")
    run = start(place, *words, "hydra.run.dir=begun", program=[*TORCHRUN, "-m", "dlopt"])
    wait_until(lambda: trained(place / "begun" / "model.pt") >= 5, run)
    run.send_signal(signal.SIGTERM)
    run.wait(timeout=60)
    assert record(place / "begun")["status"] == "interrupted"
    assert record(place / "begun")["message"].startswith("Stopped after")
    assert trained(place / "begun" / "model.pt") < 80
    assert (place / "begun.err").read_text().count("control variate") == 1  # one of them speaks

    assert dlopt(place, "solve", "bsde", "resume=begun", "hydra.run.dir=ended").returncode in (0, 2)
    assert_same_runs(place / "ended", preset("gravity_strong", 5))


def test_a_training_begun_by_one_is_killed_and_ended_by_two(place):
    words = [*SMALL, "analysis.years=4", "scenario=network", "model=two", "method.pieces=2", "budget.steps=80"]
    run = start(place, *words, "budget.checkpoint_seconds=1e-3", "hydra.run.dir=killed")
    wait_until(lambda: trained(place / "killed" / "model.pt") >= 5, run)
    run.kill()
    run.wait()
    assert trained(place / "killed" / "model.pt") < 80

    words = ["solve", "bsde", "resume=killed", "hydra.run.dir=network"]
    done = dlopt(place, *words, program=[*TORCHRUN, "-m", "dlopt"])
    code = {"converged": 0, "not_converged": 1}[record(place / "network")["status"]]  # torchrun has no other codes
    assert done.returncode == code, done.stderr
    assert_same_runs(place / "network", synthetic(2))


def test_one_that_dies_ends_the_other(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    two = [
        start(
            place, "model=five", "budget.steps=100000", "budget.checkpoint_seconds=1e-3", "hydra.run.dir=left",
            WORLD_SIZE="2", RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )
        for rank in (0, 1)
    ]  # fmt: skip
    wait_until(lambda: trained(place / "left" / "model.pt") >= 5, two[0])
    two[1].kill()
    assert two[0].wait(timeout=60) == 1
    two[1].wait()
    assert record(place / "left")["status"] == "failed"
    assert "Another process of this training has ended" in record(place / "left")["message"]
    assert trained(place / "left" / "model.pt") >= 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "seed=0,1"], "a sweep (-m) is the work of one"),
        (["model=lumped", "method=exact"], "method=exact is the"),
    ],
)
def test_what_cannot_be_shared_is_refused(words, told, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ProcessesError) as refused:
        solve("bsde", words)
    assert told in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["runs", "list"], ["solve", "nash", "scenario=dual"]])
def test_other_commands_are_refused_once(words, tmp_path):
    said = ""
    for rank in ("0", "1"):
        environment = ENVIRONMENT | {"WORLD_SIZE": "2", "RANK": rank, "LOCAL_RANK": rank}
        done = subprocess.run(
            [sys.executable, "-m", "dlopt", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        said += done.stderr
    assert said.count("is the work of one: start it without torchrun") == 1
    assert not list(tmp_path.iterdir())
