"""Draws of subsidies, the decomposition and landscapes, from the shell."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pandas as pd
import pytest

from dlopt.store.files import table_metadata


def test_imperfect_subsidy(dlopt: Any) -> None:
    words = ["solve", "nash", "scenario=imperfect_subsidy", f"calibration={dlopt.world}", "draws.player=E1"]
    done = dlopt(*words, "draws.count=30", "seed=3", "hydra.run.dir=a")
    assert "Real income over 30 draws" in done.stdout
    assert "30 draws of the subsidies of E1." in json.loads((dlopt.folder / "a" / "run.json").read_text())["message"]
    dlopt(*words, "draws.count=30", "seed=3", "threads=2", "hydra.run.dir=b")
    first, second = (pd.read_parquet(dlopt.folder / name / "draws.parquet") for name in "ab")
    pd.testing.assert_frame_equal(first, second, rtol=0, atol=1e-9)
    summary = pd.read_parquet(dlopt.folder / "a" / "draws_summary.parquet")
    assert list(summary.columns)[:9] == [
        "economy", "mean", "std", "p5", "p25", "p50", "p75", "p95", "share_of_losses",
    ]  # fmt: skip
    parts = pd.read_parquet(dlopt.folder / "a" / "decomposition.parquet")
    welfare = pd.read_parquet(dlopt.folder / "a" / "welfare.parquet").set_index("economy")["real_income_change_pct"]
    assert (parts.groupby("economy")["contribution_pct"].sum() - welfare).abs().max() <= 1e-8


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["scenario=imperfect_subsidy", "draws.player=Atlantis"], "Atlantis"),
        (["scenario=imperfect_subsidy", "draws.player=E1", "draws.count=0"], "1 or more"),
        (["scenario=imperfect_subsidy", "draws.player=E1", "draws.low=3"], "low < high"),
        (["scenario=trade_war", "draws.player=E1"], "nobody chooses subsidies"),
    ],
)
def test_draws_that_make_no_sense(checked: Any, words: list[str], text: str) -> None:
    from dlopt.errors import DloptError

    with pytest.raises(DloptError, match=text):
        checked("nash", *words)


def test_landscape_of_a_run(dlopt: Any) -> None:
    pytest.importorskip("matplotlib")
    dlopt("solve", "nash", "scenario=dual", f"calibration={dlopt.world}", "hydra.run.dir=run")
    run = dlopt.folder / "run"
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    words = ["landscape", "run", "--player", "E2", "--instruments", "2", "--points", "9"]
    done = dlopt(*words, "--pairs", "subsidy:1,subsidy:2")
    assert "subsidy:" in done.stdout
    assert {path.name for path in (run / "landscape").iterdir()} == {
        "landscape.parquet", "landscape.png", "landscape.pdf",
    }  # fmt: skip
    table = pd.read_parquet(run / "landscape" / "landscape.parquet")
    assert len(table) == 3 * (2 * 9 + 5 * 5)
    assert table_metadata(run / "landscape" / "landscape.parquet")["player"] == "E2"
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before

    assert "Atlantis" in dlopt("landscape", "run", "--player", "Atlantis", code=1).stderr
    assert "two instruments" in dlopt("landscape", "run", "--pairs", "subsidy:1", code=1).stderr
    assert "not a run folder" in dlopt("landscape", "nowhere", code=1).stderr


def test_a_changed_calibration_is_refused(dlopt: Any) -> None:
    world = dlopt.folder / "world"
    shutil.copytree(dlopt.world, world)
    dlopt("solve", "unilateral", "scenario=trade_war", "player=E1", "calibration=world", "hydra.run.dir=run")
    (dlopt.folder / "elsewhere").mkdir()
    dlopt("landscape", "run", "--instruments", "1", "--points", "5", "--no-picture")
    path = next(iter(world.glob("tariff.*")))
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    table["rate"] *= 1.01
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    assert "has changed since" in dlopt("landscape", "run", code=1).stderr


def test_equilibria_have_no_landscape(dlopt: Any) -> None:
    dlopt("solve", "equilibrium", f"calibration={dlopt.world}", "hydra.run.dir=run")
    assert "Nobody chooses" in dlopt("landscape", "run", "--no-picture", code=1).stderr


@pytest.mark.parametrize(
    ("verb", "words", "player"),
    [
        ("cooperative", ["scenario=cooperation_tariff"], "E2"),
        ("unilateral", ["scenario=retaliation", "moves=[E1,E2,E1]"], "E2"),
        ("nash", ["scenario=trade_war", "unions=[[E1,E2]]"], "E1+E2"),
    ],
)
def test_landscapes_of_other_questions(dlopt: Any, verb: str, words: list[str], player: str) -> None:
    dlopt("solve", verb, *words, f"calibration={dlopt.world}", "hydra.run.dir=run")
    done = dlopt("landscape", "run", "--player", player, "--instruments", "1", "--points", "5", "--no-picture")
    assert "tariff:" in done.stdout
