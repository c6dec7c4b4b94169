"""Exact own second derivatives of the instruments without a formula: small dense blocks, one for each player.

One product of all players' own Hessians gives one column of every player's block.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from dlopt.framework.conditions import Conditions, LargeGame
from dlopt.framework.game import Point, free_instruments

_ACCURACY = 1e-2  # of products: the blocks are models
_FLAT = 1e-3  # eigenvalues of the scaled block below this fraction of the largest count as this fraction
DENSE_FASTER = 1500
"""Instruments of a game up to which dense derivatives are faster where some instruments have no formula."""
LARGEST = 150
"""Instruments without a formula a player may have: a block costs as many products."""


@dataclasses.dataclass(frozen=True)
class OwnBlocks:
    """Own Hessians on the instruments without a formula, eigenvalues of the wrong sign turned round.

    Attributes:
        index: these instruments of each player.
        hessians: negative definite, `[instrument, instrument]` each, scaled by `scales` on both sides.
        scales: roots of the diagonals, `[instrument]` each.
    """

    index: tuple[Tensor, ...]
    hessians: tuple[Tensor, ...]
    scales: tuple[Tensor, ...]

    @classmethod
    def at(cls, large: LargeGame, conditions: Conditions) -> OwnBlocks:
        """The blocks at conditions."""
        index = blocked(large)
        raw = [torch.zeros((len(own), len(own)), dtype=torch.float64) for own in index]
        for column in range(max(len(own) for own in index)):
            v = torch.zeros_like(conditions.a)
            moved = [player for player, own in enumerate(index) if column < len(own)]
            v[torch.stack([index[player][column] for player in moved])] = 1.0
            image = conditions.own_hessian_times(v, _ACCURACY)
            for player in moved:
                raw[player][:, column] = image[index[player]]
        return cls.of(index, [(matrix + matrix.T) / 2 for matrix in raw])

    @classmethod
    def of(cls, index: tuple[Tensor, ...], raw: list[Tensor]) -> OwnBlocks:
        """From symmetric own Hessians."""
        hessians, scales = [], []
        for matrix in raw:
            scale = matrix.diagonal().abs().clamp(min=1e-14).sqrt()
            scaled = matrix / scale[:, None] / scale
            if len(matrix):
                values, vectors = torch.linalg.eigh(scaled)
                sizes = values.abs()
                sizes = sizes.clamp(min=_FLAT * float(sizes.max()))
                scaled = -(vectors * sizes) @ vectors.T
            hessians.append(scaled)
            scales.append(scale)
        return cls(index, tuple(hessians), tuple(scales))

    def sizes(self, formula: Tensor) -> Tensor:
        """Positive sizes of all instruments' own curvature: those of the formula, and the blocks' diagonals."""
        out = formula.clone()
        for own, scale in zip(self.index, self.scales, strict=True):
            out[own] = scale**2
        return out

    def newton(self, gradient: Tensor, sizes: Tensor, free: Tensor) -> Tensor:
        """Every player's own Newton step on its free instruments, those with a formula by their sizes."""
        step = torch.where(free, gradient / sizes, 0.0)
        for own, matrix, scale in zip(self.index, self.hessians, self.scales, strict=True):
            moves = free[own]
            if bool(moves.any()):
                slope = gradient[own[moves]] / scale[moves]
                step[own[moves]] = -torch.linalg.solve(matrix[moves][:, moves], slope) / scale[moves]
        return step

    def bounded(self, player: int, gradient: Tensor, a: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """A player's own Newton step between its bounds, on the instruments of its block: an active set."""
        own, matrix, scale = self.index[player], self.hessians[player], self.scales[player]
        low, high = (lower - a)[own] * scale, (upper - a)[own] * scale
        slope = gradient[own] / scale
        held = ~free_instruments(a[own], gradient[own], lower[own], upper[own])
        step = torch.zeros_like(slope)
        for _ in range(10):
            moves = ~held
            if not bool(moves.any()):
                break
            right = slope[moves] + matrix[moves][:, held] @ step[held]
            step[moves] = -torch.linalg.solve(matrix[moves][:, moves], right)
            over = moves & ((step < low) | (step > high))
            if not bool(over.any()):
                break
            step = torch.where(over, step.clamp(low, high), step)
            held = held | over
        return step.clamp(low, high) / scale


def blocked(large: LargeGame) -> tuple[Tensor, ...]:
    """Each player's instruments without a formula."""
    without = ~large.has_formula
    return tuple(((large.owner == player) & without).nonzero().flatten() for player in range(large.players))


@contextlib.contextmanager
def without_formulas(large: LargeGame) -> Iterator[None]:
    """For the time being, own blocks in the place of formulas where no player has more than `LARGEST` instruments.

    A formula finds a best response where the objective is concave; a block knows where it is not, and which way is up.
    """
    kept = large.has_formula
    if int(torch.bincount(large.owner).max()) <= LARGEST:
        large.has_formula = torch.zeros_like(kept)
    try:
        yield
    finally:
        large.has_formula = kept


def blocks_at(large: LargeGame, point: Point) -> OwnBlocks:
    """The blocks at a point, those of the last one kept."""
    kept = large.kept_blocks
    if kept is None or kept[0] is not point:
        kept = point, OwnBlocks.at(large, large.of(point))
        large.kept_blocks = kept
    return kept[1]
