"""What a set of tables and figures is computed from: a calibration, the variants, and every solution they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlopt.errors import DloptError
from dlopt.reproduce.cache import Cache, Solved
from dlopt.reproduce.scenarios import SCENARIOS, Scenario, UnavailableError, Variant, check
from dlopt.trade.api import OnIteration
from dlopt.trade.calibration import Calibration
from dlopt.trade.results import SolveResult

CERTIFIED, NOT_CERTIFIED, UNAVAILABLE, FAILED = "certified", "not certified", "unavailable", "failed"
NOT_SOLVED = "data"
"""Status of numbers that no solve is behind: elasticities, settings."""
_WORST = (FAILED, NOT_CERTIFIED, UNAVAILABLE, CERTIFIED)


class StoppedError(DloptError):
    """Asked to stop; what was solved is kept."""

    def __init__(self) -> None:
        super().__init__("Stopped. What was solved is kept: the same command goes on from there.")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One scenario in one variant, solved or not.

    Attributes:
        solved: None where there is no solution.
        status: `certified`, `not certified`, `unavailable` or `failed`.
        message: the solver's, or why there is no solution.
    """

    scenario: Scenario
    variant: Variant
    solved: Solved | None
    status: str
    message: str

    @property
    def result(self) -> SolveResult | None:
        """The solution."""
        return self.solved.result if self.solved else None


class Study:
    """Solutions by scenario and variant, each solved once."""

    def __init__(self, cache: Cache, variants: Sequence[Variant], on_iteration: OnIteration | None = None) -> None:
        self.cache, self.variants, self.on_iteration = cache, tuple(variants), on_iteration
        self.entries: dict[tuple[str, Variant], Entry] = {}

    @property
    def calibration(self) -> Calibration:
        """The world that is studied."""
        return self.cache.calibration

    def get(self, name: str, variant: Variant) -> Entry:
        """The solution of a scenario, solved now if it must be.

        Raises:
            StoppedError: `on_iteration` asked the solver to stop.
        """
        key = (name, variant)
        if key not in self.entries:
            self.entries[key] = self._entry(SCENARIOS[name], variant)
        return self.entries[key]

    def draws(self, name: str, variant: Variant, player: str) -> np.ndarray | None:
        """Welfare of `player` under random subsidies around the solution; None where there is no solution."""
        entry = self.get(name, variant)
        if entry.result is None or player not in self.calibration.economies:
            return None
        return self.cache.drawn(entry.scenario, variant, player)

    def _entry(self, scenario: Scenario, variant: Variant) -> Entry:
        try:
            check(scenario, self.calibration)
            solved = self.cache.solved(scenario, variant, self.on_iteration)
        except UnavailableError as error:
            return Entry(scenario, variant, None, UNAVAILABLE, str(error))
        except DloptError as error:
            return Entry(scenario, variant, None, FAILED, str(error))
        result = solved.result
        if result.status == "interrupted":
            raise StoppedError
        status = CERTIFIED if result.status == "converged" else NOT_CERTIFIED
        return Entry(scenario, variant, solved, status, result.message)

    def runs(self) -> pd.DataFrame:
        """One row per solution used: how long it took and its certificate."""
        return pd.DataFrame([
            {
                "scenario": entry.scenario.name,
                "title": entry.scenario.title,
                "variant": entry.variant.name,
                "status": entry.status,
                "seconds": entry.solved.seconds if entry.solved else float("nan"),
                "from_cache": bool(entry.solved and entry.solved.cached),
                **(dataclasses.asdict(entry.solved.result.certificate) if entry.solved else {}),
                "message": entry.message,
            }
            for entry in self.entries.values()
        ])  # fmt: skip


def worst(statuses: Sequence[str]) -> str:
    """The status of a number that rests on several solutions."""
    return next((status for status in _WORST if status in statuses), NOT_SOLVED)
