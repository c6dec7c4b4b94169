"""Runs by name: the latest, a name given, a part of a name, a path as it was printed; from anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dlopt.cli.commands.named import complete_run
from dlopt.cli.commands.runs import runs_table
from dlopt.cli.solve.composing import CommandError
from dlopt.cli.solve.names import with_names
from dlopt.cli.terminal.completion import complete_override
from economies import small_synthetic
from rich.console import Console

from dlopt.runs import find_runs
from dlopt.runs.folder import RunFolder
from dlopt.runs.naming import RunNameError, find_run, find_sweep, name_of
from dlopt.runs.places import places, remember

NAMES = {
    "nash/2026-01-02/10-00-00-000001-dual": "2026-01-02T10:00:00+00:00",
    "nash/2026-01-02/11-00-00-000002-trade_war": "2026-01-02T11:00:00+00:00",
    "unilateral/2026-01-03/09-00-00-000003-steel25": "2026-01-03T09:00:00+00:00",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs in its `outputs`, where one stands."""
    world = small_synthetic()
    for name, started in NAMES.items():
        verb, *_, last = name.split("/")
        run = RunFolder.start(
            tmp_path / "project" / "outputs" / name, kind="trade", verb=verb, command=f"dlopt solve {verb}",
            scenario=name_of(Path(last)), calibration={"name": world.name, "sha256": world.sha256},
            accounting="standard", seed=0, threads=1,
        )  # fmt: skip
        run.update(started=started)
        run.finish("converged", message="", certificate={"first_order_residual": 1e-12}, answer="USA +0.07 %")
    sweep = tmp_path / "project" / "outputs" / "nash" / "2026-01-04" / "08-00-00-000004-grid"
    sweep.mkdir(parents=True)
    (sweep / "sweep.json").write_text(json.dumps({}))
    monkeypatch.setenv("DLOPT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("last", "steel25"),
        ("last:nash", "trade_war"),
        ("last:dual", "dual"),
        ("steel25", "steel25"),
        ("steel", "steel25"),
        ("11-00", "trade_war"),
        ("09-00-00-000003-steel25", "steel25"),
        ("outputs/nash/2026-01-02/10-00-00-000001-dual", "dual"),
        ("nash/2026-01-02/10-00-00-000001-dual", "dual"),
    ],
)
def test_a_run_is_found_by_name_from_anywhere(
    project: Path, text: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name_of(find_run(text)) == found
    remember(find_run(text))
    for elsewhere in (project / "outputs" / "nash", project.parent / "far" / "away"):
        elsewhere.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(elsewhere)
        assert name_of(find_run(text)) == found


def test_names_of_none_or_several_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunNameError, match="part of 2 names"):
        find_run("2026-01-02")
    with pytest.raises(RunNameError, match="not a run folder"):
        find_run("nothing")
    with pytest.raises(RunNameError, match="not a run folder"):
        find_run("last:cooperative")
    monkeypatch.chdir(project.parent)
    with pytest.raises(RunNameError, match="makes one"):
        find_run("last")


def test_sweeps_are_found_too(project: Path) -> None:
    assert find_sweep("grid").name == "08-00-00-000004-grid"
    assert find_sweep("last") == find_sweep("grid")


def test_places_are_kept_once_and_the_latest_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project.parent / "other" / "outputs" / "nash" / "x"
    other.mkdir(parents=True)
    for folder in (find_run("dual"), other, find_run("steel")):
        remember(folder)
    monkeypatch.chdir(project.parent)
    assert places() == [project / "outputs", project.parent / "other" / "outputs"]


def test_runs_where_everybody_may_write_are_not_looked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = project.parent / "shared"
    (shared / "outputs").mkdir(parents=True)
    inside = shared / "mine" / "deep"
    (inside.parent / "outputs").mkdir(parents=True)
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert places() == [inside.parent / "outputs", shared / "outputs"]
    shared.chmod(0o777)
    assert places() == [inside.parent / "outputs"]


def test_a_name_becomes_the_folder() -> None:
    run, sweep = with_names("nash", ["scenario=dual", "name=steel25"])[1:]
    assert run.startswith("hydra.run.dir=outputs/nash/")
    assert name_of(Path(run)) == name_of(Path(sweep)) == "steel25"
    for name in ("a/b", "..", "last", "", "a b", "${now:%H}"):
        with pytest.raises(CommandError, match="not possible"):
            with_names("nash", [f"name={name}"])
    with pytest.raises(CommandError, match="not both"):
        with_names("nash", ["name=x", "hydra.run.dir=y"])


def test_solves_take_runs_by_name(project: Path) -> None:
    words = with_names(
        "nash", ["init=last:nash", "value=last:nash", "resume=nothing", "init=baseline", "scenario=dual"]
    )
    assert all(word.endswith("11-00-00-000002-trade_war") for word in words[:2])
    assert words[2:] == ["resume=nothing", "init=baseline", "scenario=dual"]


def test_completion_offers_what_there_is(project: Path) -> None:
    assert {"last", "last:nash", "09-00-00-000003-steel25"} <= {name for name, _ in complete_run("")}
    offered = {name for name, _ in complete_override("unilateral", [], "player=")}
    assert {"player=USA", "player=CHN"} <= offered
    policies = {name for name, _ in complete_override("equilibrium", [], "policy=")}
    assert {"policy=us_2025_04_02", "policy=us_china_2018"} <= policies
    assert "name=" in [name for name, _ in complete_override("nash", [], "nam")]


def test_the_list_is_readable_at_80_columns(project: Path) -> None:
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as shown:
        console.print(runs_table(find_runs(project / "outputs"), project / "outputs"))
    lines = shown.get().splitlines()
    shown_lines = [line for line in lines if line.strip()]
    assert len(shown_lines) == 7  # title, head, one line for each run, two lines on what answers are
    assert "answer: change of real income" in shown_lines[5]
    for name, line in zip(NAMES, shown_lines[2:5], strict=True):
        assert "converged" in line
        assert line.rstrip().endswith("USA +0.07 %")
        assert name_of(Path(name)) == line.split()[0]
        assert find_run(line.split()[0]).name == name.split("/")[-1]


def test_the_list_calls_earlier_runs_of_a_name_and_jobs_of_sweeps_so_that_they_are_found(project: Path) -> None:
    root = project / "outputs"
    first = root / "nash/2026-01-02/10-00-00-000001-dual"
    again = root / "nash/2026-01-05/10-00-00-000009-dual"
    jobs = [root / "nash/2026-01-04/08-00-00-000004-grid" / name for name in ("1-dual", "11-dual")]
    for folder in (again, *jobs):
        shutil.copytree(first, folder)
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as shown:
        console.print(runs_table(find_runs(root), root))
    names = [line.split()[0] for line in shown.get().splitlines() if "converged" in line]
    assert {find_run(name) for name in names} == {folder for folder, _ in find_runs(root)}
    assert {"dual", "grid/1-dual", "grid/11-dual"} <= set(names)
