"""Everything that can be wrong with a command is found here, before Hydra makes a folder."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlopt.errors import DloptError, UnknownNameError
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.record import FILE

from .config import allowed_keys, register, unknown_keys
from .jobs import build_job
from .verbs import VERBS, Verb

_REFUSED_FLAGS = ("config_name", "config_path", "experimental_rerun")
_FLAGS = ("hydra_help", "resolve", "run", "multirun", "shell_completion")
_VALUED = ("cfg", "package", "config_dir", "info")
_GROUPS = ("scenario", "solver")


class CommandError(DloptError):
    """Arguments of `dlopt solve` that cannot be understood."""


@dataclasses.dataclass(frozen=True)
class Checked:
    """A command found sound.

    Attributes:
        arguments: what Hydra is given.
        folder: the run folder, or the sweep folder; None where nothing is run (`--cfg`, `--info`).
        jobs: number of jobs; None where a plugin's sweeper decides.
        multirun: whether it is a sweep.
    """

    arguments: list[str]
    folder: Path | None
    jobs: int | None
    multirun: bool


def check(verb_name: str, arguments: Sequence[str]) -> Checked:
    """Parse and compose a command, for every job of a sweep, and check all values.

    Raises:
        DloptError: says what is wrong and the nearest valid names.
    """
    verb = VERBS[verb_name]
    parsed = _parse(arguments)
    register()
    words = list(parsed.overrides)
    with initialize_config_module("dlopt.conf", version_base="1.3", job_name="dlopt"):
        _add_config_dir(parsed.config_dir)
        overrides = _parse_overrides(words)
        _check_keys(overrides, verb)
        extra = [f"verb={verb.name}"]
        if not any(o.key_or_group == "scenario" for o in overrides):
            extra.append(f"scenario={_default_scenario(verb)}")
        options = _options(parsed)
        if parsed.cfg or parsed.info or parsed.hydra_help or parsed.shell_completion:
            return Checked([*options, *words, *extra], None, None, False)
        multirun = parsed.multirun or any(o.key_or_group == "hydra.mode" and o.value() == "MULTIRUN" for o in overrides)
        jobs = _jobs(overrides, words, multirun)
        composed = [_compose([*job, *extra], overrides) for job in jobs]
        for job, cfg in zip(jobs, composed, strict=True):
            _check_job(cfg, f"Job {' '.join(job)}: " if len(jobs) > 1 else "")
    hydra = composed[0].hydra
    folder = Path(_resolve(hydra.sweep if multirun else hydra.run, "dir")).absolute()
    _check_folder(folder)
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    final = [*options, *words, *extra, f"{key}={_quoted(str(folder))}"]
    own_sweeper = "BasicSweeper" not in str(hydra.sweeper.get("_target_"))
    return Checked(final, folder, None if multirun and own_sweeper else len(jobs), multirun)


def _parse(arguments: Sequence[str]) -> Any:
    parser = get_args_parser()

    def refuse(message: str) -> None:
        raise CommandError(f"{message[:1].upper()}{message[1:]}. `dlopt solve VERB --help` shows keys and options.")

    parser.error = refuse  # type: ignore[method-assign,assignment]
    parsed = parser.parse_intermixed_args(list(arguments))
    for flag in _REFUSED_FLAGS:
        if getattr(parsed, flag) is not None:
            option = f"--{flag.replace('_', '-')}"
            raise CommandError(f"{option} is not available; add configs of your own with --config-dir FOLDER.")
    return parsed


def _options(parsed: Any) -> list[str]:
    """Hydra's options again: its own parser wants them before the overrides, users put them anywhere."""
    flags = [f"--{name.replace('_', '-')}" for name in _FLAGS if getattr(parsed, name)]
    valued = [(name, getattr(parsed, name)) for name in _VALUED]
    return flags + [f"--{name.replace('_', '-')}={value}" for name, value in valued if value is not None]


def _add_config_dir(folder: str | None) -> None:
    if folder is None:
        return
    path = Path(folder).absolute()
    if not path.is_dir():
        raise CommandError(f"--config-dir {folder}: there is no such folder.")
    search_path = GlobalHydra.instance().config_loader().get_search_path()
    search_path.prepend("command-line", f"file://{path}", SearchPathQuery(provider="schema"))


