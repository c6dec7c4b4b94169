"""One player with many instruments: Newton ascent between bounds by products with the Hessian alone.

What `dlopt.framework.ascent` does with a matrix, without one. Each step maximises the quadratic model between the
bounds by conjugate gradients on the instruments that no bound holds; a direction of positive curvature is followed as
far as the step may go. Instruments are scaled by the sizes of their rows, estimated from a few products.

Source: Steihaug (1983) for conjugate gradients within a step length; Bertsekas (1982) for the projected path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.ascent import AscentOptions, AscentResult
from dlopt.framework.conditions import Conditions, LargeGame
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.outcome import Outcome

MANY, MANY_WHERE_DENSE = 600, 1500
"""Own instruments from which products are cheaper than a Hessian and its factors; the second where the game has dense
factors of its equilibrium anyway."""
_PROBES = 12  # products from which sizes are estimated
_ROUGH, _ACCURATE = 1e-3, 1e-7  # accuracy of products: of probes, and of conjugate gradients
_PASSES = 8  # sets of held instruments tried for a step
_PRODUCTS = 150  # of one set
_FLAT = 1e-9  # scaled curvature from which a direction does not count as flat or convex

Times = Callable[[Tensor], Tensor]
"""Products with a symmetric matrix, `[instrument]` both."""


def alone_by_products(large: LargeGame | None, players: int) -> bool:
    """Whether one player has so many instruments that its optimum is looked for by products."""
    return large is not None and players == 1 and len(large.owner) > (MANY_WHERE_DENSE if large.dense else MANY)


def sizes(conditions: Conditions) -> Tensor:
    """Positive sizes of the own Hessians' rows, `[instrument]`: those of the formula, estimates where it says less."""
    _, known = conditions.formula()
    draw = torch.Generator().manual_seed(0)
    squares = torch.zeros_like(conditions.a)
    for _ in range(_PROBES):
        signs = torch.randint(2, conditions.a.shape, generator=draw).to(squares.dtype) * 2 - 1
        squares += conditions.own_hessian_times(signs, _ROUGH) ** 2
    rows = (squares / _PROBES).sqrt()
    return torch.maximum(known, 0.1 * rows).clamp(min=1e-14 * float(rows.max()) + 1e-300)


def maximise_by_products(
    game: Game, large: LargeGame, start: Point, options: AscentOptions, monitor: Monitor, phase: str
) -> AscentResult:
    """Maximise the only player's objective from `start`; the last point, never below `start`, in any case."""
    step = Step(float("inf"), start, radius=options.first_step)
    for iteration in range(options.max_iterations + 1):
        before, last = step, iteration == options.max_iterations
        step = monitor.step(game, f"{phase} by products", partial(_step, game, large, before, options, last))
        monitor.report(phase, 0, step.residual, before.point)
        if step.outcome is not None:
            return AscentResult(step.outcome, step.point, step.residual, iteration)
    raise AssertionError("the last step has an outcome")


