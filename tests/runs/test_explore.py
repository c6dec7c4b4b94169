"""`dlopt explore`: which runs it takes when none is named, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from dlopt.cli.commands.explore import explore
from economies import small_synthetic

import dlopt
from dlopt.errors import DloptError
from dlopt.runs import RunFolder
from dlopt.runs.naming import latest_runs
from dlopt.runs.sweep import Sweep
from dlopt.views.explore import explore_page


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs on one world and one on another, the last of them on the first world."""
    world = small_synthetic(2, 2)
    other = dataclasses.replace(world, economies=("USA", "EU"))
    for name, own in (("a", world), ("b", other), ("c", world)):
        dlopt.solve_equilibrium(own).to_parquet(tmp_path / "outputs" / "equilibrium" / name)
    monkeypatch.setenv("DLOPT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_latest_runs_are_those_on_the_world_of_the_last(project: Path) -> None:
    assert [folder.name for folder in latest_runs(6, kind="trade")] == ["a", "c"]
    assert [folder.name for folder in latest_runs(1, kind="trade")] == ["c"]
    assert latest_runs(6, kind="exporter") == []
    explore()
    page = (project / "explore.html").read_text(encoding="utf-8")
    assert '"name": "a"' in page
    assert '"name": "b"' not in page


def test_a_sweep_stands_for_its_runs_and_says_which_are_missing(project: Path) -> None:
    sweep = project / "grid"
    Sweep("equilibrium", (), str(project), (("psi_scale=1",), ("psi_scale=2",))).write(sweep)
    (project / "outputs" / "equilibrium" / "a").rename(sweep / "0")
    explore([sweep], output=project / "swept.html")
    assert "grid: 1 of 2 runs, which have no result." in (project / "swept.html").read_text(encoding="utf-8")


def test_what_cannot_be_explored_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = {"verb": "", "command": "dlopt", "scenario": "s", "calibration": {"name": "w", "sha256": ""}}
    RunFolder.start(tmp_path / "x", kind="exporter", accounting="", seed=0, threads=1, **started)
    with pytest.raises(DloptError, match="only runs of the trade model can be explored"):
        explore_page([tmp_path / "x"])
    RunFolder.start(tmp_path / "t", kind="trade", accounting="standard", seed=0, threads=1, **started)
    with pytest.raises(DloptError, match="only runs that reached a result"):
        explore_page([tmp_path / "t"])
    with pytest.raises(DloptError, match="no run to explore"):
        explore_page([])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLOPT_STATE", str(tmp_path / "state"))
    with pytest.raises(DloptError, match="solve nash"):
        explore(None, output=tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
