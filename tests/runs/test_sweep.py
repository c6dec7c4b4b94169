"""Sweeps: how every job stands, all results in one table, and nothing removed that is not a finished run of dlopt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dlopt.runs import RunFolder, is_killed, read_run
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.pruning import prunable, remove
from dlopt.runs.sweep import Sweep, SweepError, collect, jobs_of_sweep, read_sweep


def start(folder: Path, words: str = "scenario=dual", **given: Any) -> RunFolder:
    return RunFolder.start(
        folder,
        kind="trade",
        verb="nash",
        command=f"dlopt solve nash {words}",
        overrides=words.split(),
        scenario="dual",
        calibration={"name": "small", "sha256": "0" * 64},
        accounting="standard",
        seed=0,
        threads=1,
        **given,
    )


def finish(run: RunFolder, value: float, status: str = "converged") -> None:
    run.write_tables({"welfare": pd.DataFrame({"economy": ["A", "B"], "real_income_change_pct": [value, -value]})}, {})
    run.finish(status, message="")


def abandon(run: RunFolder) -> None:
    """As if the process had been killed: the system lets go of the lock."""
    run._lock.release()


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Five jobs: 0 and 3 have finished, 1 failed, 2 was killed, 4 never began."""
    folder = tmp_path / "root" / "sweep"
    words = [("scenario=dual", f"psi_scale={value}", "hydra/launcher=basic") for value in (0, 0.5, 1, 2, 3)]
    Sweep("nash", ("-m", "psi_scale=0,0.5,1,2,3"), str(tmp_path), tuple(words)).write(folder)
    runs = [start(folder / f"{k}-dual", " ".join(words[k][:2])) for k in (3, 1, 0, 2)]
    finish(runs[0], 3.0, "not_converged")
    runs[1].finish("failed", message="The disk is full.")
    finish(runs[2], 1.0)
    abandon(runs[3])
    return folder


def test_how_every_job_stands(sweep: Path) -> None:
    jobs = jobs_of_sweep(sweep)
    assert [job.status for job in jobs] == ["converged", "failed", "killed", "not_converged", "missing"]
    assert [job.number for job in jobs if not job.finished] == [1, 2, 4]
    assert jobs[4].overrides == {"scenario": "dual", "psi_scale": "3"}


def test_one_table(sweep: Path) -> None:
    table = collect(jobs_of_sweep(sweep), "welfare")
    assert table.columns.tolist() == ["job", "scenario", "psi_scale", "status", "economy", "real_income_change_pct"]
    assert table["job"].tolist() == [0, 0, 3, 3]
    assert table["psi_scale"].tolist() == [0.0, 0.0, 2.0, 2.0]
    assert table["real_income_change_pct"].tolist() == [1.0, -1.0, 3.0, -3.0]


def test_damaged_jobs_are_listed(sweep: Path) -> None:
    (sweep / "0-dual" / "run.json").write_text("{")
    (sweep / "4-dual").mkdir()
    (sweep / "4-dual" / "run.json").write_text("[]")
    assert [job.status for job in jobs_of_sweep(sweep)] == ["damaged", "failed", "killed", "not_converged", "damaged"]


def test_nothing_to_collect(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="neither"):
        jobs_of_sweep(tmp_path)
    start(tmp_path / "0-dual").finish("failed", message="")
    with pytest.raises(SweepError, match="nothing to collect"):
        collect(jobs_of_sweep(tmp_path), "welfare")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 9}', '{"schema_version": 1, "verb": 3}'])
def test_damaged_sweeps(tmp_path: Path, content: str) -> None:
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(SweepError):
        read_sweep(tmp_path)


def test_a_live_run_is_told_from_a_killed_one(tmp_path: Path) -> None:
    run = start(tmp_path / "a")
    assert not is_killed(run.path, read_run(run.path))
    with pytest.raises(FolderInUseError, match="still running"):
        start(tmp_path / "a", resumed=tmp_path / "a")
    abandon(run)
    assert is_killed(run.path, read_run(run.path))
    again = start(tmp_path / "a", resumed=tmp_path / "a", seconds_before=100.0)
    finish(again, 1.0)
    record = read_run(run.path)
    assert not is_killed(run.path, record)
    assert record.wall_seconds is not None
    assert record.wall_seconds >= 100.0
    assert record.resumed == str(tmp_path / "a")


def test_what_an_early_end_left_does_not_mix_with_what_follows(tmp_path: Path) -> None:
    finish(start(tmp_path), 1.0, "interrupted")
    (tmp_path / ".welfare.parquet.x.tmp").write_text("")
    (tmp_path / "checkpoint.pt").write_text("")
    start(tmp_path, resumed=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "checkpoint.pt", "run.json"]


class TestPruning:
    """Only runs, only below the root, only what dlopt wrote."""

    def test_goes_with_the_folders_it_empties(self, sweep: Path) -> None:
        root = sweep.parent
        (sweep / "1-dual" / "report.html").write_text("")
        go, stay = prunable(root, ("failed", "killed"))
        assert [(path.name, status) for path, status in go] == [("1-dual", "failed"), ("2-dual", "killed")]
        assert stay == []
        for path, _ in go:
            remove(path, root)
        assert sorted(path.name for path in sweep.iterdir()) == ["0-dual", "3-dual", "sweep.json"]

    def test_stays(self, tmp_path: Path) -> None:
        root = tmp_path / "outputs"
        _alive = start(root / "alive")
        start(root / "mine").finish("failed", message="")
        (root / "mine" / "thesis.tex").write_text("years of work")
        start(root / "outer").finish("failed", message="")
        start(root / "outer" / "inner").finish("converged", message="")
        start(tmp_path / "elsewhere").finish("failed", message="")
        (root / "link").symlink_to(tmp_path / "elsewhere")
        (root / "damaged").mkdir()
        (root / "damaged" / "run.json").write_text("{")
        go, stay = prunable(root, ("failed", "killed", "running"))
        assert go == []
        assert {path.name for path, _ in stay} == {"alive", "mine", "outer", "damaged"}
        with pytest.raises(ValueError, match="stays"):
            remove(root / "mine", root)
        start(root / "gone").finish("failed", message="")
        with pytest.raises(ValueError, match="not below"):
            remove(root / "gone", root / "gone")
        assert json.loads((root / "gone" / "run.json").read_text())["status"] == "failed"
