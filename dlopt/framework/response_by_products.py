"""`dlopt.framework.response` without matrices: for games of any number of players and instruments.

The derivative of all players' first-order conditions is only multiplied with; GMRES with the own curvatures as
preconditioner solves for one parameter after the other (`dlopt.framework.newton_krylov` plays by the same products).
Flat directions cannot be counted this way; the least-squares steps of GMRES leave them still.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from torch import Tensor

from dlopt.framework.conditions import Conditions, LargeGame, large_of
from dlopt.framework.game import Game, Point, free_instruments
from dlopt.framework.linear import LinearSolveError, gmres_together
from dlopt.framework.own_blocks import DENSE_FASTER, OwnBlocks
from dlopt.framework.response import STRICT, Responses, responses

_PRODUCTS = 1e-11  # accuracy of products with the joint Jacobian
_TOLERANCE = 1e-9  # of a solve, relative
_ACCEPTED = 1e-6


@dataclasses.dataclass(frozen=True)
class ResponsesByProducts:
    """See `Responses`; `flat` is not known.

    Attributes:
        large: the game.
        conditions: everybody's, at the solved point.
        free: instruments that move, `[instrument]`.
        loose: instruments at a bound that hardly push against it.
    """

    large: LargeGame
    conditions: Conditions
    free: Tensor
    loose: int
    flat: int | None = None

    @cached_property
    def _blocks(self) -> tuple[OwnBlocks, Tensor]:
        blocks = OwnBlocks.at(self.large, self.conditions)
        return blocks, blocks.sizes(self.conditions.formula()[1])

    def to(self, slopes: Tensor, held: Tensor | None = None) -> Tensor:
        """da/dp for changes of the own gradients, `[instrument, parameter]` both (see `Responses.to`).

        Raises:
            LinearSolveError: GMRES did not get there.
        """
        blocks, sizes = self._blocks
        moved = torch.zeros_like(slopes) if held is None else torch.where(self.free[:, None], 0.0, held)

        def product(v: Tensor) -> Tensor:
            image = self.conditions.joint_times(torch.where(self.free, v[:, 0], 0.0), _PRODUCTS)
            return blocks.newton(image, sizes, self.free)[:, None]

        for k in range(slopes.shape[1]):
            right = slopes[:, k]
            if bool(moved[:, k].any()):
                right = right + self.conditions.joint_times(moved[:, k], _PRODUCTS)
            asked = -blocks.newton(right, sizes, self.free)[:, None]
            if not bool(asked.any()):
                continue
            found, _ = gmres_together(product, lambda v: v, asked, tolerance=_TOLERANCE)
            left = float((product(found) - asked).norm() / asked.norm())
            if not left <= _ACCEPTED:
                raise LinearSolveError(
                    f"The response of the policies to a parameter was not found: GMRES leaves {left:.1e} of it, more "
                    f"than {_ACCEPTED:g}."
                )
            moved[:, k] += torch.where(self.free, found[:, 0], 0.0)
        return moved


def responses_of(game: Game, point: Point) -> Responses | ResponsesByProducts:
    """By factors where the joint matrix can be formed, by products where the game is too large for it."""
    large = large_of(game)
    if large is None or (large.dense and len(game.owner) <= DENSE_FASTER):
        return responses(game, point)
    return responses_by_products(large, large.of(point))


def responses_by_products(large: LargeGame, conditions: Conditions) -> ResponsesByProducts:
    """Differentiate all players' first-order conditions at a solved point, matrix-free."""
    gradient = conditions.own_gradient()
    free = free_instruments(conditions.a, gradient, large.lower, large.upper)
    loose = int((~free & (gradient.abs() <= STRICT)).sum())
    return ResponsesByProducts(large, conditions, free, loose)