def _parse_overrides(words: Sequence[str]) -> list[Override]:
    """Parse one by one, so that the message can name the word."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    overrides = []
    for word in words:
        if "=" not in word and not word.startswith("~"):
            hint = f"Did you mean scenario={word}? " if word in _group_options("scenario") else ""
            raise CommandError(f"{word!r} is not of the form key=value. {hint}Example: scenario=dual.")
        try:
            overrides += parser.parse_overrides([word])
        except OverrideParseException as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise CommandError(
                f"{word!r} cannot be read: {reason}. Put quotes around values with special signs: \"key='a b'\"."
            ) from error
    return overrides


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
        names = _serving(verb.name)
        raise CommandError(f"Which scenario? Add scenario=NAME, one of: {', '.join(names)}.")
    return verb.default_scenario


def _serving(verb: str) -> list[str]:
    from .scenarios import scenarios

    return [scenario.name for scenario in scenarios() if verb in scenario.verbs]


def _jobs(overrides: Sequence[Override], words: Sequence[str], multirun: bool) -> list[list[str]]:
    """The overrides of every job: one list, or the product of all swept values."""
    if not multirun:
        for override in overrides:
            if override.is_sweep_override():
                key = override.get_key_element()
                raise CommandError(
                    f"{override.input_line!r} gives several values: add -m to run them all, "
                    f"or write a list as '{key}=[a,b]'."
                )
        return [list(words)]
    choices = []
    for override, word in zip(overrides, words, strict=True):
        if override.is_discrete_sweep():
            key = override.get_key_element()
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        elif override.is_sweep_override():
            raise CommandError(f"{word!r} is a continuous range; list its values instead: key=1,2,3.")
        else:
            choices.append([word])
    return [list(job) for job in itertools.product(*choices)]


def _compose(words: Sequence[str], overrides: Sequence[Override]) -> DictConfig:
    for word in words:
        group, _, name = word.partition("=")
        if group in (*_GROUPS, "hydra/launcher") and name not in _group_options(group):
            kind = group if group in _GROUPS else "launcher (pip install 'dlopt[joblib]' or 'dlopt[slurm]' adds more)"
            raise UnknownNameError(kind, name, _group_options(group))
    try:
        return compose("config", overrides=list(words), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, words) from error


def _group_options(group: str) -> list[str]:
    return GlobalHydra.instance().config_loader().get_group_options(group)


def _explained(error: Exception, words: Sequence[str]) -> DloptError:
    """Hydra's message in one line, with the valid options where a solver does not have the one given."""
    cause: BaseException = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    reason = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    if key and key.startswith("solver.") and "not in" in reason:
        rest = [word for word in words if not word.lstrip("+").startswith("solver.")]
        solver = compose("config", overrides=rest, return_hydra_config=True)
        name = solver.hydra.runtime.choices.solver
        return UnknownNameError(f"option of solver={name}", key.removeprefix("solver."), list(solver.solver))
    return CommandError(f"{key}: {reason}" if key and key not in reason else reason)


def _check_job(cfg: DictConfig, prefix: str) -> None:
    choices = dict(cfg.hydra.runtime.choices)
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    try:
        unknown = unknown_keys(own)
        if unknown:
            raise UnknownNameError("key", unknown[0], allowed_keys())
        build_job(own, choices)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise CommandError(f"{prefix}{getattr(error, 'full_key', '')}: {reason}") from error
    except DloptError as error:
        if prefix:
            raise CommandError(f"{prefix}{error}") from error
        raise


def _resolve(node: DictConfig, key: str) -> str:
    try:
        return str(node[key])
    except OmegaConfBaseException as error:
        raise CommandError(f"hydra.*.{key} cannot be resolved: {str(error).splitlines()[0]}") from error


def _check_folder(folder: Path) -> None:
    """Writable, as far as can be known without making it, and not in use."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise CommandError(f"Cannot write to {folder}: {existing} is a file. Choose another hydra.run.dir.")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise CommandError(f"Cannot write to {folder}: {error.strerror}. Choose another hydra.run.dir.") from error
    if (folder / FILE).exists():
        raise FolderInUseError(folder)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
