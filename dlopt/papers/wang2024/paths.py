"""The published algorithm, played for its full budget from the baseline: what Figure 3 shows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from dlopt.framework.best_response import BestResponse
from dlopt.papers.engine.cache import Cache, Made, Solved
from dlopt.papers.wang2024.scenarios import SCENARIOS, Variant, check, definition, solve
from dlopt.trade.api import OnIteration
from dlopt.trade.distance import distance_table

GAME = "dual"
PATHS = {f"path_{rate:g}": BestResponse(learning_rate=rate) for rate in (1e-4, 5e-4, 1e-3)}
"""The three learning rates of Figure 3; everything else is as in the paper's Table 1."""


def title(name: str) -> str:
    """What is played, in words."""
    options = PATHS[name]
    return f"published algorithm, learning rate {options.learning_rate:g}, {options.rounds} rounds"


def key(cache: Cache, name: str, variant: Variant) -> str:
    """Digest of everything the path depends on."""
    given = definition(SCENARIOS[GAME], variant, cache.calibration)
    return cache.key({**given, "path": dataclasses.asdict(PATHS[name])})


def path(cache: Cache, name: str, variant: Variant, on_iteration: OnIteration | None = None) -> Solved:
    """Table `distance`: after every player's turn, how far rates and welfare are from the certified equilibrium.

    Its columns are those of `dlopt.trade.distance.distance_table` and `turns`: how often each player has played.

    Raises:
        UnavailableError: the calibration lacks what the game names.
        KeptFailureError: the solvers refused.
    """
    scenario = SCENARIOS[GAME]
    check(scenario, cache.calibration)

    def make() -> Made:
        given = definition(scenario, variant, cache.calibration)
        result = solve(given, cache.calibration, on_iteration, solver=PATHS[name])
        certificate = dataclasses.asdict(result.certificate)
        if result.status == "interrupted":
            return result.status, result.message, certificate, {}
        reference = cache.solved(scenario, variant, on_iteration)
        if reference.status == "interrupted" or reference.result is None:
            return "interrupted", reference.message, certificate, {}
        measured = dataclasses.replace(result, reference=reference.result)
        return result.status, result.message, certificate, {"distance": _numbered(distance_table(measured))}

    return cache.made(key(cache, name, variant), make)


def _numbered(distance: pd.DataFrame) -> pd.DataFrame:
    players: Any = distance["player"].nunique(dropna=False)
    return distance.assign(turns=[(turn + 1) / players for turn in range(len(distance))])
