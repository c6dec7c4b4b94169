"""Running `dlopt` as its users do: as a process, somewhere else, on a small world."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

import forked
import pytest
from economies import small_synthetic

from dlopt.calibrations import write_bundle


class Screen(NamedTuple):
    """What was printed."""

    stdout: str
    stderr: str


class Running(NamedTuple):
    """A command under way."""

    process: ForkServerProcess
    output: Path
    errors: Path

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self, code: int) -> Screen:
        """Wait for it and check the exit code."""
        self.process.join(300)
        screen = Screen(self.output.read_text(), self.errors.read_text())
        assert self.process.exitcode == code, f"exit {self.process.exitcode}\n{screen.stdout}\n{screen.stderr}"
        return screen


class Dlopt:
    """The command in a folder of its own.

    Attributes:
        folder: where it runs.
        world: a small calibration: economies E1, E2, E3; sectors 1 to 4.
    """

    def __init__(self, folder: Path, world: Path) -> None:
        self.folder, self.world = folder, world
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
        self.environment.pop("DLOPT_DATA", None)
        self._screens = Path(tempfile.mkdtemp())

    def __call__(self, *words: str, code: int = 0, fake: str = "", **environment: str) -> Screen:
        """Run it and check the exit code; `fake` is what a scripted solver does (see fake_solver.py)."""
        return self.start(*words, fake=fake, **environment).ended(code)

    def start(self, *words: str, fake: str = "", **environment: str) -> Running:
        """Start it and come back at once."""
        count = len(list(self._screens.iterdir()))
        output, errors = self._screens / f"{count}.out", self._screens / f"{count}.err"
        for path in (output, errors):
            path.touch()
        environment = {**self.environment, "FAKE": fake, **environment}
        return Running(forked.start(words, self.folder, environment, output, errors), output, errors)

    def installed(self, *words: str, code: int = 0, **environment: str) -> Screen:
        """Run the installed script, as a shell would."""
        process = self.start_installed(*words, **environment)
        screen = Screen(*process.communicate(timeout=300))
        assert process.returncode == code, f"exit {process.returncode}\n{screen.stdout}\n{screen.stderr}"
        return screen

    def start_installed(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start the installed script and come back at once."""
        return subprocess.Popen(
            [Path(sys.executable).with_name("dlopt"), *words],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def runs(self) -> list[Path]:
        """Folders of all runs."""
        return sorted(path.parent for path in self.folder.rglob("run.json"))

    def record(self) -> dict[str, Any]:
        """run.json of the only run."""
        (folder,) = self.runs()
        content: dict[str, Any] = json.loads((folder / "run.json").read_text())
        return content


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three economies and four sectors."""
    folder = tmp_path_factory.mktemp("worlds") / "small"
    write_bundle(small_synthetic(), folder)
    return folder


@pytest.fixture
def dlopt(tmp_path: Path, small_world: Path) -> Dlopt:
    """The command, in an empty folder."""
    return Dlopt(tmp_path, small_world)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_world: Path) -> Callable[..., Any]:
    """The check before a solve, called in this process: quicker than the command, same code."""
    from dlopt.cli.solve.check import check

    monkeypatch.chdir(tmp_path)

    def run(verb: str, *words: str, world: bool = True) -> Any:
        return check(verb, [*words, *([f"calibration={small_world}"] if world else [])])

    return run
