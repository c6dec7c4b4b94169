"""Best responses in a large game: each player's own formula, accelerated, with everybody else's instruments fixed.

Many searches go on side by side: each says at which instruments it needs to know its player's conditions next, and
the game finds those of all searches together where that is cheaper.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dlopt.framework.anderson import mixed
from dlopt.framework.ascent import AscentOptions, AscentResult, maximise
from dlopt.framework.ascent_by_products import alone_by_products, maximise_by_products
from dlopt.framework.conditions import Asked, Beginning, Conditions, LargeGame, large_of
from dlopt.framework.game import Game, Monitor, Point, Step, free_instruments
from dlopt.framework.outcome import Outcome
from dlopt.framework.own_blocks import LARGEST, blocks_at
from dlopt.framework.simultaneous import bounded_move

_MEMORY = 8
_LONGEST = 2.0  # change of one instrument in one step
_CAREFUL = 0.1  # the same far from the best where there is no formula for all
_CLOSE = 0.05  # steps longer than this are not combined there
_ACCURACY = 1e-4  # of multipliers, as a fraction of the last step
_NOISE = 1e-5  # of objectives, likewise: they are second order in what is known
_LAST = 1e-7  # of what is known where a search ends: objectives are second order in it
DENSE_SEARCH = 300
"""Instruments of a game up to which Newton ascent searches where some have no formula: it costs little there."""
_PART = 0.1  # of what is promised in all that a last step may promise: along slow directions it is a small part
_RETURNED = 1e-3  # log-units from the point at which a search that goes back to it may end
_HALVINGS = 8  # ways back in a row from where the objective is lower


def structured(large: LargeGame | None, player: int) -> bool:
    """Whether the player's formula, with a dense block for what has none, is a way to its best response."""
    if large is None:
        return False
    without = int(((large.owner == player) & ~large.has_formula).sum())
    return without == 0 or (without <= LARGEST and not (large.dense and len(large.owner) <= DENSE_SEARCH))


def best_response(
    game: Game, player: int, a: Tensor, near: Point, options: AscentOptions, monitor: Monitor, phase: str
) -> AscentResult | None:
    """Maximise a player's objective over its own instruments from `a` by `maximise`,
    or by products where it has thousands.

    Args:
        a: all instruments, `[instrument]`, those of the others as in `near`.
        near: a point whose equilibrium is known.
        options: tolerance of the own derivative, and `promise`: an objective that can rise no more than this is the
            best.

    Returns:
        Where the search ended; None where there is no equilibrium at `a`.
    """
    start, large = game.point(a, near=near) or game.point(a), large_of(game)
    if start is not None and large is not None and alone_by_products(large, game.players):
        return maximise_by_products(game, large, start, options, monitor, phase)
    return None if start is None else maximise(game, player, start, options, monitor, phase)


def best_responses(
    large: LargeGame, point: Point, starts: Sequence[Asked], options: Sequence[AscentOptions], monitor: Monitor
) -> Iterator[tuple[int, Step]]:
    """Best responses by formula from many starts: CONVERGED only where a first-order condition holds, or promises
    too little; everything else is left to `best_response`.

    Args:
        large: the game.
        point: whose instruments the others keep.
        starts: where each search begins, and what is known near there.
        options: of each search.
        monitor: may interrupt it.

    Yields:
        The place of a start and the last step from there, in the order in which the searches end; the step's
        `objective` is exact to second order where its point is rough.
    """
    searches = (_Search(large, point, start, option) for start, option in zip(starts, options, strict=True))
    waiting = enumerate(searches)
    begun: dict[int, _Search] = {}
    while True:
        begun.update(itertools.islice(waiting, large.together - len(begun)))  # who ends makes room for the next
        if not begun:
            return
        monitor.breathe(point)
        for k, found in zip(list(begun), large.several([search.asks for search in begun.values()]), strict=True):
            step = begun[k].take(found)
            if step is not None:
                del begun[k]
                yield k, step


