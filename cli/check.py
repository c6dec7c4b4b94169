"""Everything that can be wrong with a command is found here, before Hydra makes a folder."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from dlopt.errors import DloptError, UnknownNameError
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.record import FILE
from dlopt.runs.tables import flat

from .composing import (
    CommandError,
    compose_words,
    group_options,
    options_of,
    parse_arguments,
    parse_overrides,
    session,
)
from .config import SECTIONS, allowed_keys, unknown_keys
from .jobs import build_job
from .launching import parallelism
from .resume import resumed_by, with_resumed
from .scenarios import scenarios
from .verbs import VERBS, Verb

_GROUPS = ("scenario", "solver")


@dataclasses.dataclass(frozen=True)
class Checked:
    """A command found sound.

    Attributes:
        arguments: what Hydra is given.
        folder: the run folder, or the sweep folder; None where nothing is run (`--cfg`, `--info`).
        jobs: number of jobs; None where a plugin's sweeper decides.
        multirun: whether it is a sweep.
        overrides: of every job; none where a plugin's sweeper decides.
        again: whether the folder holds the run that is gone on with.
    """

    arguments: list[str]
    folder: Path | None
    jobs: int | None
    multirun: bool
    overrides: Sequence[Sequence[str]] = ()
    again: bool = False


def check(verb_name: str, arguments: Sequence[str]) -> Checked:
    """Parse and compose a command, for every job of a sweep, and check all values.

    Raises:
        DloptError: says what is wrong and the nearest valid names.
    """
    verb = VERBS[verb_name]
    parsed = parse_arguments(arguments)
    options, words = options_of(parsed), list(parsed.overrides)
    with session(parsed.config_dir):
        overrides = parse_overrides(words)
        resumed = resumed_by(overrides)
        if resumed is not None and "resume" in verb.own_keys:
            words = with_resumed(words, resumed, verb.name)
            overrides = parse_overrides(words)
        _check_keys(overrides, verb)
        extra = [f"verb={verb.name}"]
        if not any(o.key_or_group == "scenario" for o in overrides):
            extra.append(f"scenario={_default_scenario(verb)}")
        if parsed.cfg or parsed.info or parsed.hydra_help or parsed.shell_completion:
            return Checked([*options, *words, *extra], None, None, False)
        multirun = parsed.multirun or any(o.key_or_group == "hydra.mode" and o.value() == "MULTIRUN" for o in overrides)
        jobs = jobs_of(overrides, words, multirun)
        more_places = any(o.key_or_group == "hydra.searchpath" for o in overrides)
        composed = []
        for job in jobs:
            if not more_places:
                _check_groups(job)
            composed.append(compose_words([*job, *extra]))
            _check_job(composed[-1], f"Job {' '.join(job)}: " if len(jobs) > 1 else "")
    hydra = composed[0].hydra
    folder = Path(resolved(hydra.sweep if multirun else hydra.run, "dir")).absolute()
    again = resumed is not None and Path(resumed).expanduser().absolute() == folder
    check_folder(folder, again)
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    launched = parallelism(composed, overrides) if multirun else []
    final = [*options, *words, *extra, *launched, f"{key}={quoted(str(folder))}"]
    other_sweeper = multirun and "BasicSweeper" not in str(hydra.sweeper.get("_target_"))
    if other_sweeper:
        return Checked(final, folder, None, multirun, again=again)
    return Checked(final, folder, len(jobs), multirun, [[*job, *extra] for job in jobs], again)


def _check_keys(overrides: Sequence[Override], verb: Verb) -> None:
    allowed = [key for key in allowed_keys() if key.partition(".")[0] in verb.keys]
    for override in overrides:
        key = override.key_or_group
        if key.startswith(("hydra.", "hydra/")):
            continue
        if key not in _GROUPS and key not in allowed:
            if key in allowed_keys():
                raise CommandError(
                    f"{key} means nothing to `dlopt solve {verb.name}`. Its keys: {', '.join(sorted(verb.keys))}."
                )
            raise UnknownNameError("key", key, [*_GROUPS, *allowed])
        if override.is_delete() or override.is_add():
            raise CommandError(f"{override.input_line!r}: keys can be neither added nor deleted; write {key}=VALUE.")


def _default_scenario(verb: Verb) -> str:
    if verb.default_scenario is None:
        names = [scenario.name for scenario in scenarios() if verb.name in scenario.verbs]
        raise CommandError(f"Which scenario? Add scenario=NAME, one of: {', '.join(names)}.")
    return verb.default_scenario


def jobs_of(overrides: Sequence[Override], words: Sequence[str], multirun: bool) -> list[list[str]]:
    """The overrides of every job: one list, or the product of all swept values."""
    choices = []
    for override, word in zip(overrides, words, strict=True):
        if not override.is_sweep_override():
            choices.append([word])
            continue
        key = override.get_key_element()
        if not multirun:
            raise CommandError(
                f"{word!r} gives several values: add -m to run them all, or write a list as '{key}=[a,b]'."
            )
        if not override.is_discrete_sweep():
            raise CommandError(f"{word!r} is a continuous range; list its values instead: {key}=1,2,3.")
        choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    return [list(job) for job in itertools.product(*choices)]


def _check_groups(words: Sequence[str]) -> None:
    for word in words:
        group, _, name = word.partition("=")
        if group in (*_GROUPS, "hydra/launcher") and name not in group_options(group):
            kind = group if group in _GROUPS else "launcher (pip install 'dlopt[joblib]' or 'dlopt[slurm]' adds more)"
            raise UnknownNameError(kind, name, group_options(group))


def _check_job(cfg: DictConfig, prefix: str) -> None:
    own = copy.deepcopy(cfg)  # masked_copy would lose the types that interpolations are checked against
    with open_dict(own):
        del own["hydra"]
    with told_by_job(prefix):
        solver = str(cfg.hydra.runtime.choices.solver)
        unknown = unknown_keys(own, solver)
        if unknown:
            raise UnknownNameError("key", unknown[0], allowed_keys((solver,)))
        _check_sections(own)
        _check_finite(own)
        build_job(own, dict(cfg.hydra.runtime.choices))


def _check_sections(own: DictConfig) -> None:
    for name in SECTIONS:
        if not isinstance(own[name], DictConfig):
            raise CommandError(f"{name}={own[name]} is not possible: set its keys one by one, as {name}.KEY=VALUE.")


def _check_finite(own: DictConfig) -> None:
    content: Any = OmegaConf.to_container(own, resolve=True)
    for key, value in flat(content).items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise CommandError(f"{key}={value} is not possible: it must be a finite number.")


@contextlib.contextmanager
def told_by_job(prefix: str) -> Iterator[None]:
    """What is wrong with one job of a sweep says which; `prefix` is empty where there is only one."""
    try:
        yield
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise CommandError(f"{prefix}{getattr(error, 'full_key', '')}: {reason}") from error
    except OSError as error:  # a path that no file can have
        raise CommandError(f"{prefix}{str(error.filename)[:100]}: {error.strerror}.") from error
    except DloptError as error:
        if prefix:
            raise CommandError(f"{prefix}{error}") from error
        raise


def resolved(node: DictConfig, key: str) -> str:
    try:
        return str(node[key])
    except OmegaConfBaseException as error:
        raise CommandError(f"hydra.*.{key} cannot be resolved: {str(error).splitlines()[0]}") from error


def check_folder(folder: Path, again: bool = False) -> None:
    """Writable, as far as can be known without making it, and not in use (unless the run there goes on)."""
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise CommandError(f"Cannot write to {str(folder)[:100]}: {error.strerror}. Choose another folder.") from error
    if not existing.is_dir():
        raise CommandError(f"Cannot write to {folder}: {existing} is a file. Choose another hydra.run.dir.")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise CommandError(f"Cannot write to {folder}: {error.strerror}. Choose another hydra.run.dir.") from error
    if (folder / FILE).exists() and not again:
        raise FolderInUseError(folder)


def quoted(text: str) -> str:
    """In quotes as Hydra reads them: a backslash stands for itself unless a quote follows."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (r"\'" if found[2] else ""), text)
    return f"'{escaped}'"
