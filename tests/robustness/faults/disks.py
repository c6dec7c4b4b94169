"""Full disks, read-only folders, runs in one folder, and paths with every sign."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dlopt.cli.solve.check import quoted

from dlopt.runs.tables import config_of

from .command import Running, Tally, difference, dlopt, status

SMALL_KB = (0, 8, 24, 64, 96, 160)
ODD = ("with spaces", 'it\'s "quoted"', "new\nline", "ünï中文😀", "-dash", "a=b,c", "[list]", "$HOME", "back\\slash")


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of that size on `folder`; needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def of_full_disks(folder: Path, words: list[str]) -> Tally:
    """The disk is full at some point of a run: it fails in words, looks like it, and goes on when there is space."""
    tally = Tally("disk full (tmpfs of 0 to 160 KiB)")
    dlopt([*words, "hydra.run.dir=whole"], folder)
    for kilobytes in SMALL_KB:
        with small_disk(folder / f"disk{kilobytes}", max(kilobytes, 4)) as disk:
            if not kilobytes:
                with contextlib.suppress(OSError):
                    (disk / "ballast").write_bytes(bytes(2**20))
            run = disk / "run"
            done = dlopt([*words, f"hydra.run.dir={run}", "checkpoint_seconds=0"], folder)
            left = status(run)
            whole = left in ("converged", "not_converged")
            wrong = [done.complaint]
            if whole:
                wrong.append(difference(folder / "whole", run))
            else:
                wrong += [
                    "" if done.code == 1 else f"exit {done.code}",
                    "" if left != "damaged" else "run.json damaged",
                ]
                wrong.append("tables left" if left == "failed" and list(run.glob("*.parquet")) else "")
            if left in ("failed", "running"):
                subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
                again = dlopt(["solve", words[1], f"resume={run}", f"hydra.run.dir={run}-more"], folder)
                wrong += [again.complaint, difference(folder / "whole", disk / "run-more")]
            how = "fitted" if whole else f"{left}, went on with more space" if left != "none" else "refused"
            tally.add(how, *(f"{kilobytes} KiB: {w}" for w in wrong if w))
    return tally


def of_read_only(folder: Path, words: list[str]) -> Tally:
    """A read-only file system: refused before anything is solved."""
    tally = Tally("read-only folder")
    with small_disk(folder / "fixed", 1024) as disk:
        (disk / "run").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for place in ("run", "new/run"):
            done = dlopt([*words, f"hydra.run.dir={disk / place}"], folder)
            tally.add("refused", done.complaint, "" if done.code == 1 else f"exit {done.code}")
    for device in ("/dev/full", "/dev/null/run", "/proc/run"):
        done = dlopt([*words, f"hydra.run.dir={device}"], folder)
        tally.add("refused", done.complaint, "" if done.code == 1 else f"{device}: exit {done.code}")
    return tally


def of_one_folder(folder: Path, words: list[str]) -> Tally:
    """Two runs told to use one folder at once: one of them does; two that are not have two."""
    tally = Tally("two runs at once, in one folder and in one second")
    for name in ("same", "same2", "same3", ""):
        given = [*words, f"hydra.run.dir={name}"] if name else words
        both = [Running([*given, f"seed={seed}"], folder) for seed in range(2)]
        ends = [one.ended() for one in both]
        codes = sorted(end.code for end in ends)
        expected = [0, 1] if name else [0, 0]
        wrong = [*(end.complaint for end in ends), "" if codes == expected else f"exit codes {codes}"]
        if name:
            run = folder / name
            wrong.append("" if status(run) == "converged" else status(run))
            seed, kept = json.loads((run / "run.json").read_text())["seed"], config_of(run).get("seed")
            wrong.append("" if seed == kept else f"run.json has seed {seed}, its config {kept}")
            tally.add("one ran, one was refused", *wrong)
        else:
            found = list((folder / "outputs").rglob("run.json"))
            wrong.append("" if len(found) == 2 else f"{len(found)} folders")
            tally.add("two folders", *wrong)
    return tally


def of_odd_paths(folder: Path, words: list[str], world: Path) -> Tally:
    """Folders whose names have spaces, quotes, newlines, Unicode: to work in, and to read from."""
    tally = Tally("spaces, quotes, newlines, Unicode in paths")
    for name in ODD:
        place = folder / name
        place.mkdir()
        os.symlink(world, place / name)
        given = [word for word in words if not word.startswith("calibration=")]
        done = dlopt([*given, f"calibration={quoted(str(place / name))}"], place)
        runs = [path.parent for path in (place / "outputs").rglob("run.json")]
        wrong = [done.complaint, "" if done.code == 0 else f"{name!r}: exit {done.code}: {done.stderr[-200:]}"]
        if done.code == 0 and len(runs) == 1:
            wrong.append("" if json.loads((runs[0] / "run.json").read_text())["status"] == "converged" else "status")
            listed = dlopt(["runs", "list"], place)
            wrong += [listed.complaint, "" if "converged" in listed.stdout else f"{name!r}: not listed"]
            tally.add("solved and listed", *wrong)
        else:
            tally.add("refused in words" if done.code == 1 else "wrong", *wrong)
    return tally
