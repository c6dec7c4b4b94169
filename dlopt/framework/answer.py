"""One player's best response in a large game: its own formula, accelerated, with everybody else's instruments fixed."""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor

from dlopt.framework.anderson import mixed
from dlopt.framework.ascent import AscentOptions, AscentResult, maximise
from dlopt.framework.conditions import Conditions, LargeGame, large_of
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.outcome import Outcome
from dlopt.framework.own_blocks import DENSE_FASTER, LARGEST, blocks_at
from dlopt.framework.simultaneous import bounded_move

_MEMORY = 8
_LONGEST = 0.5  # change of one instrument in one step
_CAREFUL = 0.1  # the same far from the best where there is no formula for all
_CLOSE = 0.05  # steps longer than this are not combined there
_ACCURACY = 1e-5  # of multipliers, as a fraction of the last step
_HALVINGS = 8  # ways back in a row from where the objective is lower


def best_response(
    game: Game, player: int, a: Tensor, near: Point, options: AscentOptions, monitor: Monitor, phase: str
) -> AscentResult | None:
    """Maximise a player's objective over its own instruments from `a`: by its formula, or else by `maximise`.

    Args:
        a: all instruments, `[instrument]`, those of the others as in `near`.
        near: a point whose equilibrium is known.
        options: tolerance of the own derivative, and `promise`: an objective that can rise no more than this is the
            best.

    Returns:
        Where the search ended; None where there is no equilibrium at `a`.
    """
    large = large_of(game)
    mine = game.owner == player
    if large is not None and _structured(large, mine):
        search = partial(_by_formula, large, player, mine, a, near, options)
        found = monitor.step(game, f"{phase} of {player}, by formula", search)
        monitor.report(phase, player, found.residual, found.point)
        if found.outcome is Outcome.CONVERGED:
            return AscentResult(Outcome.CONVERGED, found.point, found.residual, 1)
    start = game.point(a, near=near) or game.point(a)
    return None if start is None else maximise(game, player, start, options, monitor, phase)


def _structured(large: LargeGame, mine: Tensor) -> bool:
    """Whether the player's formula, with a dense block for what has none, is a way to its best response."""
    without = int((mine & ~large.has_formula).sum())
    return without == 0 or (without <= LARGEST and not (large.dense and len(mine) <= DENSE_FASTER))


@dataclasses.dataclass(frozen=True)
class _Best:
    objective: float
    conditions: Conditions


def _by_formula(large: LargeGame, player: int, mine: Tensor, a: Tensor, near: Point, options: AscentOptions) -> Step:
    """The search as one step: converged only where the first-order condition holds, or promises too little."""
    conditions: Conditions | None = large.of(near)
    blocks = None if bool(large.has_formula[mine].all()) else blocks_at(large, near)
    best: _Best | None = None
    points: list[Tensor] = []
    moves: list[Tensor] = []
    error, halved = 0.1, 0
    longest = _LONGEST if blocks is None else _CAREFUL
    failed = Step(float("inf"), near, Outcome.STALLED)
    for _ in range(options.max_iterations):
        back = near.a if best is None else best.conditions.a
        last = conditions if best is None else best.conditions
        conditions = large.conditions(a, last, _ACCURACY * error, player)
        objective = None if conditions is None else float(conditions.objectives[player])
        noise = max(1e-11, _ACCURACY * error)
        if objective is None or (best is not None and objective < best.objective - noise * abs(best.objective)):
            if halved == _HALVINGS:
                return failed
            a, halved, points, moves = (a + back) / 2, halved + 1, [], []
            continue
        assert conditions is not None
        best, halved = _Best(objective, conditions), 0
        gradient, move = conditions.own_gradient(), torch.where(mine, bounded_move(large, conditions, longest), 0.0)
        if blocks is not None:
            own = blocks.index[player]
            asked = blocks.bounded(player, gradient, a, large.lower, large.upper)
            if not float(asked @ gradient[own]) > 0:  # the block misleads here
                asked = gradient[own] / blocks.scales[player] ** 2
            moved = a[own] + asked.clamp(-longest, longest)
            move[own] = torch.minimum(torch.maximum(moved, large.lower[own]), large.upper[own]) - a[own]
        free = free_instruments(a, gradient, large.lower, large.upper) & mine
        residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
        error = float(move.abs().max())
        if not error < float("inf"):
            return failed
        longest = _LONGEST if blocks is None or error < 0.02 else _CAREFUL
        promised = float((gradient * move).abs().sum())
        if residual <= options.tolerance or promised <= options.promise:
            exact = large.conditions(a, conditions, 0.0, player)
            point = large.point(exact or conditions)
            return Step(residual, point, Outcome.CONVERGED, correction=error)
        points, moves = [*points[-_MEMORY:], a], [*moves[-_MEMORY:], move]
        if blocks is not None and error > _CLOSE:
            points, moves = points[-1:], moves[-1:]
        together = mixed([p[None, mine] for p in points], [m[None, mine] for m in moves])[0]
        a = a.clone()
        a[mine] = a[mine] + together.clamp(-_LONGEST, _LONGEST)
        a = torch.minimum(torch.maximum(a, large.lower), large.upper)
    return failed
