"""Steps of solvers in words: who moves, how far it is, when it is done; tests show no distance."""

from __future__ import annotations

import pytest

from dlopt.framework.proof import FIRST_ORDER_TOLERANCE
from dlopt.framework.steps import phase_in_words, step_in_words


@pytest.mark.parametrize(
    ("phase", "player", "residual", "words"),
    [
        ("simultaneous", None, 1.84e-3, "step 4, all players at once: off by 1.8e-03, done at 1e-08"),
        ("best response", "CHN", 3e-7, "step 4, best answer of CHN: off by 3.0e-07, done at 1e-08"),
        ("newton", None, None, "step 4, solving the equilibrium"),
        ("newton", None, 2e-5, "step 4, the planner's policies: off by 2.0e-05, done at 1e-08"),
        ("verification", "CHN", 0.3, "step 4, test: can CHN do better?"),
        ("verification", None, 0.3, "step 4, test: can anybody do better?"),
    ],
)
def test_steps_in_words(phase: str, player: str | None, residual: float | None, words: str) -> None:
    assert FIRST_ORDER_TOLERANCE == 1e-8
    assert step_in_words(4, phase, player, residual) == words


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("simultaneous", "all players at once"),
        ("best response", "best answer of each player"),
        ("newton", "the planner's policies"),
        ("verification", "tests from other points"),
        ("a phase of one's own", "a phase of one's own"),
    ],
)
def test_phases_in_words(phase: str, words: str) -> None:
    assert phase_in_words(phase) == words
