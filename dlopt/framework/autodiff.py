"""Any `FixedPointProblem` as a game: derivatives of all orders by automatic differentiation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.fixed_point import FixedPointOptions, FixedPointProblem
from dlopt.framework.game import Point
from dlopt.framework.linear import Factorisation
from dlopt.framework.outcome import Outcome


class FixedPointGame:
    """A `Game` on a user's model.

    Args:
        problem: G and W; W returns one objective per player.
        owner: player of each instrument, `[instrument]`.
        start: where the search for an equilibrium begins, `[unknown]`.
        lower: lowest instruments, `[instrument]`; default unbounded.
        upper: highest instruments, `[instrument]`; default unbounded.
        options: of the fixed-point solver.
    """

    def __init__(
        self, problem: FixedPointProblem, owner: Tensor, start: Tensor, lower: Tensor | None = None,
        upper: Tensor | None = None, options: FixedPointOptions = FixedPointOptions(),
    ) -> None:  # fmt: skip
        self.problem, self.owner, self.start, self.options = problem, owner, start, options
        self.lower = torch.full(owner.shape, -torch.inf, dtype=start.dtype) if lower is None else lower
        self.upper = torch.full(owner.shape, torch.inf, dtype=start.dtype) if upper is None else upper
        self.players = int(owner.max()) + 1

    def point(self, a: Tensor, near: Point | None = None) -> FixedPointPoint | None:
        """The equilibrium at `a`, from the one at `near`, else from `start`."""
        start = near.x if isinstance(near, FixedPointPoint) else self.start
        found = self.problem.solve(a, start, self.options)
        if found.outcome is not Outcome.CONVERGED:
            return None
        return FixedPointPoint(self, a, found.x, found.residual)

    def restore(self, state: dict[str, Any]) -> FixedPointPoint:
        """The point of which `state` is."""
        return FixedPointPoint(self, state["a"], state["x"], state["residual"])


class FixedPointPoint:
    """A `Point` of a `FixedPointGame`."""

    def __init__(self, game: FixedPointGame, a: Tensor, x: Tensor, residual: float) -> None:
        self.game, self.a, self.x, self.residual = game, a, x, residual
        self.objectives = game.problem.objectives(x, a).reshape(-1)

    def state(self) -> dict[str, Any]:
        """What `FixedPointGame.restore` needs."""
        return {"a": self.a, "x": self.x, "residual": self.residual}

    @cached_property
    def _first(self) -> tuple[Factorisation, Tensor, Tensor, Tensor]:
        """LU of `I - G_x`, G_a, and the rows W_x, W_a."""
        problem, x, a = self.game.problem, self.x, self.a
        g_x, g_a = torch.func.jacrev(problem.equilibrium, argnums=(0, 1))(x, a)
        w_x, w_a = torch.func.jacrev(problem.objectives, argnums=(0, 1))(x, a)
        factors = Factorisation(torch.eye(len(x), dtype=x.dtype) - g_x)
        return factors, g_a, w_x.reshape(-1, len(x)), w_a.reshape(-1, len(a))

    @cached_property
    def _adjoint(self) -> Tensor:
        factors, _, w_x, _ = self._first
        return factors.solve_transposed(w_x.T)

    @cached_property
    def sensitivity(self) -> Tensor:
        """dX/da (equation 8), `[unknown, instrument]`."""
        factors, g_a, _, _ = self._first
        return factors.solve(g_a)

    def gradient(self) -> Tensor:
        """Total derivative of every objective, `[player, instrument]` (equation 7)."""
        _, g_a, _, w_a = self._first
        return w_a + self._adjoint.T @ g_a

    def hessian(self, player: int, joint: bool = False) -> Tensor:
        """Total second derivative, `[own, own]` or `[own, all]`: `Z' (grad^2 L) Z` with L = W + mu'(G - X)."""
        problem, multiplier = self.game.problem, self._adjoint[:, player]

        def lagrangian(x: Tensor, a: Tensor) -> Tensor:
            return problem.objectives(x, a).reshape(-1)[player] + multiplier @ problem.residual(x, a)

        own = (self.game.owner == player).nonzero().squeeze(1)
        columns = torch.arange(len(self.a)) if joint else own
        identity = torch.eye(len(self.a), dtype=self.a.dtype)

        def product(dx: Tensor, da: Tensor) -> tuple[Tensor, Tensor]:
            gradient = torch.func.grad(lagrangian, argnums=(0, 1))
            return torch.func.jvp(gradient, (self.x, self.a), (dx, da))[1]

        h_x, h_a = torch.func.vmap(product)(self.sensitivity[:, own].T, identity[own])
        return (h_x @ self.sensitivity + h_a)[:, columns]
