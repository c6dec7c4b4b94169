"""Mean-reverting factors on a grid: the generator of an Ornstein-Uhlenbeck process as a matrix.

A factor Z is measured in long-run standard deviations: `dZ = -theta Z dt + sqrt(2 theta) dW`, generator
`L f = theta (f'' - z f')`, long-run distribution N(0, 1). Grids reach six standard deviations, from where a path
does not come back to |z| <= 4 in time to matter; at the ends `f'' = 0`.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_banded

from dlopt.choice.model import Array

REACH = 6.0  # long-run standard deviations


def factor_grid(points: int) -> Array:
    """Evenly spaced nodes on [-6, 6], `[points]`."""
    return np.linspace(-REACH, REACH, points)


def differences(z: Array) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """First and second derivative on an even grid; at its ends the second is 0. Not to be written to."""
    return _differences(len(z), float(z[1] - z[0]))


@functools.lru_cache(maxsize=16)
def _differences(n: int, h: float) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    first, second = sp.lil_matrix((n, n)), sp.lil_matrix((n, n))
    for k in range(2, n - 2):
        first[k, k - 2 : k + 3] = np.array([1, -8, 0, 8, -1]) / (12 * h)
        second[k, k - 2 : k + 3] = np.array([-1, 16, -30, 16, -1]) / (12 * h * h)
    for k in (1, n - 2):
        first[k, k - 1 : k + 2] = np.array([-0.5, 0, 0.5]) / h
        second[k, k - 1 : k + 2] = np.array([1, -2, 1]) / (h * h)
    first[0, :3] = np.array([-1.5, 2, -0.5]) / h
    first[n - 1, n - 3 :] = np.array([0.5, -2, 1.5]) / h
    return first.tocsr(), second.tocsr()


def generator(z: Array, theta: float) -> sp.csr_matrix:
    """`L` on the grid, fourth order inside, second order next to the ends, `[n, n]`."""
    first, second = differences(z)
    return (theta * (second - sp.diags(z) @ first)).tocsr()


def bands(matrix: sp.spmatrix) -> Array:
    """The five diagonals of a square matrix around its main one, as `solve_each` takes them, `[5, n]`."""
    count = matrix.shape[0]
    found = np.zeros((5, count))
    for k in range(-2, 3):
        found[2 - k, max(k, 0) : count + min(k, 0)] = matrix.diagonal(k)
    return found


def solve_each(of: Array, diagonal: Array, right: Array) -> Array:
    """`(A + diag(diagonal[j])) x[j] = right[j]` for each row j, A having the bands `of` `[5, n]`; all `[J, n]`.

    The systems are solved as one with A repeated along the diagonal, which costs one call instead of J.
    """
    rows, count = right.shape
    matrix = np.tile(of, (1, rows))
    matrix[2] += np.broadcast_to(diagonal, right.shape).ravel()
    found = solve_banded((2, 2), matrix, right.ravel(), overwrite_ab=True, check_finite=False)
    return np.asarray(found).reshape(rows, count)


def long_run_weights(z: Array) -> Array:
    """Probabilities of the grid points in the long run, `[n]`."""
    weights = np.exp(-0.5 * z**2)
    return weights / weights.sum()


def interpolation(z: Array, at: Array) -> tuple[Array, Array]:
    """Cubic interpolation on an even grid: indices `[B, 4]` and weights `[B, 4]` of the nodes around `at` `[B]`."""
    h = z[1] - z[0]
    t = (at - z[0]) / h
    left = np.clip(np.floor(t).astype(np.int64), 1, len(z) - 3)
    u = t - left
    weights = np.stack(
        [
            -u * (u - 1) * (u - 2) / 6,
            (u + 1) * (u - 1) * (u - 2) / 2,
            -(u + 1) * u * (u - 2) / 2,
            (u + 1) * u * (u - 1) / 6,
        ],
        axis=1,
    )
    return left[:, None] + np.arange(-1, 3), weights
