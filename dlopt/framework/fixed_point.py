"""Bring a model: an equilibrium `X = G(X, a)` and objectives `W(X, a)` as PyTorch functions.

Wang, Xu, Yang, Zhu (2024), section 2: the fixed point by contraction (5), Anderson acceleration, Newton-Kantorovich
(6) or chord Newton; its derivatives by the implicit function theorem (7, 8).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.framework.anderson import mixed
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions, solve_root

Equilibrium = Callable[[Tensor, Tensor], Tensor]
"""G: `[unknown], [instrument] -> [unknown]`."""
Objectives = Callable[[Tensor, Tensor], Tensor]
"""W: `[unknown], [instrument] -> [player]` (or a scalar)."""

METHODS = ("chord", "newton", "anderson", "contraction")


@dataclasses.dataclass(frozen=True)
class FixedPointOptions:
    """Options of `FixedPointProblem.solve`.

    Attributes:
        method: `chord` (Newton that reuses its factorisation), `newton`, `anderson` or `contraction`.
        tolerance: largest absolute `G(X, a) - X`.
        max_iterations: steps allowed.
        memory: past iterates that Anderson combines.
        damping: fraction of the way to G that contraction and Anderson go.
    """

    method: str = "chord"
    tolerance: float = 1e-12
    max_iterations: int = 10_000
    memory: int = 8
    damping: float = 1.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownNameError("fixed-point method", self.method, METHODS)


@dataclasses.dataclass(frozen=True)
class FixedPoint:
    """Where a fixed-point iteration ended.

    Attributes:
        outcome: how; `outcome.remedy` says what to try.
        x: the point, `[unknown]`.
        residual: largest absolute `G(X, a) - X`.
        iterations: steps taken.
        history: residual before each step.
    """

    outcome: Outcome
    x: Tensor
    residual: float
    iterations: int
    history: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class FixedPointProblem:
    """An equilibrium and the objectives that depend on it.

    Attributes:
        equilibrium: G, whose fixed point in X is the equilibrium, twice differentiable by torch.func.
        objectives: W, one value per player.
    """

    equilibrium: Equilibrium
    objectives: Objectives

    def residual(self, x: Tensor, a: Tensor) -> Tensor:
        """`G(X, a) - X`, `[unknown]`."""
        return self.equilibrium(x, a) - x

    def solve(self, a: Tensor, start: Tensor, options: FixedPointOptions = FixedPointOptions()) -> FixedPoint:
        """The fixed point at instruments `a`, `[instrument]`, from `start`, `[unknown]`."""
        if options.method in ("contraction", "anderson"):
            return _iterate(lambda x: self.residual(x, a), start, options)
        chord = 0.0 if options.method == "newton" else RootOptions.chord
        root = solve_root(
            lambda x: self.residual(x, a),
            torch.func.jacrev(lambda x: self.residual(x, a)),
            start,
            RootOptions(options.tolerance, options.max_iterations, chord, max_step=float("inf")),
        )
        return FixedPoint(root.outcome, root.u, root.residual, root.iterations, root.history)

    def gradient(self, x: Tensor, a: Tensor) -> Tensor:
        """Total derivative of the objectives at a fixed point, `[player, instrument]` (`[instrument]` for a scalar).

        One transposed solve for all objectives together (equations 7 and 8, adjoint form).
        """
        g_x, g_a = torch.func.jacrev(self.equilibrium, argnums=(0, 1))(x, a)
        w_x, w_a = torch.func.jacrev(self.objectives, argnums=(0, 1))(x, a)
        identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
        adjoint = torch.linalg.solve((identity - g_x).T, w_x.reshape(-1, len(x)).T)
        return w_a + (adjoint.T @ g_a).reshape(w_a.shape)


def _iterate(residual: Callable[[Tensor], Tensor], x: Tensor, options: FixedPointOptions) -> FixedPoint:
    """Contraction, or Anderson mixing of the last `memory` iterates (type II)."""
    memory = options.memory if options.method == "anderson" else 0
    xs: list[Tensor] = []
    rs: list[Tensor] = []
    history: list[float] = []
    best = float("inf")
    for iteration in range(options.max_iterations + 1):
        r = residual(x)
        size = float(r.abs().max())
        if not size < float("inf"):
            return FixedPoint(Outcome.NON_FINITE, x, size, iteration, tuple(history))
        if size <= options.tolerance:
            return FixedPoint(Outcome.CONVERGED, x, size, iteration, tuple(history))
        if size > 1e6 * best:
            return FixedPoint(Outcome.DIVERGED, x, size, iteration, tuple(history))
        best = min(best, size)
        history.append(size)
        xs, rs = [*xs[-memory:], x] if memory else [x], [*rs[-memory:], r] if memory else [r]
        x = x + mixed([point[None] for point in xs], [options.damping * r[None] for r in rs])[0]
    return FixedPoint(Outcome.MAX_ITERATIONS, x, size, options.max_iterations, tuple(history))
