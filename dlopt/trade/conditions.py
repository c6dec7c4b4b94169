"""First-order conditions of the trade game at a point: gradients and products with Hessians, matrix-free."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.framework.linear import gmres_together
from dlopt.trade.first_order import Columns, FirstOrder
from dlopt.trade.krylov import Preconditioner
from dlopt.trade.second_order import SecondOrder
from dlopt.trade.sectors import SectorPoint
from dlopt.trade.wages import WagePoint

if TYPE_CHECKING:
    from dlopt.trade.forms import Values
    from dlopt.trade.large_game import LargeTradeGame


class ObjectivesAt:
    """First and second derivatives of objectives with respect to forms of the state (see `dlopt.trade.forms`).

    Args:
        values: from forms `[form]` to objectives `[player]`.
        forms: `[form]`.
        players: those whose derivatives are wanted.
    """

    def __init__(self, of: Values, forms: Tensor, players: list[int]) -> None:
        self._at = forms.clone().requires_grad_()
        values = of(self._at)
        self.values = values.detach()
        self._slopes = [torch.autograd.grad(values[p], self._at, create_graph=True)[0] for p in players]
        self.gradient = torch.stack([slope.detach() for slope in self._slopes], dim=1)
        """`[form, column]`."""

    def second_times(self, change: Tensor) -> Tensor:
        """Derivative of `gradient` along changes of the forms, `[form, column]`, or `[form, 1]` for all."""
        out = torch.zeros_like(self.gradient)
        for column, slope in enumerate(self._slopes):
            if slope.requires_grad:
                along = slope @ change[:, column if change.shape[1] > 1 else 0]
                out[:, column] = torch.autograd.grad(along, self._at, retain_graph=True)[0]
        return out


@dataclasses.dataclass(frozen=True)
class Anchor:
    """Where a preconditioner was made: it can be made again, to the last bit."""

    a: Tensor
    z: Tensor
    preconditioner: Preconditioner


@dataclasses.dataclass
class TradeBeginning:
    """`dlopt.framework.conditions.Beginning` of a trade game, the multipliers `[unknown, column]`."""

    a: Tensor
    objectives: Tensor
    z: Tensor
    multipliers: Tensor
    players: list[int]
    anchor: Anchor

    def multipliers_of(self, player: int) -> Tensor:
        """One player's, `[unknown]`."""
        return self.multipliers[:, self.players.index(player)]


