"""Small problems and games with known answers."""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework import FixedPointGame, FixedPointOptions, FixedPointProblem

UNKNOWNS, INSTRUMENTS = 4, 3


def vector(*values: float) -> Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=torch.float64)


def _matrices() -> tuple[Tensor, Tensor]:
    """M with row sums of sizes below 0.6, so that `tanh(M x + ...)` contracts; and the effect of instruments."""
    generator = torch.Generator().manual_seed(7)
    m = torch.rand(UNKNOWNS, UNKNOWNS, generator=generator, dtype=torch.float64) - 0.5
    m = 0.6 * m / m.abs().sum(1, keepdim=True)
    return m, torch.rand(UNKNOWNS, INSTRUMENTS, generator=generator, dtype=torch.float64) - 0.5


M, B = _matrices()


def contraction(x: Tensor, a: Tensor) -> Tensor:
    """G: smooth, Lipschitz constant at most 0.6 in the maximum norm."""
    return torch.tanh(M @ x + B @ a.sin()) + 0.3 * a.sum()


def two_objectives(x: Tensor, a: Tensor) -> Tensor:
    """W of two players, nonlinear in both arguments."""
    return torch.stack([(x**2).sum() - a[0] ** 2 * x[1], (x * x.exp()).sum() * a[1] + a[2] ** 3])


SMOOTH = FixedPointProblem(contraction, two_objectives)
SMOOTH_START = torch.zeros(UNKNOWNS, dtype=torch.float64)
SMOOTH_AT = vector(0.4, -0.7, 1.1)


def smooth_game() -> FixedPointGame:
    """Player 0 owns instruments 0 and 2, player 1 owns 1; the fixed point is solved to rounding."""
    return FixedPointGame(
        SMOOTH, torch.tensor([0, 1, 0]), SMOOTH_START, options=FixedPointOptions(tolerance=1e-15, max_iterations=60)
    )


def direct_game(
    objectives: object, owner: list[int], lower: list[float] | None = None, upper: list[float] | None = None
) -> FixedPointGame:
    """A game without an equilibrium behind it: W depends on the instruments alone (the unknown copies the first)."""

    def value(x: Tensor, a: Tensor) -> Tensor:
        return objectives(a)  # type: ignore[operator,no-any-return]

    problem = FixedPointProblem(lambda x, a: a[:1], value)
    low, high = (None if b is None else vector(*b) for b in (lower, upper))
    return FixedPointGame(problem, torch.tensor(owner), torch.zeros(1, dtype=torch.float64), low, high)


COSTS = (1.0, 2.0, 3.0)
DEMAND = 10.0


def cournot(lower: float = 0.0, upper: float = 10.0, costs: tuple[float, ...] = COSTS) -> FixedPointGame:
    """Firms choose quantities; the price is an equilibrium: `p = DEMAND - sum q`, found by half steps of G."""

    def price(x: Tensor, a: Tensor) -> Tensor:
        return x + 0.5 * (DEMAND - a.sum() - x)

    def profits(x: Tensor, a: Tensor) -> Tensor:
        return (x[0] - torch.tensor(costs, dtype=a.dtype)) * a

    n = len(costs)
    bounds = torch.full((n,), lower, dtype=torch.float64), torch.full((n,), upper, dtype=torch.float64)
    return FixedPointGame(FixedPointProblem(price, profits), torch.arange(n), vector(5.0), *bounds)


def cournot_quantities(costs: tuple[float, ...] = COSTS) -> Tensor:
    """Closed form without bounds: `q_i = (DEMAND - n c_i + sum of the others' c) / (n + 1)`."""
    c, n = torch.tensor(costs, dtype=torch.float64), len(costs)
    return (DEMAND - n * c + (c.sum() - c)) / (n + 1)
