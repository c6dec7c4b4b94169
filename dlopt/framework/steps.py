"""A step of a solver in plain words: what is done, how far it is, when it is done."""

from __future__ import annotations

from dlopt.framework.proof import FIRST_ORDER_TOLERANCE

_TOGETHER = "all players at once"
_PLANNER = "the planner's policies"
_TEST = "verification"
_WORDS = {
    "best response": "best answer of {who}",
    "gradient": "{who} along the gradient",
    "joint newton": _TOGETHER,
    "simultaneous": _TOGETHER,
    "newton-krylov": _TOGETHER,
    "newton": _PLANNER,
}


def phase_in_words(phase: str) -> str:
    """`all players at once`, `tests from other points`: what a part of the solver does where policies are chosen."""
    if phase == _TEST:
        return "tests from other points"
    return _WORDS.get(phase, phase).format(who="each player")


def step_in_words(iteration: int, phase: str, player: str | None, residual: float | None) -> str:
    """`step 4, all players at once: off by 1.8e-03, done at 1e-08`.

    Args:
        iteration: counts from 1.
        phase: the part of the solver.
        player: whose turn it is; None when all move together.
        residual: the largest first-order residual, None where nobody chooses anything. It is left out of tests, which
            begin far from an optimum on purpose.
    """
    if phase == _TEST:
        return f"step {iteration}, test: can {player or 'anybody'} do better?"
    if phase == "newton" and residual is None:
        return f"step {iteration}, solving the equilibrium"
    words = _WORDS.get(phase, phase).format(who=player or "all players")
    off = "" if residual is None else f": off by {residual:.1e}, done at {FIRST_ORDER_TOLERANCE:.0e}"
    return f"step {iteration}, {words}{off}"
