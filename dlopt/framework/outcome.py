"""How a solver ended, as a value whose text names the cause and the remedy."""

from __future__ import annotations

import enum


class Outcome(enum.StrEnum):
    """The end of an iteration."""

    CONVERGED = "converged"
    STALLED = "stalled"
    DIVERGED = "diverged"
    NON_FINITE = "non_finite"
    MAX_ITERATIONS = "max_iterations"
    INTERRUPTED = "interrupted"

    @property
    def remedy(self) -> str:
        """One sentence: what happened and what to try."""
        return _REMEDIES[self]


_REMEDIES = {
    Outcome.CONVERGED: "The tolerance was met.",
    Outcome.STALLED: "No step improved the residual any more: start nearer, or loosen the tolerance to what is shown.",
    Outcome.DIVERGED: "The iterates moved away: use Newton or Anderson instead of plain iteration, or damp it.",
    Outcome.NON_FINITE: "A value was not finite: the starting point or the policy is outside the model's domain.",
    Outcome.MAX_ITERATIONS: "The iteration limit was reached first: allow more iterations or start nearer.",
    Outcome.INTERRUPTED: "The run was asked to stop: resume it from what it has written.",
}
