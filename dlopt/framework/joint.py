"""Newton on the first-order conditions of all players at once, between the bounds."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.box import BoxedSystem
from dlopt.framework.game import Game, Monitor, Point, Step, first_order_residual, free_instruments, own_gradient
from dlopt.framework.outcome import Outcome

_FLAT = 1e-10  # of the largest scaled eigenvalue: below, a direction counts as neutral
_ROUNDING = 1e-15  # a shorter step does not move a rate
_FINE = 1e-10  # corrections with one matrix end with one no longer than this
_CHORD = 0.5  # a matrix is kept as long as each correction it asks for is at most this fraction of the one before


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
        verify_players: how many players, drawn at random, re-optimise in verification; default all.
        processes: that share the best responses of verification where each takes long (worlds of more than 250,000
            flows); they begin as copies of this one, so that each needs some memory of its own.
    """

    tolerance: float = 1e-8
    gain_tolerance: float = 1e-8
    step_tolerance: float = 1e-6
    rounds: int = 40
    warm_up: int = 3
    max_iterations: int = 40
    max_step: float = 0.5
    revisions: int = 6
    verify_players: int | None = None
    processes: int = 1


def joint_newton(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> Step:
    """Newton on all players' first-order conditions at once, between the bounds: the last step, with its outcome.

    The test of a step is affine invariant: the correction that the same matrix asks for at the new point must be
    shorter than the step was (Deuflhard's natural monotonicity).
    """
    step = Step(math.inf, point)
    for _ in range(options.max_iterations):
        before = step
        step = monitor.step(game, "joint newton", partial(_joint_step, game, before, options))
        monitor.report("joint newton", None, step.residual, before.point)
        if step.outcome is not None:
            return step
    return dataclasses.replace(step, outcome=Outcome.MAX_ITERATIONS)


def _joint_step(game: Game, before: Step, options: JointNewton) -> Step:
    point = before.point
    gradient = own_gradient(game, point)
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    if not bool(free.any()):
        return Step(residual, point, Outcome.CONVERGED)
    if residual <= options.tolerance / 100 and before.correction <= options.step_tolerance:
        return Step(residual, point, Outcome.CONVERGED)
    system = _joint_system(game, point, free)
    if not isinstance(system, _JointSystem):
        return Step(residual, point, Outcome.STALLED, unsettled=tuple(system))
    step = system.step(gradient, game.lower - point.a, game.upper - point.a)
    if step is None:
        return Step(residual, point, Outcome.STALLED)
    longest = float(step.abs().max())
    settled = residual <= options.tolerance and longest <= options.step_tolerance
    if settled and residual <= options.tolerance / 100:
        return Step(residual, point, Outcome.CONVERGED)
    if longest <= _ROUNDING:  # what slope there is lies along neutral directions
        return Step(residual, point, Outcome.CONVERGED if settled else Outcome.STALLED)
    length = float(step.norm())
    scale = min(1.0, options.max_step / longest)
    while scale >= 1 / 16:
        a = (point.a + scale * step).clamp(game.lower, game.upper)
        trial = game.point(a, near=point)
        if trial is not None:
            correction = system.step(own_gradient(game, trial), game.lower - a, game.upper - a)
            shorter = correction is not None and float(correction.norm()) <= (1 - scale / 4) * length
            if correction is not None and scale == 1 and (shorter or longest < 1e-7):
                return _chords(game, system, Step(residual, trial), correction, length, options)
            if shorter or longest < 1e-7:
                return Step(residual, trial)
        scale /= 2
    return Step(residual, point, Outcome.CONVERGED if settled else Outcome.STALLED)


def _chords(
    game: Game, system: _JointSystem, step: Step, correction: Tensor, length: float, options: JointNewton
) -> Step:
    """Go on from a full step with the corrections that its own matrix asks for, as long as they shrink fast.

    Args:
        step: taken.
        correction: what the matrix asks for next.
        length: of the step taken.
    """
    while float(correction.norm()) <= _CHORD * length:
        taken = float(correction.abs().max())
        step = dataclasses.replace(step, correction=taken)
        a = (step.point.a + correction).clamp(game.lower, game.upper)
        trial = None if taken <= _ROUNDING else game.point(a, near=step.point)
        following = None if trial is None else system.step(own_gradient(game, trial), game.lower - a, game.upper - a)
        if trial is None or following is None or float(following.norm()) > _CHORD * float(correction.norm()):
            break
        length, correction = float(correction.norm()), following
        step = dataclasses.replace(step, point=trial, correction=float(following.abs().max()))
        if taken <= _FINE and first_order_residual(game, trial) <= options.tolerance / 100:
            break
    return step


def _joint_system(game: Game, point: Point, free: Tensor) -> _JointSystem | list[int]:
    """The players' stacked Hessian rows, rows and columns scaled.

    A direction in which a player's own objective is flat is neutral to everybody (the level of all its subsidies, say):
    it is held still, which leaves a matrix that can be solved. Players whose own objective is convex along some
    direction of the `free` instruments are named instead: Newton would make for its minimum.
    """
    size = len(point.a)
    matrix = point.a.new_zeros((size, size))
    for player in range(game.players):
        matrix[game.owner == player] = point.hessian(player, joint=True)
    diagonal = matrix.diagonal().abs()
    if not bool(matrix.isfinite().all()) or float(diagonal.max()) == 0:
        return []
    scale = diagonal.clamp(min=1e-14 * float(diagonal.max())).rsqrt()
    matrix = scale[:, None] * matrix * scale
    neutral: list[tuple[Tensor, Tensor]] = []
    convex: list[int] = []
    for player in range(game.players):
        mine = ((game.owner == player) & free).nonzero().squeeze(1)
        if not len(mine):
            continue
        own = matrix[mine[:, None], mine]
        values, vectors = torch.linalg.eigh((own + own.T) / 2)
        largest = float(values.abs().max())
        if float(values[-1]) > 1e-6 * largest:
            convex.append(player)
            continue
        flat = vectors[:, values.abs() <= _FLAT * largest]
        if flat.shape[1]:
            matrix[mine[:, None], mine] -= flat @ flat.T
            neutral.append((mine, flat))
    return convex or _JointSystem(BoxedSystem(matrix), scale, neutral)


@dataclasses.dataclass(frozen=True)
class _JointSystem:
    """First-order conditions of all players near a point: `boxed` in scaled instruments, neutral directions held."""

    boxed: BoxedSystem
    scale: Tensor
    neutral: list[tuple[Tensor, Tensor]]

    def step(self, gradient: Tensor, lower: Tensor, upper: Tensor) -> Tensor | None:
        """The step between bounds after which no player would move, None where there is none."""
        slope = self.scale * gradient
        for mine, flat in self.neutral:
            slope[mine] -= flat @ (flat.T @ slope[mine])
        found = self.boxed.step(slope, lower / self.scale, upper / self.scale)
        return None if found is None else self.scale * found