def _step(game: Game, large: LargeGame, before: Step, options: AscentOptions, last: bool) -> Step:
    point, radius = before.point, before.radius
    conditions = large.of(point)
    gradient, a = conditions.own_gradient(), point.a
    free = free_instruments(a, gradient, game.lower, game.upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    if not bool(free.any()):
        return Step(residual, point, Outcome.CONVERGED)
    if last and residual > options.tolerance:
        return Step(residual, point, Outcome.MAX_ITERATIONS)
    scale = sizes(conditions).rsqrt()

    def times(v: Tensor) -> Tensor:
        return scale * conditions.own_hessian_times(scale * v, _ACCURATE)

    slope = scale * gradient
    down = torch.maximum(game.lower - a, a.new_tensor(-radius)) / scale
    up = torch.minimum(game.upper - a, a.new_tensor(radius)) / scale
    exact = min(0.1, float((slope * free).norm()) ** 0.5)
    direction = scale * peak_by_products(times, slope, down, up, free, exact)
    longest, promised = float(direction.abs().max()), float(gradient @ direction)
    settled = residual <= options.tolerance and (longest <= options.step_tolerance or promised <= 1e-18)
    if settled or promised / 2 < options.promise:
        return Step(residual, point, Outcome.CONVERGED)
    if last:
        return Step(residual, point, Outcome.MAX_ITERATIONS)
    base, share = float(point.objectives[0]), 1.0
    rounding = 4e-15 * max(1.0, abs(base))
    while share > 1e-6:
        to = (a + share * direction).clamp(game.lower, game.upper)
        known = large.conditions(to, conditions)
        if known is not None:
            trial = large.point(known)
            enough = 1e-4 * float(gradient @ (to - a))
            gained = float(trial.objectives[0]) - base
            if gained >= enough - (rounding if enough < rounding else 0.0):
                wider = min(2 * radius, options.max_step) if share == 1 else max(share * radius, 0.05)
                return Step(residual, trial, None, wider)
            if max(enough, -gained) <= 1e-10 * max(1.0, abs(base)) and _nearer(large, known, residual):
                return Step(residual, trial, None, radius)
        share /= 2
    small = residual <= max(options.tolerance, 1e-9)
    return Step(residual, point, Outcome.CONVERGED if small else Outcome.STALLED)


def _nearer(large: LargeGame, there: Conditions, residual: float) -> bool:
    """Whether the gradient is half as large there: gains may be smaller than equilibria are exact."""
    gradient = there.own_gradient()
    free = free_instruments(there.a, gradient, large.lower, large.upper)
    return not bool(free.any()) or float(gradient[free].abs().max()) <= 0.5 * residual


def peak_by_products(times: Times, slope: Tensor, lower: Tensor, upper: Tensor, free: Tensor, exact: float) -> Tensor:
    """A d between `lower` and `upper` with more of `slope' d + d' H d / 2` than any along the slope alone.

    Args:
        times: products with H.
        slope: `[instrument]`.
        lower, upper: of d; zero is between them.
        free: which entries of d may move at all.
        exact: residual at which conjugate gradients end, as a fraction of the slope.
    """
    d = torch.zeros_like(slope)
    moves, rest = free, slope
    target = exact * float((slope * free).norm())
    for _ in range(_PASSES):
        if float((rest * moves).norm()) <= target:
            break
        toward = _conjugate_gradients(times, rest * moves, moves, target, lower - d, upper - d)
        d = torch.minimum(torch.maximum(d + toward, lower), upper)
        rest = slope + times(d)
        held = ((d <= lower) & (rest <= 0)) | ((d >= upper) & (rest >= 0))
        stays = bool(((free & ~held) == moves).all())
        moves = free & ~held
        if stays:
            break
    return d


def _conjugate_gradients(
    times: Times, slope: Tensor, moves: Tensor, target: float, lower: Tensor, upper: Tensor
) -> Tensor:
    """To the peak of the model on the instruments that move, or along positive curvature until the box holds half."""
    d, rest, along = torch.zeros_like(slope), slope, slope
    size = float(rest @ rest)
    for _ in range(_PRODUCTS):
        image = times(along) * moves
        bend = -float(along @ image)
        if bend <= _FLAT * float(along @ along):
            room = torch.where(along > 0, upper - d, torch.where(along < 0, lower - d, torch.inf)) / along
            far = float(room[along != 0].clamp(min=0).quantile(0.5)) if bool((along != 0).any()) else 0.0
            return d + far * along
        length = size / bend
        d, rest = d + length * along, rest + length * image
        before, size = size, float(rest @ rest)
        if size**0.5 <= target:
            break
        outside = (d < lower) | (d > upper)
        if float(outside.sum()) > 0.2 * float(moves.sum()):  # the model is solved on the wrong set
            break
        along = rest + size / before * along
    return d
