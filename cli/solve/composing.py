"""Composing configs ahead of `hydra.main`, in its own words but without its error screens."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, version
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import configure_log, run_job
from hydra.errors import HydraException, OverrideParseException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, flag_override
from omegaconf.errors import OmegaConfBaseException

from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.files import read_yaml

from .trust import guard

_FLAGS = ("hydra_help", "resolve", "run", "multirun", "shell_completion")
_VALUED = ("cfg", "package", "config_dir", "info")
_REFUSED = ("config_name", "config_path", "experimental_rerun")


_COMPLAINTS = (
    HydraException, OmegaConfBaseException, yaml.YAMLError, OSError,
    ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What composing raises over a config that cannot be."""


class CommandError(DloptError):
    """Arguments of `dlopt solve` that cannot be understood."""


def parse_arguments(arguments: Sequence[str]) -> Any:
    """Hydra's options and the overrides, in whatever order they were typed.

    Raises:
        CommandError: an unknown option, or one that would bypass the schema.
    """
    parser = get_args_parser()

    def refuse(message: str) -> None:
        raise CommandError(f"{message[:1].upper()}{message[1:]}. `dlopt solve VERB --help` shows keys and options.")

    parser.error = refuse  # type: ignore[method-assign,assignment]
    parsed = parser.parse_intermixed_args(list(arguments))
    for flag in _REFUSED:
        if getattr(parsed, flag) is not None:
            option = f"--{flag.replace('_', '-')}"
            raise CommandError(f"{option} is not available; add configs of your own with --config-dir FOLDER.")
    return parsed


def options_of(parsed: Any) -> list[str]:
    """Hydra's options again, as its own parser wants them: before the overrides."""
    flags = [f"--{name.replace('_', '-')}" for name in _FLAGS if getattr(parsed, name)]
    valued = [(name, getattr(parsed, name)) for name in _VALUED]
    return flags + [f"--{name.replace('_', '-')}={value}" for name, value in valued if value is not None]


@contextlib.contextmanager
def session(config_dir: str | None) -> Iterator[ConfigLoader]:
    """Hydra set up as `hydra.main` sets it up, for `compose` and for the names of config groups; its config loader.

    Raises:
        CommandError: `config_dir` is not a folder.
        FileReadError: a YAML file in it cannot be read, or would take for ever.
    """
    version.setbase("1.3")
    guard()
    search_path = create_automatic_config_search_path(None, None, "pkg://dlopt.conf")
    if config_dir is not None:
        path = Path(config_dir).absolute()
        if not os.path.isdir(path):
            raise CommandError(f"--config-dir {config_dir}: there is no such folder.")
        for file in path.rglob("*.yaml"):
            read_yaml(file)
        search_path.prepend("command-line", f"file://{path}", SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("dlopt", search_path)
    try:
        yield hydra.config_loader
    finally:
        GlobalHydra.instance().clear()


def group_options(group: str) -> list[str]:
    """Names that can be chosen in a config group (those of `hydra.searchpath` apart)."""
    return GlobalHydra.instance().config_loader().get_group_options(group)


def parse_overrides(words: Sequence[str]) -> list[Override]:
    """Parse one by one, so that the message can name the word.

    Raises:
        CommandError: not of the form key=value, or unreadable.
    """
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    overrides = []
    for word in words:
        if "=" not in word and not word.startswith("~"):
            hint = f"Did you mean scenario={word}? " if word in group_options("scenario") else ""
            raise CommandError(f"{word!r} is not of the form key=value. {hint}Example: scenario=dual.")
        try:
            overrides += parser.parse_overrides([word])
        except OverrideParseException as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise CommandError(
                f"{word!r} cannot be read: {reason}. Put quotes around values with special signs: \"key='a b'\"."
            ) from error
    return overrides


def compose_words(words: Sequence[str], config: str) -> DictConfig:
    """The config of one job, Hydra's own part included (and found sound by `trust.TrustedLoader`).

    Raises:
        DloptError: Hydra's complaint in one line.
    """
    try:
        return compose(config, overrides=list(words), return_hydra_config=True)
    except _COMPLAINTS as error:
        raise _explained(error, words, config) from error


def run_composed(cfg: DictConfig, folder: Path, loader: ConfigLoader, run: Callable[[DictConfig], None]) -> None:
    """Run one job on a config as `hydra.main` does, which would compose it twice more.

    Args:
        cfg: as composed, Hydra's own part included.
        folder: of the run.
        loader: what composed it.
        run: given the config without Hydra's part, which `HydraConfig` has meanwhile.
    """
    own = cfg.hydra
    with flag_override(cfg, ["struct", "readonly"], False):
        own.mode, own.run.dir = RunMode.RUN, str(folder)
        own.overrides.hydra.append(f"hydra.run.dir={folder}")
    configure_log(own.hydra_logging, own.verbose)
    callbacks = Callbacks()  # `check_trusted` lets no config have any
    done = run_job(run, cfg, "hydra.run.dir", None, HydraContext(config_loader=loader, callbacks=callbacks))
    _ = done.return_value  # raises what the job raised


def _explained(error: Exception, words: Sequence[str], config: str) -> DloptError:
    """Hydra's message in one line, with the valid options where the choice of a group does not have the one given."""
    cause: BaseException = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    told = itertools.takewhile(lambda line: not line.startswith(("full_key:", "reference_type=")), lines)
    reason = " ".join(told) or type(cause).__name__
    group, dot, option = (key or "").partition(".")
    if dot and "not in" in reason:
        rest = [word for word in words if not word.lstrip("+").startswith(f"{group}.")]
        with contextlib.suppress(*_COMPLAINTS):  # another word may be wrong as well
            cfg = compose(config, overrides=rest, return_hydra_config=True)
            name = cfg.hydra.runtime.choices.get(group)
            if name is not None:
                return UnknownNameError(f"option of {group}={name}", option, list(cfg[group]))
    if reason.startswith("Could not override '") and "'hydra" not in reason:
        other = reason.split("'")[1]
        reason = f"Key {other!r} is not one of this scenario's kind of problem. `dlopt scenarios` lists the others."
    return CommandError(f"{key}: {reason}" if key and key not in reason else reason)
