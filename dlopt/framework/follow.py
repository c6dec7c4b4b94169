"""A solved game followed to other data near by: Newton on all first-order conditions, with the matrix of the old point.

The matrix of second derivatives at the solved point serves every game near it (a chord), its rows scaled as the own
curvature of each instrument has changed; Anderson mixing makes up for the rest of the distance. Where that does not
shrink the corrections, the joint Newton takes over from the same start.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.framework.anderson import mixed
from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.game import Game, Monitor, Point, free_instruments
from dlopt.framework.joint import JointNewton, joint_newton
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import Responses
from dlopt.framework.response_by_products import ResponsesByProducts

Sized = Callable[[Point], tuple[Tensor, Tensor]]
"""Own derivatives at a point, and sizes of each instrument's own curvature, 0 where unknown, `[instrument]` each."""

_SETTLED = 1e-5  # largest last correction
_MEMORY = 6
_CHORDS = 25


def follow(
    game: Game, start: Point, answer: Responses | ResponsesByProducts, sized: Sized, sizes: Tensor, tolerance: float
) -> Point | None:
    """A point near `start` where every player's first-order conditions hold; None where none was found.

    Args:
        game: with other data than the game that `answer` is of, and the same instruments.
        start: near the solution, best where the first derivatives of the old one point.
        answer: the second derivatives of the old game at its solution.
        sized: own derivatives and sizes of the own curvature at a point.
        sizes: those of the old game at its solution, `[instrument]`.
        tolerance: largest own derivative of a free instrument.
    """
    return _chords(game, start, answer, sized, sizes, tolerance) or _newton(game, start, tolerance)


def _chords(
    game: Game, start: Point, answer: Responses | ResponsesByProducts, sized: Sized, sizes: Tensor, tolerance: float
) -> Point | None:
    point: Point | None = start
    points: list[Tensor] = []
    moves: list[Tensor] = []
    longest = float("inf")
    for _ in range(_CHORDS):
        assert point is not None
        gradient, now = sized(point)
        free = free_instruments(point.a, gradient, game.lower, game.upper)
        if not bool(free.any()):
            return point
        known, freed = (sizes > 0) & (now > 0), free & ~answer.free
        if not bool(known[freed].all()):
            return None
        scaled = torch.where(known, gradient * sizes / torch.where(known, now, 1.0), gradient)
        move = answer.to(torch.where(free, scaled, 0.0)[:, None])[:, 0]
        move[freed] = gradient[freed] / now[freed]
        move = (point.a + move).clamp(game.lower, game.upper) - point.a
        size = float(move.abs().max())
        if float(gradient[free].abs().max()) <= tolerance and size <= _SETTLED:
            return point
        if not size <= 4 * longest:
            return None
        longest = min(longest, size)
        points, moves = [*points[-_MEMORY:], point.a], [*moves[-_MEMORY:], move]
        a = point.a + mixed([p[None] for p in points], [m[None] for m in moves])[0]
        a = a.clamp(game.lower, game.upper)
        point = game.point(a, near=point)
        if point is None:
            return None
    return None


def _newton(game: Game, start: Point, tolerance: float) -> Point | None:
    if game.players == 1:
        alone = maximise(game, 0, start, AscentOptions(tolerance=tolerance / 100), phase="newton")
        return alone.point if alone.outcome is Outcome.CONVERGED else None
    step = joint_newton(game, start, JointNewton(tolerance=tolerance), Monitor())
    return step.point if step.outcome is Outcome.CONVERGED else None
