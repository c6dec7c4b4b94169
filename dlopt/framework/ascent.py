"""One player's best response: Newton ascent with bounds, made safe by curvature repair and a line search."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.box import peak_in_box
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class AscentOptions:
    """Options of `maximise`.

    Attributes:
        tolerance: largest projected gradient accepted.
        step_tolerance: largest Newton step accepted: flat directions must have settled too.
        max_iterations: Newton iterations.
        first_step: largest change of one instrument in the first iteration; doubled after every full step, halved
            with every shortening.
        max_step: it never exceeds this.
        flat: eigenvalues of the scaled Hessian below this fraction of the largest are treated as this fraction.
        promise: where the objective is concave and the Newton step promises less than this, the search is over.
    """

    tolerance: float = 1e-10
    step_tolerance: float = 1e-5
    max_iterations: int = 100
    first_step: float = 0.3
    max_step: float = 1.0
    flat: float = 1e-9
    promise: float = 0.0


@dataclasses.dataclass(frozen=True)
class AscentResult:
    """Where `maximise` ended: outcome, point, projected gradient, iterations.

    `objective` is the player's there, where `point` is another with instruments as good.
    """

    outcome: Outcome
    point: Point
    residual: float
    iterations: int
    objective: float | None = None


class NewtonModel:
    """Quadratic model of an objective, saddle-free: eigenvalues of the scaled Hessian count as minus their sizes.

    Instruments are scaled by the roots of the diagonal, so that one on a tiny flow counts like any other. Where the
    objective is concave a Cholesky factor gives the same model (shifted by `flat`) at a tenth of the cost.

    Args:
        hessian: `[instrument, instrument]`.
        flat: eigenvalues below this fraction of the largest count as this fraction.
    """

    def __init__(self, hessian: Tensor, flat: float) -> None:
        diagonal = hessian.diagonal().abs()
        self._scale = diagonal.clamp(min=1e-14 * float(diagonal.max()) + 1e-300).rsqrt()
        self._scaled = self._scale[:, None] * hessian * self._scale
        self._flat = flat
        self._curvature = -self._scaled
        self._curvature.diagonal().add_(flat)
        self._factor, failed = torch.linalg.cholesky_ex(self._curvature)
        self.concave = not int(failed)
        """Whether this is Newton's own model."""
        if not self.concave:
            values, vectors = torch.linalg.eigh(self._scaled)
            sizes = values.abs()
            sizes = sizes.clamp(min=flat * float(sizes.max()) + 1e-300)
            self._eigen = (sizes, vectors)
            self._curvature = (vectors * sizes) @ vectors.T

    def step(
        self, gradient: Tensor, lower: Tensor | None = None, upper: Tensor | None = None, hold_flat: bool = False
    ) -> Tensor:
        """To the model's peak, between bounds if given; with `hold_flat`, not along directions flatter than `flat`."""
        slope = self._scale * gradient
        if hold_flat:
            values, vectors = torch.linalg.eigh(self._scaled)
            sizes = values.abs()
            inverse = torch.where(sizes <= self._flat * float(sizes.max()) + 1e-300, 0.0, 1 / sizes)
            return self._scale * (vectors @ (inverse * (vectors.T @ slope)))
        if self.concave:
            peak = torch.cholesky_solve(slope[:, None], self._factor).squeeze(1)
        else:
            sizes, vectors = self._eigen
            peak = vectors @ ((vectors.T @ slope) / sizes)
        if lower is not None and upper is not None:
            peak = peak_in_box(self._curvature, slope, lower / self._scale, upper / self._scale, peak)
        return self._scale * peak


def maximise(
    game: Game, player: int, start: Point, options: AscentOptions = AscentOptions(), monitor: Monitor | None = None,
    phase: str = "best response",
) -> AscentResult:  # fmt: skip
    """Maximise a player's objective over its own instruments, the others' fixed, from `start`.

    Returns the last point in any case; its objective is never below that of `start`.
    """
    monitor = monitor or Monitor()
    step = Step(float("inf"), start, radius=options.first_step)
    for iteration in range(options.max_iterations + 1):
        before, last = step, iteration == options.max_iterations
        step = monitor.step(game, f"{phase} of {player}", partial(_step, game, player, before, options, last))
        monitor.report(phase, player, step.residual, before.point)
        if step.outcome is not None:
            return AscentResult(step.outcome, step.point, step.residual, iteration)
    raise AssertionError("the last step has an outcome")


