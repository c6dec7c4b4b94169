"""Second-order evidence at a point: is every player's own objective concave in the instruments that may move?"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.framework.ascent_by_products import alone_by_products, sizes
from dlopt.framework.conditions import Conditions, large_of
from dlopt.framework.game import Game, Point
from dlopt.framework.lanczos import largest_eigenvalues
from dlopt.framework.own_blocks import blocks_at

DENSE_INSTRUMENTS = 600
"""Own instruments of a player up to which all eigenvalues are computed."""
PRODUCTS, PRODUCTS_DENSE = 160, 400
"""Steps of the Lanczos process: where products are dear, and where factors are at hand."""
_FLAT = 1e-9
"""Share of the largest eigenvalue below which one is not told from zero."""
_ACCURACY = 1e-10
"""Of Hessian products in the Lanczos process."""


@dataclasses.dataclass(frozen=True)
class Concavity:
    """Curvature of each player's own objective on its free instruments.

    Attributes:
        curvature: largest eigenvalue, `[player]`; with `residual`, of the Hessian scaled by the sizes that the formula
            gives (its signs are the Hessian's, by Sylvester's law of inertia), beside its flat directions, and
            increased by the Ritz residual.
        scale: largest eigenvalue in absolute value, `[player]`.
        flat: eigenvalues too small to be told from zero (of all, or of the largest with `residual`).
        residual: largest Ritz residual, None where all eigenvalues were computed.
        missed: bound of the probability that the Lanczos process missed a direction of positive curvature, likewise.
    """

    curvature: tuple[float, ...]
    scale: tuple[float, ...]
    flat: int | None
    residual: float | None = None
    missed: float | None = None

    @property
    def convex(self) -> list[int]:
        """Players whose curvature is positive beyond rounding."""
        tops = zip(self.curvature, self.scale, strict=True)
        return [player for player, (top, size) in enumerate(tops) if top > 1e-9 * size]


def concavity(game: Game, point: Point, free: Tensor, conditions: Conditions | None = None) -> Concavity:
    """All eigenvalues where players have few instruments, the largest by Lanczos where they have many.

    Args:
        free: which instruments may move, bool `[instrument]`.
        conditions: at the point, of a game that has them.
    """
    large, most = large_of(game), int(torch.bincount(game.owner).max())
    alone = alone_by_products(large, game.players)
    many = alone if game.players == 1 else large is not None and not (large.dense and most <= DENSE_INSTRUMENTS)
    if large is None or conditions is None or not many:
        return _dense(game, point, free)
    _, size = conditions.formula()
    if alone:
        size = sizes(conditions)
    elif not bool(large.has_formula.all()):
        size = blocks_at(large, point).sizes(size)
    scale = size.rsqrt() * free
    times = conditions.own_hessian_times
    found = largest_eigenvalues(
        lambda v: scale * times(scale * v, _ACCURACY), game.owner, game.players, free, flat=_FLAT,
        max_steps=PRODUCTS_DENSE if large.dense or alone else PRODUCTS,
    )  # fmt: skip
    top = found.largest + found.residual
    return Concavity(
        tuple(top.tolist()), tuple(torch.maximum(found.largest.abs(), found.smallest.abs()).tolist()), found.flat,
        float(found.residual.max()), found.missed,
    )  # fmt: skip


def _dense(game: Game, point: Point, free: Tensor) -> Concavity:
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
        flat += int((values.abs() <= _FLAT * scale[-1]).sum())
    return Concavity(tuple(curvature), tuple(scale), flat)
