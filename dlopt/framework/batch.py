"""Many nearby roots at once: chord Newton with one factorisation for all, Anderson-accelerated per problem.

One LU at a known solution serves every problem as a preconditioner; Anderson mixing over the last iterates of each
problem makes up for the distance. No problem sees another, so results do not depend on how a batch is split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.framework.anderson import mixed
from dlopt.framework.linear import LinearSolver


@dataclasses.dataclass(frozen=True)
class BatchOptions:
    """Options of `solve_batch`.

    Attributes:
        tolerance: largest absolute residual accepted.
        max_iterations: steps allowed.
        memory: past iterates that Anderson combines; 0 is the plain chord iteration.
        max_step: largest change of any unknown in one step.
    """

    tolerance: float = 1e-11
    max_iterations: int = 60
    memory: int = 8
    max_step: float = 2.0


def solve_batch(
    residual: Callable[[Tensor, Tensor], Tensor],
    factorisation: LinearSolver,
    u: Tensor,
    options: BatchOptions = BatchOptions(),
) -> tuple[Tensor, Tensor]:
    """Solve `residual(u_k, k) = 0` for every problem k of a batch.

    Args:
        residual: from unknowns `[problem, unknown]` and the numbers of those problems `[problem]` to
            `[problem, unknown]`; called with the problems not yet solved.
        factorisation: of the Jacobian at a point near all of them.
        u: starting points, `[problem, unknown]`.
        options: see `BatchOptions`.

    Returns:
        The last iterates, `[problem, unknown]`, and their largest absolute residuals, `[problem]`: above the
        tolerance (or infinite) where a problem was given up.

    Source: Wang, Xu, Yang, Zhu (2024), equation (6), with the derivative kept; Walker and Ni (2011) for Anderson.
    """
    found, worst = u.clone(), u.new_full((len(u),), float("inf"))
    active = torch.arange(len(u), device=u.device)
    points: list[Tensor] = []
    steps: list[Tensor] = []
    for _ in range(options.max_iterations + 1):
        r = residual(u, active)
        norm = r.abs().amax(1).nan_to_num(nan=float("inf"))
        found[active], worst[active] = u, norm
        keep = (norm > options.tolerance) & (norm < 1e6)
        if not bool(keep.any()):
            break
        active, u, r = active[keep], u[keep], r[keep]
        points, steps = [p[keep] for p in points], [s[keep] for s in steps]
        points.append(u)
        steps.append(factorisation.solve(-r.T).T)
        points, steps = points[-options.memory - 1 :], steps[-options.memory - 1 :]
        move = mixed(points, steps)
        u = u + move * (options.max_step / move.abs().amax(1, keepdim=True)).clamp(max=1.0)
    return found, worst
