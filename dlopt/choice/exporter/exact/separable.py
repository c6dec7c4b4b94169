"""Exact solution without complementarity: one one-dimensional problem per destination.

With C = 0 the value is `V = sum_j V0_j(nu_j) + y_j D_j(nu_j)`, and the worth of a channel D solves

    (rho + lambda1 - L) D + lambda0 max(D - s, 0) = zeta - nu,        (rho - L) V0 = lambda0 max(D - s, 0).

Policy iteration on a grid: the first equation is solved with the set {D > s} fixed, which is then updated. It is
Newton's method on a convex equation, so it ends, exactly, after a few steps. With effort or luck in costs, the terms in
lambda0 and lambda1 are those of `dlopt.choice.effort`, and Newton's method ends when D does not change any more.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl
import torch

from dlopt.choice.effort import as_array
from dlopt.choice.exporter.model import Array, Exporter
from dlopt.choice.grid import bands, factor_grid, generator, interpolation, solve_each
from dlopt.choice.model import ModelError

Sloped = Callable[[Array, Array], Array]
SETTLED = 100  # steps within which Newton's method must settle


@dataclasses.dataclass(frozen=True)
class Option:
    """The one-dimensional problem of each destination on the grid of its own cost.

    Attributes:
        z: nodes, in long-run standard deviations of the cost, `[n]`.
        worth: D, value of an open channel over a closed one, `[J, n]`.
        waiting: V0, value of a closed channel, `[J, n]`.
        accept: where an opportunity is taken, `[J, n]` booleans.
    """

    z: Array
    worth: Array
    waiting: Array
    accept: Array


def solve_options(revenue: Array, model: Exporter, points: int = 961) -> Option:
    """Solve every destination alone, earning `revenue - nu` a year, `revenue` `[J]`."""
    z = factor_grid(points)
    operator = generator(z, model.theta)
    eye = sp.identity(points, format="csr")
    waiting_lu = spl.splu((model.rho * eye - operator).tocsc())
    flow = revenue[:, None] - model.nubar[:, None] - model.spread[:, None] * z  # [J, n]
    if not model.choosing().plain:
        worth = np.empty_like(flow)
        gain = _newton(flow, model, bands(model.rho * eye - operator), worth)
        return Option(z, worth, waiting_lu.solve(gain.T).T, worth > model.s[:, None])
    base = bands((model.rho + model.lambda1) * eye - operator)
    s = model.s[:, None]
    accept = flow > (model.rho + model.lambda1) * s
    for _ in range(SETTLED):
        worth = solve_each(base, model.lambda0 * accept, flow + model.lambda0 * accept * s)
        new = worth > s
        if (new == accept).all():
            break
        accept = new
    gain = model.lambda0 * np.maximum(worth - model.s[:, None], 0.0)
    return Option(z, worth, waiting_lu.solve(gain.T).T, worth > model.s[:, None])


def _newton(flow: Array, model: Exporter, base: Array, worth: Array) -> Array:
    """`base D + loss(D) + prize(D) = flow` for each destination into `worth` `[J, n]`; gives prize(D), `[J, n]`.

    `base` holds bands `[5, n]`.

    Raises:
        ModelError: it does not settle.
    """
    how = model.choosing()

    def terms(d: Array, s: Array) -> tuple[Array, Array, Array]:
        """Worth of opportunities, loss from failures, and the derivative of their sum."""
        opening, closing, gain = np.full_like(d, model.lambda0), np.full_like(d, model.lambda1), d - s[:, None]
        prize, loss = as_array(how.worth, opening, gain), as_array(how.loss, closing, d)
        return prize, loss, as_array(how.turns_on, opening, gain) + as_array(how.fails, closing, d)

    worth[:] = flow / (model.rho + model.lambda0 + model.lambda1)
    moving = np.arange(len(flow))
    for _ in range(SETTLED):
        before = worth[moving]
        prize, loss, slope = terms(before, model.s[moving])
        right = flow[moving] + slope * before - prize - loss
        worth[moving] = solve_each(base, slope, right)
        change = np.abs(worth[moving] - before).max(1)
        moving = moving[change > 1e-11 * (1 + np.abs(worth[moving]).max(1))]
        if len(moving) == 0:
            return terms(worth, model.s)[0]
    raise ModelError(
        f"The problem of destination {model.names[moving[0]]} alone did not settle. Check the costs of effort."
    )


class SeparableSolution:
    """Exact value of a model without complementarity, for all states, whatever the shocks behind its costs."""

    method = "separable"
    covers = "all states with costs within 6 long-run standard deviations"

    def __init__(self, model: Exporter, points: int = 961) -> None:
        self.model = model
        self.option = solve_options(model.zeta, model, points)

    def _at(self, table: Array, nu: Array) -> Array:
        """`table` `[J, n]` at the costs `nu` `[B, J]`, `[B, J]`."""
        standardised = (nu - self.model.nubar) / self.model.spread
        index, weights = interpolation(self.option.z, standardised.ravel())
        column = np.tile(np.arange(self.model.destinations), len(nu))
        return (table[column[:, None], index] * weights).sum(1).reshape(nu.shape)

    def value(self, y: Array, nu: Array) -> Array:
        """V, `[B]`, at channels `y` and costs `nu`, both `[B, J]`."""
        return (self._at(self.option.waiting, nu) + y * self._at(self.option.worth, nu)).sum(1)

    def marginal(self, y: Array, nu: Array) -> Array:
        """V with channel j open minus V with it closed, `[B, J]`."""
        return self._at(self.option.worth, nu)

    def worth(self, nu: Array, j: Array) -> Array:
        """V with channel `j[p]` open minus V with it closed, at its cost `nu[p]`, `[P]`."""
        place, t = self._place(nu, j)
        a, b, c, d = self._cubics[place].T
        return np.asarray(((a * t + b) * t + c) * t + d)

    def slopes(self, moved: Sequence[tuple[SeparableSolution, SeparableSolution, float]]) -> Sloped | None:
        """`worth`, and the difference of each pair of other solutions over a distance, in one look-up.

        Returns:
            A function of `nu` and `j`, `[P]` each, that gives `[P, 1 + n]`; None where costs have other long-run laws.
        """
        same = ("nubar", "spread")
        others = [solution.model for up, down, _ in moved for solution in (up, down)]
        if any(not np.array_equal(getattr(m, name), getattr(self.model, name)) for m in others for name in same):
            return None
        tables = [self._cubics, *((up._cubics - down._cubics) / distance for up, down, distance in moved)]
        table = torch.from_numpy(np.ascontiguousarray(np.stack(tables, axis=2)))  # [J n, 4, 1 + n]

        def at(nu: Array, j: Array) -> Array:
            place, t = (torch.from_numpy(part) for part in self._place(nu, j))
            found, t = table.index_select(0, place), t[:, None]  # faster than NumPy's
            return np.asarray(((found[:, 0] * t + found[:, 1]) * t + found[:, 2]) * t + found[:, 3])

        return at

    def _place(self, nu: Array, j: Array) -> tuple[Array, Array]:
        """The row of `_cubics` for each cost, and how far it is in that cell."""
        z = self.option.z
        t = (nu - (self.model.nubar + z[0] * self.model.spread)[j]) * (1 / ((z[1] - z[0]) * self.model.spread))[j]
        cell = np.clip(t.astype(np.int64), 1, len(z) - 3)
        return j * len(z) + cell, t - cell

    @functools.cached_property
    def _cubics(self) -> Array:
        """In each cell the cubic through the worth of the four nodes around it, highest power first, `[J n, 4]`."""
        f = np.pad(self.option.worth, ((0, 0), (1, 2)), mode="edge")
        before, at, after, next_one = (f[:, k : k + len(self.option.z)] for k in range(4))
        return np.stack(
            [
                (next_one - 3 * after + 3 * at - before) / 6,
                (after - 2 * at + before) / 2,
                (6 * after - next_one - 3 * at - 2 * before) / 6,
                at,
            ],
            axis=2,
        ).reshape(-1, 4)

    def accept(self, y: Array, nu: Array) -> Array:
        """Whether an opportunity to open j would be taken, `[B, J]` booleans (of interest where y_j = 0)."""
        return self.marginal(y, nu) > self.model.s
