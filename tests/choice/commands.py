"""`dlopt` started as a process, forked from one that has everything imported, and watched while it trains."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import forked

from dlopt.choice import load_checkpoint

LEAST = {
    "out_of_sample": 50, "certificate_years": 5, "paths": 32, "validation": 64, "response_years": 2,
    "certificate_paths": 16, "response_paths": 16,
}  # fmt: skip
SMALL = [f"analysis.{key}={value}" for key, value in LEAST.items()]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SCREENS = Path(tempfile.mkdtemp())
COUNT = itertools.count()


class Running:
    """A forked command under way, with what tests use of `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self.process = process

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self.process.join(timeout)
        assert self.process.exitcode is not None, "it goes on"
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()


def begin(place, *words, errors, **environment):
    """`dlopt WORDS` under way, what it says on standard error in a file."""
    return Running(forked.start(words, place, ENVIRONMENT | environment, Path(os.devnull), errors))


def start(place, *words, program=(), **environment):
    """`dlopt solve bsde` under way; the last word names its folder, and the file of what it says."""
    errors = place / f"{words[-1].partition('=')[2]}.err"
    errors.write_text("")
    words = ("solve", "bsde", *words)
    if not program:
        return begin(place, *words, errors=errors, **environment)
    with errors.open("w") as file:
        return subprocess.Popen(
            [*program, *words], cwd=place, stdout=subprocess.DEVNULL, stderr=file, env=ENVIRONMENT | environment
        )


def dlopt(place, *words, program=(), **environment):
    """`dlopt` at its end."""
    if program:
        return subprocess.run(
            [*program, *words], cwd=place, capture_output=True, text=True, timeout=600, env=ENVIRONMENT | environment
        )
    output, errors = (SCREENS / f"{next(COUNT)}.{name}" for name in ("out", "err"))
    process = forked.start(words, place, ENVIRONMENT | environment, output, errors)
    process.join(600)
    assert process.exitcode is not None, "it goes on after ten minutes"
    return subprocess.CompletedProcess(words, process.exitcode, output.read_text(), errors.read_text())


def wait_until(condition, process):
    """Until it is so, while the process lives."""
    for _ in range(6000):
        if condition():
            return
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.05)
    process.kill()
    raise AssertionError("nothing happened")


def trained(path):
    """Steps in a checkpoint."""
    return load_checkpoint(path).training["step"] if path.is_file() else 0
