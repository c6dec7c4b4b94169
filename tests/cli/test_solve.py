"""`dlopt solve`: a run folder that says how it ended, the screen, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dlopt.errors import DloptError
from dlopt.runs.naming import name_of
from dlopt.store.files import table_metadata

KEYS = [
    "schema_version", "status", "command", "scenario", "calibration", "accounting", "seed", "threads", "dtype",
    "versions", "git", "started", "wall_seconds", "certificate", "message", "settings", "resumed", "kind", "verb",
    "choices", "overrides", "answer",
]  # fmt: skip
TABLES = [
    "decomposition",
    "equilibria",
    "iterations",
    "outcomes",
    "partners",
    "policies",
    "sectors",
    "trade",
    "welfare",
]


def test_nash_from_the_shell(dlopt: Any) -> None:
    words = ["solve", "nash", "scenario=trade_war", f"calibration={dlopt.world}", "threads=1"]
    done = dlopt.installed(*words)
    (folder,) = dlopt.runs()
    assert folder.parent.parent.parent == dlopt.folder / "outputs"
    assert folder.parent.parent.name == "nash"
    assert folder.name.endswith("-trade_war")
    record = dlopt.record()
    assert sorted(record) == sorted(KEYS)
    assert record["status"] == "converged"
    assert record["command"] == " ".join(["dlopt", *words])
    assert record["threads"] == 1
    assert record["dtype"] == "float64"
    outcomes = pd.read_parquet(folder / "outcomes.parquet").set_index("economy")
    assert record["answer"] == f"World {outcomes.loc['World', 'real_income_change_pct']:+.2f} %"
    assert record["certificate"]["first_order_residual"] <= 1e-8
    assert pd.Timestamp(record["started"]).tzinfo is not None
    assert sorted(path.stem for path in folder.glob("*.parquet")) == TABLES
    assert {".hydra", "dlopt.log", "run.json"} <= {path.name for path in folder.iterdir()}
    assert table_metadata(folder / "welfare.parquet")["calibration_sha256"] == record["calibration"]["sha256"]
    assert "\x1b" not in done.stdout + done.stderr
    for text in (
        "Real income of the world",
        "E1",
        "converged",
        "Next:",
        f"dlopt report {name_of(folder)}",
        str(folder.relative_to(dlopt.folder)),
    ):
        assert text in done.stdout
    log = (folder / "dlopt.log").read_text().splitlines()
    assert len(log) == len(set(log)), "a line twice"

    again = dlopt("solve", "nash", *words[2:], f"init={folder}", "hydra.run.dir=again")
    assert "converged" in again.stdout
    shown = dlopt("runs", "show", "again").stdout
    assert "Real income of the world" in shown
    compared = dlopt("runs", "compare", str(folder), "again").stdout
    assert "init" in compared
    first, second = (pd.read_parquet(path / "welfare.parquet") for path in (folder, dlopt.folder / "again"))
    assert (first["real_income_change_pct"] - second["real_income_change_pct"]).abs().max() < 1e-6


def test_equilibrium_of_a_policy_file(dlopt: Any) -> None:
    (dlopt.folder / "mine.csv").write_text("instrument,origin,destination,sector,rate\ntariff,E1,E2,1,0.5\n")
    dlopt("solve", "equilibrium", "policy=mine.csv", f"calibration={dlopt.world}")
    record = dlopt.record()
    assert record["scenario"] == "given_policy"
    assert record["certificate"]["first_order_residual"] is None
    policies = pd.read_parquet(dlopt.runs()[0] / "policies.parquet")
    assert policies["rate"].max() == pytest.approx(0.5)


def test_cooperation(dlopt: Any) -> None:
    words = ["scenario=cooperation_tariff", f"calibration={dlopt.world}", "weights={E1:2,E2:1,E3:1}"]
    dlopt("solve", "cooperative", *words)
    assert dlopt.record()["status"] == "converged"


def test_unilateral(dlopt: Any) -> None:
    dlopt("solve", "unilateral", "scenario=trade_war", "player=E2", f"calibration={dlopt.world}")
    policies = pd.read_parquet(dlopt.runs()[0] / "policies.parquet")
    assert set(policies.loc[policies["lower_bound"].notna(), "economy"]) == {"E2"}


def test_the_papers_algorithm_does_not_pretend(dlopt: Any) -> None:
    words = ["scenario=trade_war", "solver=best_response", "solver.rounds=1", "solver.steps=1"]
    done = dlopt("solve", "nash", *words, f"calibration={dlopt.world}", code=2)
    assert dlopt.record()["status"] == "not_converged"
    assert "not converged" in done.stdout
    assert "fail" in done.stdout


def test_not_converged(dlopt: Any) -> None:
    dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", code=2, fake="not_converged")
    assert dlopt.record()["status"] == "not_converged"


@pytest.mark.parametrize(("fake", "said"), [("crash", "ValueError: a fault"), ("refuse", "Lower the subsidies")])
def test_failure_inside_the_solve(dlopt: Any, fake: str, said: str) -> None:
    done = dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", code=1, fake=fake)
    record = dlopt.record()
    assert record["status"] == "failed"
    assert said in record["message"]
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not list(dlopt.runs()[0].glob("*.parquet"))
    log = (dlopt.runs()[0] / "dlopt.log").read_text()
    assert ("Traceback" in log) == (fake == "crash")


def test_debug_raises(dlopt: Any) -> None:
    done = dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", "--debug", code=1, fake="crash")
    assert "Traceback" in done.stderr
    assert dlopt.record()["status"] == "failed"


def test_awkward_folder_names(dlopt: Any) -> None:
    folder = dlopt.folder / 'it\'s a "run", (ä) = 1'
    folder.mkdir()
    dlopt.folder = folder
    dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", fake="converged")
    assert dlopt.record()["status"] == "converged"


def test_two_runs_at_once_have_two_folders(dlopt: Any) -> None:
    words = ("solve", "nash", "scenario=dual", f"calibration={dlopt.world}")
    for running in [dlopt.start(*words, fake="converged") for _ in range(2)]:
        running.ended(0)
    assert len(dlopt.runs()) == 2


def test_resume_refuses_another_problem(dlopt: Any, checked: Callable[..., Any]) -> None:
    words = ("scenario=dual", f"calibration={dlopt.world}", "hydra.run.dir=first")
    dlopt("solve", "nash", *words, fake="interrupted", code=2)
    with pytest.raises(DloptError, match=r"psi_scale was 1\.0, is 0\.5"):
        checked("nash", "resume=first", "psi_scale=0.5", world=False)
    with pytest.raises(DloptError, match="calibration"):
        checked("nash", "resume=first", "calibration=stylized2017", world=False)
    with pytest.raises(DloptError, match=r"instruments.subsidy was .*scenario was dual, is trade_war"):
        checked("nash", "resume=first", "scenario=trade_war", world=False)
    with pytest.raises(DloptError, match="dlopt solve nash"):
        checked("cooperative", "resume=first", world=False)
    assert checked("nash", "resume=first", "checkpoint_seconds=1", world=False).jobs == 1
    content = json.loads((dlopt.folder / "first" / "run.json").read_text())
    content["versions"]["dlopt"] = "0.0.1"
    (dlopt.folder / "first" / "run.json").write_text(json.dumps(content))
    with pytest.raises(DloptError, match=r"version of dlopt was 0\.0\.1"):
        checked("nash", "resume=first", world=False)


def test_resume_refuses_what_has_finished(dlopt: Any, checked: Callable[..., Any]) -> None:
    words = ("scenario=dual", f"calibration={dlopt.world}", "hydra.run.dir=first")
    dlopt("solve", "nash", *words, fake="not_converged", code=2)
    with pytest.raises(DloptError, match="has finished"):
        checked("nash", "resume=first", world=False)


def test_config_is_shown_and_nothing_is_run(dlopt: Any) -> None:
    done = dlopt("solve", "nash", "scenario=dual", "--cfg", "job", "psi_scale=0.5")
    assert "psi_scale: 0.5" in done.stdout
    assert not list(dlopt.folder.iterdir())


def test_scenario_of_ones_own(dlopt: Any) -> None:
    (dlopt.folder / "own" / "scenario").mkdir(parents=True)
    (dlopt.folder / "own" / "scenario" / "mine.yaml").write_text(
        "# @package _global_\nscenario: {description: Mine., verbs: [nash]}\ninstruments: {subsidy: uniform}\n"
    )
    words = ("scenario=mine", f"calibration={dlopt.world}")
    dlopt("solve", "nash", *words, "--config-dir", "own", fake="converged")
    assert dlopt.record()["scenario"] == "mine"
    dlopt("solve", "nash", *words, f"hydra.searchpath=[file://{dlopt.folder}/own]", "hydra.run.dir=b", fake="converged")


def test_disk_full(dlopt: Any) -> None:
    """A limit on file sizes stands in for a full disk."""
    done = dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", code=1, fake="full")
    assert "Traceback" not in done.stderr
    assert "Cannot write" in " ".join(done.stderr.split())
    (folder,) = dlopt.runs()
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"
    assert not list(folder.glob("*.parquet"))
    assert not list(Path(folder).glob(".*.tmp"))


def test_one_economy_alone_keeps_the_partners_of_the_game(checked: Any) -> None:
    """In a game whose tariffs fall on its players alone, the other players are whom one of them faces."""
    found = checked("unilateral", "scenario=us_china_trade_war", "player=CHN", world=False)
    assert found.job.problem.arguments["partners"] == ("USA", "CHN")