def _step(game: Game, player: int, before: Step, options: AscentOptions, last: bool) -> Step:
    """One iteration of `maximise`; with `last`, only whether the point is a maximum."""
    own = (game.owner == player).nonzero().squeeze(1)
    lower, upper = game.lower[own], game.upper[own]
    point, radius = before.point, before.radius
    gradient = point.gradient()[player, own]
    a = point.a[own]
    free = free_instruments(a, gradient, lower, upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    if not bool(free.any()):
        return Step(residual, point, Outcome.CONVERGED)
    if last and residual > options.tolerance:
        return Step(residual, point, Outcome.MAX_ITERATIONS)
    hessian = point.hessian(player)
    model = NewtonModel(hessian[free][:, free], options.flat)
    direction = torch.zeros_like(gradient)
    direction[free] = model.step(gradient[free])
    if model.concave and float(direction.abs().max()) <= radius and float(gradient @ direction) / 2 < options.promise:
        return Step(residual, point, Outcome.CONVERGED)
    down, up = (lower - a).clamp(min=-radius), (upper - a).clamp(max=radius)
    direction[free] = model.step(gradient[free], down[free], up[free])
    if residual <= options.tolerance and float(direction.abs().max()) > options.step_tolerance:
        # Along a flat direction the step is rounding over nothing: what is there stays.
        direction[free] = model.step(gradient[free], hold_flat=True)
        direction = torch.minimum(torch.maximum(direction, down), up)
    if residual <= options.tolerance and float(direction.abs().max()) <= options.step_tolerance:
        off = None
        if not model.concave:
            off = _leave_saddle(game, player, own[free], point, hessian[free][:, free], options.max_step)
        if off is None:
            return Step(residual, point, Outcome.CONVERGED)
        return Step(residual, off, Outcome.MAX_ITERATIONS if last else None, radius)
    if last:
        return Step(residual, point, Outcome.MAX_ITERATIONS)
    better, scale = _line_search(game, player, own, point, direction, gradient, lower, upper)
    if better is None:
        # The model of a saddle can be far off; each entry of the scaled gradient points uphill.
        uphill = torch.where(free, gradient / hessian.diagonal().abs().clamp(min=1e-300), 0.0)
        uphill = uphill.clamp(-radius, radius)
        better, scale = _line_search(game, player, own, point, uphill, gradient, lower, upper)
    if better is None:
        small = residual <= max(options.tolerance, 1e-9)
        return Step(residual, point, Outcome.CONVERGED if small else Outcome.STALLED)
    radius = min(2 * radius, options.max_step) if scale == 1 else max(scale * radius, 0.05)
    return Step(residual, better, None, radius)


def _line_search(
    game: Game, player: int, own: Tensor, point: Point, direction: Tensor, gradient: Tensor,
    lower: Tensor, upper: Tensor,
) -> tuple[Point | None, float]:  # fmt: skip
    """The first point along the projected path that raises the objective enough, None if none does; its scale."""
    scale = 1.0
    base = float(point.objectives[player])
    rounding = 4e-15 * max(1.0, abs(base))
    for _ in range(25):
        a = point.a.clone()
        a[own] = (a[own] + scale * direction).clamp(lower, upper)
        promised = float(gradient @ (a[own] - point.a[own]))
        trial = game.point(a, near=point)
        if trial is not None:
            gained = float(trial.objectives[player]) - base
            if gained >= 1e-4 * promised - (rounding if promised < 1e3 * rounding else 0.0):
                return trial, scale
            # A gain that the accuracy of the equilibrium hides: the gradient shows what the objective cannot.
            if max(promised, -gained) <= 1e-10 * max(1.0, abs(base)):
                before = _projected(point.a[own], gradient, lower, upper)
                if _projected(a[own], trial.gradient()[player, own], lower, upper) <= 0.5 * before:
                    return trial, scale
        scale /= 2
    return None, scale


def _projected(a: Tensor, gradient: Tensor, lower: Tensor, upper: Tensor) -> float:
    """Largest absolute gradient among instruments that may move."""
    return float(torch.where(free_instruments(a, gradient, lower, upper), gradient, 0.0).abs().max())


def _leave_saddle(game: Game, player: int, free: Tensor, point: Point, hessian: Tensor, longest: float) -> Point | None:
    """A better point along the direction of largest curvature, None where that is not positive or nothing is gained.

    Args:
        free: positions of the instruments that may move.
        hessian: on them.
        longest: step to try first.
    """
    values, vectors = torch.linalg.eigh(hessian)
    if float(values[-1]) <= 1e-9 * float(values.abs().max()):
        return None
    for halvings in range(12):
        step = longest / 2**halvings
        for move in (step * vectors[:, -1], -step * vectors[:, -1]):
            a = point.a.clone()
            a[free] = a[free] + move
            trial = game.point(a.clamp(game.lower, game.upper), near=point)
            # A tenth of what the curvature promises.
            enough = float(point.objectives[player]) + 0.05 * float(values[-1]) * step**2
            if trial is not None and float(trial.objectives[player]) > enough:
                return trial
    return None
