"""Solved problems, kept by what they depend on: calibration or model, definition of the problem, and code."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlopt.errors import DloptError
from dlopt.papers.engine import store
from dlopt.papers.wang2024.scenarios import Scenario, Variant, check, definition, setting, solve
from dlopt.trade.api import OnIteration
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import Certificate
from dlopt.trade.draws import DrawOptions, draw_subsidies
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
        return self._path(key).is_file()

    def solved(self, scenario: Scenario, variant: Variant, on_iteration: OnIteration | None = None) -> Solved:
        """From the cache, or solved and put there unless interrupted.

        Raises:
            UnavailableError: the calibration lacks what the scenario names.
            KeptFailureError: the solvers refused.
        """
        check(scenario, self.calibration)
        given = definition(scenario, variant, self.calibration)
        key = self.key(given)
        kept = store.load(self._path(key))
        if kept is not None:
            return self._rebuilt(key, given, kept)
        started = time.process_time()
        try:
            result = solve(given, self.calibration, on_iteration)
        except DloptError as error:
            store.save(self._path(key), {"definition": given, "failure": str(error)})
            raise KeptFailureError(str(error)) from error
        seconds = time.process_time() - started
        certificate = dataclasses.asdict(result.certificate)
        if result.status != "interrupted":
            tau, epsilon, sigma = (wedge.numpy() for wedge in result.wedges)
            about = {
                "definition": given, "seconds": seconds, "status": result.status, "message": result.message,
                "certificate": certificate,
            }  # fmt: skip
            store.save(self._path(key), about, u=result.u.numpy(), tau=tau, epsilon=epsilon, sigma=sigma)
        return Solved(result.status, result.message, certificate, seconds, False, key, result)

    def drawn(self, scenario: Scenario, variant: Variant, player: str) -> np.ndarray:
        """Real income of `player`, per cent, under randomly drawn subsidies of its own, `[draw]`; NaN if unsolvable."""
        options = DrawOptions()
        given = definition(scenario, variant, self.calibration)
        path = self._path(self.key({**given, "draws": [player, dataclasses.asdict(options)]}))
        kept = store.load(path)
        if kept is not None:
            return np.asarray(kept["values"])
        result = self.solved(scenario, variant).result
        assert result is not None
        found = draw_subsidies(result, player, options).real_income_change_pct
        values = found[:, self.calibration.economy_index(player)].numpy()
        store.save(path, {"definition": given, "player": player}, values=values)
        return values

    def made(self, key: str, make: Callable[[], Made]) -> Solved:
        """What is kept under the key, or what `make` makes, put there unless interrupted.

        Raises:
            KeptFailureError: it cannot be made.
        """
        kept = store.load(self._path(key))
        if kept is None:
            started = time.process_time()
            try:
                status, message, certificate, tables = make()
            except DloptError as error:
                store.save(self._path(key), {"failure": str(error)})
                raise KeptFailureError(str(error)) from error
            seconds = time.process_time() - started
            about = {"status": status, "message": message, "certificate": certificate, "seconds": seconds}
            if status != "interrupted":
                packed = {name: store.packed(table) for name, table in tables.items()}
                store.save(self._path(key), {**about, "tables": list(tables)}, **packed)
            return Solved(status, message, certificate, seconds, False, key, tables=tables)
        if "failure" in kept:
            raise KeptFailureError(kept["failure"])
        read = {name: store.unpacked(kept[name]) for name in kept["tables"]}
        return Solved(kept["status"], kept["message"], kept["certificate"], kept["seconds"], True, key, tables=read)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _rebuilt(self, key: str, given: dict[str, Any], kept: Mapping[str, Any]) -> Solved:
        if "failure" in kept:
            raise KeptFailureError(kept["failure"])
        model, instruments = setting(given, self.calibration)
        u, *wedges = (torch.from_numpy(kept[name]) for name in ("u", "tau", "epsilon", "sigma"))
        result = SolveResult(
            kept["status"], kept["message"], Certificate(**kept["certificate"]), model, u,
            (wedges[0], wedges[1], wedges[2]), instruments,
        )  # fmt: skip
        return Solved(kept["status"], kept["message"], kept["certificate"], kept["seconds"], True, key, result)
