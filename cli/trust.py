"""What a config may make Hydra call: its own launchers and sweepers, and the log handlers dlopt names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlopt.errors import DloptError

_PLUGINS = ("hydra._internal.core_plugins.", "hydra_plugins.")
_LOGGING = ("dlopt.cli.logs.", "logging.", "rich.logging.", "colorlog.")
_FACTORIES = ("()", "class")
"""Keys of a logging config whose value is called."""


class UntrustedConfigError(DloptError):
    """A config that names code to run, or a folder it has no business in."""


def check_trusted(hydra: DictConfig) -> None:
    """Refuse a config that would run code of its choice, or write outside the sweep's folder.

    Raises:
        UntrustedConfigError: names the key.
    """
    for name in ("launcher", "sweeper"):
        target = str(hydra[name].get("_target_"))
        if not target.startswith(_PLUGINS):
            raise UntrustedConfigError(f"hydra.{name}._target_={target} is refused: only Hydra's plugins are run.")
    if hydra.get("callbacks"):
        raise UntrustedConfigError("hydra.callbacks is refused: a config may not name code to run.")
    for name in ("job_logging", "hydra_logging"):
        content = OmegaConf.to_container(hydra[name], resolve=False)
        for key, value in _called(content):
            if not str(value).startswith(_LOGGING):
                raise UntrustedConfigError(f"hydra.{name}: {key}={value} is refused: only log handlers are made.")
    sweep: Any = OmegaConf.to_container(hydra.sweep, resolve=False)
    subfolder = PurePath(str(sweep["subdir"]))
    if subfolder.is_absolute() or ".." in subfolder.parts:
        raise UntrustedConfigError(f"hydra.sweep.subdir={subfolder} leads out of the sweep's folder: give a name.")


def _called(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key in _FACTORIES or key == "_target_":
                yield str(key), value
            yield from _called(value)
    elif isinstance(content, list):
        for value in content:
            yield from _called(value)
