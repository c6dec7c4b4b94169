"""Running `dlopt` as a process, killing it, and judging what it left.

A process is forked from one that has torch imported already: the command begins in a tenth of the time, and a kill
meets what it does rather than its imports. `INSTALLED` runs the script as a shell would.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))

import forked

TESTS = Path(__file__).parents[2]
INSTALLED = str(Path(sys.executable).with_name("dlopt"))
PATIENCE = 1200.0
"""Seconds after which a command counts as hanging, on a machine that is shared."""
HANGS = -1
"""Exit code of a command that was stopped for that."""


@dataclasses.dataclass
class Tally:
    """How often a fault was tried, and what went wrong.

    Attributes:
        fault: what was done.
        tried: how often.
        outcomes: how it ended -> how often.
        wrong: what should not have happened, in words.
    """

    fault: str
    tried: int = 0
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    wrong: list[str] = dataclasses.field(default_factory=list)

    def add(self, outcome: str, *wrong: str) -> None:
        """One more try."""
        self.tried += 1
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.wrong += [word for word in wrong if word]


@dataclasses.dataclass(frozen=True)
class Done:
    """A command that has ended: exit code, what it printed, processor time."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def complaint(self) -> str:
        """What is wrong with how it ended whatever the input: a traceback, or a code that means nothing."""
        if "Traceback" in self.stderr or "Traceback" in self.stdout:
            return f"traceback: {self.stderr[-300:]}"
        if self.code == HANGS:
            return f"hangs: more than {PATIENCE:g} s"
        return "" if self.code in (0, 1, 2) else f"exit code {self.code}: {self.stderr[-300:]}"


class Running:
    """A command under way in a folder; `installed`: from the script, not forked."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, installed: bool = False
    ) -> None:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS / "cli")])  # of the process forked from
        given = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **(environment or {})}
        self._screens = Path(tempfile.mkdtemp(prefix="screens"))
        output, errors = self._screens / "out", self._screens / "err"
        output.touch()
        errors.touch()
        self._process: Any
        if installed or environment:
            with output.open("wb") as out, errors.open("wb") as err:
                self._process = subprocess.Popen([INSTALLED, *words], cwd=folder, env=given, stdout=out, stderr=err)
        else:
            self._process = forked.start(words, folder, given, output, errors)

    @property
    def code(self) -> int | None:
        """Exit code; None while it runs."""
        forked_one = hasattr(self._process, "exitcode")
        code: int | None = self._process.exitcode if forked_one else self._process.poll()
        return code

    @property
    def seconds(self) -> float:
        """Of processor time so far."""
        return processor_seconds(self._process.pid)

    def ended(self) -> Done:
        """Wait for it; after `PATIENCE` it is stopped."""
        began, most = time.monotonic(), 0.0
        while self.code is None:
            if time.monotonic() - began > PATIENCE:
                self.signal(signal.SIGKILL)
                return self._done(HANGS, most)
            most = max(most, self.seconds)
            time.sleep(0.05)
        return self._done(int(self.code), most)

    def signal(self, number: int) -> None:
        """Send a signal and, if it is SIGKILL, see it dead."""
        os.kill(self._process.pid, number)
        if number == signal.SIGKILL:
            while self.code is None:
                time.sleep(0.01)

    def _done(self, code: int, seconds: float) -> Done:
        texts = [(self._screens / name).read_text(errors="replace") for name in ("out", "err")]
        shutil.rmtree(self._screens)
        return Done(code, *texts, seconds)


def dlopt(
    words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, installed: bool = False
) -> Done:
    """Run the command to its end."""
    return Running(words, folder, environment, installed).ended()


def killed(
    words: Sequence[str],
    folder: Path,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    installed: bool = False,
) -> bool:
    """Start the command and `kill -9` it after so many seconds of processor time; False if it ended before."""
    running = Running(words, folder, environment, installed)
    began = time.monotonic()
    while running.code is None and running.seconds < seconds and time.monotonic() - began < PATIENCE:
        time.sleep(0.02)
    if running.code is None:
        running.signal(signal.SIGKILL)
    return running.ended().code == -signal.SIGKILL


def processor_seconds(pid: int) -> float:
    """User and system time of a process; nothing once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(folder: Path) -> str:
    """What run.json says, `none` where there is none, `damaged` where it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((folder / "run.json").read_text())
        return str(content["status"])
    except FileNotFoundError:
        return "none"
    except (ValueError, KeyError, TypeError):
        return "damaged"


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """All tables of a run, without the times in them, and without what was solved before a stop."""
    found = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    when = {name: [c for c in frame if "seconds" in c or c == "from_cache"] for name, frame in found.items()}
    return {name: frame.drop(columns=when[name]) for name, frame in found.items()}


def difference(one: Path, two: Path) -> str:
    """How two runs differ: nothing if every table has the same bits."""
    a, b = tables(one), tables(two)
    if not a or a.keys() != b.keys():
        return f"tables {sorted(a)} and {sorted(b)}"
    unlike = [name for name in a if not a[name].equals(b[name])]
    return f"{', '.join(unlike)} differ" if unlike else ""
