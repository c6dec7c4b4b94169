"""Exact solution by blocks: destinations that interact only within small groups.

V is a sum over blocks; each depends on the 2^b channels of the block and on the two factors behind its costs,
`nu = nubar + loading Z`. (More shocks are two factors, too, where the loadings of the block span no more than a plane:
those of a block of two, each with a shock of its own.) On a grid of (Z0, Z1) the equation of a block of b
destinations is, with any constant acceptance probability q put on the left,

    (rho - L_0 - L_1 - Q) V = u + lambda0 sum_j (1 - y_j) [max(D_j V - s_j, 0) - q D_j V],

Q being the jump operator under q. The left side is a sum of operators that act on one axis each (two factor axes, b
channel axes), so diagonalising each small matrix inverts it at the cost of a few matrix products. The right side is
iterated on with Anderson acceleration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.sparse.csgraph import connected_components

from dlopt.choice.effort import as_array
from dlopt.choice.exporter.model import Array, Exporter
from dlopt.choice.grid import factor_grid, generator, interpolation
from dlopt.choice.model import ModelError, StateError

LARGEST_BLOCK = 7
MEMORY = 8  # past iterates Anderson acceleration combines
OFF_MANIFOLD = 1e-4  # long-run standard deviations


def find_blocks(model: Exporter) -> list[Array]:
    """Groups of destinations that no complementarity connects with the rest, each as sorted indices."""
    count, label = connected_components(model.pair != 0, directed=False)
    return [np.flatnonzero(label == k) for k in range(count)]


def on_two_factors(block: Exporter) -> Exporter | None:
    """The same law of costs from two shocks; None where two cannot make it."""
    if block.sigma.shape[1] == 2:
        return block
    directions, sizes, _ = np.linalg.svd(block.sigma, full_matrices=False)
    if (sizes[2:] > 1e-12 * sizes[0]).any():
        return None
    two = np.zeros((block.destinations, 2))
    two[:, : len(sizes)] = (directions * sizes)[:, :2]
    return dataclasses.replace(block, sigma=two)


def covers(model: Exporter) -> bool:
    """Whether the blocks of a model are small, and two factors move the costs of each."""
    blocks = find_blocks(model)
    small = max(len(block) for block in blocks) <= LARGEST_BLOCK
    return small and all(on_two_factors(model.subset(block)) is not None for block in blocks)


def channel_table(b: int) -> Array:
    """All 2^b states of b channels, `[2^b, b]`, channel 0 the slowest axis."""
    return np.array(np.meshgrid(*[[0.0, 1.0]] * b, indexing="ij")).reshape(b, -1).T


def solve_block(block: Exporter, points: int, tolerance: float = 1e-9, q: float = 0.7) -> Array:
    """V of one block on the grid, `[n, n] + [2] * b`: factors Z0, Z1, then the channels.

    Raises:
        ModelError: the iteration does not settle (a model far outside sensible parameters).
    """
    z, b, how = factor_grid(points), block.destinations, block.choosing()
    y = channel_table(b)
    shape = (points, points) + (2,) * b
    nu = block.nubar + z[:, None, None] * block.loading[:, 0] + z[None, :, None] * block.loading[:, 1]
    profit = (block.zeta - nu) @ y.T + ((y @ block.c) * y).sum(1)  # [n, n, 2^b]
    profit = profit.reshape(shape)
    solve = _constant_policy_inverse(block, generator(z, block.theta).toarray(), q)

    def update(v: Array) -> Array:
        """One pass: the right side at v, then the left side inverted."""
        source = profit.copy()
        for j in range(b):
            gain = np.diff(v, axis=2 + j)
            if how.plain:
                source[_axis(2 + j, slice(0, 1))] += block.lambda0 * (np.maximum(gain - block.s[j], 0.0) - q * gain)
                continue
            opening, closing = np.full_like(gain, block.lambda0), np.full_like(gain, block.lambda1)
            source[_axis(2 + j, slice(0, 1))] += as_array(how.worth, opening, gain - block.s[j]) - opening * q * gain
            source[_axis(2 + j, slice(1, 2))] -= as_array(how.loss, closing, gain) - closing * gain
        return solve(source)

    v = solve(profit)
    steps: list[Array] = []
    residuals: list[Array] = []
    for _ in range(500):
        image = update(v)
        residual = image - v
        if np.abs(residual).max() <= tolerance * np.abs(image).max():
            return image
        steps, residuals = [*steps, image][-MEMORY:], [*residuals, residual][-MEMORY:]
        v = _anderson(steps, residuals)
    raise ModelError(
        f"The exact solution of block {block.names} did not settle. Check its rates and complementarities."
    )


def _axis(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)


def _anderson(images: list[Array], residuals: list[Array]) -> Array:
    """Combination of past images whose combined residual is least."""
    if len(images) == 1:
        return images[0]
    matrix = np.stack([(r - residuals[-1]).ravel() for r in residuals[:-1]])
    gram = matrix @ matrix.T
    weights = np.linalg.lstsq(gram, -matrix @ residuals[-1].ravel(), rcond=1e-12)[0]
    out = (1 - weights.sum()) * images[-1]
    for weight, image in zip(weights, images[:-1], strict=True):
        out += weight * image
    return out


def _constant_policy_inverse(block: Exporter, factor_operator: Array, q: float) -> Callable[[Array], Array]:
    """Inverse of `rho - L_0 - L_1 - Q` as a function of a `[n, n, 2, ..., 2]` array, by diagonalising every axis."""
    b = block.destinations
    values, vectors = np.linalg.eig(factor_operator)
    inverse = np.linalg.inv(vectors)
    on = block.lambda0 * q
    jump_values, jump_vectors = np.linalg.eig(np.array([[-on, on], [block.lambda1, -block.lambda1]]))
    jump_inverse = np.linalg.inv(jump_vectors)
    eigenvalue = block.rho - values[:, None] - values[None, :]
    for _ in range(b):
        eigenvalue = eigenvalue[..., None] - jump_values

    def along(matrix: Array, v: Array, axis: int) -> Array:
        shape = v.shape
        if axis == 0:
            return (matrix @ v.reshape(shape[0], -1)).reshape(shape)
        flat = v.reshape(int(np.prod(shape[:axis])), shape[axis], -1)
        return np.matmul(matrix, flat).reshape(shape)

    def transform(factors: Array, jumps: Array, v: Array) -> Array:
        for axis in range(2 + b):
            v = along(factors if axis < 2 else jumps, v, axis)
        return v

    def solve(source: Array) -> Array:
        out = transform(vectors, jump_vectors, transform(inverse, jump_inverse, source) / eigenvalue)
        return np.ascontiguousarray(out.real)

    return solve


class BlocksSolution:
    """Exact value when the interacting groups of destinations are small, on the manifold of the two factors of each."""

    method = "blocks"
    covers = "states whose costs, block by block, are nubar + loading Z for some Z with |Z| <= 6"

    def __init__(self, model: Exporter, points: int = 97) -> None:
        self.model = model
        self.blocks = find_blocks(model)
        largest = max(len(block) for block in self.blocks)
        if largest > LARGEST_BLOCK:
            raise ModelError(
                f"The exact solution by blocks covers blocks of up to {LARGEST_BLOCK} destinations; this model has one "
                f"of {largest}. Use the default method, whose certificate needs no exact solution."
            )
        self.z = factor_grid(points)
        self.parts = []
        for block in self.blocks:
            part = on_two_factors(model.subset(block))
            if part is None:
                raise ModelError(
                    "The exact solution by blocks covers blocks whose costs two factors move; more move those of "
                    f"{', '.join(model.names[j] for j in block)}. Use the default method, whose certificate needs no "
                    "exact solution."
                )
            self.parts.append(part)
        self.tables = [solve_block(part, points).reshape(points * points, -1) for part in self.parts]

    def _all_states(self, block: int, nu: Array) -> Array:
        """V of a block in each of its 2^b states of channels at the costs `nu` `[B, J]`, `[B, 2^b]`."""
        part = self.parts[block]
        factors, misfit = part.factors(nu[:, self.blocks[block]])
        if misfit.max(initial=0.0) > OFF_MANIFOLD:
            raise StateError(
                "The exact solution by blocks covers costs that two factors generate; the costs of "
                f"{', '.join(part.names)} are up to {misfit.max():.3g} long-run standard deviations away from that."
            )
        (i0, w0), (i1, w1) = interpolation(self.z, factors[:, 0]), interpolation(self.z, factors[:, 1])
        index = i0[:, :, None] * len(self.z) + i1[:, None, :]
        weights = (w0[:, :, None] * w1[:, None, :]).reshape(len(nu), 1, 16)
        return np.matmul(weights, self.tables[block][index.reshape(len(nu), 16)])[:, 0]

    def _solve(self, y: Array, nu: Array) -> tuple[Array, Array]:
        value, marginal = np.zeros(len(y)), np.empty(y.shape)
        rows = np.arange(len(y))
        for k, block in enumerate(self.blocks):
            bit = 2 ** np.arange(len(block))[::-1]  # channel 0 is the slowest axis
            code = y[:, block].round().astype(int) @ bit
            values = self._all_states(k, nu)
            value += values[rows, code]
            for j, weight in zip(block, bit, strict=True):
                closed = code & ~weight
                marginal[:, j] = values[rows, closed | weight] - values[rows, closed]
        return value, marginal

    def _in_parts(self, y: Array, nu: Array) -> tuple[Array, Array]:
        parts = [self._solve(y[k : k + 2048], nu[k : k + 2048]) for k in range(0, max(len(y), 1), 2048)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def value(self, y: Array, nu: Array) -> Array:
        """V, `[B]`, at channels `y` and costs `nu`, both `[B, J]`."""
        return self._in_parts(y, nu)[0]

    def marginal(self, y: Array, nu: Array) -> Array:
        """V with channel j open minus V with it closed, `[B, J]`."""
        return self._in_parts(y, nu)[1]

    def accept(self, y: Array, nu: Array) -> Array:
        """Whether an opportunity to open j would be taken, `[B, J]` booleans (of interest where y_j = 0)."""
        return self.marginal(y, nu) > self.model.s
