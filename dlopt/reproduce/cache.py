"""Solved equilibria, kept by what they depend on: calibration, definition of the problem, and code."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.resources
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dlopt
from dlopt.calibrations.bundle import digest
from dlopt.files import replacing
from dlopt.reproduce.scenarios import Scenario, Variant, check, definition, setting, solve
from dlopt.trade.api import OnIteration
from dlopt.trade.calibration import Calibration
from dlopt.trade.certificate import Certificate
from dlopt.trade.draws import DrawOptions, draw_subsidies
from dlopt.trade.results import SolveResult

_SOURCES = {
    "dlopt.trade": (
        "accounting", "api", "balance", "calibration", "certificate", "curvature", "derivatives", "equilibrium",
        "factors", "game", "instruments", "model", "planner", "policy", "run",
    ),
    "dlopt.framework": ("ascent", "autodiff", "game", "nash", "outcome", "root"),
}  # fmt: skip
"""The modules that make a solution; the others only read solutions, or are other methods."""


@dataclasses.dataclass(frozen=True)
class Solved:
    """A solution and what it took.

    Attributes:
        result: the solution, as good as new except for its iterations.
        seconds: wall time of the solve, whenever that was.
        cached: whether it was solved earlier.
    """

    result: SolveResult
    seconds: float
    cached: bool


@dataclasses.dataclass(frozen=True)
class Cache:
    """A folder of solutions for one calibration."""

    folder: Path
    calibration: Calibration

    @functools.cached_property
    def _world(self) -> str:
        return digest(self.calibration)

    def key(self, given: Mapping[str, Any]) -> str:
        """Digest of everything that the numbers depend on."""
        content = [dlopt.__version__, code_digest(), self._world, given]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    def has(self, scenario: Scenario, variant: Variant) -> bool:
        """Whether `solved` would find it."""
        return self._path(definition(scenario, variant, self.calibration)).is_file()

    def solved(self, scenario: Scenario, variant: Variant, on_iteration: OnIteration | None = None) -> Solved:
        """From the cache, or solved and put there unless interrupted.

        Raises:
            UnavailableError: the calibration lacks what the scenario names.
            DloptError: as the solvers.
        """
        check(scenario, self.calibration)
        given = definition(scenario, variant, self.calibration)
        stored = self._load(self._path(given))
        if stored is not None:
            return Solved(self._rebuilt(given, stored), stored["seconds"], True)
        started = time.perf_counter()
        result = solve(given, self.calibration, on_iteration)
        seconds = time.perf_counter() - started
        if result.status != "interrupted":
            tau, epsilon, sigma = (wedge.numpy() for wedge in result.wedges)
            about = {
                "definition": given, "seconds": seconds, "status": result.status, "message": result.message,
                "certificate": dataclasses.asdict(result.certificate),
            }  # fmt: skip
            self._store(self._path(given), about, u=result.u.numpy(), tau=tau, epsilon=epsilon, sigma=sigma)
        return Solved(result, seconds, False)

    def drawn(self, scenario: Scenario, variant: Variant, player: str) -> np.ndarray:
        """Real income of `player`, per cent, under randomly drawn subsidies of its own, `[draw]`; NaN if unsolvable."""
        options = DrawOptions()
        given = definition(scenario, variant, self.calibration)
        path = self._path({**given, "draws": [player, dataclasses.asdict(options), _source("dlopt.trade", "draws")]})
        stored = self._load(path)
        if stored is not None:
            return np.asarray(stored["values"])
        result = self.solved(scenario, variant).result
        found = draw_subsidies(result, player, options).real_income_change_pct
        values = found[:, self.calibration.economy_index(player)].numpy()
        self._store(path, {"definition": given, "player": player}, values=values)
        return values

    def _path(self, given: Mapping[str, Any]) -> Path:
        return self.folder / f"{self.key(given)}.npz"

    def _store(self, path: Path, about: Mapping[str, Any], **arrays: np.ndarray) -> None:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)

    def _load(self, path: Path) -> dict[str, Any] | None:
        """What was stored; a damaged file counts as missing."""
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
            return {**content, **json.loads(str(content.pop("about")))}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def _rebuilt(self, given: dict[str, Any], stored: Mapping[str, Any]) -> SolveResult:
        model, instruments = setting(given, self.calibration)
        u, *wedges = (torch.from_numpy(stored[name]) for name in ("u", "tau", "epsilon", "sigma"))
        certificate = Certificate(**stored["certificate"])
        return SolveResult(
            stored["status"], stored["message"], certificate, model, u, (wedges[0], wedges[1], wedges[2]), instruments
        )


@functools.cache
def code_digest() -> str:
    """Of the sources that make a solution."""
    parts = (_source(package, name) for package, names in _SOURCES.items() for name in names)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _source(package: str, name: str) -> str:
    return hashlib.sha256((importlib.resources.files(package) / f"{name}.py").read_bytes()).hexdigest()
