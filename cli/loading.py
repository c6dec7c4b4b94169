"""Importing what a command needs, in half the time: torch alone takes longer than many solves."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_POSTPONED = ("torch._meta_registrations", "torch.export")
"""What `import torch` loads for its compilers and exporters only."""


def load(name: str) -> ModuleType:
    """A module of `dlopt.cli`, its imports hidden from the garbage collector.

    Modules are never garbage, so the search among them is spared, while they load and at the end of the process.
    """
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        return importlib.import_module(f"dlopt.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the postponed modules, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _POSTPONED else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Postponing(spec.loader)
        return spec


class _Postponing(Loader):
    """Makes a module that loads when its first own name is looked up.

    `importlib.util.LazyLoader` would load it as soon as `inspect` asks it for its file, which torch's own start does.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _PostponedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _PostponedModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        spec = self.__spec__
        assert spec is not None
        assert isinstance(spec.loader, _Postponing)
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader = spec.loader.loader
        spec.loader.exec_module(self)
        return getattr(self, name)
