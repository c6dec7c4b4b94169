"""`dlopt` started as a process, and watched while it trains."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from dlopt.choice import load_checkpoint

LEAST = {
    "out_of_sample": 50, "certificate_years": 5, "paths": 32, "validation": 64, "response_years": 2,
    "certificate_paths": 16, "response_paths": 16,
}  # fmt: skip
SMALL = [f"analysis.{key}={value}" for key, value in LEAST.items()]
ONE = [sys.executable, "-m", "dlopt"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(place, *words, program=ONE, **environment):
    """`dlopt solve bsde` under way; the last word names its folder, and the file of what it says."""
    with (place / f"{words[-1].partition('=')[2]}.err").open("w") as errors:
        return subprocess.Popen(
            [*program, "solve", "bsde", *words], cwd=place, stdout=subprocess.DEVNULL, stderr=errors,
            env=ENVIRONMENT | environment,
        )  # fmt: skip


def dlopt(place, *words, program=ONE):
    """`dlopt` at its end."""
    return subprocess.run(
        [*program, *words], cwd=place, capture_output=True, text=True, timeout=600, env=ENVIRONMENT
    )  # fmt: skip


def wait_until(condition, process):
    """Until it is so, while the process lives."""
    for _ in range(6000):
        if condition():
            return
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.05)
    raise AssertionError("nothing happened")


def trained(path):
    """Steps in a checkpoint."""
    return load_checkpoint(path).training["step"] if path.is_file() else 0
