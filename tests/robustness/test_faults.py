"""A tenth of the fault table, what can be tried in this process: see tests/robustness/faults for all of it."""

from __future__ import annotations

import contextlib
import random
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from economies import small_synthetic

from dlopt import InstrumentChoice, solve_nash
from dlopt.calibrations import write_bundle
from dlopt.choice import load_checkpoint
from dlopt.errors import DloptError
from dlopt.framework import Tape
from dlopt.runs import RunFolder, read_run
from dlopt.runs.checkpoint import CheckpointError, Checkpoints, read_checkpoint, write_checkpoint
from dlopt.runs.folder import CHECKPOINT
from dlopt.runs.sweep import Sweep, collect, jobs_of_sweep, read_sweep
from dlopt.store.tensors import TensorFileError, read_tensors, write_tensors

sys.path.insert(0, str(Path(__file__).parents[2]))
from faults import files, words
from faults.command import Tally

BROKEN = (b"", b"PK", b"\x80\x04cos\nsystem\n(S'id'\ntR.", b"\x80\x02].", b"\x80\x02X\x01")
"""Nothing, half a zip file, code, another value, and a string without its length: pickles that are no checkpoint."""


def none_wrong(tally: Tally) -> None:
    assert tally.wrong == []
    assert tally.tried > 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every file that can be damaged."""
    folder = tmp_path_factory.mktemp("runs") / "0-dual"
    tape = Tape()
    result = solve_nash(small_synthetic(), instruments=InstrumentChoice(tariff="uniform"), tape=tape)
    identity = {"name": "small", "sha256": "0" * 64}
    started = RunFolder.start(
        folder, kind="trade", verb="nash", command="dlopt solve nash scenario=dual", scenario="dual",
        calibration=identity, accounting="standard", seed=0, threads=1, settings={"psi_scale": 1.0},
        choices={"scenario": "dual", "solver": "joint_newton"}, overrides=["scenario=dual"],
    )  # fmt: skip
    started.write_tables(result.tables(), result.metadata)
    started.finish("converged", message="Done.", certificate={"equilibrium_residual": 1e-13})
    write_checkpoint(folder / CHECKPOINT, tape.entries)
    Sweep("nash", ("scenario=dual",), "/", (("scenario=dual",),)).write(folder)
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text("psi_scale: 1.0\nbounds: {tariff: [0, 4]}\n")
    return folder


@pytest.mark.parametrize(
    "name", ["run.json", "welfare.parquet", "policies.parquet", CHECKPOINT, "sweep.json", ".hydra/config.yaml"]
)
def test_damaged_files_of_a_run(run: Path, name: str) -> None:
    none_wrong(files.of_run(run, name, 40, 1))


def test_a_checkpoint_is_read_as_written_or_refused(run: Path, tmp_path: Path) -> None:
    entries = read_checkpoint(run / CHECKPOINT)
    assert len(entries) > 3
    path = tmp_path / CHECKPOINT
    for content in BROKEN:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="without resume"):
            read_checkpoint(path)


def test_hostile_yaml_is_refused_wherever_it_is_read(tmp_path: Path) -> None:
    none_wrong(files.of_hostile_yaml(tmp_path))


@pytest.mark.parametrize("name", ["run.json", "sweep.json"])
def test_json_too_deep_to_read(run: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(DloptError, match="cannot be read"):
        (read_run if name == "run.json" else read_sweep)(tmp_path)


def test_overrides_of_every_kind_are_collected(tmp_path: Path) -> None:
    words = ("psi_scale=" + "9" * 400, "player=2001-99-99", "weights=" + "[" * 5000, "seed=1")
    for k, value in enumerate(words):
        Sweep("nash", (), "/", ((value,),)).write(tmp_path)
        started = RunFolder.start(
            tmp_path / str(k), kind="trade", verb="nash", command=shlex.join(["dlopt", "solve", "nash", value]),
            scenario="dual", calibration={"name": "small", "sha256": "0" * 64}, accounting="standard", seed=0,
            threads=1, overrides=[value],
        )  # fmt: skip
        started.write_tables({"welfare": pd.DataFrame({"economy": ["A"], "real_income_change_pct": [1.0]})}, {})
        started.finish("converged", message="")
    assert len(collect(jobs_of_sweep(tmp_path), "welfare")) == len(words)


def test_tensors_are_read_as_written_or_refused(tmp_path: Path) -> None:
    path, generator = tmp_path / "some.pt", random.Random(3)
    content = {"weights": torch.arange(300.0), "state": {0: [torch.tensor(True), 1.5, None, "text"]}}
    write_tensors(path, 1, content)
    good = path.read_bytes()
    assert repr(read_tensors(path, 1)) == repr(content)
    with pytest.raises(TensorFileError, match="format 1, this version reads 2"):
        read_tensors(path, 2)
    for _ in range(300):
        path.write_bytes(files.damaged(good, generator))
        with contextlib.suppress(TensorFileError):
            assert repr(read_tensors(path, 1)) == repr(content)


def test_a_damaged_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for content in BROKEN:
        path.write_bytes(content)
        with pytest.raises(DloptError, match="not a readable checkpoint"):
            load_checkpoint(path)


def test_checkpoints_by_time(tmp_path: Path) -> None:
    entries = [{"label": "a", "seconds": 1.0}]
    Checkpoints(tmp_path, 3600).due(entries)
    assert not (tmp_path / CHECKPOINT).exists()
    Checkpoints(tmp_path, 0).due(entries)
    assert read_checkpoint(tmp_path / CHECKPOINT) == entries


def test_commands_nobody_would_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bundle(small_synthetic(), tmp_path / "world")
    none_wrong(words.of_overrides(tmp_path / "world", 40, 2))
