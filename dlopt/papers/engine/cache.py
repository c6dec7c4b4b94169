"""Solved problems, kept by what they depend on: calibration or model, definition of the problem, and code."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dlopt.errors import DloptError
from dlopt.papers.engine import store
from dlopt.trade.calibration import Calibration
from dlopt.trade.results import SolveResult

CODE = ("dlopt.trade", "dlopt.framework")
"""What a solution of the trade model depends on."""


class KeptFailureError(DloptError):
    """A problem that could not be solved, here or earlier; the message says why."""


@dataclasses.dataclass(frozen=True)
class Solved:
    """What solving left.

    Attributes:
        status: the solver's: `converged`, `not_converged` or `interrupted`.
        message: what that means.
        certificate: errors by name.
        seconds: processor time of the solve, whenever that was.
        cached: whether it was solved earlier.
        key: digest of everything it depends on; equal for one solution under two names.
        result: the solution of a trade problem, as good as new except for its iterations.
        tables: those of any other.
    """

    status: str
    message: str
    certificate: dict[str, Any]
    seconds: float
    cached: bool
    key: str
    result: SolveResult | None = None
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)


Made = tuple[str, str, dict[str, Any], dict[str, pd.DataFrame]]
"""Status, message, certificate and tables."""


@dataclasses.dataclass(frozen=True)
class Cache:
    """A folder of solutions, those of the trade model for one calibration."""

    folder: Path
    calibration: Calibration

    @functools.cached_property
    def _world(self) -> str:
        return self.calibration.sha256

    def key(self, given: Mapping[str, Any]) -> str:
        """Digest of everything that the numbers of a trade problem depend on."""
        return store.key([store.code_digest(package) for package in CODE], self._world, given)

    def has(self, key: str) -> bool:
        """Whether something is kept under the key."""
        return self.path(key).is_file()

    def made(self, key: str, make: Callable[[], Made]) -> Solved:
        """What is kept under the key, or what `make` makes, put there unless interrupted.

        Raises:
            KeptFailureError: it cannot be made.
        """
        kept = store.load(self.path(key))
        if kept is None:
            started = time.process_time()
            try:
                status, message, certificate, tables = make()
            except DloptError as error:
                store.save(self.path(key), {"failure": str(error)})
                raise KeptFailureError(str(error)) from error
            seconds = time.process_time() - started
            about = {"status": status, "message": message, "certificate": certificate, "seconds": seconds}
            if status != "interrupted":
                packed = {name: store.packed(table) for name, table in tables.items()}
                store.save(self.path(key), {**about, "tables": list(tables)}, **packed)
            return Solved(status, message, certificate, seconds, False, key, tables=tables)
        if "failure" in kept:
            raise KeptFailureError(kept["failure"])
        read = {name: store.unpacked(kept[name]) for name in kept["tables"]}
        return Solved(kept["status"], kept["message"], kept["certificate"], kept["seconds"], True, key, tables=read)

    def path(self, key: str) -> Path:
        """Of the file that keeps it."""
        return self.folder / f"{key}.npz"
