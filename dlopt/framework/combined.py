"""One game played in several worlds at once: players choose once, and care about what comes of it in every world.

`phi(W_1, ..., W_K)` of a player's objectives in K worlds is its objective: the mean is expected welfare, the smallest
the worst case. With g_k and H_k the gradient and Hessian of W_k, and phi_k, phi_kl the derivatives of phi,

    gradient = sum_k phi_k g_k,        Hessian = sum_k phi_k H_k + sum_kl phi_kl g_k g_l'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.game import Game, Point

Combine = Callable[[Tensor], Tensor]
"""From objectives in all worlds, `[world]`, to one number; twice differentiable in torch."""


class CombinedGame:
    """A `dlopt.framework.Game` made of one game in several worlds, which share instruments, owners and bounds.

    Args:
        games: one for each world.
        combine: what players make of the worlds.
    """

    def __init__(self, games: Sequence[Game], combine: Combine) -> None:
        self.games, self.combine = tuple(games), combine
        first = self.games[0]
        self.owner, self.lower, self.upper, self.players = first.owner, first.lower, first.upper, first.players

    def point(self, a: Tensor, near: Point | None = None) -> CombinedPoint | None:
        """The equilibria of all worlds at `a`; None where one of them has none."""
        before = near.points if isinstance(near, CombinedPoint) else (None,) * len(self.games)
        points = []
        for game, close in zip(self.games, before, strict=True):
            point = game.point(a, near=close)
            if point is None:
                return None
            points.append(point)
        return CombinedPoint(self, points)

    def restore(self, state: dict[str, Any]) -> CombinedPoint:
        """The point of which `state` is."""
        return CombinedPoint(self, [game.restore(s) for game, s in zip(self.games, state["points"], strict=True)])


class CombinedPoint:
    """A `dlopt.framework.Point` of a `CombinedGame`."""

    def __init__(self, game: CombinedGame, points: Sequence[Point]) -> None:
        self.game, self.points, self.a = game, tuple(points), points[0].a
        self.worlds = torch.stack([point.objectives for point in points])
        """Objectives in every world, `[world, player]`."""
        self.objectives = torch.stack([game.combine(column) for column in self.worlds.T])
        self.residual = max(point.residual for point in points)

    def state(self) -> dict[str, Any]:
        """What `CombinedGame.restore` needs."""
        return {"points": [point.state() for point in self.points]}

    def gradient(self) -> Tensor:
        """Total derivative of every objective, `[player, instrument]`."""
        return self._gradient

    @cached_property
    def _gradient(self) -> Tensor:
        slopes = torch.stack([self._derivatives(player)[0] for player in range(self.game.players)], 1)
        return (slopes[:, :, None] * torch.stack([point.gradient() for point in self.points])).sum(0)

    def hessian(self, player: int, joint: bool = False) -> Tensor:
        """Total second derivative of a player's objective, `[own, own]` or `[own, all]`."""
        own = (self.game.owner == player).nonzero().squeeze(1)
        slopes, bends = self._derivatives(player)
        gradients = torch.stack([point.gradient()[player] for point in self.points])
        right = gradients if joint else gradients[:, own]
        total = gradients[:, own].T @ bends @ right
        for slope, point in zip(slopes, self.points, strict=True):
            total = total + slope * point.hessian(player, joint)
        return total

    def _derivatives(self, player: int) -> tuple[Tensor, Tensor]:
        """phi_k `[world]` and phi_kl `[world, world]` of a player."""
        worlds = self.worlds[:, player].clone().requires_grad_()
        gradient = torch.autograd.grad(self.game.combine(worlds), worlds, create_graph=True)[0]
        if not gradient.requires_grad:
            return gradient.detach(), torch.zeros((len(worlds), len(worlds)), dtype=worlds.dtype)
        rows = [torch.autograd.grad(entry, worlds, retain_graph=True)[0] for entry in gradient]
        return gradient.detach(), torch.stack(rows)


def mean_of(probabilities: Tensor) -> Combine:
    """Expected objective, with the probability of each world, `[world]`."""
    return lambda worlds: probabilities @ worlds


def smooth_minimum(sharpness: float, shift: Tensor | None = None) -> Combine:
    """The smallest objective, less `shift` `[world]`, from below, to within `log(number of worlds) / sharpness`."""

    def combine(worlds: Tensor) -> Tensor:
        levels = worlds if shift is None else worlds - shift
        return -torch.logsumexp(-sharpness * levels, 0) / sharpness

    return combine
