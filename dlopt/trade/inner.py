"""Inner loops of the nested fixed point: other ways to the equilibrium at given policies than chord Newton.

Wang, Xu, Yang, Zhu (2024), section 2.1: contraction (5), which the paper prefers, Newton-Kantorovich (6), and (6) after
(5), as Rust (2000) advises. The map G is the system of appendix A.2, which does not say how wages move. Here it sets
each unknown to what its own equation says, wages a tenth of the way, since the whole way overshoots.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.framework.fixed_point import FixedPointOptions, FixedPointProblem
from dlopt.framework.root import RootOptions
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.model import LogWedges, State, TradeModel

TOLERANCE = 1e-12
"""Largest change of an unknown in the last step of (5)."""
HANDED_OVER = 1e-2
"""The same where (6) takes over from (5)."""
_LONGEST = 20_000
_WAGES = 0.1


def towards_solution(model: TradeModel) -> Tensor:
    """What residuals are multiplied by to make G - X of them, `[unknown]`."""
    n, j, like = model.n, model.j, model.theta
    wages = torch.full((n,), _WAGES, dtype=like.dtype)
    wages[model.reference] *= -1  # its equation is the numeraire: where world value added is too large its wage falls
    ones = torch.ones((n, j), dtype=like.dtype)
    return State(wages, ones[:, 0], ones, -1 / like.expand(n, j), ones).stacked()


def by_inner_loop(model: TradeModel, wedges: LogWedges, start: Tensor, inner: str) -> Equilibrium:
    """The equilibrium by `contraction`, `newton` or `contraction_newton`, from `start`, `[unknown]`."""
    newton = RootOptions(chord=0.0)
    if inner == "newton":
        return find_equilibrium(model, wedges, start, newton, continuation=False)
    equations, step = model.equations(wedges), towards_solution(model)
    problem = FixedPointProblem(lambda u, _: u + step * equations(u), lambda u, _: u)
    tolerance = TOLERANCE if inner == "contraction" else HANDED_OVER
    found = problem.solve(start[:0], start, FixedPointOptions("contraction", tolerance, _LONGEST))
    if inner == "contraction_newton":
        return find_equilibrium(model, wedges, found.x, newton, continuation=False)
    residual = float(equations(found.x).abs().max())
    return Equilibrium(found.outcome, found.x, wedges, residual, found.iterations, None)