class _Search:
    """One player's search.

    Args:
        large: the game.
        point: whose instruments the others keep.
        start: where to begin.
        options: when to end.
    """

    def __init__(self, large: LargeGame, point: Point, start: Asked, options: AscentOptions) -> None:
        self._large, self._point, self._player, self._options = large, point, start.player, options
        self.asks = dataclasses.replace(start, accuracy=0.1 * _ACCURACY)
        """What it needs to know next."""
        self._mine = large.owner == start.player
        self._blocks = None if bool(large.has_formula[self._mine].all()) else blocks_at(large, point)
        self._longest = _LONGEST if self._blocks is None else _CAREFUL
        self._objective: float | None = None  # the best so far, and where
        self._best: Beginning = start.near
        self._residual = float("inf")
        self._back = point.a
        self._points: list[Tensor] = []
        self._moves: list[Tensor] = []
        self._error, self._halved, self._steps, self._last = 0.1, 0, 0, False

    def take(self, found: Conditions | None) -> Step | None:
        """Go on from the conditions asked for, None if there are none; the last step if the search is over."""
        failed = Step(float("inf"), self._point, Outcome.STALLED)
        if self._last:
            return failed if found is None else self._end(found)
        self._steps += 1
        if self._steps > self._options.max_iterations:
            return failed
        objective = None if found is None else float(found.objectives[self._player])
        known, noise = self._objective, max(1e-11, _NOISE * self._error)
        if found is None or objective is None or (known is not None and objective < known - noise * abs(known)):
            if self._halved == _HALVINGS:
                return failed
            self._halved += 1
            self._longest = max(_CAREFUL, self._longest / 4)
            if len(self._points) > 1:  # what the formula asks for alone leads uphill, if it is not too far
                self._points, self._moves = self._points[-1:], self._moves[-1:]
                self._ask(self._bounded(self._points[0] + self._moves[0]))
            else:
                self._points, self._moves = [], []
                self._ask((self.asks.a + self._back) / 2)
            return None
        self._objective, self._best, self._back, self._halved = objective, found, found.a, 0
        a, gradient, move = found.a, found.own_gradient(), self._move(found)
        free = free_instruments(a, gradient, self._large.lower, self._large.upper) & self._mine
        self._residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
        self._error = float(move.abs().max())
        if not self._error < float("inf"):
            return failed
        self._longest = min(2 * self._longest, _LONGEST)
        promised = float((gradient * move).abs().sum())
        settled = self._residual <= self._options.tolerance or promised <= _PART * self._options.promise
        if settled or self._back_at_the_point(objective, a, move):
            if self.asks.accuracy <= _LAST:
                return self._end(found)
            self._last = True
            self._ask(a)
            return None
        self._points, self._moves = [*self._points[-_MEMORY:], a], [*self._moves[-_MEMORY:], move]
        if self._blocks is not None and self._error > _CLOSE:
            self._points, self._moves = self._points[-1:], self._moves[-1:]
        mine = self._mine
        together = mixed([p[None, mine] for p in self._points], [m[None, mine] for m in self._moves])[0]
        a = a.clone()
        a[mine] = a[mine] + together.clamp(-_LONGEST, _LONGEST)
        self._ask(self._bounded(a))
        return None

    def _back_at_the_point(self, objective: float, a: Tensor, move: Tensor) -> bool:
        """Whether the search is on its last steps back to the point, whose objective is no longer told from here."""
        held, home = float(self._point.objectives[self._player]), self._point.a
        away = float((a - home).abs().max())
        near = abs(objective - held) <= 10 * self._options.promise and away <= _RETURNED
        return near and float((a + move - home).abs().max()) <= 0.9 * away

    def _end(self, at: Conditions) -> Step:
        objective = float(at.objectives[self._player])  # the point's own is first order in what is rough there
        point = self._large.point(at)
        return Step(self._residual, point, Outcome.CONVERGED, correction=self._error, objective=objective)

    def _bounded(self, a: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(a, self._large.lower), self._large.upper)

    def _ask(self, a: Tensor) -> None:
        accuracy = _LAST if self._last else _ACCURACY * self._error
        self.asks = Asked(a, self._best, accuracy, self._player)

    def _move(self, at: Conditions) -> Tensor:
        """What the formula and, for what has none, the player's block ask for between the bounds, `[instrument]`."""
        large, gradient = self._large, at.own_gradient()
        move = torch.where(self._mine, bounded_move(large, at, self._longest), 0.0)
        if self._blocks is not None:
            own = self._blocks.index[self._player]
            asked = self._blocks.bounded(self._player, gradient, at.a, large.lower, large.upper)
            if not float(asked @ gradient[own]) > 0:  # the block misleads here
                asked = gradient[own] / self._blocks.scales[self._player] ** 2
            moved = at.a[own] + asked.clamp(-self._longest, self._longest)
            move[own] = torch.minimum(torch.maximum(moved, large.lower[own]), large.upper[own]) - at.a[own]
        return move
