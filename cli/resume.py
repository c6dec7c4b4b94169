"""Going on with a run: allowed when nothing that its result depends on has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dlopt import Policy
from dlopt.errors import DloptError
from dlopt.runs import RunReadError, RunRecord, read_run
from dlopt.runs.environment import versions
from dlopt.runs.folder import CHECKPOINT
from dlopt.runs.lock import is_held
from dlopt.runs.record import FINISHED
from dlopt.store.files import FileReadError, read_yaml

from .trust import check_recorded

_MAY_DIFFER = ("resume", "threads", "checkpoint_seconds", "calibration", "scenario")
"""Keys that change no digit, or are compared by content or name instead."""

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


def settings_of(cfg: DictConfig, init: str | Policy | None) -> dict[str, Any]:
    """What a result depends on besides calibration and version, as `section.key: value`."""
    from dlopt.runs.tables import flat

    settings = flat(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    if isinstance(init, Policy):
        sha = hashlib.sha256()
        for rates in (init.tariff, init.export_tax, init.subsidy):
            sha.update(rates.contiguous().numpy().tobytes())
        settings["init.sha256"] = sha.hexdigest()
    return settings


def check_resumable(
    folder: Path, settings: Mapping[str, Any], scenario: str, calibration: Mapping[str, str]
) -> RunRecord:
    """The record of a run that can be gone on with.

    Args:
        folder: its own.
        settings: those asked for now.
        scenario: the one asked for now.
        calibration: `name` and `sha256` of the one asked for now.

    Raises:
        ResumeError: it runs, it has finished, or it differs; the message names every key that does.
        RunReadError: not a run, or a damaged one.
    """
    record = read_run(folder)
    if record.status in FINISHED:
        raise ResumeError(
            f"{folder} has finished ({record.status}): there is nothing to go on with. "
            f"init={folder} starts from its policies."
        )
    if is_held(folder):
        raise ResumeError(f"{folder} is still running. Stop it first, or wait for it.")
    changed = changes(record, settings, scenario, calibration)
    if changed:
        raise ResumeError(
            f"{folder} was another problem: {'; '.join(changed)}. Put these back, or start a new run "
            f"(init={folder} begins at its policies, if it has any)."
        )
    return record


def changes(record: RunRecord, settings: Mapping[str, Any], scenario: str, calibration: Mapping[str, str]) -> list[str]:
    """Everything that differs between a run and what is asked now, in words."""
    keys = sorted(key for key in record.settings.keys() | settings.keys() if key.partition(".")[0] not in _MAY_DIFFER)
    changed = [
        f"{key} was {record.settings.get(key)}, is {settings.get(key)}"
        for key in keys
        if record.settings.get(key) != settings.get(key)
    ]
    if record.scenario != scenario:
        changed.append(f"scenario was {record.scenario}, is {scenario}")
    if record.calibration.get("sha256") != calibration["sha256"]:
        before, now_name = record.calibration.get("name"), calibration["name"]
        other = "has other content now" if before == now_name else f"is {calibration['name']!r}"
        changed.append(f"the calibration was {before!r}, {other}")
    now = versions()
    changed += [
        f"version of {name} was {record.versions.get(name)}, is {now.get(name)}"
        for name in _VERSIONS
        if record.versions.get(name) != now.get(name)
    ]
    return changed


def finished(folder: Path, settings: Mapping[str, Any], scenario: str, calibration: Mapping[str, str]) -> bool:
    """Whether the job of a sweep is done already; False where what its folder holds can be taken up again.

    Raises:
        ResumeError: the run there is of another problem, or another process is at it.
    """
    try:
        record = read_run(folder)
    except RunReadError:
        return False
    if record.status not in FINISHED:
        if record.status == "failed" and not (folder / CHECKPOINT).exists():
            return False
        check_resumable(folder, settings, scenario, calibration)
        return False
    changed = changes(record, settings, scenario, calibration)
    if changed:
        raise ResumeError(f"{folder} holds another run: {'; '.join(changed)}. Give the sweep another folder.")
    return True


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
