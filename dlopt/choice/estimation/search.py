"""The search for the parameters at which what was observed is most likely, inside a box.

Steps are those of the method of scoring: the gradient times the inverse of the sum over firms of outer products of
their scores (Berndt, Hall, Hall and Hausman 1974), shortened until the likelihood rises. Parameters at an edge of the
box stay there while the gradient points outwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from dlopt.choice.model import Array

EDGE = 1e-6  # of the width of the box: as near is at the edge
SHORTEST = 1 / 64  # of a step
NEAR = 0.1  # standard errors: as near has converged where the whole step does not raise the likelihood
LONGEST = 0.5  # of the width of the box, in one step
SINGULAR = 1e-12  # relative size of what the scores say of a direction below which no step is made along it


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A step of the search.

    Attributes:
        iteration: its number; steps on some of the firms count from 0, too.
        firms: how many firms it looked at.
        log_likelihood: their sum.
        decrement: length of the step that is left, in standard errors.
        point: the parameters, `[P]`.
        score: of each firm, `[N, P]`.
        outcome: `going`, `converged`, `stalled` (no step raises the likelihood) or `max_iterations`.
    """

    iteration: int
    firms: int
    log_likelihood: float
    decrement: float
    point: Array
    score: Array
    outcome: str = "going"


Scores = Callable[[Array], tuple[Array, Array]]
"""Log likelihoods `[N]` and their derivatives `[N, P]` at a point."""


def maximise(
    scores: Scores,
    start: Array,
    low: Array,
    high: Array,
    tolerance: float,
    iterations: int,
    told: Callable[[Found], bool] = lambda found: False,
    begun: int = 0,
) -> Found:
    """The point at which the sum of log likelihoods is greatest.

    Args:
        scores: log likelihoods and their derivatives.
        start, low, high: the first point and the box, `[P]` each.
        tolerance: it has converged when the step left is shorter than this, in standard errors.
        iterations: steps at most.
        told: is told each step; returns whether to stop.
        begun: steps already taken.
    """
    point = np.clip(start, low, high)
    value, score = scores(point)
    for k in range(begun, iterations + 1):
        step, decrement = _step(score, point, low, high)
        found = Found(k, len(value), float(value.sum()), decrement, point, score)
        if decrement <= tolerance:
            return dataclasses.replace(found, outcome="converged")
        if k == iterations:
            return dataclasses.replace(found, outcome="max_iterations")
        if told(found):
            return dataclasses.replace(found, outcome="stopped")
        length = min(1.0, LONGEST / np.abs(step / (high - low)).max())
        while True:
            trial = np.clip(point + length * step, low, high)
            new, new_score = scores(trial)
            if np.isfinite(new.sum()) and new.sum() > value.sum():
                point, value, score = trial, new, new_score
                break
            if decrement <= NEAR:  # derivatives of a trained value function are no better
                return dataclasses.replace(found, outcome="converged")
            length *= 0.5
            if length < SHORTEST:
                return dataclasses.replace(found, outcome="stalled")
    raise AssertionError("the loop returns")


def _step(score: Array, point: Array, low: Array, high: Array) -> tuple[Array, float]:
    """The scoring step, 0 for parameters held at an edge, and its length in standard errors."""
    gradient, width = score.sum(0), high - low
    held = ((point <= low + EDGE * width) & (gradient < 0)) | ((point >= high - EDGE * width) & (gradient > 0))
    free, step = np.flatnonzero(~held), np.zeros(len(point))
    if len(free) == 0:
        return step, 0.0
    step[free] = solved(score[:, free].T @ score[:, free], gradient[free])
    return step, float(np.sqrt(max(step @ gradient, 0.0)))


def solved(matrix: Array, right: Array) -> Array:
    """`matrix^-1 right` for a symmetric positive matrix, without its singular directions."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    inverse = np.where(values > SINGULAR * values[-1], 1 / np.maximum(values, 1e-300), 0.0)
    return np.asarray((vectors * inverse @ vectors.T) @ (right / size) / size)


def at_edge(point: Array, low: Array, high: Array) -> Array:
    """-1, 0 or 1: at the lower edge, inside, at the upper edge, `[P]`."""
    width = high - low
    return (point >= high - EDGE * width).astype(int) - (point <= low + EDGE * width).astype(int)


def rows(steps: Sequence[Found], names: Sequence[str]) -> list[dict[str, float]]:
    """Steps as rows of a table."""
    return [
        {"iteration": s.iteration, "firms": s.firms, "log_likelihood": s.log_likelihood, "decrement": s.decrement}
        | dict(zip(names, s.point, strict=True))
        for s in steps
    ]
