"""Levenberg's and Marquardt's method as MATLAB documents that of its `fsolve`, which the authors' files use.

A number that such a method printed can only be found again with its rules: how damping changes, what ends it, and after
how many steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

System = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Residuals `[equation]` and their derivatives `[equation, unknown]` at the unknowns."""

_DAMPING, _ROOT_OF_EPS = 0.01, 1.5e-8


@dataclasses.dataclass(frozen=True, eq=False)
class End:
    """Where the method ended.

    Attributes:
        x: unknowns.
        residual: largest absolute residual.
        steps: steps that were taken; a step that failed and was tried again with more damping is not counted.
        stopped: why: `slope`, `step`, or `steps`, which is early: there were no more.
    """

    x: Tensor
    residual: float
    steps: int
    stopped: str


def solve(system: System, start: Tensor, steps: int, slope: float, step: float) -> End:
    """Least squares of a system.

    Damping is 0.01 at first, ten times as much after a step that does not bring the sum of squares down, and a tenth
    after one that does and follows another that did.

    Args:
        system: residuals and derivatives.
        start: unknowns to begin from.
        steps: how many may be taken.
        slope: largest derivative of the sum of squares at the end, relative to that at the start.
        step: length of the last step, relative to the unknowns.
    """
    x, damping, good = start, _DAMPING, True
    residual, slopes = system(x)
    squares = float(residual @ residual)
    first = max(float((slopes.mT @ residual).abs().max()), _ROOT_OF_EPS)
    taken, stopped = 0, "steps"
    none = torch.zeros_like(x)
    while taken < steps:
        damped = torch.cat([slopes, damping**0.5 * torch.eye(len(x), dtype=x.dtype)])
        move = torch.linalg.lstsq(damped, torch.cat([-residual, none])[:, None], driver="gels").solution[:, 0]
        tried, slopes_tried = system(x + move)
        squares_tried = float(tried @ tried)
        short = bool(move.norm() < step * (_ROOT_OF_EPS + x.norm()))
        if squares_tried < squares:
            x, residual, slopes, squares, taken = x + move, tried, slopes_tried, squares_tried, taken + 1
            damping, good = damping / 10 if good else damping, True
            if float((slopes.mT @ residual).abs().max()) < slope * first:
                stopped = "slope"
                break
        else:
            damping, good = damping * 10, False
        if short:
            stopped = "step"
            break
    return End(x, float(residual.abs().max()), taken, stopped)
