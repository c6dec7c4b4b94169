"""Nash equilibria: exact best responses, a joint Newton on all first-order conditions, and verification.

Best responses in turn (Wang, Xu, Yang, Zhu 2024, equation 10, step size one) bring the players near; the joint Newton
makes it exact; then every player re-optimises alone from other starts, and if one gains, play goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.game import (
    Game,
    Interrupted,
    Monitor,
    Point,
    Step,
    first_order_residual,
    free_instruments,
    own_gradient,
)
from dlopt.framework.outcome import Outcome

_FLAT = 1e-10  # of the largest scaled eigenvalue: below, a direction counts as neutral


@dataclasses.dataclass(frozen=True)
class JointNewton:
    """Options of `solve_nash`.

    Attributes:
        tolerance: largest projected own derivative accepted as a first-order condition.
        gain_tolerance: largest gain from re-optimising alone, as a fraction of the objective.
        step_tolerance: largest last Newton step: settles instruments on flat ground.
        rounds: rounds of best responses allowed in all.
        warm_up: Newton steps per player in each of the rounds before the joint Newton is tried.
        max_iterations: joint Newton iterations per attempt.
        max_step: largest change of one instrument in one joint step.
        revisions: how often verification may send play on.
    """

    tolerance: float = 1e-8
    gain_tolerance: float = 1e-8
    step_tolerance: float = 1e-6
    rounds: int = 40
    warm_up: int = 3
    max_iterations: int = 40
    max_step: float = 0.5
    revisions: int = 6


@dataclasses.dataclass(frozen=True)
class Optimality:
    """Evidence that a point is an equilibrium of the game.

    Attributes:
        first_order_residual: largest projected own derivative.
        curvature: largest eigenvalue of each player's own Hessian on its free instruments, `[player]`.
        curvature_scale: largest eigenvalue in absolute value, `[player]`.
        flat_directions: eigenvalues too small to be told from zero (1e-9 of the largest).
        at_bound: instruments held by a bound.
        gain: largest relative gain a player found by re-optimising alone; None when it was not tried.
    """

    first_order_residual: float
    curvature: tuple[float, ...]
    curvature_scale: tuple[float, ...]
    flat_directions: int
    at_bound: int
    gain: float | None

    def proven(self, tolerance: float, gain_tolerance: float) -> bool:
        """First-order conditions hold, no player's curvature is positive beyond rounding, nobody gains alone."""
        concave = all(c <= 1e-9 * s for c, s in zip(self.curvature, self.curvature_scale, strict=True))
        stays = self.gain is not None and self.gain <= gain_tolerance
        return self.first_order_residual <= tolerance and concave and stays


@dataclasses.dataclass(frozen=True)
class NashResult:
    """Where a game solver ended.

    Attributes:
        outcome: CONVERGED only if `optimality` proves it.
        point: the strategies and their equilibrium.
        optimality: evidence; None if the solver was interrupted before any.
        iterations: of all phases.
    """

    outcome: Outcome
    point: Point
    optimality: Optimality | None
    iterations: int


def solve_nash(
    game: Game, start: Point, options: JointNewton = JointNewton(), other_starts: list[Tensor] | None = None,
    monitor: Monitor | None = None,
) -> NashResult:  # fmt: skip
    """Find and verify a Nash equilibrium from `start`.

    Args:
        game: players, instruments, bounds.
        start: where play begins.
        options: see `JointNewton`.
        other_starts: instruments `[instrument]` each, from whose own entries every player re-optimises alone; at
            least one is needed for a proof.
        monitor: receives every iteration.
    """
    monitor = monitor or Monitor()
    point = start
    try:
        outcome, gain = Outcome.MAX_ITERATIONS, None
        for _ in range(options.revisions):
            outcome, point = _play(game, point, options, monitor)
            if outcome is not Outcome.CONVERGED:
                break
            point, gain = verify(game, point, options, other_starts or [], monitor)
            if gain is None or gain <= options.gain_tolerance:
                break
    except Interrupted as stop:
        return NashResult(Outcome.INTERRUPTED, stop.point, None, monitor.iteration)
    optimality = assess(game, point, gain)
    if outcome is Outcome.CONVERGED and not optimality.proven(options.tolerance, options.gain_tolerance):
        outcome = Outcome.STALLED
    return NashResult(outcome, point, optimality, monitor.iteration)


