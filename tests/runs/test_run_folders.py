"""Run folders: whole or visibly not, and readable whatever state they are in."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dlopt.runs import RunFolder, RunReadError, RunRecord, find_runs, read_run
from dlopt.runs.environment import git_commit, versions
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.tables import average_policies, config_differences, read_table
from dlopt.store.files import FileWriteError

WELFARE = pd.DataFrame({"economy": ["A", "B"], "real_income_change_pct": [1.0, -2.0]})


def start(folder: Path, scenario: str = "dual") -> RunFolder:
    return RunFolder.start(
        folder,
        kind="trade",
        verb="nash",
        command=f"dlopt solve nash scenario={scenario}",
        scenario=scenario,
        calibration={"name": "small", "sha256": "0" * 64},
        accounting="standard",
        seed=0,
        threads=1,
    )


def test_running_first_and_the_end_last(tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    assert read_run(run.path).status == "running"
    run.write_tables({"welfare": WELFARE}, {"unit": "per cent"})
    assert read_run(run.path).status == "running"
    run.finish("converged", message="Done.", certificate={"equilibrium_residual": 1e-12})
    record = read_run(run.path)
    assert (record.status, record.verb, record.schema_version) == ("converged", "nash", 2)
    assert record.wall_seconds is not None
    pd.testing.assert_frame_equal(read_table(run.path, "welfare"), WELFARE)


def test_a_failed_run_keeps_no_tables(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.write_tables({"welfare": WELFARE}, {})
    run.finish("failed", message="The disk is full.")
    assert not list(tmp_path.glob("*.parquet"))
    with pytest.raises(RunReadError, match="failed"):
        read_table(tmp_path, "welfare")


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    start(tmp_path)
    with pytest.raises(FolderInUseError):
        start(tmp_path)


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError):
        start(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"schema_version": 99}', '{"schema_version": 1}', '{"schema_version": 2}', "\x00"],
)
def test_damaged_runs_are_listed_as_such(tmp_path: Path, content: str) -> None:
    start(tmp_path / "good").finish("converged", message="")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run.json").write_text(content)
    with pytest.raises(RunReadError):
        read_run(tmp_path / "bad")
    found = dict(find_runs(tmp_path))
    assert isinstance(found[tmp_path / "bad"], RunReadError)
    assert isinstance(found[tmp_path / "good"], RunRecord)


def test_wrong_types_in_run_json(tmp_path: Path) -> None:
    start(tmp_path).finish("converged", message="")
    content = json.loads((tmp_path / "run.json").read_text())
    for key in ("status", "calibration", "command", "started"):
        (tmp_path / "run.json").write_text(json.dumps({**content, key: 3}))
        with pytest.raises(RunReadError):
            read_run(tmp_path)


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunReadError, match="not a run folder"):
        read_run(tmp_path)


def test_averages_leave_out_what_nobody_touched() -> None:
    rates = {"initial_rate": [0.1, 0.1, 0.2], "rate": [0.3, 0.5, 0.2 + 1e-16], "at_bound": [False, True, False]}
    bounds = {"lower_bound": [0.0, 0.0, float("nan")]}
    policies = pd.DataFrame({"economy": ["A", "A", "B"], "instrument": "tariff", **rates, **bounds})
    averages = average_policies(policies)
    assert averages["economy"].tolist() == ["A"]
    assert averages.loc[0, "rate_pct"] == pytest.approx(40)
    assert averages.loc[0, "at_bound"] == 1


def test_runs_side_by_side(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for k, folder in enumerate(folders):
        run = start(folder)
        run.write_tables({"welfare": WELFARE.assign(real_income_change_pct=float(k))}, {})
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "config.yaml").write_text(f"psi_scale: {k}\nbounds: {{tariff: [0, 4]}}\n")
    assert config_differences(folders) == {"psi_scale": [0, 1]}


def test_provenance() -> None:
    assert {"python", "dlopt", "torch"} <= set(versions())
    commit = git_commit()
    assert commit is None or len(commit) == 40
