"""What must be quick and needs no solver: help, lists, completion."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from dlopt.cli.terminal.completion import complete_override

HEAVY = ("torch", "pandas", "hydra", "omegaconf", "pyarrow", "scipy")


def imported(*words: str) -> set[str]:
    """Which heavy packages a command imports."""
    program = (
        "import sys, contextlib\n"
        f"sys.argv = ['dlopt', *{list(words)!r}]\n"
        "from dlopt import registry\n"
        "registry._points = dict\n"  # packages that happen to be installed may import what they like
        "from dlopt.cli.app import app\n"
        "with contextlib.suppress(SystemExit):\n    app()\n"
        f"print('IMPORTED', *(m for m in {HEAVY!r} if m in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("IMPORTED")[2].split())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("scenarios",),
        ("kinds",),
        ("solve", "nash", "--help"),
        ("solve", "bsde", "--help"),
        ("data", "list"),
        ("runs", "list"),
    ],
)
def test_nothing_heavy_is_imported(words: tuple[str, ...]) -> None:
    assert imported(*words) == set()


def test_only_what_a_solve_needs_is_imported_before_it(tmp_path: Path) -> None:
    """Tables come after; Typer, and what it checks arguments with, have no part in a solve."""
    program = (
        "import os, sys\n"
        "from dlopt.cli.main import main\n"
        "from dlopt.trade.kind.problem import TradeProblem\n"
        "def solve(*_):\n"
        "    names = ('pandas', 'scipy', 'typer', 'pydantic', 'matplotlib', 'statsmodels')\n"
        "    print('IMPORTED', *(name for name in names if name in sys.modules), flush=True)\n"
        "    os._exit(0)\n"
        "TradeProblem.solve = solve\n"
        "sys.argv = ['dlopt', 'solve', 'nash', 'scenario=dual']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.rpartition("IMPORTED")[2].split() == []


def test_a_command_is_composed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlopt.cli.solve import trust
    from dlopt.cli.solve.launch import solve

    monkeypatch.chdir(tmp_path)
    compositions = []
    whole = trust.TrustedLoader.load_configuration

    def counted(self: trust.TrustedLoader, *arguments: Any, **options: Any) -> Any:
        compositions.append(arguments)
        return whole(self, *arguments, **options)

    monkeypatch.setattr(trust.TrustedLoader, "load_configuration", counted)
    assert solve("equilibrium", ["hydra.run.dir=run"]) == 0
    assert len(compositions) == 1


def test_help_is_quick(dlopt: Any) -> None:
    """Half a second: processor time, the fastest of five, so that a busy machine does not count."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        dlopt.installed("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5, times


def test_version(dlopt: Any) -> None:
    assert dlopt("--version").stdout == f"dlopt {version('dlopt')}\n"


def test_scenarios(dlopt: Any) -> None:
    lines = dlopt("scenarios").stdout.splitlines()
    assert any(line.startswith("dual ") and "nash" in line for line in lines)


def test_help_of_a_verb_lists_scenarios_and_keys(dlopt: Any) -> None:
    text = dlopt("solve", "unilateral", "--help").stdout
    for name in ("china_unilateral", "bounds.subsidy", "player "):
        assert name in text
    assert "cooperation" not in text


def test_help_of_a_scenario_lists_the_keys_of_its_kind(dlopt: Any) -> None:
    assert "delegates.own" in dlopt("solve", "bsde", "scenario=network", "--help").stdout
    assert "delegates" not in dlopt("solve", "bsde", "scenario=export", "--help").stdout


def test_importing_dlopt_is_light() -> None:
    program = "import sys, dlopt; print('torch' in sys.modules, hasattr(dlopt, '__version__'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


@pytest.mark.parametrize(
    ("typed", "incomplete", "expected"),
    [
        ([], "sce", ["scenario="]),
        (["scenario", "="], "tr", ["trade_war"]),  # bash
        (["scenario"], "", "any"),  # bash, right after the sign
        ([], "scenario=tr", ["scenario=trade_war"]),  # zsh, fish
        (["scenario", "=", "dual"], "acc", ["accounting="]),
        (["accounting", "="], "p", ["paper"]),
        ([], "player=", []),
    ],
)
def test_completion(typed: list[str], incomplete: str, expected: list[str] | str) -> None:
    names = [name for name, _ in complete_override("nash", typed, incomplete)]
    if expected == "any":
        assert "dual" in names
        assert "cooperation" not in names
    else:
        assert names == expected


def test_completion_from_the_shell(dlopt: Any) -> None:
    request = {"_DLOPT_COMPLETE": "complete_bash", "COMP_WORDS": "dlopt solve nash scenario = du", "COMP_CWORD": "5"}
    assert dlopt.installed(**request).stdout.split() == ["dual"]
