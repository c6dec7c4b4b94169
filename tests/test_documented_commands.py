"""Every `dlopt` command that README and docs show is a command: names, options and keys exist and fit together.

`dlopt solve` lines pass the check that the command makes before it solves; lines of other commands are parsed by the
command line. What needs data of others, or a package of the examples, is checked with the embedded economy in its
place, or left out where there is nothing to put there. Nothing is solved, except a run that the lines may name.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer.main
from dlopt.cli.app import app
from dlopt.cli.solve.check import check

import dlopt
from dlopt.calibrations import synthetic, write_bundle
from dlopt.registry import kind_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
STAND_IN = re.compile(r"calibration=(icio2017|world2019|small|mine|cp2015|my_world|baci194)\b")
NEEDS = {"hydra/launcher=slurm": "submitit", "hydra/launcher=joblib": "joblib"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """A command on a page."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def _lines(page: Path) -> Iterator[str]:
    """Commands in code blocks (fenced or indented) and in code cells, joined where a backslash continues them."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            words = re.sub(r"^\s*[$!]?\s*(torchrun .*-m )?", "", line)
            yield from re.findall(r"(?:^|&& )(dlopt [a-z].*)", words)


def _shown() -> list[Shown]:
    found = {Shown(page.relative_to(ROOT).as_posix(), line.strip()) for page in PAGES for line in _lines(page)}
    return sorted(found, key=str)


SHOWN = _shown()


def test_commands_are_found() -> None:
    assert len(SHOWN) > 80
    assert {"README.md", "docs/policies.md", "docs/howto/retaliation.md"} <= {each.page for each in SHOWN}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages name: a run, worlds, tables."""
    folder = tmp_path_factory.mktemp("reader")
    world = dlopt.load_calibration("stylized2017")
    policy = dlopt.solve_equilibrium(world)
    for name in (
        "RUN",
        "A",
        "B",
        "run",
        "steel25",
        "eu_answers",
        "alone",
        "in_kind",
        "last",
        "answers",
        "sets",
        "steel",
    ):
        policy.to_parquet(folder / name)
    for name in ("mine", "my_world"):
        write_bundle(synthetic(4, 3, seed=0), folder / name)
    rate = "instrument,origin,destination,sector,rate\ntariff,CHN,USA,1,0.5\n"
    for name in ("mine.csv", "states.csv", "concordance.csv", "tariff_isic33.csv", "2019_SML.csv"):
        (folder / name).write_text(rate)
    (folder / "budget_shares.csv").write_text("economy,group,sector,share\nall,poor,6,1\n")
    (folder / "DIR").mkdir()
    return folder


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_a_shown_command_is_a_command(shown: Shown, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = shlex.split(shown.text, comments=True)[1:]
    if words[0] == "solve" and "--help" not in words:
        _solvable(words)
    else:
        _parsable(words)


def _solvable(words: list[str]) -> None:
    """As `dlopt solve` checks it, before anything is written."""
    kind = next((word.removeprefix("kind=") for word in words if word.startswith("kind=")), "trade")
    if kind not in kind_names() or any(word == "kind=NAME" for word in words):
        pytest.skip(f"kind {kind} comes with a package of its own")
    for word, module in NEEDS.items():
        if word in words and importlib.util.find_spec(module) is None:
            pytest.skip(f"{word} needs {module}")
    if "device=cuda" in words and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if any("my_folder" in word or word.startswith("resume=") or "=bea37" in word for word in words):
        pytest.skip("needs a model or a run of the reader's own")
    check(words[1], [STAND_IN.sub("calibration=stylized2017", word) for word in words[2:]])


def _parsable(words: list[str]) -> None:
    """Command, arguments and options exist; what they say is not looked at."""
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "resolve_command"):
        assert words[0] in command.commands, f"no command {words[0]}"
        context = command.make_context(command.name, words[:1], parent=context, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    if "--help" in words or command.context_settings.get("ignore_unknown_options"):
        return
    # A command that needs an argument refuses to be parsed without it; types of files and numbers are checked, too.
    command.make_context(command.name, words, parent=context)


def test_the_first_screen_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """README's first command prints what README shows."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("It prints\n\n```\n")[1].split("```")[0]
    command = "dlopt solve equilibrium 'policy=USA: 25% on steel,motor vehicles from all'"
    assert command in readme.split("It prints")[0]
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = {**os.environ, "COLUMNS": "200", "DLOPT_STATE": str(tmp_path)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    for line in shown.splitlines():
        assert line in printed
