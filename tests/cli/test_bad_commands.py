"""Mistakes are answered with one message that names the nearest valid thing, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlopt.errors import DloptError

DUAL = ("nash", "scenario=dual")
MISTAKES = {
    "key": ((*DUAL, "instruments.tarif=by_sector"), ["instruments.tarif", "instruments.tariff"]),
    "section": ((*DUAL, "bound.tariff=[0,1]"), ["bound.tariff", "bounds.tariff"]),
    "value": ((*DUAL, "accounting=papr"), ["accounting", "papr", "'paper'"]),
    "mode of an instrument": ((*DUAL, "instruments.subsidy=mfn"), ["instruments.subsidy", "mfn", "uniform"]),
    "number": ((*DUAL, "psi_scale=abc"), ["psi_scale", "abc"]),
    "not a number": ((*DUAL, "psi_scale=nan"), ["psi_scale", "finite"]),
    "not a number where it is not used": ((*DUAL, "draws.low=nan"), ["draws.low", "finite"]),
    "a name too long for a file": ((*DUAL, "init=" + 400 * "9"), ["too long"]),
    "a folder too long for a name": ((*DUAL, "hydra.run.dir=" + 400 * "9"), ["too long", "another folder"]),
    "a folder of configs too long for a name": ((*DUAL, "--config-dir", 400 * "9"), ["no such folder"]),
    "a section that is a text": ((*DUAL, "draws=${oc.env:HOME}"), ["draws", "one by one"]),
    "launchers that are numbers": ((*DUAL, "+hydra/launcher=[1,2]"), ["not iterable"]),
    "negative": ((*DUAL, "starts=-1"), ["starts=-1", "0 or more"]),
    "tolerance": ((*DUAL, "tolerance=0"), ["tolerance", "above 0"]),
    "seed": ((*DUAL, "seed=-5"), ["seed=-5"]),
    "threads": ((*DUAL, "threads=1.5"), ["threads", "1.5"]),
    "scenario": (("nash", "scenario=dua"), ["'dua'", "'dual'"]),
    "no scenario": (("nash",), ["scenario=NAME", "trade_war"]),
    "bare word": (("nash", "dual"), ["key=value", "scenario=dual"]),
    "economy": ((*DUAL, "players=[E1,E9]"), ["economy 'E9'", "E1, E2, E3"]),
    "economy twice": ((*DUAL, "players=[E1,E1]"), ["players=[E1,E1]", "once"]),
    "no players": ((*DUAL, "players=[]"), ["players"]),
    "sector": ((*DUAL, "instruments.sectors=[1,9]"), ["sector '9'"]),
    "word for sectors": ((*DUAL, "instruments.sectors=tradeable"), ["tradeable", "'tradable'"]),
    "crossed bounds": ((*DUAL, "bounds.tariff=[1,0]"), ["bounds.tariff", "[0,1]"]),
    "three bounds": ((*DUAL, "bounds.tariff=[0,1,2]"), ["bounds.tariff", "two"]),
    "a subsidy of one": ((*DUAL, "bounds.subsidy=[0,1]"), ["bounds.subsidy", "below 1"]),
    "a tariff of minus one": ((*DUAL, "bounds.tariff=[-1,1]"), ["bounds.tariff", "above -1"]),
    "added key": ((*DUAL, "+colour=red"), ["'colour'"]),
    "forced key": ((*DUAL, "++colour=red"), ["'colour'"]),
    "added option": ((*DUAL, "+solver.colour=red"), ["solver.colour"]),
    "deleted key": ((*DUAL, "~psi_scale"), ["psi_scale"]),
    "own verb": ((*DUAL, "verb=cooperative"), ["'verb'"]),
    "solver": ((*DUAL, "solver=newton"), ["'newton'", "joint_newton"]),
    "option of another solver": ((*DUAL, "solver.learning_rate=1"), ["solver=joint_newton", "'learning_rate'"]),
    "option's value": ((*DUAL, "solver=best_response", "solver.optimizer=adma"), ["adma", "adam"]),
    "option's sign": ((*DUAL, "solver=best_response", "solver.eta=-1"), ["solver.eta=-1"]),
    "option of another solver, forced": ((*DUAL, "++solver.eta=1"), ["'solver.eta'"]),
    "a number that is a text": ((*DUAL, "psi_scale=${oc.env:HOME}"), ["psi_scale", "Float"]),
    "a number too large": ((*DUAL, f"starts={'9' * 400}"), ["starts", "whole number"]),
    "a tolerance too large": ((*DUAL, f"tolerance={'9' * 400}"), ["too large"]),
    "two wrong words": ((*DUAL, "solver.rate=1", "bounds=nothing"), ["solver.rate"]),
    "no moves": (("unilateral", "scenario=dual", "moves=null"), ["moves", "list of economies"]),
    "weight": (("cooperative", "scenario=cooperation", "weights={E9:1}"), ["E9"]),
    "weights": (("cooperative", "scenario=cooperation", "weights=incom"), ["weights", "income"]),
    "no instrument": ((*DUAL, "instruments.tariff=false", "instruments.subsidy=false"), ["No instrument"]),
    "player missing": (("unilateral", "scenario=dual"), ["player=NAME", "E1, E2, E3", "dlopt solve nash"]),
    "player": (("unilateral", "scenario=dual", "player=E9"), ["'E9'"]),
    "verb of another scenario": (("nash", "scenario=cooperation"), ["dlopt solve cooperative scenario=cooperation"]),
    "key of another verb": ((*DUAL, "player=E1"), ["player", "dlopt solve nash"]),
    "policy": (("equilibrium", "policy=nothing"), ["'nothing'"]),
    "init": ((*DUAL, "init=rnadom"), ["rnadom", "random"]),
    "resume": ((*DUAL, "resume=nowhere"), ["nowhere", "run"]),
    "sweep without -m": ((*DUAL, "psi_scale=0,1"), ["-m", "psi_scale=[a,b]"]),
    "job of a sweep": ((*DUAL, "-m", "psi_scale=0,-1"), ["psi_scale=-1"]),
    "scenario of a sweep": (("nash", "-m", "scenario=dual,trade_wr"), ["'trade_wr'", "'trade_war'"]),
    "option of Hydra": ((*DUAL, "--multirn"), ["--multirn"]),
    "launcher": ((*DUAL, "-m", "hydra/launcher=jobli"), ["jobli"]),
    "key of Hydra": ((*DUAL, "hydra.run.dri=x"), ["dri"]),
    "config folder": ((*DUAL, "--config-dir", "nowhere"), ["nowhere"]),
    "other main config": ((*DUAL, "--config-name", "other"), ["--config-name"]),
    "unreadable word": ((*DUAL, "players=[E1"), ["players=[E1"]),
    "folder that cannot be": ((*DUAL, "hydra.run.dir=/proc/nothing"), ["/proc/nothing"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(checked: Callable[..., Any], tmp_path: Path, mistake: str) -> None:
    words, expected = MISTAKES[mistake]
    with pytest.raises(DloptError) as caught:
        checked(*words)
    for text in expected:
        assert text in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_calibration(checked: Callable[..., Any]) -> None:
    with pytest.raises(DloptError, match="Did you mean 'stylized2017'"):
        checked(*DUAL, "calibration=stylised2017", world=False)


def test_folder_that_is_a_file(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(DloptError, match="is a file"):
        checked(*DUAL, "hydra.run.dir=taken/run")


def test_folder_that_holds_a_run(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(DloptError, match="already holds a run"):
        checked(*DUAL, "hydra.run.dir=run")


def test_scenario_file_with_an_unknown_key(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "own" / "scenario").mkdir(parents=True)
    (tmp_path / "own" / "scenario" / "mine.yaml").write_text(
        "# @package _global_\nscenario: {description: Mine., verbs: [nash]}\ncolour: red\n"
    )
    with pytest.raises(DloptError, match="colour"):
        checked("nash", "scenario=mine", "--config-dir", "own")


def test_the_command_prints_one_message_and_leaves_nothing(dlopt: Any) -> None:
    done = dlopt("solve", "nash", "scenario=dual", "instruments.tarif=by_sector", code=1)
    assert done.stderr.startswith("Error: Unknown key 'instruments.tarif'. Did you mean 'instruments.tariff'")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(dlopt.folder.iterdir())


def test_debug_shows_where(dlopt: Any) -> None:
    done = dlopt("--debug", "solve", "nash", "scenario=dua", code=1)
    assert "Traceback" in done.stderr


def test_scenario_file_that_is_no_yaml(checked: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "own" / "scenario").mkdir(parents=True)
    for content in (b"scenario: [", b"\xff\xfe\x00", b"- a list"):
        (tmp_path / "own" / "scenario" / "mine.yaml").write_bytes(content)
        with pytest.raises(DloptError):
            checked("nash", "scenario=mine", "--config-dir", "own")
