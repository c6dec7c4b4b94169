"""`run.json`: what was run, on what, and how it ended."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError
from dlopt.kind import Status
from dlopt.runs.lock import is_held
from dlopt.store.files import size_of, write_json

SCHEMA_VERSION = 2
READABLE = (1, SCHEMA_VERSION)
"""Version 1 did not say kind, verb, choices and overrides: they are read from its settings and its command."""
FILE = "run.json"
WRITTEN = "result.to_parquet(...)"
"""The command of a run that was written from Python: there is none to type."""
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("status", "kind", "verb", "command", "scenario"), (str,)),
    **dict.fromkeys(("accounting", "dtype", "started", "message", "answer"), (str,)),
    **dict.fromkeys(("seed", "threads"), (int,)),
    **dict.fromkeys(("calibration", "versions", "settings", "choices"), (dict,)),
    "overrides": (list,),
    "resumed": (str, type(None)),
    "wall_seconds": (int, float, type(None)),
    "certificate": (dict, type(None)),
}


class RunReadError(DloptError):
    """A folder that is no run, or whose run.json is damaged."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        kind: the kind of problem, a name of `dlopt.registry`.
        verb: what was asked: `dlopt solve VERB`.
        choices: what was chosen in each config group.
        overrides: the keys that were set, as typed.
        status: `running` also marks a run that was killed (`dlopt.runs.is_killed` tells).
        command: what to type to run it again.
        calibration: `name`, `sha256`, and `note`: what a reader must know of it, such as that it is no data.
        versions: of Python, dlopt and the libraries that make the numbers.
        git: commit of dlopt's checkout, if it runs from one.
        started: ISO date and time with zone.
        certificate: residuals, curvature and gains, as the solver reports them.
        message: how it ended, and what to try where it did not converge.
        answer: what came of it in a word or a number, for lists of runs; empty where it has not converged.
        settings: the composed config, as `section.key: value`; what a run that goes on with this one must share.
        resumed: the run this one went on with; its own folder where it was taken up again in place.
    """

    status: Status
    kind: str
    verb: str
    command: str
    scenario: str
    calibration: Mapping[str, str]
    accounting: str
    seed: int
    threads: int
    dtype: str
    versions: Mapping[str, str]
    git: str | None
    started: str
    wall_seconds: float | None = None
    certificate: Mapping[str, Any] | None = None
    message: str = ""
    answer: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    resumed: str | None = None
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    overrides: Sequence[str] = ()
    schema_version: int = SCHEMA_VERSION

    def write(self, folder: Path) -> None:
        """Put it in `folder`, atomically."""
        content = dataclasses.asdict(self)
        write_json(folder / FILE, {"schema_version": content.pop("schema_version"), **content})


def is_killed(folder: Path, record: RunRecord) -> bool:
    """Whether a run that says `running` has no process any more."""
    return record.status is Status.RUNNING and not is_held(folder)


def read_run(folder: Path) -> RunRecord:
    """The record of a run folder.

    Raises:
        RunReadError: the folder or its run.json is missing, or not what a run leaves.
    """
    path = folder / FILE
    try:
        size_of(path)
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunReadError(f"{folder} is not a run folder: it has no {FILE}. `dlopt runs list` shows runs.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunReadError(f"{path} cannot be read: {error}. The run is damaged; run it again.") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if isinstance(version, bool) or version not in READABLE:
        raise RunReadError(f"{path} has schema_version {version!r}; this dlopt reads {SCHEMA_VERSION}.")
    if version == 1:
        content = _upgraded(content)
    names = {field.name for field in dataclasses.fields(RunRecord)}
    try:
        record = RunRecord(**{key: value for key, value in content.items() if key in names})
    except TypeError as error:
        raise RunReadError(f"{path} is incomplete: {error}. The run is damaged; run it again.") from error
    for name, kinds in _TYPES.items():
        if not isinstance(getattr(record, name), kinds):
            raise RunReadError(f"{path} has {name} {getattr(record, name)!r}. The run is damaged; run it again.")
    damaged = _damaged(record)
    if damaged:
        raise RunReadError(f"{path} has {damaged}. The run is damaged; run it again.")
    if record.status not in list(Status):
        raise RunReadError(f"{path} has status {record.status!r}; known are {', '.join(Status)}.")
    return dataclasses.replace(record, status=Status(record.status))


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """The content of version 1 as of version 2; what is damaged stays so."""
    settings, command, scenario = content.get("settings"), content.get("command"), content.get("scenario")
    words = command.split() if isinstance(command, str) else []
    equilibrium = isinstance(settings, dict) and "verb" in settings
    return {
        **content,
        "schema_version": SCHEMA_VERSION,
        "kind": "trade" if equilibrium else scenario,
        "verb": words[2] if len(words) > 2 else "",
        "choices": {"scenario": scenario, "solver": "joint_newton"},
        "overrides": words[3:],
    }


def _is_figure(value: Any) -> bool:
    """A number or nothing, or several numbers or words."""
    if isinstance(value, list | dict):
        several = value.values() if isinstance(value, dict) else value
        return all(isinstance(inner, int | float | str | None) for inner in several)
    return isinstance(value, int | float | None)


def _damaged(record: RunRecord) -> str:
    """What is wrong inside the mappings of a record, in words."""
    if not all(isinstance(record.calibration.get(key), str) for key in ("name", "sha256")):
        return f"calibration {record.calibration!r}"
    if not all(isinstance(value, str) for value in (*record.choices.values(), *record.overrides)):
        return f"choices {record.choices!r} and overrides {record.overrides!r}"
    if not all(isinstance(value, str) for value in record.versions.values()):
        return f"versions {record.versions!r}"
    for key, value in (record.certificate or {}).items():
        if not _is_figure(value):
            return f"{key} {value!r} in its certificate"
    try:
        datetime.datetime.fromisoformat(record.started)
        shlex.split(record.command)
    except ValueError as error:
        return str(error)
    return ""
