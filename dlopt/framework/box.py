"""Newton steps inside bounds: the quadratic, or linear, model is solved with the bounds, not cut off at them.

Cutting a Newton step off at a bound leaves the other instruments where they made up for what was cut; with hundreds of
instruments, some of them always at a bound, that costs a large part of every step.
"""

from __future__ import annotations

import torch
from torch import Tensor

ACCURATE = 1e-6  # of the slope: the model is solved to this
PASSES = 20  # active sets tried


def peak_in_box(curvature: Tensor, slope: Tensor, lower: Tensor, upper: Tensor, start: Tensor) -> Tensor:
    """The d between `lower` and `upper` that maximises `slope' d - d' curvature d / 2`, by projected Newton.

    Source: Bertsekas (1982), Projected Newton methods for optimization problems with simple constraints.

    Args:
        curvature: positive definite, `[instrument, instrument]`.
        slope, lower, upper: `[instrument]`.
        start: where to begin; best the peak without bounds.
    """
    d = start.clamp(lower, upper)
    for _ in range(PASSES):
        pull = curvature @ d
        rest = slope - pull
        moves = ~(((d <= lower) & (rest <= 0)) | ((d >= upper) & (rest >= 0)))
        if not bool(moves.any()) or float(rest[moves].abs().max()) <= ACCURATE * float(slope.abs().max()):
            break
        factor, failed = torch.linalg.cholesky_ex(curvature[moves][:, moves])
        if int(failed):
            break
        toward = torch.zeros_like(d)
        toward[moves] = torch.cholesky_solve(rest[moves][:, None], factor).squeeze(1)
        height, scale = float(d @ (slope - pull / 2)), 1.0
        while scale > 1e-3:
            trial = (d + scale * toward).clamp(lower, upper)
            if float(trial @ (slope - curvature @ trial / 2)) > height:
                break
            scale /= 2
        else:
            break
        d = trial
    return d


class BoxedSystem:
    """Linear complementarity: the step after which every marginal `slope + matrix step` is zero or held by a bound.

    A primal-dual active set method; factors of the last active set are kept for the next right-hand side.

    Args:
        matrix: derivative of the marginals, its diagonal minus one or zero, `[instrument, instrument]`.

    Source: Hintermueller, Ito and Kunisch (2003), The primal-dual active set strategy as a semismooth Newton method.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._matrix = matrix
        self._free: Tensor | None = None
        self._factors: tuple[Tensor, Tensor] | None = None

    def step(self, slope: Tensor, lower: Tensor, upper: Tensor) -> Tensor | None:
        """The step, `[instrument]`; None where an active set leaves a singular matrix.

        Args:
            slope: the marginals now.
            lower, upper: of the step; nobody is outside now, so `lower <= 0 <= upper`.
        """
        low, high = (lower >= 0) & (slope <= 0), (upper <= 0) & (slope >= 0)
        step = torch.zeros_like(slope)
        for _ in range(PASSES):
            free = ~(low | high)
            step = torch.where(low, lower, torch.where(high, upper, 0.0))
            if not self._factorise(free):
                return None
            if self._factors is not None:
                right = -(slope + self._matrix @ step)[free]
                step[free] = torch.linalg.lu_solve(*self._factors, right[:, None]).squeeze(1)
            wanted = step + torch.where(free, 0.0, slope + self._matrix @ step)
            now_low, now_high = wanted < lower, wanted > upper
            # Held exactly at a bound with nothing pulling: it stays held.
            now_low, now_high = now_low | (low & (wanted <= lower)), now_high | (high & (wanted >= upper))
            if bool((now_low == low).all()) and bool((now_high == high).all()):
                break
            low, high = now_low, now_high
        return step.clamp(lower, upper)

    def _factorise(self, free: Tensor) -> bool:
        if self._free is not None and bool((free == self._free).all()):
            return True
        self._free, self._factors = free, None
        if bool(free.any()):
            factors = torch.linalg.lu_factor_ex(self._matrix[free][:, free])
            if int(factors.info):
                self._free = None
                return False
            self._factors = (factors.LU, factors.pivots)
        return True
