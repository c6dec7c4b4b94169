"""Importing what a command needs, hidden from the garbage collector."""

from __future__ import annotations

import gc
import importlib
from types import ModuleType


def load(name: str) -> ModuleType:
    """A module of `dlopt.cli`, with all it imports.

    Modules are never garbage: to search among them, while they load and at the end of the process, takes a second.
    """
    gc.disable()
    try:
        return importlib.import_module(f"dlopt.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()
