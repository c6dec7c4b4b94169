"""What a config may do besides saying what to solve: allow lists, applied to everything that is finally composed.

Hydra makes what a config names (launchers, sweepers, log handlers), starts what it is told to start, and writes where
it is told to write. A config can come from anybody: a scenario passed on, a run folder that is resumed, a sweep that is
completed. `guard` therefore has every config checked as soon as it is composed, the one of each job of a sweep
included, whoever contributed to it, before any of it is used.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import hydra._internal.hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf, open_dict

from dlopt.errors import DloptError

_LOGGING_KEYS = ("version", "formatters", "handlers", "loggers", "root", "disable_existing_loggers", "incremental")
_FORMATTER_KEYS = ("class", "()", "format", "datefmt", "style", "validate", "log_colors", "reset", "no_color")
_FORMATTERS = ("logging.Formatter", "colorlog.ColoredFormatter")
_HANDLER_KEYS = (
    "class", "()", "level", "formatter", "stream", "filename", "mode", "encoding", "delay",
    "show_time", "show_level", "show_path", "markup", "omit_repeated_times",
)  # fmt: skip
_HANDLERS = (
    "dlopt.cli.logs.console_handler", "dlopt.cli.logs.file_handler", "logging.FileHandler", "logging.NullHandler",
    "logging.StreamHandler", "rich.logging.RichHandler",
)  # fmt: skip
"""By full name: `logging.os.system` is in the module `logging`, too."""
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
_LAUNCHER_KEYS = (
    # submitit
    "_target_", "submitit_folder", "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes",
    "name", "partition", "qos", "account", "comment", "constraint", "exclude", "gres", "cpus_per_gpu", "gpus_per_task",
    "mem_per_gpu", "mem_per_cpu", "signal_delay_s", "max_num_timeout", "array_parallelism", "stderr_to_stdout",
    # joblib
    "n_jobs", "backend", "prefer", "require", "verbose", "timeout", "pre_dispatch", "batch_size", "max_nbytes",
    "mmap_mode",
)  # fmt: skip
"""Scheduling. Every other key of a launcher (`setup`, `python`, `srun_args`, ...) can name a command to run."""
_ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that a config may set for jobs; others (`LD_PRELOAD`, `PYTHONPATH`) make a process load code."""
_OUT = "/the/folder/of/the/run"
"""Stands for `hydra.runtime.output_dir`, which Hydra fills in later."""

_foreign: contextvars.ContextVar[bool] = contextvars.ContextVar("words from a folder", default=False)


class UntrustedConfigError(DloptError):
    """A config that names code to run, or a folder it has no business in."""


class TrustedLoader(ConfigLoaderImpl):
    """Hydra's config loader; what it composes, for the command or for one job of a sweep, is checked first."""

    def load_configuration(self, *args: Any, **kwargs: Any) -> DictConfig:
        """As Hydra's own, but never a config that `check_trusted` refuses."""
        cfg = super().load_configuration(*args, **kwargs)
        check_trusted(cfg.hydra)
        return cfg

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """As Hydra's own; a sweeper may vary what is solved, never Hydra's own keys."""
        for word in sweep_overrides:
            if _key(word).startswith(("hydra.", "hydra/")):
                raise UntrustedConfigError(f"{word} is refused: a sweep cannot vary Hydra's own keys.")
        return super().load_sweep_config(master_config, sweep_overrides)


def guard() -> None:
    """Make Hydra compose with `TrustedLoader`, here and in the processes that its launchers start."""
    hydra_main.ConfigLoaderImpl = TrustedLoader  # type: ignore[misc]


@contextlib.contextmanager
def words_of_a_folder() -> Iterator[None]:
    """While a command is repeated that a folder recorded: nobody at the keyboard chose its launcher."""
    token = _foreign.set(True)
    try:
        yield
    finally:
        _foreign.reset(token)


