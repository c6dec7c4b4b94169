"""How sure estimates are, and what the data say about which direction.

With s_i the score of firm i and H the sum of the derivatives of the scores, the covariance of the estimates is

    sandwich: H^-1 (sum_i s_i s_i') H^-1,        hessian: -H^-1,        opg: (sum_i s_i s_i')^-1,

the first right whether or not the model is, the others where it is. The bootstrap draws firms with replacement and
makes one Newton step from the estimate to that of each draw, with the draw's own scores and Hessian (Davidson and
MacKinnon 1999; Andrews 2002).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from dlopt.choice.estimation.search import Scores, at_edge
from dlopt.choice.model import Array

NUDGE = 0.1  # standard errors: how far scores are looked at to differentiate them
FLAT = 1e-4  # relative size of the information along a direction below which it counts as flat
NAMED = 0.3  # share of a direction from which a parameter is named in it
Z95 = 1.959963984540054


@dataclasses.dataclass(frozen=True, eq=False)
class Inference:
    """What follows from the scores at an estimate of P parameters.

    Attributes:
        free: parameters inside the box, the only ones with standard errors, `[P]` booleans.
        sandwich, hessian, opg: covariances, NaN where a parameter is at an edge, `[P, P]` each.
        bootstrap: estimates of the draws, `[D, P]`.
        information: minus the sum of the derivatives of the scores, `[P, P]`.
    """

    free: Array
    sandwich: Array
    hessian: Array
    opg: Array
    bootstrap: Array
    information: Array

    def errors(self, name: str) -> Array:
        """Standard errors by one of the covariances, or `bootstrap`, `[P]`."""
        if name == "bootstrap":
            return self.bootstrap.std(0, ddof=1) if len(self.bootstrap) > 1 else np.full(len(self.free), np.nan)
        covariance = getattr(self, name)
        return np.sqrt(np.where(np.diag(covariance) >= 0, np.diag(covariance), np.nan))


def infer(
    scores: Scores, point: Array, score: Array, low: Array, high: Array, draws: int, rng: np.random.Generator
) -> Inference:
    """Covariances at an estimate.

    Args:
        scores: log likelihoods and their derivatives at any point.
        point, score: the estimate `[P]`, and the score of each firm there `[N, P]`.
        low, high: the box, `[P]`.
        draws: of the bootstrap.
        rng: source of randomness.
    """
    count = len(point)
    free = at_edge(point, low, high) == 0
    inside = np.flatnonzero(free)
    outer = score.T @ score
    opg = _inverse(outer, inside)
    size = np.sqrt(np.diag(opg))
    each = np.full((len(score), count, count), np.nan)
    for k in inside:
        moved = point.copy()
        nudge = min(NUDGE * size[k], 0.1 * (high[k] - low[k])) if np.isfinite(size[k]) else 1e-3 * (high[k] - low[k])
        moved[k] += nudge if point[k] + nudge <= high[k] else -nudge
        each[:, :, k] = (scores(moved)[1] - score) / (moved[k] - point[k])
    total = each.sum(0)
    information = -0.5 * (total + total.T)
    hessian = _inverse(information, inside)
    sandwich = np.full((count, count), np.nan)
    grid = np.ix_(inside, inside)
    sandwich[grid] = hessian[grid] @ outer[grid] @ hessian[grid]
    made = np.full((draws, count), np.nan)
    if len(inside) and np.isfinite(hessian[grid]).all():
        for d in range(draws):
            weight = np.bincount(rng.integers(0, len(score), len(score)), minlength=len(score)).astype(float)
            slope = -np.einsum("n,npq->pq", weight, each[:, inside][:, :, inside])
            made[d, inside] = np.linalg.lstsq(slope, weight @ score[:, inside], rcond=None)[0]
        made += point
    return Inference(free, sandwich, hessian, opg, made, information)


def _inverse(matrix: Array, inside: Array) -> Array:
    """The inverse over some parameters, NaN elsewhere and where there is none."""
    out = np.full(matrix.shape, np.nan)
    if len(inside) == 0:
        return out
    part = matrix[np.ix_(inside, inside)]
    size = np.sqrt(np.abs(np.diag(part)))
    if (size == 0).any() or not np.isfinite(part).all() or np.linalg.cond(part / np.outer(size, size)) > 1e14:
        return out
    out[np.ix_(inside, inside)] = np.linalg.inv(part / np.outer(size, size)) / np.outer(size, size)
    return out


@dataclasses.dataclass(frozen=True)
class Direction:
    """A direction in the space of parameters, each in widths of the box.

    Attributes:
        information: what the data say of it: the inverse of the variance along it, widths of the box to the -2.
        deviation: standard deviation along it, in widths of the box.
        weights: of each parameter, `[P]`.
        words: the parameters that make it up.
        flat: whether the data say next to nothing of it.
    """

    information: float
    deviation: float
    weights: tuple[float, ...]
    words: str
    flat: bool


def directions(information: Array, names: Sequence[str], low: Array, high: Array) -> tuple[list[Direction], float]:
    """The directions along which the data say least to most, and the condition number of the information.

    A direction is flat where the information is below 1e-4 of the greatest, or where the standard deviation along it
    exceeds half the box.
    """
    width = high - low
    scaled = information * np.outer(width, width)
    if not np.isfinite(scaled).all():
        return [], float("nan")
    values, vectors = np.linalg.eigh(scaled)
    found = []
    for value, vector in zip(values, vectors.T, strict=True):
        vector = vector * (1 if vector[np.abs(vector).argmax()] > 0 else -1)
        deviation = float(1 / np.sqrt(value)) if value > 0 else float("inf")
        parts = [f"{names[k]} {'up' if vector[k] > 0 else 'down'}"
                 for k in np.argsort(-np.abs(vector)) if abs(vector[k]) >= NAMED]  # fmt: skip
        flat = bool(value <= FLAT * values[-1] or deviation > 0.5)
        found.append(Direction(float(value), deviation, tuple(map(float, vector)), ", ".join(parts), flat))
    condition = float(values[-1] / values[0]) if values[0] > 0 else float("inf")
    return found, condition


def interval(value: Array, error: Array) -> tuple[Array, Array]:
    """95 % intervals from normal quantiles."""
    return value - Z95 * error, value + Z95 * error
