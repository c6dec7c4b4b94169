"""Going on with a run: allowed when nothing that its result depends on has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from dlopt.errors import DloptError
from dlopt.kind import Status
from dlopt.runs import RunReadError, RunRecord, read_run
from dlopt.runs.environment import versions
from dlopt.runs.folder import CHECKPOINT
from dlopt.runs.lock import is_held
from dlopt.store.files import FileReadError, read_yaml

from .job import Job
from .trust import check_recorded

_MAY_DIFFER = ("scenario", "verb")
"""Settings that are compared by name instead; those that the kind says are free may differ as well."""

_VERSIONS = ("dlopt", "torch")
"""Libraries that make the numbers."""


class ResumeError(DloptError):
    """There is nothing to go on with, or it was another problem."""


def resumed_by(overrides: Sequence[Override]) -> str | None:
    """The run that `resume=` names, None where it names none."""
    found = next((o.value() for o in overrides if o.key_or_group == "resume"), None)
    return found if isinstance(found, str) else None


def with_resumed(words: Sequence[str], run: str, verb: str) -> list[str]:
    """The settings of the run that is resumed, then those given now.

    Raises:
        ResumeError: not the folder of a run of this verb.
    """
    folder = Path(run).expanduser()
    record = read_run(folder)
    if record.verb != verb:
        raise ResumeError(f"{folder} is a run of `dlopt solve {record.verb}`: go on with it by that.")
    path = folder / ".hydra" / "overrides.yaml"
    try:
        before = read_yaml(path) or []
        if not isinstance(before, list):
            raise FileReadError(f"{path} is not a list of overrides.")
    except FileReadError as error:
        raise ResumeError(f"{error} Start the run again, without resume.") from error
    check_recorded([str(word) for word in before])
    given = {_key(word) for word in words} | {"verb", "resume"}
    return [*(str(word) for word in before if _key(str(word)) not in given), *words]


def check_resume(job: Job) -> None:
    """Whether the run that a job goes on with, if it does, can be gone on with.

    Raises:
        ResumeError: it runs, it has finished, it kept nothing, or it differs; the message names every key that does.
        RunReadError: not a run, or a damaged one.
        DloptError: the kind refuses its checkpoint.
    """
    if job.resume is not None:
        check_resumable(job.resume, job)


def check_resumable(folder: Path, job: Job) -> None:
    """As `check_resume`, of a folder."""
    record = read_run(folder)
    if record.status.finished and not job.kind.again:
        raise ResumeError(
            f"{folder} has finished ({record.status}): there is nothing to go on with. "
            f"init={folder} starts from its policies."
        )
    if is_held(folder):
        raise ResumeError(f"{folder} is still running. Stop it first, or wait for it.")
    checkpoint = folder / job.kind.checkpoint
    if job.kind.checkpoint != CHECKPOINT and job.problem.recorded:
        if not checkpoint.is_file():
            raise ResumeError(f"{folder} has no {checkpoint.name}: it ended before a checkpoint. Start a new run.")
        job.problem.check_resume(checkpoint)
    changed = changes(record, job)
    if changed:
        raise ResumeError(
            f"{folder} was another problem: {'; '.join(changed)}. Put these back, or start a new run "
            f"(init={folder} begins at its policies, if it has any)."
        )


def changes(record: RunRecord, job: Job) -> list[str]:
    """Everything that differs between a run and what is asked now, in words."""
    free = {key.name for key in job.kind.keys if key.free} | set(_MAY_DIFFER)
    before, after = record.settings, job.settings
    keys = sorted(key for key in before.keys() | after.keys() if not {key, key.partition(".")[0]} & free)
    changed = [f"{key} was {before.get(key)}, is {after.get(key)}" for key in keys if before.get(key) != after.get(key)]
    if record.scenario != job.scenario:
        changed.append(f"scenario was {record.scenario}, is {job.scenario}")
    if record.calibration.get("sha256") != job.problem.identity.sha256:
        was, now_name = record.calibration.get("name"), job.problem.identity.name
        other = "has other content now" if was == now_name else f"is {now_name!r}"
        changed.append(f"the calibration was {was!r}, {other}")
    now = versions()
    changed += [
        f"version of {name} was {record.versions.get(name)}, is {now.get(name)}"
        for name in _VERSIONS
        if record.versions.get(name) != now.get(name)
    ]
    return changed


def finished(folder: Path, job: Job) -> bool:
    """Whether the job of a sweep is done already; False where what its folder holds can be taken up again.

    Raises:
        ResumeError: the run there is of another problem, or another process is at it.
    """
    try:
        record = read_run(folder)
    except RunReadError:
        return False
    if not record.status.finished:
        if (folder / job.kind.checkpoint).exists() or record.status is not Status.FAILED:
            _check_same(folder, record, job)
        return False
    changed = changes(record, job)
    if changed:
        raise ResumeError(f"{folder} holds another run: {'; '.join(changed)}. Give the sweep another folder.")
    return True


def _check_same(folder: Path, record: RunRecord, job: Job) -> None:
    """A run in the folder of a sweep's job: it may have kept nothing yet."""
    if (folder / job.kind.checkpoint).exists():
        check_resumable(folder, job)
    elif is_held(folder):
        raise ResumeError(f"{folder} is still running. Stop it first, or wait for it.")
    elif changes(record, job):
        raise ResumeError(f"{folder} was another problem: {'; '.join(changes(record, job))}. Choose another folder.")


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """The steps a run has on record; none where it was cut off before its first checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    from dlopt.runs.checkpoint import read_checkpoint

    path = folder / CHECKPOINT
    return read_checkpoint(path) if path.is_file() else []


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")
