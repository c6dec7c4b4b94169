"""Runs and sweeps by name: `last`, `last:nash`, the name given at solve, a part of the name, or a path."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from dlopt.errors import DloptError
from dlopt.runs.places import places
from dlopt.runs.record import FILE, RunRecord
from dlopt.runs.registry import find_runs

LAST = "last"
SWEEP, SUITE = "sweep.json", "suite.json"
MANY = (SWEEP, SUITE)
"""What the folder of many runs holds: of a sweep, or of a suite."""
_SHOWN = 6


class RunNameError(DloptError):
    """A name that no run has, or several have."""


@dataclasses.dataclass(frozen=True)
class Named:
    """A run or a sweep that can be called.

    Attributes:
        folder: where it is.
        place: the folder it was found below.
        words: what `last:WORD` may be.
        started: when, as ISO text.
    """

    folder: Path
    place: Path
    words: frozenset[str]
    started: str

    @property
    def path(self) -> str:
        """Its path below the place."""
        return self.folder.relative_to(self.place).as_posix()

    @property
    def name(self) -> str:
        """Its folder's name without the time: the scenario, or the name given at solve."""
        return name_of(self.folder)


def name_of(folder: Path) -> str:
    """The name of a run's folder without the time in front of it."""
    parts = folder.name.split("-")
    rest = parts[4:] if len(parts) > 4 and all(part.isdigit() for part in parts[:4]) else parts
    return "-".join(rest)


def find_run(text: str | os.PathLike[str]) -> Path:
    """The folder of a run.

    Args:
        text: a path; `last`, or `last:WORD` where WORD is a verb, a scenario or a kind; the name given at solve; or a
            part of the folder's name or path that only one run has.

    Raises:
        RunNameError: no run, or several, are called so.
    """
    return _find(str(text), FILE, "run")


def find_sweep(text: str | os.PathLike[str]) -> Path:
    """The folder of a sweep or a suite, as `find_run`; a folder that only holds runs is one when its path is given."""
    return _find(str(text), SWEEP, "sweep")


def named_runs(place: Path) -> Iterator[Named]:
    """Every readable run below a place, oldest first."""
    for folder, record in find_runs(place):
        if isinstance(record, RunRecord):
            words = frozenset((record.verb, record.scenario, record.kind, name_of(folder)))
            yield Named(folder, place, words, record.started)


def named_sweeps(place: Path) -> Iterator[Named]:
    """Every sweep and suite below a place, oldest first."""
    found = []
    for path in (path for mark in MANY for path in place.rglob(mark)):
        folder = path.parent
        stamp = "T".join(folder.parts[-2:])
        found.append(Named(folder, place, frozenset((name_of(folder), *folder.relative_to(place).parts)), stamp))
    yield from sorted(found, key=lambda one: one.started)


def latest_runs(count: int, kind: str) -> list[Path]:
    """The latest runs of a kind that have a result, on the same world as the last of them, oldest first.

    They are looked for in the first place that has any.
    """
    for place in places():
        found = []
        for folder, record in find_runs(place):
            if isinstance(record, RunRecord) and record.kind == kind and record.status.finished:
                found.append((folder, record.calibration.get("sha256")))
        if found:
            world = found[-1][1]
            return [folder for folder, own in found if own == world][-count:]
    return []


def _find(text: str, file: str, what: str) -> Path:
    given = Path(text).expanduser()
    marks = MANY if file == SWEEP else (file,)
    if any((given / mark).is_file() for mark in marks) or (file == SWEEP and given.is_dir()):
        return given
    named = named_runs if file == FILE else named_sweeps
    word, _, kind = text.partition(":")
    looked = places()
    for place in looked:
        # A path as it was printed: relative to the folder that `outputs` lies in, or to `outputs`.
        for base in (place.parent, place):
            if any((base / text / mark).is_file() for mark in marks):
                return base / text
        found = list(named(place))
        if word == LAST:
            found = [one for one in found if not kind or kind in one.words]
            if found:
                return found[-1].folder
            continue
        ends = (f"/{text}", f"-{text}")  # `SWEEP/JOB`, with or without the time in front of the sweep's name
        exact = [
            one for one in found if text in (one.name, one.folder.name) or ("/" in text and one.path.endswith(ends))
        ]
        if exact:
            return exact[-1].folder  # the latest of that name
        part = [one for one in found if text in one.path]
        if len(part) == 1:
            return part[0].folder
        if part:
            shown = ", ".join(one.path for one in part[-_SHOWN:])
            raise RunNameError(f"{text!r} is a part of {len(part)} names: {shown}. Give more of one of them.")
    where = ", ".join(map(str, looked)) or "./outputs, which does not exist"
    raise RunNameError(
        f"{text} is not a {what} folder, nor the name of a {what} (looked in {where}). `dlopt runs list` shows what "
        "there is, `last` is the latest; `dlopt solve nash scenario=dual` makes one."
    )
