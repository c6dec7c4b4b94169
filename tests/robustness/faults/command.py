"""Running `dlopt` as a process, killing it, and judging what it left."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

DLOPT = [str(Path(sys.executable).with_name("dlopt"))]
PATIENCE = 3600.0
"""Seconds after which a command counts as hanging, on a machine that is shared."""


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
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """What is wrong with how it ended whatever the input: a traceback, or a code that means nothing."""
        if "Traceback" in self.stderr or "Traceback" in self.stdout:
            return f"traceback: {self.stderr[-300:]}"
        return "" if self.code in (0, 1, 2) else f"exit code {self.code}: {self.stderr[-300:]}"


def start(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the command in a folder."""
    given = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **(environment or {})}
    return subprocess.Popen(
        [*DLOPT, *words], cwd=folder, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def dlopt(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Done:
    """Run the command to its end.

    Raises:
        subprocess.TimeoutExpired: it hangs.
    """
    process = start(words, folder, environment)
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Done(process.returncode, stdout, stderr)


def killed(words: Sequence[str], folder: Path, seconds: float, number: int = signal.SIGKILL) -> bool:
    """Start the command and send a signal after so many seconds of processor time; False if it ended before."""
    process = start(words, folder)
    while process.poll() is None:
        if processor_seconds(process.pid) >= seconds:
            process.send_signal(number)
            process.communicate()
            return process.returncode != 0
        time.sleep(0.05)
    process.communicate()
    return False


def processor_seconds(pid: int) -> float:
    """User and system time of a process; infinity once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
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
    """All tables of a run, without the times in them."""
    found = {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    return {name: frame.drop(columns=[c for c in frame if "seconds" in c]) for name, frame in found.items()}


def difference(one: Path, two: Path) -> str:
    """How two runs differ: nothing if every table has the same bits."""
    a, b = tables(one), tables(two)
    if not a or a.keys() != b.keys():
        return f"tables {sorted(a)} and {sorted(b)}"
    unlike = [name for name in a if not a[name].equals(b[name])]
    return f"{', '.join(unlike)} differ" if unlike else ""