def check_recorded(words: Sequence[str], launchers: bool = False, where: str = "recorded in the folder") -> None:
    """Refuse words from a file, such as a folder's record, that would set more than keys of the problem.

    Args:
        words: overrides as the file has them.
        launchers: whether a launcher and its scheduling keys may be among them, -m and --config-dir (a sweep's may).
        where: they stand, for the message.

    Raises:
        UntrustedConfigError: names the word.
    """
    scheduling = {f"hydra.launcher.{key}" for key in _LAUNCHER_KEYS if key != "_target_"} | {"hydra/launcher"}
    for word in words:
        problem = re.match(r"(?!hydra\b)[A-Za-z_][\w.]*=", word)
        option = word in ("-m", "--multirun") or word.startswith("--config-dir=")
        if not problem and not (launchers and (option or word.partition("=")[0] in scheduling)):
            raise UntrustedConfigError(
                f"{word!r}, {where}, is refused: files may say what to solve, nothing else. "
                "If it is your own, type the whole command."
            )


def check_trusted(hydra: DictConfig) -> None:
    """Refuse a config that would run code of its choice, or write outside the folder of the run or sweep.

    Args:
        hydra: Hydra's part of a composed config.

    Raises:
        UntrustedConfigError: names the key.
        OmegaConfBaseException: a value cannot be resolved.
    """
    node = _resolvable(hydra)
    said = [_key(str(word)) for word in node.overrides.hydra]
    _check_plugin("launcher", _content(node.launcher), Launcher)
    _check_plugin("sweeper", _content(node.sweeper), Sweeper)
    _check_launcher(_content(node.launcher), said)
    if node.sweeper.get("params") and "BasicSweeper" in str(node.sweeper.get("_target_")):
        raise UntrustedConfigError("hydra.sweeper.params is refused: write the values to run on the command line.")
    if node.get("callbacks"):
        raise UntrustedConfigError("hydra.callbacks is refused: a config may not name code to run.")
    if node.mode is not None and "hydra.mode" not in said:
        raise UntrustedConfigError("hydra.mode in a config is refused: add -m to the command to run a sweep.")
    _check_logging("hydra_logging", _content(node.hydra_logging), files=False)
    _check_logging("job_logging", _content(node.job_logging), files=True)
    for name in (*_content(node.job.env_set), *node.job.env_copy):
        if name not in _ENVIRONMENT:
            raise UntrustedConfigError(f"hydra.job: the variable {name} is refused: only numbers of threads are set.")
    _check_places(node, said)


def _resolvable(hydra: DictConfig) -> DictConfig:
    """A copy in which what Hydra fills in later stands for itself, so that every interpolation can be followed."""
    root: Any = copy.deepcopy(hydra._get_root())
    node: DictConfig = root.hydra if root is not hydra and "hydra" in root else copy.deepcopy(hydra)
    with open_dict(node):
        node.runtime.output_dir = _OUT
        for name, value in (("num", 0), ("id", "0")):
            if OmegaConf.is_missing(node.job, name):
                node.job[name] = value
        for group in node.runtime.choices:
            if OmegaConf.is_missing(node.runtime.choices, group):  # swept: every job has its own
                node.runtime.choices[group] = "any"
    return node


def _content(node: Any) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    return content if isinstance(content, dict) else {}


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _check_plugin(kind: str, content: Mapping[str, Any], base: type) -> None:
    """Only classes that Hydra has found installed are made, and nothing inside them."""
    target = str(content.get("_target_"))
    installed = {f"{found.__module__}.{found.__name__}" for found in Plugins.instance().discover(base)}
    if target not in installed:
        raise UntrustedConfigError(f"hydra.{kind}._target_={target} is refused: only Hydra's plugins are run.")
    inner = [value for key, value in content.items() if key != "_target_" and _holds(value, "_target_")]
    if inner:
        raise UntrustedConfigError(f"hydra.{kind} holds a second _target_, which is refused: {inner[0]}.")


