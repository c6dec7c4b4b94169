"""No certified result of a sample of steep worlds is beaten; `python -m tests.robustness.attack` has many more."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

attacks = importlib.import_module("tests.robustness.attack")

SEEDS = range(3)
"""Of each family: 21 worlds; `docs/reliability.md` says how many more were tried by hand."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", list(attacks.FAMILIES))
def test_nobody_does_better(family: str, seed: int) -> None:
    found = attacks.attack(family, seed)
    assert not found.refuted
    if found.ended == "certified":
        assert found.climbs > 0
        # The second implementation finds the same equilibrium, and the same welfare.
        assert found.differs_pct <= 1e-8


def test_a_result_that_is_not_best_is_refuted() -> None:
    """The judge hears a player who leaves a bad policy for a better one."""
    asked = attacks.question("wide", 0)
    result, game = attacks.solved(asked)
    best = game.instruments.average(result.wedges)
    bad = game.point(torch.zeros_like(best).clamp(game.lower, game.upper))
    judge = attacks.Judge(asked, game, bad)
    assert np.isfinite(judge.welfare).all()
    judge.hear(0, bad.a)
    assert judge.gain_pct <= attacks.REFUTED_PCT
    judge.hear(0, bad.a + 0.2 * (best - bad.a), bad)
    assert judge.gain_pct > attacks.REFUTED_PCT
