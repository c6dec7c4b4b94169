"""Newton on the first-order conditions of all players, matrix-free and between bounds: games without a formula for all.

Damped own steps, all players at once, lead near: by the formula where an instrument has one, by the exact own block of
its player where not. Then Newton on all conditions jointly: GMRES with products of the joint Jacobian, preconditioned
by the own curvatures. The test of a step is that of `dlopt.framework.joint`: the own step asked for next is shorter.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.conditions import Conditions, LargeGame
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.linear import gmres_together
from dlopt.framework.outcome import Outcome
from dlopt.framework.own_blocks import OwnBlocks
from dlopt.framework.simultaneous import bounded_move

WARM_UP, NEWTON = "simultaneous", "newton-krylov"
_EXACT = 1e-13  # accuracy of conditions in the joint Newton, well below its tolerance
_PRODUCTS = 1e-5  # accuracy of products with the joint Jacobian
_REBUILD = 0.02  # own blocks are made again after a longer step


@dataclasses.dataclass(frozen=True)
class NewtonKrylov:
    """Options of `play_by_newton_krylov`.

    Attributes:
        tolerance: largest own derivative accepted on instruments that may move.
        step_tolerance: longest last step.
        switch: own steps at most this long before the joint Newton is tried; a third of it at every new attempt.
        attempts: of the joint Newton.
        warm_up: damped own steps in each.
        iterations: joint Newton steps in each.
        damping: fraction of the own steps taken.
        own_step, joint_step: largest change of one instrument in a step.
    """

    tolerance: float = 3e-12
    step_tolerance: float = 1e-6
    switch: float = 0.1
    attempts: int = 6
    warm_up: int = 30
    iterations: int = 25
    damping: float = 0.5
    own_step: float = 0.1
    joint_step: float = 0.5


@dataclasses.dataclass(frozen=True)
class Held:
    """What a step hands on: conditions, and the own blocks in use."""

    conditions: Conditions
    blocks: OwnBlocks

    def state(self) -> dict[str, Any]:
        """What `_held` needs."""
        blocks = self.blocks
        return {
            "conditions": self.conditions.state(), "index": list(blocks.index), "hessians": list(blocks.hessians),
            "scales": list(blocks.scales),
        }  # fmt: skip


def play_by_newton_krylov(
    game: Game, large: LargeGame, start: Point, monitor: Monitor, options: NewtonKrylov = NewtonKrylov()
) -> tuple[Outcome, Point]:
    """A point where no player's first-order condition is violated, or how far the search came."""
    step = Step(math.inf, start)
    switch = options.switch
    for _ in range(options.attempts):
        for _ in range(options.warm_up):
            step = monitor.step(game, WARM_UP, partial(_own_step, large, step, options))
            monitor.report(WARM_UP, None, step.residual, step.point)
            if step.outcome is not None:
                return step.outcome, step.point
            if step.correction <= switch:
                break
        step = dataclasses.replace(step, correction=math.inf)
        for _ in range(options.iterations):
            step = monitor.step(game, NEWTON, partial(_joint_step, large, step, options))
            monitor.report(NEWTON, None, step.residual, step.point)
            if step.outcome is Outcome.CONVERGED:
                return step.outcome, step.point
            if step.outcome is not None:
                break
        step = dataclasses.replace(step, outcome=None, move=None)
        switch /= 3
    return Outcome.MAX_ITERATIONS, step.point


def _held(large: LargeGame, step: Step) -> Held | None:
    if isinstance(step.conditions, Held):
        return step.conditions
    if step.carry is None:
        return None
    carry = step.carry
    blocks = OwnBlocks(tuple(carry["index"]), tuple(carry["hessians"]), tuple(carry["scales"]))
    return Held(large.restore(carry["conditions"]), blocks)


