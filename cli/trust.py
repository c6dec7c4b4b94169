"""What a config may make Hydra call: its own launchers and sweepers, a few log handlers; and where they may write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlopt.errors import DloptError

_PLUGINS = ("hydra._internal.core_plugins.", "hydra_plugins.")
_LOGGING = (
    "dlopt.cli.logs.console_handler", "dlopt.cli.logs.file_handler", "logging.FileHandler", "logging.Formatter",
    "logging.NullHandler", "logging.StreamHandler", "rich.logging.RichHandler", "colorlog.ColoredFormatter",
)  # fmt: skip
"""By full name: `logging.os.system` is in the module `logging`, too."""
_FACTORIES = ("()", "class", "_target_")
"""Keys of a logging config whose value is called."""
_RUN = "${hydra.runtime.output_dir}/"


class UntrustedConfigError(DloptError):
    """A config that names code to run, or a folder it has no business in."""


def check_trusted(hydra: DictConfig) -> None:
    """Refuse a config that would run code of its choice, or write outside the folder of the run or sweep.

    Raises:
        UntrustedConfigError: names the key.
        OmegaConfBaseException: a value cannot be resolved.
    """
    for name in ("launcher", "sweeper"):
        target = str(hydra[name].get("_target_"))
        if not target.startswith(_PLUGINS):
            raise UntrustedConfigError(f"hydra.{name}._target_={target} is refused: only Hydra's plugins are run.")
        inner = [value for value in _plain(hydra[name]).values() if any(key == "_target_" for key, _ in _pairs(value))]
        if inner:
            raise UntrustedConfigError(f"hydra.{name} holds a second _target_, which is refused: {inner[0]}.")
    if hydra.get("callbacks"):
        raise UntrustedConfigError("hydra.callbacks is refused: a config may not name code to run.")
    for name in ("job_logging", "hydra_logging"):
        for key, value in _pairs(_plain(hydra[name])):
            if key in _FACTORIES and str(value) not in _LOGGING:
                raise UntrustedConfigError(f"hydra.{name}: {key}={value} is refused: only log handlers are made.")
            if key == "filename" and not (str(value).startswith(_RUN) and _inside(str(value).removeprefix(_RUN))):
                raise UntrustedConfigError(f"hydra.{name}: filename={value} is refused: logs go to {_RUN}NAME.")
    for name, place, folder in (
        ("sweep.subdir", _plain(hydra.sweep)["subdir"], "the sweep's folder"),
        ("output_subdir", hydra.output_subdir, "the run's folder"),
        ("job.name", hydra.job.name, "the run's folder"),
    ):
        if not _inside(str(place)):
            raise UntrustedConfigError(f"hydra.{name}={place} leads out of {folder}: give a name.")


def _inside(place: str) -> bool:
    path = PurePath(place)
    return not path.is_absolute() and ".." not in path.parts


def _plain(node: DictConfig) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(node, resolve=False)
    return content if isinstance(content, dict) else {}


def _pairs(content: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key), value
            yield from _pairs(value)
    elif isinstance(content, list):
        for value in content:
            yield from _pairs(value)
