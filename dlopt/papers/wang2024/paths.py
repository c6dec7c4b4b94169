"""The published algorithm, played for its full budget from the baseline: what Figure 3 shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dlopt.framework.best_response import BestResponse
from dlopt.papers.engine.cache import Cache, Made, Solved
from dlopt.papers.engine.problem import OnIteration, Variant
from dlopt.papers.wang2024.scenarios import SCENARIOS, definition, solve
from dlopt.trade.calibration import Calibration
from dlopt.trade.distance import distance_table

GAME = "dual"


@dataclasses.dataclass(frozen=True)
class Path:
    """The published algorithm at one learning rate; everything else is as in the paper's Table 1."""

    options: BestResponse

    @property
    def title(self) -> str:
        """What is played, in words."""
        return f"published algorithm, learning rate {self.options.learning_rate:g}, {self.options.rounds} rounds"

    @property
    def measured(self) -> bool:
        """It is not expected to converge."""
        return True

    def readings(self, variants: Sequence[Variant]) -> Sequence[Variant]:
        """It is played in the first alone."""
        return variants[:1]

    def check(self, calibration: Calibration) -> None:
        """Raises: UnavailableError: the calibration lacks what the game names."""
        SCENARIOS[GAME].check(calibration)

    def key(self, cache: Cache, variant: Variant | None) -> str:
        """Digest of everything the path depends on."""
        given = definition(SCENARIOS[GAME], variant, cache.calibration)
        return cache.key({**given, "path": dataclasses.asdict(self.options)})

    def solve(self, cache: Cache, variant: Variant | None, on_iteration: OnIteration | None = None) -> Solved:
        """Table `distance`: after every player's turn, how far rates and welfare are from the certified equilibrium.

        Its columns are those of `dlopt.trade.distance.distance_table` and `turns`: how often each player has played.

        Raises:
            UnavailableError: the calibration lacks what the game names.
            KeptFailureError: the solvers refused.
        """
        scenario = SCENARIOS[GAME]
        scenario.check(cache.calibration)

        def make() -> Made:
            given = definition(scenario, variant, cache.calibration)
            result = solve(given, cache.calibration, on_iteration, solver=self.options)
            certificate = dataclasses.asdict(result.certificate)
            if result.status == "interrupted":
                return result.status, result.message, certificate, {}
            reference = scenario.solve(cache, variant, on_iteration)
            if reference.status == "interrupted" or reference.result is None:
                return "interrupted", reference.message, certificate, {}
            measured = dataclasses.replace(result, reference=reference.result)
            return result.status, result.message, certificate, {"distance": _numbered(distance_table(measured))}

        return cache.made(self.key(cache, variant), make)


PATHS = {f"path_{rate:g}": Path(BestResponse(learning_rate=rate)) for rate in (1e-4, 5e-4, 1e-3)}
"""The three learning rates of Figure 3."""


def _numbered(distance: pd.DataFrame) -> pd.DataFrame:
    players: Any = distance["player"].nunique(dropna=False)
    return distance.assign(turns=[(turn + 1) / players for turn in range(len(distance))])