def _own_step(large: LargeGame, before: Step, options: NewtonKrylov) -> Step:
    """Conditions where the last own steps lead, and the own steps from there."""
    held = _held(large, before)
    known = before.point.a
    move = torch.zeros_like(known)
    if before.move is not None:  # a bound is not crept up to: nothing holds there that is a little away from it
        ends = ((known + before.move) >= large.upper) | ((known + before.move) <= large.lower)
        move = torch.where(ends, before.move, options.damping * before.move)
    for halvings in range(6):
        near = before.point if held is None else held.conditions
        conditions = large.conditions(known + move / 2**halvings, near, 1e-6 * min(0.1, before.correction))
        if conditions is not None and bool(conditions.own_gradient().isfinite().all()):
            break
    else:
        return Step(math.inf, before.point, Outcome.DIVERGED)
    blocks = OwnBlocks.at(large, conditions)
    gradient = conditions.own_gradient()
    asked = bounded_move(large, conditions, options.own_step)
    for player, own in enumerate(blocks.index):
        asked[own] = blocks.bounded(player, gradient, conditions.a, large.lower, large.upper)
    longest = float(asked.abs().max())
    asked = asked.clamp(-options.own_step, options.own_step)
    outcome = None if longest < math.inf else Outcome.NON_FINITE
    residual = _residual(large, conditions, gradient)
    return Step(
        residual, large.point(conditions), outcome, correction=longest, move=asked, conditions=Held(conditions, blocks)
    )


def _joint_step(large: LargeGame, before: Step, options: NewtonKrylov) -> Step:
    """One joint Newton step from the conditions that the step before handed on."""
    held = _held(large, before)
    assert held is not None
    conditions, blocks = held.conditions, held.blocks
    if before.correction == math.inf:  # those of the warm-up are rough
        exact = large.conditions(conditions.a, conditions, _EXACT)
        if exact is None:
            return Step(before.residual, before.point, Outcome.STALLED, conditions=held)
        conditions = exact
    elif before.correction > _REBUILD:
        blocks = OwnBlocks.at(large, conditions)
    gradient = conditions.own_gradient()
    residual = _residual(large, conditions, gradient)
    free = free_instruments(conditions.a, gradient, large.lower, large.upper)
    if residual <= options.tolerance and before.correction <= options.step_tolerance:
        return Step(residual, large.point(conditions), Outcome.CONVERGED, conditions=Held(conditions, blocks))
    sizes = blocks.sizes(conditions.formula()[1])
    asked = blocks.newton(gradient, sizes, free)

    def product(v: Tensor) -> Tensor:
        image = conditions.joint_times(torch.where(free, v[:, 0], 0.0), _PRODUCTS)
        return blocks.newton(image, sizes, free)[:, None]

    length = float(asked.norm())
    exact_to = 1e-1 if length > 0.3 else 1e-2 if length > 1e-2 else 1e-4
    found, _ = gmres_together(product, lambda v: v, -asked[:, None], tolerance=exact_to, cycles=1)
    step = torch.where(free, found[:, 0], 0.0)
    longest = float(step.abs().max())
    scale = min(1.0, options.joint_step / max(longest, 1e-300))
    while scale > 1 / 64:
        a = torch.minimum(torch.maximum(conditions.a + scale * step, large.lower), large.upper)
        trial = large.conditions(a, conditions, _EXACT)
        if trial is not None:
            slope = trial.own_gradient()
            next_asked = blocks.newton(slope, sizes, free_instruments(a, slope, large.lower, large.upper))
            if float(next_asked.norm()) <= (1 - scale / 4) * length or longest < 1e-7:
                taken = float((a - conditions.a).abs().max())
                return Step(residual, large.point(trial), None, correction=taken, conditions=Held(trial, blocks))
        scale /= 2
    return Step(residual, large.point(conditions), Outcome.STALLED, conditions=Held(conditions, blocks))


def _residual(large: LargeGame, conditions: Conditions, gradient: Tensor) -> float:
    free = free_instruments(conditions.a, gradient, large.lower, large.upper)
    return float(gradient[free].abs().max()) if bool(free.any()) else 0.0
