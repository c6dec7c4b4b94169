"""Exact solution with identical destinations: the number of open channels is all that matters.

With every c_jm = c (j != m) and one cost nu for all, V depends on (n, nu), n = sum_j y_j:

    rho V = n (zeta - nu) + c n (n - 1) + L V + lambda0 (J - n) max{V(n+1) - V(n) - s, 0} + lambda1 n (V(n-1) - V(n)).

Policy iteration on (n, grid of nu), each step one sparse LU. Exact for states whose costs are all equal: costs that
start equal stay equal, because the destinations load on the shocks alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

from dlopt.choice.effort import as_array
from dlopt.choice.exporter.model import Array, Exporter
from dlopt.choice.grid import factor_grid, generator, interpolation
from dlopt.choice.model import ModelError, StateError


class LumpedSolution:
    """Exact value when destinations are identical, at states where their costs are equal."""

    method = "lumped"
    covers = "states in which all destinations have the same cost"

    def __init__(self, model: Exporter, points: int = 961) -> None:
        if not is_lumped(model):
            raise ModelError("The lumped solution needs identical destinations and one complementarity for all pairs.")
        self.model = model
        self.z = factor_grid(points)
        self.table = self._policy_iteration()  # V, [J + 1, n]

    def _policy_iteration(self) -> Array:
        m, count, points = self.model, self.model.destinations, len(self.z)
        n = np.arange(count + 1)
        c = m.c[0, 1] if count > 1 else 0.0
        flow = n[:, None] * (m.zeta[0] - m.nubar[0] - m.spread[0] * self.z) + (c * n * (n - 1))[:, None]
        up = sp.diags(np.ones(count), 1) - sp.identity(count + 1)
        down = sp.diags(np.ones(count), -1) - sp.identity(count + 1)
        eye = sp.identity(points)
        still = m.rho * sp.identity((count + 1) * points) - sp.kron(sp.identity(count + 1), generator(self.z, m.theta))
        fixed = still - sp.kron(sp.diags(m.lambda1 * n) @ down, eye)
        if not m.choosing().plain:
            return self._newton(still, flow, sp.kron(up, eye, format="csr"))
        opening, s = m.lambda0 * (count - n), m.s[0]
        increment = sp.kron(up, eye, format="csr")
        accept = np.ones((count + 1, points), dtype=bool)
        for _ in range(200):
            rate = (opening[:, None] * accept).ravel()
            v = spl.spsolve((fixed - sp.diags(rate) @ increment).tocsc(), flow.ravel() - rate * s)
            new = (increment @ v).reshape(count + 1, points) > s
            new[count] = accept[count]  # nothing left to open
            if (new == accept).all():
                break
            accept = new
        return v.reshape(count + 1, points)

    def _newton(self, still: Any, flow: Array, increment: Any) -> Array:
        """The same with effort and luck in costs (`dlopt.choice.effort`): Newton's method."""
        m, how = self.model, self.model.choosing()
        count, points = m.destinations, len(self.z)
        n = np.arange(count + 1)[:, None]

        def steps(v: Array) -> Array:
            """V(n + 1) - V(n), `[count, points]`."""
            return np.diff(v.reshape(count + 1, points), axis=0)

        v = spl.spsolve(still.tocsc(), flow.ravel())
        for _ in range(200):
            d = steps(v)
            opening, closing = np.full_like(d, m.lambda0), np.full_like(d, m.lambda1)
            worth, loss = as_array(how.worth, opening, d - m.s[0]), as_array(how.loss, closing, d)
            up, down = as_array(how.turns_on, opening, d - m.s[0]), as_array(how.fails, closing, d)
            rest, rise, fall = np.zeros_like(flow), np.zeros_like(flow), np.zeros_like(flow)
            rise[:-1], fall[1:] = (count - n[:-1]) * up, n[1:] * down
            rest[:-1] += (count - n[:-1]) * (worth - up * d)
            rest[1:] -= n[1:] * (loss - down * d)
            lower = sp.diags(fall.ravel()[points:], -points) @ increment
            system = still - sp.diags(rise.ravel()) @ increment + lower
            new = spl.spsolve(system.tocsc(), (flow + rest).ravel())
            change = np.abs(new - v).max()
            v = new
            if change <= 1e-11 * np.abs(v).max():
                return v.reshape(count + 1, points)
        raise ModelError("The lumped solution did not settle. Check the costs of effort.")

    def _by_count(self, nu: Array) -> Array:
        """V for every number of open channels, `[B, J + 1]`."""
        spread = np.ptp(nu, axis=1).max(initial=0.0) / self.model.spread[0]
        if spread > 1e-4:
            raise StateError(
                "The exact solution of identical destinations covers states in which all costs are equal; "
                f"here they differ by up to {spread:.3g} long-run standard deviations."
            )
        index, weights = interpolation(self.z, (nu.mean(1) - self.model.nubar[0]) / self.model.spread[0])
        return (self.table[:, index] * weights).sum(2).T

    def value(self, y: Array, nu: Array) -> Array:
        """V, `[B]`, at channels `y` and costs `nu`, both `[B, J]`."""
        n = y.sum(1).round().astype(int)
        return self._by_count(nu)[np.arange(len(n)), n]

    def marginal(self, y: Array, nu: Array) -> Array:
        """V with channel j open minus V with it closed, `[B, J]`."""
        values = self._by_count(nu)
        others = y.sum(1, keepdims=True).round().astype(int) - y.round().astype(int)
        rows = np.arange(len(y))[:, None]
        return values[rows, others + 1] - values[rows, others]

    def accept(self, y: Array, nu: Array) -> Array:
        """Whether an opportunity to open j would be taken, `[B, J]` booleans (of interest where y_j = 0)."""
        return self.marginal(y, nu) > self.model.s


def is_lumped(model: Exporter) -> bool:
    """Whether all destinations are the same and every pair of them is equally complementary."""

    def same(a: Array) -> bool:
        return bool((np.abs(a - a[:1]) <= 1e-12 * (1 + np.abs(a[:1]))).all())

    off = model.pair[~np.eye(model.destinations, dtype=bool)]
    return all(same(a) for a in (model.zeta, model.nubar, model.s, model.sigma)) and (len(off) == 0 or same(off))
