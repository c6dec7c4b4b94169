"""First-order conditions of all players at once: what games with any number of players and instruments offer solvers.

A `Point` gives rows of derivatives for every player, which costs players times instruments. A game that also has a
`LargeGame` gives each instrument the derivative of its owner's objective only, and products of second derivatives with
directions; its equilibria are as exact as the solver asks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from dlopt.framework.game import Game, Point


class Beginning(Protocol):
    """What is known at instruments `a`, `[instrument]`, and enough to go on from there."""

    a: Tensor
    objectives: Tensor
    """W, `[player]`."""


class Conditions(Beginning, Protocol):
    """First-order conditions at instruments `a`, `[instrument]`, to some accuracy."""

    residual: float
    """Largest absolute residual of the equilibrium."""

    def own_gradient(self) -> Tensor:
        """Derivative of each instrument's owner's objective, `[instrument]`; zero for players left out."""

    def formula(self) -> tuple[Tensor, Tensor]:
        """Steps to where the own derivatives vanish at given multipliers, and positive sizes of the own curvature.

        Both `[instrument]`; what they say counts only for the instruments of `LargeGame.has_formula`.
        """

    def own_hessian_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Each player's own Hessian times its own part of v, `[instrument]` both."""

    def joint_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Derivative of `own_gradient` along v, `[instrument]` both."""

    def beginning(self) -> Beginning:
        """The same without large tables: for those who go on from here later."""

    def state(self) -> dict[str, Any]:
        """Tensors and numbers from which `LargeGame.restore` makes the same conditions, to the last bit."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """One player's conditions that somebody asks for, near some that are known (see `LargeGame.conditions`)."""

    a: Tensor
    near: Beginning
    accuracy: float
    player: int


class LargeGame(Protocol):
    """A game seen through its first-order conditions."""

    owner: Tensor
    lower: Tensor
    upper: Tensor
    players: int
    dense: bool
    """Whether dense first and second derivatives at a point are affordable, too."""
    has_formula: Tensor
    """Where `Conditions.formula` counts, bool `[instrument]`."""

    together: int
    """Deviations worth looking at together: as many as fit into the memory meant for them."""
    kept_blocks: Any
    """Kept by `dlopt.framework.own_blocks.blocks_at`; None to begin with."""

    def conditions(
        self, a: Tensor, near: Beginning | Point | None = None, accuracy: float = 0.0, player: int | None = None
    ) -> Conditions | None:
        """Conditions at `a`, of all players or of one; None where no equilibrium was found.

        Args:
            a: `[instrument]`.
            near: where to begin; the baseline by default.
            accuracy: of steps that are built on them, in log-units; 0 asks for all that rounding allows.
            player: whose derivatives are wanted; None for everybody's.
        """

    def several(self, asked: Sequence[Asked]) -> list[Conditions | None]:
        """The same for deviations of many players, side by side where that is cheaper than one after the other."""

    def of(self, point: Point) -> Conditions:
        """Everybody's conditions at a point, exact, and a function of the point alone."""

    def point(self, conditions: Conditions) -> Point:
        """The point of conditions."""

    def restore(self, state: dict[str, Any]) -> Conditions:
        """The conditions of which `state` is."""


def large_of(game: Game) -> LargeGame | None:
    """The game seen through its first-order conditions, where it can be: its attribute `large`."""
    return getattr(game, "large", None)
