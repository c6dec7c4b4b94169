"""All players move at once, each by its own formula: a fixed point on first-order conditions, Anderson-accelerated.

Where a game has a formula for the instrument that satisfies its owner's first-order condition at given multipliers, the
iteration on it is exact at its fixed point and contracts by a factor that does not depend on the number of players or
instruments. Equilibria and multipliers are only as exact as the last step was long.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.anderson import mixed
from dlopt.framework.conditions import Conditions, LargeGame
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.outcome import Outcome

PHASE = "simultaneous"


@dataclasses.dataclass(frozen=True)
class Simultaneous:
    """Options of `play_at_once`.

    Attributes:
        tolerance: largest own derivative accepted on instruments that may move.
        step_tolerance: longest step the formula may still ask for.
        max_iterations: iterations allowed.
        patience: iterations without a shorter step than ever before after which the iteration is given up.
        memory: past iterates that Anderson combines.
        max_step: largest change of one instrument in one step.
        accuracy: of equilibria and multipliers, as a fraction of the last step.
    """

    tolerance: float = 3e-12
    step_tolerance: float = 1e-9
    max_iterations: int = 150
    patience: int = 15
    memory: int = 12
    max_step: float = 1.0
    accuracy: float = 1e-5


def play_at_once(
    game: Game, large: LargeGame, start: Point, monitor: Monitor, options: Simultaneous = Simultaneous()
) -> tuple[Outcome, Point]:
    """The fixed point of all players' formulas from the instruments of `start`, or how far the iteration came."""
    points: list[Tensor] = []
    moves: list[Tensor] = []
    before: Step | None = None
    a, shortest, since = start.a, float("inf"), 0
    near = shortest  # shortest since Anderson's memory begins
    for _ in range(options.max_iterations):
        step = monitor.step(game, PHASE, partial(_iteration, large, a, before, start, options))
        monitor.report(PHASE, None, step.residual, step.point)
        if step.outcome is not None or step.move is None:
            return step.outcome or Outcome.STALLED, step.point
        if step.correction > 4 * near:  # what was learned there does not help here
            points, moves, near = [], [], step.correction
        near = min(near, step.correction)
        since = 0 if step.correction < shortest else since + 1
        if since == options.patience:
            return Outcome.STALLED, step.point
        shortest = min(shortest, step.correction)
        points = [*points[-options.memory :], step.point.a]
        moves = [*moves[-options.memory :], step.move]
        together = mixed([p[None] for p in points], [m[None] for m in moves])[0]
        a = step.point.a + together.clamp(-options.max_step, options.max_step)
        a = torch.minimum(torch.maximum(a, game.lower), game.upper)
        before = step
    return Outcome.MAX_ITERATIONS, step.point


def _iteration(large: LargeGame, a: Tensor, before: Step | None, start: Point, options: Simultaneous) -> Step:
    """Conditions at `a`, or nearer to the point before if there is no equilibrium, and what the formula asks for."""
    near: Conditions | Point | None = start
    if before is not None:
        near = before.conditions or (None if before.carry is None else large.restore(before.carry))
    error = 0.1 if before is None else before.correction
    known = start.a if before is None else before.point.a
    for halvings in range(5):
        conditions = large.conditions(known + (a - known) / 2**halvings, near, options.accuracy * error)
        if conditions is not None:
            break
    else:
        return Step(float("inf"), start if before is None else before.point, Outcome.DIVERGED)
    gradient, move = conditions.own_gradient(), bounded_move(large, conditions, options.max_step)
    free = free_instruments(conditions.a, gradient, large.lower, large.upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    longest = float(move.abs().max())
    if not longest < float("inf"):
        return Step(residual, large.point(conditions), Outcome.NON_FINITE)
    settled = residual <= options.tolerance and longest <= options.step_tolerance
    outcome = Outcome.CONVERGED if settled and conditions.residual <= 1e-11 else None
    return Step(residual, large.point(conditions), outcome, correction=longest, move=move, conditions=conditions)


def bounded_move(large: LargeGame, conditions: Conditions, longest: float) -> Tensor:
    """What the formula asks for, between the bounds, `[instrument]`."""
    step, _ = conditions.formula()
    a = conditions.a + step.clamp(-longest, longest)
    return torch.minimum(torch.maximum(a, large.lower), large.upper) - conditions.a