def _check_launcher(content: Mapping[str, Any], said: Sequence[str]) -> None:
    """Keys that can name commands only with a launcher that was chosen on the command line."""
    chosen = any(key.startswith(("hydra/launcher", "hydra.launcher.")) for key in said) and not _foreign.get()
    for key, value in content.items():
        if key not in _LAUNCHER_KEYS and value not in (None, [], {}, "") and not chosen:
            raise UntrustedConfigError(
                f"hydra.launcher.{key} is refused: it can run commands. Choose the launcher that has it on the command "
                "line, with hydra/launcher=NAME."
            )
        if key != "setup" and any(not text.isprintable() for text in _texts(value)):
            raise UntrustedConfigError(f"hydra.launcher.{key} is refused: it holds a line break or control character.")
    if not re.fullmatch(r"None|all|\d+|(\d+ ?\* ?)?n_jobs", str(content.get("pre_dispatch"))):
        raise UntrustedConfigError("hydra.launcher.pre_dispatch is refused: give a number, or 2*n_jobs.")


def _check_logging(name: str, content: Mapping[str, Any], files: bool) -> None:
    """The schema of `logging.config.dictConfig`, without what it can import, call or overwrite."""
    where = f"hydra.{name}"
    _only(where, content, _LOGGING_KEYS)
    for part, keys, makers in (("formatters", _FORMATTER_KEYS, _FORMATTERS), ("handlers", _HANDLER_KEYS, _HANDLERS)):
        for label, entry in (content.get(part) or {}).items():
            if not isinstance(entry, Mapping):
                raise UntrustedConfigError(f"{where}.{part}.{label} is refused: it must be a mapping.")
            _only(f"{where}.{part}.{label}", entry, keys)
            for key in ("class", "()"):
                if key in entry and entry[key] not in makers:
                    raise UntrustedConfigError(
                        f"{where}: {key}={entry[key]} is refused: only log handlers and formatters are made."
                    )
            if "filename" in entry:
                place = str(entry["filename"])
                if not (files and place.startswith(f"{_OUT}/") and _inside(place.removeprefix(f"{_OUT}/"))):
                    raise UntrustedConfigError(
                        f"{where}: filename={place.replace(_OUT, '${hydra.runtime.output_dir}')} is refused: jobs log "
                        "to ${hydra.runtime.output_dir}/NAME, and Hydra itself to the screen."
                    )
    for text in _texts(content):
        if text.startswith(("ext://", "cfg://")) and text not in _STREAMS:
            raise UntrustedConfigError(f"{where}: {text} is refused: only sys.stdout and sys.stderr are written to.")


def _check_places(node: DictConfig, said: Sequence[str]) -> None:
    """Configs keep to the working directory; a person may name any folder on the command line."""
    for name in ("run", "sweep"):
        place = str(node[name].dir)
        if f"hydra.{name}.dir" not in said and not _inside(place):
            raise UntrustedConfigError(
                f"hydra.{name}.dir={place} leads out of the working directory: only the command line can say that."
            )
    for name, place, folder in (
        ("sweep.subdir", node.sweep.subdir, "the sweep's folder"),
        ("job.name", node.job.name, "the run's folder"),
    ):
        if not _inside(str(place)):
            raise UntrustedConfigError(f"hydra.{name}={place} leads out of {folder}: give a name.")
    if node.output_subdir != ".hydra":
        raise UntrustedConfigError(f"hydra.output_subdir={node.output_subdir} is refused: it is .hydra in every run.")
    folder = node.launcher.get("submitit_folder")
    if folder is not None and not (
        str(folder).startswith(f"{node.sweep.dir}/") and _inside(str(folder).removeprefix(f"{node.sweep.dir}/"))
    ):
        raise UntrustedConfigError("hydra.launcher.submitit_folder is refused: it lies below ${hydra.sweep.dir}.")


def _only(where: str, content: Mapping[str, Any], keys: Collection[str]) -> None:
    for key in content:
        if key not in keys:
            raise UntrustedConfigError(f"{where}.{key} is refused: known are {', '.join(keys)}.")


def _inside(place: str) -> bool:
    path = PurePath(place)
    return not path.is_absolute() and ".." not in path.parts


def _holds(content: Any, key: str) -> bool:
    """Whether a key occurs, however deep."""
    if isinstance(content, Mapping):
        return key in content or any(_holds(value, key) for value in content.values())
    return isinstance(content, Sequence) and not isinstance(content, str) and any(_holds(one, key) for one in content)


def _texts(content: Any) -> Iterator[str]:
    """Every string, keys included, however deep."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(content, Sequence):
        for value in content:
            yield from _texts(value)
