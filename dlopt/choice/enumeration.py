"""Exact solution of a small model by enumeration: all 2^J switches on a grid of one or two continuous states.

Policy iteration: given which opportunities are taken, the equation is linear. It is solved by GMRES, preconditioned by
the same equation with rates and acceptance averaged over the grid, in which switches are independent of each other and
of x: each is diagonalised by itself, and what remains is the diffusion at J + 1 different discount rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl
import torch

from dlopt.choice.grid import differences, interpolation
from dlopt.choice.model import Array, ModelError, State, StateError

LARGEST, FACTORS = 8, 2  # switches and continuous states
POINTS = {1: 241, 2: 49}  # nodes per continuous state
REACH = 6.0  # standard deviations from the centre to the ends of the grid
SETTLED = 1e-8  # relative change of V at which Newton's method ends
TOGETHER = 65_536  # states at which the model is asked at a time


def too_large(model: Any) -> str:
    """Why a model cannot be enumerated; empty where it can."""
    if model.clocks > 1:
        return "it has a clock"
    if model.switches > LARGEST:
        return f"it has {model.switches} switches; enumeration is for up to {LARGEST}"
    if model.factors > FACTORS:
        return f"it has {model.factors} continuous states; enumeration is for up to {FACTORS}"
    return ""


class EnumeratedSolution:
    """The value at every combination of switches, on an even grid of the continuous states.

    Args:
        model: a model without a clock, with few switches and continuous states.
        points: nodes per continuous state, over six spreads each way.
        tolerance: relative residual of the linear systems.
    """

    method = "enumeration"
    covers = f"continuous states within {REACH:g} spreads of the centre"

    def __init__(self, model: Any, points: int | None = None, tolerance: float = 1e-9) -> None:
        reason = too_large(model)
        if reason:
            raise ModelError(f"The model {model.name!r} cannot be solved by enumeration: {reason}.")
        self.tolerance = tolerance
        self.model = model = model.on("cpu", torch.float64)
        self.switches, self.factors = model.switches, model.factors
        self.centre, self.spread = model.centre.numpy(), model.spread.numpy()
        self.z = np.linspace(-REACH, REACH, points or POINTS[self.factors])
        codes = np.arange(2**self.switches)
        self.bit = 1 << np.arange(self.switches)
        self.y = (codes[:, None] & self.bit > 0).astype(float)  # [C, J]
        mesh = np.stack(np.meshgrid(*[self.z] * self.factors, indexing="ij"), axis=-1).reshape(-1, self.factors)
        self.x = self.centre + self.spread * mesh  # [G, K]
        self.generator = self._diffusion()
        self.flow, self.opening, self.closing, self.cost, self.plain = self._asked()
        self.table = self._policy_iteration()  # V, [G, C]

    # -- the equation -----------------------------------------------------------------------------------------------

    def _diffusion(self) -> sp.csr_matrix:
        """The generator on the grid, `[G, G]`: central differences of fourth order, of second order near the ends."""
        n, x = len(self.z), torch.tensor(self.x)
        first, second = differences(self.z)
        drift = self.model.drift(x).numpy() / self.spread
        sigma = np.broadcast_to(
            self.model.volatility(x).numpy() / self.spread, (len(x), self.model.shocks, self.factors)
        )
        covariance = np.einsum("gma,gmb->gab", sigma, sigma)
        eye = sp.identity(n)

        def on(matrices: list[Any]) -> Any:
            return matrices[0] if len(matrices) == 1 else sp.kron(matrices[0], matrices[1])

        out: Any = sp.csr_matrix((len(x), len(x)))
        for k in range(self.factors):
            out += sp.diags(drift[:, k]) @ on([first if a == k else eye for a in range(self.factors)])
            out += sp.diags(0.5 * covariance[:, k, k]) @ on([second if a == k else eye for a in range(self.factors)])
        if self.factors == 2 and covariance[:, 0, 1].any():
            out += sp.diags(covariance[:, 0, 1]) @ on([first, first])
        return out.tocsr()

    def _asked(self) -> tuple[Array, Array, Array, Array, bool]:
        """Utility `[G, C]`, rates of opportunities and failures `[G, C, J]`, costs `[J]`, whether choosing is plain."""
        shape = (len(self.x), len(self.y))
        flow, cost, plain = np.empty(shape[0] * shape[1]), self.model.cost, True
        opening, closing = np.empty((2, len(flow), self.switches))
        for start in range(0, len(flow), TOGETHER):
            rows = np.arange(start, min(start + TOGETHER, len(flow)))
            state = State(torch.tensor(self.y[rows % shape[1]]), torch.tensor(self.x[rows // shape[1]]))
            flow[rows] = self.model.flow(state).numpy()
            costs = self.model.costs(state)
            plain &= self.model.choosing(state).plain and bool((costs == cost).all())
            for out, rate in zip((opening, closing), self.model.rates(state), strict=True):
                out[rows] = rate.expand(len(rows), self.switches).numpy()
        if not np.isfinite(flow).all() or not self.generator.data.size or not np.isfinite(self.generator.data).all():
            raise ModelError(
                f"The model {self.model.name!r} cannot be solved by enumeration: utility, drift or volatility is not "
                f"finite somewhere within {REACH:g} spreads of the centre. Use logs of positive states, "
                "or method=default."
            )
        return flow.reshape(shape), opening.reshape(*shape, -1), closing.reshape(*shape, -1), cost.numpy(), plain

    def _worth(self, v: Array) -> Array:
        """V with each switch on minus V with it off, `[G, C, J]`."""
        codes = np.arange(len(self.y))
        return np.stack([v[:, codes | bit] - v[:, codes & ~bit] for bit in self.bit], axis=2)

    def _policy_iteration(self) -> Array:
        on, rho = self.y > 0.5, self.model.rho
        shape = self.flow.shape
        if not self.plain:
            return self._newton()
        accept = self._worth(self.flow) > (rho + self.closing) * self.cost  # worth it at today's utility
        v = (self.flow / rho).ravel()
        for _ in range(60):
            rate = np.where(on, self.closing, self.opening * accept)  # [G, C, J]
            right = self.flow - (np.where(on, 0.0, rate) * self.cost).sum(2)
            v, failed = self._linear(rate, right, v)
            if failed:
                break
            new = self._worth(v.reshape(shape)) > self.cost
            settled = ((new == accept) | on).mean() > 1 - 1e-6
            accept = new
            if settled:
                return v.reshape(shape)
        raise self._unsettled()

    def _newton(self) -> Array:
        """The same where choosing is more than yes or no: Newton's method on the jump term, which is convex in V."""
        on = self.y > 0.5
        v = (self.flow / self.model.rho).ravel()
        for _ in range(60):
            worth = self._worth(v.reshape(self.flow.shape))
            value, rate = self._asked_at(worth)
            sign = np.where(on, -1.0, 1.0)
            before = v
            v, failed = self._linear(rate, self.flow + (value - sign * rate * worth).sum(2), v)
            if failed:
                break
            if np.abs(v - before).max() <= SETTLED * np.abs(v).max():
                return v.reshape(self.flow.shape)
        raise self._unsettled()

    def _asked_at(self, worth: Array) -> tuple[Array, Array]:
        """What each switch's jumps are worth a year, and the rates of its jumps, `[G, C, J]`, given `worth`."""
        flat, shape = worth.reshape(-1, self.switches), self.flow.shape
        value, rate = np.empty_like(flat), np.empty_like(flat)
        for start in range(0, len(flat), TOGETHER):
            rows = np.arange(start, min(start + TOGETHER, len(flat)))
            state = State(torch.tensor(self.y[rows % shape[1]]), torch.tensor(self.x[rows // shape[1]]))
            marginal, how = torch.tensor(flat[rows]), self.model.choosing(state)
            opening, closing = (part.expand_as(marginal) for part in self.model.rates(state))
            gain = marginal - self.model.costs(state)
            on = state.y > 0.5
            value[rows] = torch.where(on, -how.loss(closing, marginal), how.worth(opening, gain)).numpy()
            rate[rows] = torch.where(on, how.fails(closing, marginal), how.turns_on(opening, gain)).numpy()
        return value.reshape(worth.shape), rate.reshape(worth.shape)

    def _linear(self, rate: Array, right: Array, start: Array) -> tuple[Array, int]:
        """V with switches changing at given rates `[G, C, J]`, flat, by GMRES; and whether that failed."""
        sign, shape, rho = np.where(self.y > 0.5, -1.0, 1.0), self.flow.shape, self.model.rho

        def apply(flat: Array) -> Array:
            v = flat.reshape(shape)
            return (rho * v - self.generator @ v - (sign * rate * self._worth(v)).sum(2)).ravel()

        guide, size = self._average_inverse(rate), start.size
        v, failed = spl.gmres(
            spl.LinearOperator((size, size), matvec=apply, dtype=float), right.ravel(), x0=start, rtol=self.tolerance,
            restart=40, maxiter=20, M=spl.LinearOperator((size, size), matvec=guide, dtype=float),
        )  # fmt: skip
        return v, failed

    def _unsettled(self) -> ModelError:
        return ModelError(
            f"The exact solution of {self.model.name!r} did not settle: its rates differ too much between states. "
            "Use method=default, whose certificate needs no exact solution."
        )

    def _average_inverse(self, rate: Array) -> Any:
        """The inverse of the equation with each switch's rates averaged over all states."""
        on = self.y > 0.5
        up = np.array([rate[:, ~on[:, j], j].mean() for j in range(self.switches)])
        down = np.array([rate[:, on[:, j], j].mean() for j in range(self.switches)])
        count, leaving = self.y.sum(1).astype(int), self.y @ (up + down)
        solvers = {}
        for number in range(self.switches + 1):
            rho = self.model.rho + leaving[count == number].mean()
            matrix = rho * sp.identity(len(self.x)) - self.generator
            solvers[number] = spl.splu(matrix.tocsc())
        p = up / np.maximum(up + down, 1e-300)

        def along(v: Array, forward: bool) -> Array:
            """To or from coordinates (mean over the switch, difference) of each switch."""
            v = v.reshape(len(v), *(2,) * self.switches)
            for j in range(self.switches):
                v = np.moveaxis(v, self.switches - j, -1)
                off, on = v[..., 0], v[..., 1]
                if forward:
                    v = np.stack([(1 - p[j]) * off + p[j] * on, on - off], -1)
                else:
                    v = np.stack([off - p[j] * on, off + (1 - p[j]) * on], -1)
                v = np.moveaxis(v, -1, self.switches - j)
            return v.reshape(len(v), -1)

        def solve(flat: Array) -> Array:
            modes = along(flat.reshape(self.flow.shape), True)
            for number, solver in solvers.items():
                modes[:, count == number] = solver.solve(np.ascontiguousarray(modes[:, count == number]))
            return along(modes, False).ravel()

        return solve

    # -- the solution -----------------------------------------------------------------------------------------------

    def reaches(self, x: Array) -> Array:
        """Which continuous states lie on the grid, `[B]` booleans."""
        return (np.abs((x - self.centre) / self.spread) <= REACH).all(1)

    def _all(self, x: Array) -> Array:
        """V at all switches, `[B, C]`, at continuous states `[B, K]`."""
        z = (x - self.centre) / self.spread
        if (np.abs(z) > REACH).any():
            raise StateError(
                f"The exact solution covers {self.covers}; a state is {np.abs(z).max():.3g} spreads away from it."
            )
        index, weights = interpolation(self.z, z[:, 0])
        if self.factors == 2:
            (second, across) = interpolation(self.z, z[:, 1])
            index = (index[:, :, None] * len(self.z) + second[:, None, :]).reshape(len(x), -1)
            weights = (weights[:, :, None] * across[:, None, :]).reshape(len(x), -1)
        return np.matmul(weights[:, None], self.table[index])[:, 0]

    def _both(self, y: Array, x: Array) -> tuple[Array, Array]:
        rows, code = np.arange(len(y)), y.round().astype(int) @ self.bit
        found = self._all(x)
        on, off = (code[:, None] | self.bit), (code[:, None] & ~self.bit)
        return found[rows, code], found[rows[:, None], on] - found[rows[:, None], off]

    def _parts(self, y: Array, x: Array, which: int) -> Array:
        return np.concatenate([self._both(y[k : k + 512], x[k : k + 512])[which] for k in range(0, len(y), 512)])

    def value(self, y: Array, x: Array) -> Array:
        """V, `[B]`."""
        return self._parts(y, x, 0)

    def marginal(self, y: Array, x: Array) -> Array:
        """V with switch j on minus V with it off, `[B, J]`."""
        return self._parts(y, x, 1)

    def accept(self, y: Array, x: Array) -> Array:
        """Whether an opportunity to turn j on would be taken, `[B, J]` booleans."""
        state = State(torch.tensor(y, dtype=torch.float64), torch.tensor(x, dtype=torch.float64))
        return self.marginal(y, x) > self.model.costs(state).numpy()
