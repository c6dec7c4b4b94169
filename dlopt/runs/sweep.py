"""Sweeps: what was asked for, how every job of it stands, and all results in one table."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dlopt.errors import DloptError
from dlopt.kind import Status
from dlopt.runs.record import RunRecord, is_killed
from dlopt.runs.registry import find_runs
from dlopt.runs.tables import read_table
from dlopt.store.files import size_of, write_json

if TYPE_CHECKING:
    import pandas as pd

FILE, SUITE = "sweep.json", "suite.json"
FORMAT = 1
_LONGEST_NUMBER = 50


class SweepError(DloptError):
    """A folder that is no sweep, or whose sweep.json is damaged."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The content of `sweep.json`.

    Attributes:
        verb: of `dlopt solve`.
        arguments: what it was given, the sweep's folder apart.
        cwd: where it was started.
        jobs: the overrides of every job, in order.
    """

    verb: str
    arguments: tuple[str, ...]
    cwd: str
    jobs: tuple[tuple[str, ...], ...]

    def write(self, folder: Path) -> None:
        """Put it in `folder`, atomically."""
        write_json(folder / FILE, {"schema_version": FORMAT, **dataclasses.asdict(self)})


@dataclasses.dataclass(frozen=True)
class SweepJob:
    """How a job of a sweep stands.

    Attributes:
        number: its place in the sweep.
        overrides: its keys and values, Hydra's own apart.
        folder: its run; None where it left none.
        status: that of the run; or `killed`, `damaged`, `missing`.
    """

    number: int
    overrides: dict[str, str]
    folder: Path | None
    status: str

    @property
    def finished(self) -> bool:
        """Whether it has a result, certified or not."""
        return self.status in [status for status in Status if status.finished]


def read_sweep(folder: Path) -> Sweep:
    """What a sweep was asked for.

    Raises:
        SweepError: not a sweep, or damaged.
    """
    path = folder / FILE
    try:
        size_of(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != FORMAT:
            raise SweepError(f"{path} has schema_version {content['schema_version']!r}; this dlopt reads {FORMAT}.")
        words = [content["verb"], content["cwd"], *content["arguments"], *(w for job in content["jobs"] for w in job)]
        if not all(isinstance(word, str) for word in words):
            raise TypeError("a word is not a string")
        jobs = tuple(tuple(job) for job in content["jobs"])
        return Sweep(content["verb"], tuple(content["arguments"]), content["cwd"], jobs)
    except FileNotFoundError:
        raise SweepError(f"{folder} is not a sweep of `dlopt solve -m`: it has no {FILE}.") from None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SweepError(f"{path} cannot be read: {error}. Start the sweep again.") from error


def jobs_of_sweep(folder: Path) -> list[SweepJob]:
    """Every job asked for or found, in order.

    Raises:
        SweepError: neither a sweep nor a folder of runs.
    """
    asked = dict(enumerate(read_sweep(folder).jobs)) if (folder / FILE).exists() else {}
    found: dict[int, SweepJob] = {}
    for place, (path, record) in enumerate(find_runs(folder)):
        prefix = path.name.partition("-")[0]
        number = int(prefix) if prefix.isdecimal() else place
        if isinstance(record, RunRecord):
            status = "killed" if is_killed(path, record) else record.status
            overrides = overrides_of(record.overrides)
        else:
            status, overrides = "damaged", overrides_of(asked.get(number, ()))
        found[number] = SweepJob(number, overrides, path, status)
    for number, words in asked.items():
        found.setdefault(number, SweepJob(number, overrides_of(words), None, "missing"))
    if not found:
        raise SweepError(f"{folder} holds neither a sweep nor runs. `dlopt solve nash -m ...` makes one.")
    return [found[number] for number in sorted(found)]


def members(folder: Path) -> tuple[list[Path], int] | None:
    """Runs of a sweep or a suite that have a result, in order, and how many were asked for; None for other folders.

    Raises:
        SweepError: what the folder says of itself is damaged.
    """
    if (folder / FILE).is_file():
        jobs = jobs_of_sweep(folder)
        return [job.folder for job in jobs if job.finished and job.folder is not None], len(jobs)
    path = folder / SUITE
    if not path.is_file():
        return None
    try:
        asked = len(json.loads(path.read_text(encoding="utf-8"))["scenarios"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SweepError(f"{path} cannot be read: {error}. Run the suite again in its folder.") from error
    found = sorted(find_runs(folder), key=lambda item: item[0].name)
    return [path for path, record in found if isinstance(record, RunRecord) and record.status.finished], asked


def mark_suite(folder: Path, name: str, scenarios: Sequence[str]) -> None:
    """Say that a folder is that of a suite, so that commands take it as many runs."""
    write_json(folder / SUITE, {"schema_version": FORMAT, "name": name, "scenarios": list(scenarios)})


def collect(jobs: Sequence[SweepJob], table: str) -> pd.DataFrame:
    """One table of all finished jobs, theirs one below the other: `job`, the overrides, `status`, and its own columns.

    An override with the name of a column of the table becomes `override.NAME`. Nothing in it depends on when, where or
    in which order the jobs ran, but for tables with times in them.

    Raises:
        SweepError: no job has finished.
        RunReadError: a table is missing or damaged.
    """
    import pandas as pd

    done = [job for job in jobs if job.finished and job.folder is not None]
    if not done:
        raise SweepError("No job of this sweep has finished: there is nothing to collect.")
    keys = list(dict.fromkeys(key for job in done for key in job.overrides))
    values = {key: _typed([job.overrides.get(key) for job in done]) for key in keys}
    parts = []
    for place, job in enumerate(done):
        assert job.folder is not None
        frame = read_table(job.folder, table)
        head: dict[str, Any] = {"job": job.number}
        head |= {f"override.{key}" if key in frame else key: values[key][place] for key in keys}
        head["status" if "status" not in frame else "override.status"] = job.status
        parts.append(pd.DataFrame({name: [value] * len(frame) for name, value in head.items()}).join(frame))
    return pd.concat(parts, ignore_index=True)


def overrides_of(words: Sequence[str]) -> dict[str, str]:
    """Keys and values of a job, those of Hydra and of dlopt's own housekeeping apart."""
    pairs = (word.partition("=") for word in words if "=" in word)
    return {key: value for key, _, value in pairs if not key.startswith(("hydra.", "hydra/", "verb", "resume"))}


def _typed(values: list[str | None]) -> list[Any]:
    """Numbers or truth values if all are; else text, as is everything longer than a number."""
    if any(len(value or "") > _LONGEST_NUMBER for value in values):
        return values
    try:
        read = [None if value is None else yaml.safe_load(value) for value in values]
    except (yaml.YAMLError, ValueError, RecursionError):
        return values
    present = [value for value in read if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        return read
    if present and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        with contextlib.suppress(OverflowError):  # a whole number of hundreds of digits
            return [None if value is None else float(value) for value in read]
    return values