def assess(game: Game, point: Point, gain: float | None) -> Optimality:
    """First- and second-order evidence at a point; `gain` is passed through."""
    gradient = own_gradient(game, point)
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    curvature, scale, flat = [], [], 0
    for player in range(game.players):
        mine = (game.owner == player).nonzero().squeeze(1)
        inside = free[mine]
        if not bool(inside.any()):
            curvature.append(0.0)
            scale.append(0.0)
            continue
        values = torch.linalg.eigvalsh(point.hessian(player)[inside][:, inside])
        curvature.append(float(values.max()))
        scale.append(float(values.abs().max()))
        flat += int((values.abs() <= 1e-9 * scale[-1]).sum())
    return Optimality(first_order_residual(game, point), tuple(curvature), tuple(scale), flat, int((~free).sum()), gain)


def _play(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> tuple[Outcome, Point]:
    """Alternate rounds of truncated best responses and attempts of the joint Newton."""
    if game.players == 1:
        alone = maximise(game, 0, point, AscentOptions(tolerance=options.tolerance / 100), monitor, "newton")
        return alone.outcome, alone.point
    best_response = AscentOptions(max_iterations=options.warm_up, tolerance=options.tolerance / 100)
    residual = first_order_residual(game, point)
    if residual > 1e-4:
        point = _round(game, point, best_response, monitor)
    for attempt in range(options.rounds):
        outcome, newton = _joint_newton(game, point, options, monitor)
        if outcome is Outcome.CONVERGED:
            saddle = _saddle(game, newton)
            if saddle is None:
                return outcome, newton
            point = newton
        # Best responses go on from where Newton could not, ever more exactly.
        best_response = dataclasses.replace(best_response, max_iterations=options.warm_up + 4 * attempt)
        point = _round(game, point, best_response, monitor)
    return Outcome.MAX_ITERATIONS, point


def _round(game: Game, point: Point, options: AscentOptions, monitor: Monitor) -> Point:
    for player in range(game.players):
        point = maximise(game, player, point, options, monitor).point
    return point


def _saddle(game: Game, point: Point) -> int | None:
    """A player whose own second-order condition fails, None if all hold."""
    evidence = assess(game, point, None)
    for player, (top, size) in enumerate(zip(evidence.curvature, evidence.curvature_scale, strict=True)):
        if top > 1e-9 * size:
            return player
    return None


def _joint_newton(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> tuple[Outcome, Point]:
    """Newton on all players' first-order conditions at once, bounds as an active set.

    The test of a step is affine invariant: the correction that the same matrix asks for at the new point must be
    shorter than the step was (Deuflhard's natural monotonicity).
    """
    for _ in range(options.max_iterations):
        before = point
        step = monitor.step(game, "joint newton", partial(_joint_step, game, before, options))
        monitor.report("joint newton", None, step.residual, before)
        point = step.point
        if step.outcome is not None:
            return step.outcome, point
    return Outcome.MAX_ITERATIONS, point


def _joint_step(game: Game, point: Point, options: JointNewton) -> Step:
    gradient = own_gradient(game, point)
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    if not bool(free.any()):
        return Step(residual, point, Outcome.CONVERGED)
    solve = _joint_solver(game, point, free)
    if solve is None:
        return Step(residual, point, Outcome.STALLED)
    step = torch.zeros_like(point.a)
    step[free] = solve(-gradient[free])
    longest = float(step.abs().max())
    move = (point.a + step).clamp(game.lower, game.upper) - point.a
    settled = residual <= options.tolerance and float(move.abs().max()) <= options.step_tolerance
    if settled and residual <= options.tolerance / 100:
        return Step(residual, point, Outcome.CONVERGED)
    length = float(move.norm())
    scale = min(1.0, options.max_step / longest)
    while scale >= 1 / 16:
        a = (point.a + scale * step).clamp(game.lower, game.upper)
        trial = game.point(a, near=point)
        if trial is not None:
            new_gradient = own_gradient(game, trial)
            stay = free & free_instruments(a, new_gradient, game.lower, game.upper)
            correction = torch.zeros_like(a)
            correction[free] = solve(-torch.where(stay, new_gradient, 0.0)[free])
            correction = (a + correction).clamp(game.lower, game.upper) - a
            if float(correction.norm()) <= (1 - scale / 4) * length or longest < 1e-7:
                return Step(residual, trial)
        scale /= 2
    return Step(residual, point, Outcome.CONVERGED if settled else Outcome.STALLED)


def _joint_solver(game: Game, point: Point, free: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Solve with the players' stacked Hessian rows on the free instruments, rows and columns scaled.

    A direction in which a player's own objective is flat is neutral to everybody (the level of all its subsidies, say):
    it is held still, which leaves a matrix that can be solved. None where that fails, or where a player's own objective
    is convex along some direction: Newton would then make for its minimum.
    """
    size = len(point.a)
    matrix = point.a.new_zeros((size, size))
    for player in range(game.players):
        matrix[game.owner == player] = point.hessian(player, joint=True)
    matrix = matrix[free][:, free]
    diagonal = matrix.diagonal().abs()
    if not bool(matrix.isfinite().all()) or float(diagonal.max()) == 0:
        return None
    scale = diagonal.clamp(min=1e-14 * float(diagonal.max())).rsqrt()
    matrix = scale[:, None] * matrix * scale
    neutral = []
    for player in range(game.players):
        mine = (game.owner[free] == player).nonzero().squeeze(1)
        if not len(mine):
            continue
        own = matrix[mine[:, None], mine]
        values, vectors = torch.linalg.eigh((own + own.T) / 2)
        largest = float(values.abs().max())
        if float(values[-1]) > 1e-6 * largest:
            return None
        flat = vectors[:, values.abs() <= _FLAT * largest]
        if flat.shape[1]:
            matrix[mine[:, None], mine] -= flat @ flat.T
            neutral.append((mine, flat))
    try:
        lu, pivots = torch.linalg.lu_factor(matrix)
    except RuntimeError:  # exactly singular: torch raises this, or LinAlgError, a kind of it
        return None

    def solve(rhs: Tensor) -> Tensor:
        scaled = scale * rhs
        for mine, flat in neutral:
            scaled[mine] -= flat @ (flat.T @ scaled[mine])
        return scale * torch.linalg.lu_solve(lu, pivots, scaled[:, None]).squeeze(1)

    return solve


def verify(
    game: Game, point: Point, options: JointNewton, starts: list[Tensor], monitor: Monitor
) -> tuple[Point, float | None]:
    """Let every player re-optimise alone from each start; the point with the best response that gains most.

    Returns:
        The point, unchanged if nobody gains, and the largest relative gain (None without starts).
    """
    gain, best = None, point
    for player in range(game.players):
        promise = options.gain_tolerance / 100 * abs(float(point.objectives[player]))
        search = AscentOptions(tolerance=options.tolerance / 10, max_iterations=60, promise=promise)
        for other in starts:
            a = torch.where(game.owner == player, other.clamp(game.lower, game.upper), point.a)
            start = game.point(a, near=point) or game.point(a)
            if start is None:
                continue
            response = maximise(game, player, start, search, monitor, "verification").point
            held = float(point.objectives[player])
            relative = (float(response.objectives[player]) - held) / (abs(held) or 1.0)
            if gain is None or relative > gain:
                gain = relative
                best = response if relative > options.gain_tolerance else point
    return best, None if gain is None else max(gain, 0.0)
