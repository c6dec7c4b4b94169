"""What reads files, under a fuzzer that looks at which lines are reached (atheris: `pip install atheris`).

`python -m tests.robustness.faults.fuzz READER FOLDER RUNS WORK SEED` fuzzes one reader in this process, from the files
in FOLDER; `of_readers` does so for all. The first byte of an input says which file of a folder the rest is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError

from .command import Tally

SECONDS = 120
"""The most one reader is fuzzed for."""


def _readers() -> dict[str, Callable[[Path], Any]]:
    """Reader by name; each is given a folder of files."""
    from dlopt.calibrations import load_calibration
    from dlopt.choice import load_checkpoint, read_folder, read_network
    from dlopt.runs import read_run
    from dlopt.runs.checkpoint import read_checkpoint
    from dlopt.runs.sweep import read_sweep
    from dlopt.runs.tables import config_of

    return {
        "run.json": read_run,
        "sweep.json": read_sweep,
        "config.yaml": config_of,
        "checkpoint.pt": lambda folder: read_checkpoint(folder / "checkpoint.pt"),
        "model.pt": lambda folder: load_checkpoint(folder / "model.pt"),
        "calibration": lambda folder: load_calibration(str(folder)),
        "exporter folder": read_folder,
        "network folder": read_network,
    }


def of_readers(samples: dict[str, Path], runs: dict[str, int], seed: int) -> list[Tally]:
    """Fuzz every reader, each in a process of its own, from a folder of good files."""
    if importlib.util.find_spec("atheris") is None:
        tally = Tally("files under atheris")
        tally.add("not tried: atheris is not installed")
        return [tally]
    return [_of_reader(name, samples[name], count, seed) for name, count in runs.items()]


def _of_reader(name: str, sample: Path, count: int, seed: int) -> Tally:
    tally = Tally(f"{name} under atheris")
    with tempfile.TemporaryDirectory(prefix="fuzz") as place:
        words = [sys.executable, "-m", __spec__.name, name, str(sample), str(count), place, str(seed)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=10 * SECONDS)
        except subprocess.TimeoutExpired:
            tally.add("hangs", f"{name}: hangs")
            return tally
        numbers = [int(found) for found in re.findall(r"^#(\d+)", done.stderr, re.MULTILINE)]
        tally.tried = max(numbers, default=0)
        tally.outcomes = {"refused, or read": tally.tried}
        if done.returncode or not tally.tried:
            lines = (done.stdout + done.stderr).splitlines()
            start = next((k for k, line in enumerate(lines) if "Uncaught" in line), max(0, len(lines) - 8))
            tally.wrong.append(f"{name}: exit {done.returncode}: {' '.join(lines[start : start + 12])[:600]}")
    return tally


def main(name: str, sample: Path, count: int, place: Path, seed: int) -> None:
    """Fuzz one reader in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["dlopt.runs", "dlopt.calibrations", "dlopt.choice", "dlopt.store.files"]):
        read = _readers()[name]
    files = sorted(path.relative_to(sample) for path in sample.rglob("*") if path.is_file())
    corpus, folder = place / "corpus", place / "files"
    corpus.mkdir()
    shutil.copytree(sample, folder)
    for k, file in enumerate(files):
        (corpus / str(k)).write_bytes(bytes([k]) + (sample / file).read_bytes())

    def one(data: bytes) -> None:
        file = files[(data[0] if data else 0) % len(files)]
        (folder / file).write_bytes(data[1:])
        with contextlib.suppress(DloptError):
            read(folder)
        (folder / file).write_bytes((sample / file).read_bytes())

    limits = [f"-runs={count}", f"-max_total_time={SECONDS}", "-timeout=30", "-rss_limit_mb=4096", "-max_len=20000"]
    atheris.Setup(["fuzz", *limits, f"-seed={seed}", f"-artifact_prefix={place}/", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
