"""A step of a solver in plain words: what is done, how far it is, when it is done."""

from __future__ import annotations

from dlopt.framework.proof import FIRST_ORDER_TOLERANCE

_TOGETHER = "{who} at once"
_WORDS = {
    "best response": "best answer of {who}",
    "gradient": "{who} along the gradient",
    "joint newton": _TOGETHER,
    "simultaneous": _TOGETHER,
    "newton-krylov": _TOGETHER,
    "verification": "test: can {who} do better?",
}
_TEST = "verification"
_EQUILIBRIUM = "solving the equilibrium"


def phase_in_words(phase: str) -> str:
    """`all players at once`, `tests from other points`: what a part of the solver does."""
    if phase == _TEST:
        return "tests from other points"
    if phase == "newton":  # where a choice is made, it is that of a planner
        return "the planner's policies"
    return _WORDS.get(phase, phase).format(who="all players" if "{who} at" in _WORDS.get(phase, "") else "each player")


def step_in_words(iteration: int, phase: str, player: str | None, residual: float | None) -> str:
    """`step 4, all players at once: off by 1.8e-03, done at 1e-08`.

    Args:
        iteration: counts from 1.
        phase: the part of the solver.
        player: whose turn it is; None when all move together.
        residual: the largest first-order residual, None where nobody chooses anything. It is left out of tests, which
            begin far from an optimum on purpose.
    """
    if phase == "newton":  # of given policies, or of a planner's
        words = _EQUILIBRIUM if residual is None else "the planner's policies"
    else:
        words = _WORDS.get(phase, phase).format(who=player or ("anybody" if phase == _TEST else "all players"))
    told = residual is not None and phase != _TEST
    off = f": off by {residual:.1e}, done at {FIRST_ORDER_TOLERANCE:.0e}" if told else ""
    return f"step {iteration}, {words}{off}"
