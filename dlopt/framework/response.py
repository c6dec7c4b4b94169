"""How a solved game moves when its data do: the implicit function theorem on the first-order conditions of all players.

At a Nash equilibrium `G(a, p) = 0` for all free instruments, where `G` holds each instrument's derivative of its
owner's objective and `p` is a datum. Hence `da/dp = -G_a^{-1} G_p` on the free instruments; those held by a bound stay,
or move with it where the bound itself is the datum. A best response and a planner's optimum are games with one player.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.framework.game import Game, Point, free_instruments, own_gradient
from dlopt.framework.linear import LinearSolveError, lu_factors

_FLAT = 1e-10  # of the largest scaled eigenvalue: below, a direction counts as neutral, as to the solver
STRICT = 1e-9  # an instrument at a bound with a smaller push than this may leave it when data move


@dataclasses.dataclass(frozen=True)
class Responses:
    """The derivative of the first-order conditions with respect to the instruments, factorised.

    Attributes:
        free: instruments that move, `[instrument]`.
        flat: directions, over all players, along which an owner's objective is flat: they are held still.
        loose: instruments at a bound that hardly push against it: a change of the data may free them, and derivatives
            are then one-sided.
    """

    free: Tensor
    flat: int
    loose: int
    _rows: Tensor
    _factor: tuple[Tensor, Tensor]
    _scale: Tensor
    _neutral: tuple[tuple[Tensor, Tensor], ...]

    def to(self, slopes: Tensor, held: Tensor | None = None) -> Tensor:
        """da/dp for changes of the own gradients, `[instrument, parameter]` both.

        Args:
            slopes: changes of the own gradients at unchanged instruments.
            held: how instruments at a bound move with it, `[instrument, parameter]`; by default they stay.
        """
        moved = torch.zeros_like(slopes) if held is None else torch.where(self.free[:, None], 0.0, held)
        right = self._scale[:, None] * (slopes[self.free] + self._rows @ moved)
        for mine, flat in self._neutral:
            right[mine] -= flat @ (flat.T @ right[mine])
        moved[self.free] = -self._scale[:, None] * torch.linalg.lu_solve(*self._factor, right)
        return moved


def responses(game: Game, point: Point) -> Responses:
    """Differentiate all players' first-order conditions at a solved point.

    Raises:
        LinearSolveError: together they do not determine how instruments move, as where two branches of equilibria meet.
    """
    gradient = own_gradient(game, point)
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    loose = int((~free & (gradient.abs() <= STRICT)).sum())
    size = len(point.a)
    matrix = point.a.new_zeros((size, size))
    for player in range(game.players):
        matrix[game.owner == player] = point.hessian(player, joint=True)
    owner, rows = game.owner[free], matrix[free]
    matrix = rows[:, free]
    diagonal = matrix.diagonal().abs()
    largest = float(diagonal.max()) if len(diagonal) else 0.0
    scale = diagonal.clamp(min=1e-14 * largest).rsqrt()
    matrix = scale[:, None] * matrix * scale
    neutral: list[tuple[Tensor, Tensor]] = []
    for player in range(game.players):
        mine = (owner == player).nonzero().squeeze(1)
        if not len(mine):
            continue
        own = matrix[mine[:, None], mine]
        values, vectors = torch.linalg.eigh((own + own.T) / 2)
        flat = vectors[:, values.abs() <= _FLAT * float(values.abs().max())]
        if flat.shape[1]:
            matrix[mine[:, None], mine] -= flat @ flat.T
            neutral.append((mine, flat))
    lu, pivots, singular = lu_factors(matrix)
    if singular:
        raise LinearSolveError(
            "The first-order conditions of all players together do not determine how their instruments move: the "
            "answer lies where branches of equilibria meet, and has no derivatives there. Change a parameter a little, "
            "and solve again."
        )
    count = sum(flat.shape[1] for _, flat in neutral)
    return Responses(free, count, loose, rows, (lu, pivots), scale, tuple(neutral))
