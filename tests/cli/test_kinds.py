"""Every kind of problem answers to the same commands, those of installed packages included."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from dlopt.cli.solve.check import check
from dlopt.cli.terminal.completion import complete_override

from dlopt import registry
from dlopt.choice import preset, write_folder, write_network
from dlopt.choice.production.presets import synthetic
from dlopt.kind import COMMON, Identity, Kind, Problem
from dlopt.runs import read_run

LEAST = {
    "out_of_sample": 50, "certificate_years": 5, "paths": 32, "years": 4, "validation": 64, "response_years": 2,
    "certificate_paths": 16, "response_paths": 16,
}  # fmt: skip
CHOICE = (*(f"analysis.{key}={value}" for key, value in LEAST.items()), "budget.steps=30")


class Case(NamedTuple):
    """A problem of a kind that is solved in seconds.

    Attributes:
        verb, words: its command.
        own: a scenario file of one's own, and the words that go with it.
        value: a key with a few values, and one of them.
        every: the key and value that make it keep every step.
    """

    verb: str
    words: tuple[str, ...]
    own: tuple[str, tuple[str, ...]]
    value: tuple[str, str]
    every: str


def cases() -> dict[str, Callable[[Path, Path], Case]]:
    """By kind: what makes its case from the folder of the command and a small world."""
    scenario = "# @package _global_\n{}scenario: {{description: Mine., verbs: [{}]}}\n"
    network = "defaults:\n  - override /kind: network\n"

    def trade(place: Path, world: Path) -> Case:
        words = ("scenario=dual", f"calibration={world}")
        text = scenario.format("", "nash") + "instruments: {tariff: by_sector, subsidy: by_sector}\n"
        return Case("nash", words, (text, words[1:]), ("accounting", "paper"), "checkpoint_seconds=0")

    def export(place: Path, world: Path) -> Case:
        write_folder(preset("gravity_strong", 5), place / "five")
        words = ("model=five", *CHOICE)
        return Case("bsde", words, (scenario.format("", "bsde"), words), ("method", "paper"), EVERY)

    def production(place: Path, world: Path) -> Case:
        write_network(synthetic(2), place / "two")
        words = ("model=two", *CHOICE)
        text = scenario.format(network, "bsde")
        return Case("bsde", ("scenario=network", *words), (text, words), ("method", "network"), EVERY)

    return {"trade": trade, "export": export, "network": production} | _of_packages(scenario)


EVERY = "budget.checkpoint_seconds=1e-3"


def _of_packages(scenario: str) -> dict[str, Callable[[Path, Path], Case]]:
    """The examples, where they are installed."""
    known = {
        "carbon": ("nash", (), "checkpoint_seconds=0"),
        "stores": ("bsde", CHOICE, EVERY),
    }
    found = {}
    for name in registry.installed_names():
        if name in known:
            verb, words, every = known[name]
            text = scenario.format(f"defaults:\n  - override /kind: {name}\n", verb)
            case = Case(verb, (f"kind={name}", *words), (text, words), ("kind", name), every)
            found[name] = lambda place, world, case=case: case
    return found


CASES = cases()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, dlopt: Any) -> Case:
    made: Case = CASES[request.param](dlopt.folder, dlopt.world)
    return made


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """All tables of a run but for the columns of times."""
    frames = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    return {name: frame.drop(columns=[c for c in frame if "seconds" in c]) for name, frame in frames.items()}


def same(one: Path, other: Path) -> None:
    first, second = tables(one), tables(other)
    assert first.keys() == second.keys()
    assert first
    for name in first:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True, obj=name)


def solved(dlopt: Any, *words: str) -> str:
    """Run a command that comes to a result, certified or not; what it shows."""
    running = dlopt.start(*words)
    running.process.join(300)
    assert running.process.exitcode in (0, 2), running.errors.read_text()
    shown: str = running.output.read_text()
    return shown


def stopped(dlopt: Any, number: int, *words: str) -> None:
    """Run a command that gets a signal once it has something on record."""
    dlopt.start(*words, SIGNAL=str(int(number))).process.join(300)


def test_solve_stop_resume_report_compare(case: Case, dlopt: Any) -> None:
    command = ("solve", case.verb, *case.words)
    assert "hydra" not in solved(dlopt, *command, "hydra.run.dir=whole")
    whole = read_run(dlopt.folder / "whole")
    assert (whole.verb, whole.status.finished) == (case.verb, True)

    stopped(dlopt, signal.SIGINT, *command, case.every, "hydra.run.dir=a")
    assert read_run(dlopt.folder / "a").status == "interrupted"
    stopped(dlopt, signal.SIGKILL, *command, case.every, "hydra.run.dir=b")
    assert read_run(dlopt.folder / "b").status == "running"
    for folder in ("a", "b"):
        solved(dlopt, "solve", case.verb, f"resume={folder}", f"hydra.run.dir={folder}-elsewhere")
        same(dlopt.folder / "whole", dlopt.folder / f"{folder}-elsewhere")
        solved(dlopt, "solve", case.verb, f"resume={folder}", f"hydra.run.dir={folder}")
        same(dlopt.folder / "whole", dlopt.folder / folder)
    assert whole.command in " ".join(solved(dlopt, "runs", "show", "whole").split())
    assert "whole" in solved(dlopt, "report", "whole")
    page = (dlopt.folder / "whole" / "report.html").read_text()
    assert whole.scenario in page
    solved(dlopt, *command, "seed=1", "hydra.run.dir=other")
    assert "seed" in solved(dlopt, "runs", "compare", "whole", "other")


def test_sweep_multirun_collect_retry(case: Case, dlopt: Any) -> None:
    command = ("solve", case.verb, *case.words, "seed=0,1")
    solved(dlopt, *command, "hydra.mode=MULTIRUN", "hydra.sweep.dir=sweep")
    asked = json.loads((dlopt.folder / "sweep" / "sweep.json").read_text())
    assert (asked["verb"], len(asked["jobs"])) == (case.verb, 2)
    jobs = sorted(path.parent for path in (dlopt.folder / "sweep").glob("*/run.json"))
    assert [read_run(job).seed for job in jobs] == [0, 1]
    kept = tables(jobs[1])
    os.remove(jobs[1] / "run.json")
    solved(dlopt, "runs", "retry", "sweep")
    assert tables(jobs[1]).keys() == kept.keys()
    table = registry.load_kind(read_run(jobs[0]).kind).table
    solved(dlopt, "runs", "collect", "sweep")
    collected = pd.read_parquet(dlopt.folder / "sweep" / f"collected-{table}.parquet")
    assert set(collected["job"]) == {0, 1}


def test_scenario_of_ones_own(case: Case, dlopt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (dlopt.folder / "mine" / "scenario").mkdir(parents=True)
    text, words = case.own
    (dlopt.folder / "mine" / "scenario" / "mine.yaml").write_text(text)
    monkeypatch.chdir(dlopt.folder)
    found = check(case.verb, ["--config-dir=mine", "scenario=mine", *words]).job
    usual = check(case.verb, case.words).job
    assert found is not None
    assert usual is not None
    assert (found.scenario, found.kind) == ("mine", usual.kind)
    assert found.identity == usual.identity


def test_completion(case: Case) -> None:
    key, value = case.value
    typed = [word for word in case.words if word.startswith("kind=")]
    assert f"{key}=" in [name for name, _ in complete_override(case.verb, typed, key[:3])]
    assert f"{key}={value}" in [name for name, _ in complete_override(case.verb, typed, f"{key}=")]


def test_objectives_are_completed() -> None:
    names = [name for name, _ in complete_override("cooperative", [], "objective=")]
    assert names == ["objective=welfare", "objective=bargain"]


class Good(Kind):
    """A kind that a package could bring."""

    name, solves, verbs = "good", "Nothing.", ("nash",)
    keys = COMMON

    def problem(self, verb: str, config: Any, choices: Any) -> Problem:
        raise NotImplementedError


class Misnamed(Good):
    """Its entry point has another name."""

    name = "other"


GOOD, MISNAMED, NOT_A_KIND = Good(), Misnamed(), Identity("a", "b")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("missing", "no_such_package:KIND", "cannot be imported.*ModuleNotFoundError"),
        ("missing", "json:NOTHING", "cannot be imported.*NOTHING"),
        ("wrong", f"{__name__}:NOT_A_KIND", "declares no kind.*Identity"),
        ("wrong", f"{__name__}:Good", "declares no kind"),
        ("misnamed", f"{__name__}:MISNAMED", "calls itself 'other'"),
        ("trade", f"{__name__}:GOOD", "is built in"),
    ],
)
def test_a_bad_package_is_named_and_the_others_go_on(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [EntryPoint(name, value, registry.GROUP), EntryPoint("good", f"{__name__}:GOOD", registry.GROUP)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    registry._points.cache_clear()
    try:
        found = registry.all_kinds()
        faults = [one.fault for one in found if one.fault]
        assert len(faults) == 1
        assert "\n" not in faults[0]
        assert re.search(told, faults[0])
        assert re.search(r"(Update or uninstall it|must rename the entry point)\.$", faults[0])
        assert {one.name for one in found if one.kind is not None} == {*registry.BUILT_IN, "good"}
        assert registry.load_kind("good") is GOOD
    finally:
        registry._points.cache_clear()


def test_two_packages_with_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("good", f"{__name__}:{name}", registry.GROUP) for name in ("GOOD", "MISNAMED")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    registry._points.cache_clear()
    try:
        with pytest.raises(registry.KindError, match="both bring a kind 'good': uninstall one"):
            registry.load_kind("good")
    finally:
        registry._points.cache_clear()
