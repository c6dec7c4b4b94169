"""What runs that stand side by side are called, and which runs a sweep or a suite stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from dlopt.cli.commands.named import _run_or_sweep
from dlopt.cli.terminal.sheets import called

from dlopt.runs import RunFolder
from dlopt.runs.labels import label_of, labels_of
from dlopt.runs.naming import find_run, find_sweep
from dlopt.runs.sweep import Sweep, SweepError, mark_suite, members
from dlopt.runs.tables import config_differences
from dlopt.views.comparison import names_of, runs_of


def run(folder: Path, status: str = "converged", **settings: str) -> Path:
    made = RunFolder.start(
        folder, kind="trade", verb="equilibrium", command="dlopt suite", scenario="given_policy",
        calibration={"name": "w", "sha256": ""}, accounting="standard", seed=0, threads=1, settings=settings,
    )  # fmt: skip
    made.finish(status, message="", certificate=None)
    return folder


def sweep(folder: Path, *jobs: tuple[str, ...]) -> list[Path]:
    folder.mkdir(parents=True)
    Sweep("equilibrium", (), str(folder), jobs).write(folder)
    return [run(folder / f"{k}-given_policy") for k in range(len(jobs))]


def test_a_run_of_a_sweep_is_called_by_what_varies(tmp_path: Path) -> None:
    answers = sweep(tmp_path / "a", ("retaliation=none", "psi_scale=1"), ("retaliation=optimal", "psi_scale=1"))
    assert labels_of(answers) == ["none", "optimal"]
    sets = sweep(tmp_path / "d", ("elasticities=fontagne2022",), ("elasticities=shapiro2016",))
    assert labels_of(sets) == ["fontagne2022", "shapiro2016"]
    scales = sweep(tmp_path / "b", ("theta_scale=0.8",), ("theta_scale=1",))
    assert labels_of(scales) == ["theta_scale=0.8", "theta_scale=1"]
    grid = sweep(tmp_path / "c", ("theta_scale=0.8", "psi_scale=0"), ("theta_scale=1", "psi_scale=0.5"))
    assert labels_of(grid) == ["0.8, 0", "1, 0.5"]
    assert labels_of([*answers, *answers[:1]]) == ["1: none", "optimal", "3: none"]
    (tmp_path / "a" / "sweep.json").write_text("{", encoding="utf-8")
    assert label_of(answers[0]) == "0-given_policy"


def test_a_suite_stands_for_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "outputs" / "suite" / "2026-01-02" / "10-00-00-000000-steel"
    names = ["steel-and-cars-25-none", "steel-and-cars-25-reciprocal", "steel-and-cars-50-none"]
    folders = [run(root / f"{k:03}-{name}", retaliation=name[18:]) for k, name in enumerate(names[:2], 1)]
    run(root / f"003-{names[2]}", "failed")
    mark_suite(root, "steel", names)
    assert members(root) == (folders, 3)
    assert runs_of([root]) == folders
    assert labels_of(folders) == names[:2]
    assert names_of(folders) == ["none", "reciprocal"], "what all begin with is left out where names are long"
    assert config_differences(folders) == {"retaliation": ["none", "reciprocal"]}
    monkeypatch.setenv("DLOPT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    assert find_sweep("steel").samefile(root)
    assert _run_or_sweep("steel").samefile(root)
    assert called(root) == "steel"
    (root / "suite.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SweepError, match="cannot be read"):
        members(root)
    assert members(tmp_path) is None


def test_a_run_is_called_by_its_name_while_that_means_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLOPT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    day = tmp_path / "outputs" / "nash" / "2026-01-02"
    first, second = run(day / "10-00-00-000000-steel"), run(day / "11-00-00-000000-steel")
    assert called(second) == "steel"
    assert find_run(called(second)).samefile(second)
    assert called(first) == "10-00-00-000000-steel"
    assert called(run(tmp_path / "elsewhere")) == "elsewhere"
