"""Newton-Kantorovich with a reused factorisation (chord Newton) and a safeguard, for `residual(u) = 0`."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

from torch import Tensor

from dlopt.framework.linear import Factorisation, LinearSolveError, LinearSolver
from dlopt.framework.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class RootOptions:
    """Options of `solve_root`.

    Attributes:
        tolerance: largest absolute residual accepted.
        max_iterations: residual evaluations allowed for accepted steps.
        chord: keep a factorisation as long as a step with it shrinks the residual to this fraction; 0 factorises
            at every step (Newton-Kantorovich).
        max_step: largest change of any unknown in one step.
        shortest: give up where a Newton step must be shortened below this fraction.
    """

    tolerance: float = 1e-11
    max_iterations: int = 100
    chord: float = 0.25
    max_step: float = 2.0
    shortest: float = 1e-6


@dataclasses.dataclass(frozen=True)
class RootResult:
    """Where `solve_root` ended.

    Attributes:
        outcome: how.
        u: the point, `[size]`.
        residual: largest absolute residual there.
        iterations: accepted steps.
        factorisation: the last one made (not necessarily at `u`), None if none was needed.
        history: largest absolute residual before each step.
    """

    outcome: Outcome
    u: Tensor
    residual: float
    iterations: int
    factorisation: LinearSolver | None
    history: tuple[float, ...]


def solve_root(
    residual: Callable[[Tensor], Tensor],
    jacobian: Callable[[Tensor], Any],
    u: Tensor,
    options: RootOptions = RootOptions(),
    factorisation: LinearSolver | None = None,
    factorise: Callable[[Any], LinearSolver] = Factorisation,
) -> RootResult:
    """Solve `residual(u) = 0` from `u` by chord Newton; a fresh Newton step is shortened until it leads nearer.

    Nearer is measured by the correction that the same factorisation asks for next (Deuflhard's natural monotonicity),
    which no scaling of equations or unknowns can change. Steps taken with one factorisation improve it by Broyden's
    updates.

    Args:
        residual: `[size] -> [size]`.
        jacobian: `[size] -> [size, size]`, or what `factorise` takes; called only when a factorisation is needed.
        u: starting point, `[size]`.
        options: see `RootOptions`.
        factorisation: of the Jacobian at some point near `u`, to begin with.
        factorise: makes one from a Jacobian; a structured matrix may have a cheaper one than LU.

    Source: Wang, Xu, Yang, Zhu (2024), equation (6).
    """
    r = residual(u)
    norm = float(r.abs().max())
    history: list[float] = []

    def result(outcome: Outcome) -> RootResult:
        return RootResult(outcome, u, norm, len(history), factorisation, tuple(history))

    if norm != norm or norm == float("inf"):
        return result(Outcome.NON_FINITE)
    fresh = False
    step: Tensor | None = None
    taken: list[Tensor] = []  # steps since the factorisation
    while norm > options.tolerance:
        if len(history) >= options.max_iterations:
            return result(Outcome.MAX_ITERATIONS)
        if factorisation is None:
            try:
                factorisation, fresh = factorise(jacobian(u)), True
            except RuntimeError:  # torch's own, where a caller factors by itself
                return result(Outcome.STALLED)
            if getattr(factorisation, "singular", False):
                return result(Outcome.STALLED)
        if step is None:
            try:
                step = factorisation.solve(-r)
            except LinearSolveError:
                return result(Outcome.STALLED)
        length = float(step.norm())
        if length != length:
            return result(Outcome.NON_FINITE)
        scale, accepted = min(1.0, options.max_step / max(float(step.abs().max()), 1e-300)), False
        while not accepted and scale >= options.shortest:
            trial = u + scale * step
            trial_r = residual(trial)
            trial_norm = float(trial_r.abs().max())
            correction, ratio = step, float("inf")
            if trial_norm < float("inf"):
                with contextlib.suppress(LinearSolveError):
                    correction = _updated(factorisation.solve(-trial_r), taken)
                    ratio = float(correction.norm()) / length
            accepted = ratio <= (1 - scale / 4 if fresh else options.chord) or trial_norm <= options.tolerance
            if not fresh:
                break
            scale /= 2
        if not accepted and fresh:
            return result(Outcome.STALLED)
        if accepted:
            history.append(norm)
            u, r, norm, fresh = trial, trial_r, trial_norm, False
        if accepted and ratio <= options.chord:
            taken.append(scale * step)
            along = float(taken[-1] @ correction) / float(taken[-1] @ taken[-1])
            step = correction / (1 - along) if scale == 1 else correction
        else:
            step, factorisation = None, None
            taken.clear()
    return result(Outcome.CONVERGED)


def _updated(correction: Tensor, taken: list[Tensor]) -> Tensor:
    """What Broyden's updates along the steps taken make of a solve with the old factors (Kelley 1995, section 7.3)."""
    for before, after in itertools.pairwise(taken):
        correction = correction + after * (float(before @ correction) / float(before @ before))
    return correction