class TradeConditions:
    """`dlopt.framework.conditions.Conditions` of a trade game.

    Args:
        large: the game.
        a: instruments.
        at: weights at the equilibrium.
        columns: whose conditions these are.
        anchor: of the preconditioner.
        multipliers: `[unknown, column]`.
    """

    def __init__(
        self, large: LargeTradeGame, a: Tensor, at: SectorPoint, columns: Columns, anchor: Anchor,
        multipliers: Tensor, objectives: ObjectivesAt,
    ) -> None:  # fmt: skip
        self.large, self.a, self.at, self.columns, self.anchor = large, a, at, columns, anchor
        self.multipliers, self.objectives_at = multipliers, objectives
        # What the residual F hides of an objective is mu'F to first order: rough equilibria rank as exact ones would.
        off = torch.zeros_like(objectives.values)
        off[columns.players] = multipliers.T @ at.residual
        self.objectives = objectives.values - off
        self.residual = float(at.residual.abs().max())

    @cached_property
    def _first(self) -> FirstOrder:
        return FirstOrder(self.at, self.columns, self.multipliers)

    @cached_property
    def _gradient(self) -> tuple[Tensor, Tensor]:
        return self._first.gradient()

    def own_gradient(self) -> Tensor:
        """Derivative of each instrument's owner's objective, `[instrument]`; zero for players without a column."""
        return self._gradient[0]

    def formula(self) -> tuple[Tensor, Tensor]:
        """Steps of the tariff formula, and |q|, `[instrument]` each."""
        return formula_steps(*self._gradient)

    def own_hessian_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Each player's own Hessian times its own part of v, `[instrument]` both."""
        return self._second(accuracy).own_times(v)

    def joint_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Derivative of `own_gradient` along v, `[instrument]` both."""
        return self._second(accuracy).joint_times(v)

    def _second(self, accuracy: float) -> SecondOrder:
        at, near = self.at, self.anchor.preconditioner

        def forward(rhs: Tensor) -> Tensor:
            return gmres_together(at.product, near.solve, rhs, tolerance=accuracy, space=near.kind)[0]

        def adjoint(rhs: Tensor) -> Tensor:
            return gmres_together(at.transposed, near.solve_transposed, rhs, tolerance=accuracy, space=near.kind)[0]

        world, forms = self.large.world, self.large.game.forms

        def objective(dz: Tensor) -> Tensor:
            return forms.fold(world, self.objectives_at.second_times(forms.along(world, dz)))

        return SecondOrder(self._first, forward, adjoint, objective)

    def beginning(self) -> TradeBeginning:
        """Without the weights."""
        return TradeBeginning(self.a, self.objectives, self.at.z, self.multipliers, self.columns.players, self.anchor)

    def state(self) -> dict[str, Any]:
        """What `LargeTradeGame.restore` needs."""
        return {
            "a": self.a, "z": self.at.z, "multipliers": self.multipliers, "players": list(self.columns.players),
            "anchor_a": self.anchor.a, "anchor_z": self.anchor.z,
        }  # fmt: skip


class WageConditions:
    """`dlopt.framework.conditions.Conditions` of a game that collapses to wages (`dlopt.trade.wages`).

    Args:
        large: the game.
        a: instruments.
        at: the world at the wages that clear labour markets.
        columns: whose conditions these are.
    """

    def __init__(self, large: LargeTradeGame, a: Tensor, at: WagePoint, columns: Columns) -> None:
        self.large, self.a, self.at, self.columns = large, a, at, columns
        self._objectives = ObjectivesAt(large.game.values, at.log_welfare, columns.players)
        self._multipliers = at.multipliers(self._objectives.gradient)
        off = torch.zeros_like(self._objectives.values)  # what rough wages hide, as in `TradeConditions`
        off[columns.players] = self._multipliers.T @ at.residual
        self.objectives = self._objectives.values - off
        self.residual = float(at.residual.abs().max())

    @cached_property
    def _gradient(self) -> tuple[Tensor, Tensor]:
        return self.at.gradient(self.columns, self._objectives.gradient, self._multipliers)

    @cached_property
    def _general(self) -> TradeConditions:
        return self.large.of(self.large.point(self))

    def own_gradient(self) -> Tensor:
        """Derivative of each instrument's owner's objective, `[instrument]`; zero for players without a column."""
        return self._gradient[0]

    def formula(self) -> tuple[Tensor, Tensor]:
        """Steps of the tariff formula, and |q|, `[instrument]` each."""
        return formula_steps(*self._gradient)

    def own_hessian_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Each player's own Hessian times its own part of v, `[instrument]` both."""
        return self._general.own_hessian_times(v, accuracy)

    def joint_times(self, v: Tensor, accuracy: float) -> Tensor:
        """Derivative of `own_gradient` along v, `[instrument]` both."""
        return self._general.joint_times(v, accuracy)

    def beginning(self) -> WageConditions:
        """These, which are small."""
        return self

    def state(self) -> dict[str, Any]:
        """What `LargeTradeGame.restore` needs."""
        return {"a": self.a, "wage": self.at.wage, "players": list(self.columns.players)}


def formula_steps(gradient: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Steps of the formula `exp(tau) = -q exp(tau) / P` with P + q the gradient, and |q|, `[instrument]` each."""
    size = q.abs().clamp(min=1e-300)
    return -torch.log1p((-gradient / size).clamp(min=-0.9)), size
