"""The clock set back: libfaketime (Debian: faketime) shows a process another time; the machine keeps its own.

Only the time of day is changed, as when a clock is set; the monotonic clock goes on.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .command import PATIENCE, Running, Tally, difference, dlopt, status

HOUR, YEAR = "-3600", "-31536000"
FROZEN = "2026-01-01 00:00:00"


def library() -> Path | None:
    """libfaketime, where it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def at(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is off by so many seconds, or stands still."""
    return {"LD_PRELOAD": str(library()), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def of_clock(folder: Path, words: list[str], slow: list[str]) -> Tally:
    """Resume, list, collect and run with a clock that was set back, or stands still: as if it had not been."""
    tally = Tally("clock set back an hour, a year, or standing still (libfaketime)")
    if library() is None:
        tally.add("not tried: libfaketime is not installed")
        return tally
    checkpoints = [*slow, "checkpoint_seconds=0"]
    dlopt([*checkpoints, "hydra.run.dir=whole"], folder)
    _resumed(tally, folder, checkpoints)
    _in_mid_run(tally, folder, checkpoints)
    _collected(tally, folder, words)
    _same_name(tally, folder, words)
    return tally


def _resumed(tally: Tally, folder: Path, words: list[str]) -> None:
    for name, offset in (("hour", HOUR), ("year", YEAR)):
        for target in (f"{name}-on", name):
            running = Running([*words, f"hydra.run.dir={name}"], folder)
            _until(lambda running=running, name=name: _begun(running, folder / name))
            if running.code is not None:
                tally.add("ended before", f"{name}: not killed in time")
                continue
            running.signal(signal.SIGKILL)
            running.ended()
            done = dlopt([*words[:2], f"resume={name}", f"hydra.run.dir={target}"], folder, at(offset))
            listed = dlopt(["runs", "list", "."], folder, at(offset))
            tally.add(
                "killed, then resumed with the clock set back, same to the last bit",
                done.complaint,
                "" if status(folder / target) == status(folder / "whole") else f"{target}: {done.stderr[-300:]}",
                difference(folder / "whole", folder / target),
                listed.complaint,
                "" if status(folder / target).replace("_", " ") in listed.stdout else "not listed",
            )
            shutil.rmtree(folder / name, ignore_errors=True)


def _in_mid_run(tally: Tally, folder: Path, words: list[str]) -> None:
    clock = folder / "clock"
    clock.write_text("+0")
    environment = {**at("+0"), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    del environment["FAKETIME"]
    running = Running([*words, "hydra.run.dir=mid"], folder, environment)
    _until(lambda: _begun(running, folder / "mid"))
    clock.write_text(YEAR)
    done = running.ended()
    wrong = [done.complaint, difference(folder / "whole", folder / "mid")]
    tally.add("set back in mid-run, same to the last bit", *wrong)


def _collected(tally: Tally, folder: Path, words: list[str]) -> None:
    sweep = [*words, "-m", "psi_scale=0.5,1", "hydra.sweep.dir=sweep"]
    dlopt(sweep, folder)
    files = []
    for environment in (None, at(YEAR)):
        done = dlopt(["runs", "collect", "sweep"], folder, environment)
        found = list((folder / "sweep").glob("collected-*.parquet"))
        files += [path.read_bytes() for path in found]
        for path in found:
            path.unlink()
        if done.code:
            tally.wrong.append(f"collect: exit {done.code} {done.stderr[-300:]}")
    again = dlopt(["runs", "retry", "sweep"], folder, at(YEAR))
    wrong = "" if len(files) == 2 and files[0] == files[1] else f"{len(files)} collected files, not one content"
    tally.add(
        "a sweep collected and retried, same file", wrong, again.complaint, again.stderr[-300:] if again.code else ""
    )


def _same_name(tally: Tally, folder: Path, words: list[str]) -> None:
    place = folder / "still"
    place.mkdir()
    both = [Running(words, place, at(FROZEN)) for _ in range(2)]
    ends = [one.ended() for one in both] + [dlopt(words, place, at(FROZEN))]
    found = list((place / "outputs").rglob("run.json"))
    codes = sorted(end.code for end in ends)
    tally.add(
        "three runs in one microsecond: one ran, two were refused",
        *(end.complaint for end in ends),
        "" if codes == [0, 1, 1] else f"exit codes {codes}",
        "" if len(found) == 1 and status(found[0].parent) == "converged" else f"{len(found)} runs",
    )


def _begun(running: Running, run: Path) -> bool:
    return running.code is not None or (run / "checkpoint.pt").exists()


def _until(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition() and time.monotonic() - began < PATIENCE:
        time.sleep(0.01)
