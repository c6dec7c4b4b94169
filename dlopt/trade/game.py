"""The trade model as a game: welfare of governments, and its derivatives through the equilibrium."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.game import Point
from dlopt.framework.linear import LinearSolver
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions
from dlopt.trade.curvature import Curvature
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.first_order import FirstOrder
from dlopt.trade.forms import Forms
from dlopt.trade.inner import by_inner_loop
from dlopt.trade.instruments import Instruments
from dlopt.trade.large_game import LargeTradeGame
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.sectors import SectorPoint
from dlopt.trade.wedges import WedgeJacobian

Objective = Callable[[Tensor], Tensor]
"""From log welfare changes `[country]` to objectives `[player]`, twice differentiable by torch.func."""

NEAR = RootOptions(max_iterations=20, shortest=0.2)
"""Of an equilibrium near a known one: Newton or nothing."""


def own_welfare(model: TradeModel, members: Sequence[Sequence[str]]) -> Objective:
    """Each player's real income relative to the baseline, W^ (A.10); a union's is weighted by incomes."""
    weight = torch.zeros((len(members), model.n), dtype=model.theta.dtype)
    for player, group in enumerate(members):
        at = [model.calibration.economy_index(label) for label in group]
        weight[player, at] = model.income[at] / model.income[at].sum()
    return lambda log_welfare: weight @ log_welfare.exp()


class TradeGame:
    """A `dlopt.framework.Game` on the trade model.

    Args:
        model: the model.
        instruments: who may choose what.
        objective: what the players maximise; default own welfare.
        fixed: log wedges of the cells nobody moves; default the baseline's.
        inner: how equilibria are found: `chord`, or another of `dlopt.framework.best_response.INNER`.
    """

    def __init__(
        self, model: TradeModel, instruments: Instruments, objective: Objective | None = None,
        fixed: LogWedges | None = None, inner: str = "chord",
    ) -> None:  # fmt: skip
        self.model, self.instruments, self.inner = model, instruments, inner
        self.objective = objective or own_welfare(model, instruments.members)
        self.fixed = fixed or model.wedges0
        self.owner, self.lower, self.upper = instruments.owner, instruments.lower, instruments.upper
        self.players = int(self.owner.max()) + 1
        self.forms = Forms(model)
        """What objectives depend on."""
        self.form_rows = self.forms.rows()
        """Their derivative with respect to the unknowns, `[form, unknown]`."""

    def values(self, forms: Tensor) -> Tensor:
        """Objectives, `[player]`, from forms, `[form]`."""
        return self.objective(self.forms.goals(forms))

    @cached_property
    def large(self) -> LargeTradeGame:
        """The same game through its first-order conditions, for any number of players and instruments."""
        return LargeTradeGame(self)

    def point(self, a: Tensor, near: Point | None = None) -> TradePoint | None:
        """The equilibrium at `a`.

        With `near`, Newton from the tangent there or nothing: optimisers then shorten their step. Without, from the
        baseline, by continuation where needed.
        """
        wedges = self.instruments.apply(a, self.fixed)
        if self.inner != "chord":
            begin = near.equilibrium.u if isinstance(near, TradePoint) else self.model.start
            found = by_inner_loop(self.model, wedges, begin, self.inner)
        elif isinstance(near, TradePoint):
            found = find_equilibrium(self.model, wedges, near.tangent(a), NEAR, near.factorisation, continuation=False)
        else:
            found = find_equilibrium(self.model, wedges)
        if found.outcome is not Outcome.CONVERGED:
            return None
        return TradePoint(self, a, found)

    def restore(self, state: dict[str, Any]) -> TradePoint:
        """The point of which `state` is."""
        a, u, residual = state["a"], state["u"], state["residual"]
        wedges = self.instruments.apply(a, self.fixed)
        point = TradePoint(self, a, Equilibrium(Outcome.CONVERGED, u, wedges, residual, 0, None))
        point.jointly = state["jointly"]
        return point

    def adopt(self, point: TradePoint) -> TradePoint:
        """The same equilibrium seen from this game: other objectives, same model and instruments."""
        return TradePoint(self, point.a, point.equilibrium)


class TradePoint:
    """A `dlopt.framework.Point`: an equilibrium and the derivatives of the objectives there."""

    def __init__(self, game: TradeGame, a: Tensor, equilibrium: Equilibrium) -> None:
        self.game, self.a, self.equilibrium = game, a, equilibrium
        self.residual = equilibrium.residual
        self.log_welfare = game.model.log_welfare(equilibrium.u)
        self.forms = game.forms.of(equilibrium.u)
        self.log_goals = game.forms.goals(self.forms)
        """Log of what each government cares for, over the baseline, `[country]`: of welfare, or more."""
        self.objectives = game.values(self.forms)
        self.jointly = False
        """Whether second derivatives were asked for jointly; those alone are then parts of them, to the last bit."""

    def state(self) -> dict[str, Any]:
        """What `TradeGame.restore` needs."""
        return {"a": self.a, "u": self.equilibrium.u, "residual": self.residual, "jointly": self.jointly}

    @cached_property
    def linearisation(self) -> Linearisation:
        """Weights of all terms at the equilibrium."""
        return Linearisation(self.game.model, self.equilibrium.u, self.equilibrium.wedges)

    @cached_property
    def factorisation(self) -> LinearSolver:
        """Factors of the equilibrium's Jacobian."""
        return self.linearisation.factors()

    @cached_property
    def _form_gradient(self) -> Tensor:
        """Derivative of the objectives with respect to the forms, `[player, form]`."""
        variable = self.forms.clone().requires_grad_()
        values = self.game.values(variable)
        return torch.stack([torch.autograd.grad(value, variable, retain_graph=True)[0] for value in values])

    def _form_hessian(self, player: int) -> Tensor:
        """Second derivative of an objective with respect to the forms, `[form, form]`."""
        variable = self.forms.clone().requires_grad_()
        value = self.game.values(variable)[player]
        gradient = torch.autograd.grad(value, variable, create_graph=True)[0]  # torch.func would take long to load
        if not gradient.requires_grad:  # linear in log welfare
            return gradient.new_zeros(len(gradient), len(gradient))
        return torch.stack([torch.autograd.grad(entry, variable, retain_graph=True)[0] for entry in gradient])

    @cached_property
    def multipliers(self) -> Tensor:
        """mu with F_u' mu_p = dW_p/du, `[unknown, player]`: one transposed solve for all players."""
        rows = self._form_gradient @ self.game.form_rows
        return self.factorisation.solve_transposed(rows.T)

    @cached_property
    def _wedge_jacobian(self) -> WedgeJacobian:
        """F_a, derivative of the residual with respect to the instruments."""
        return WedgeJacobian(self.linearisation, self.game.instruments)

    @cached_property
    def sensitivity(self) -> Tensor:
        """S = -F_u^{-1} F_a, response of the unknowns to every instrument, `[unknown, instrument]`."""
        return -self.factorisation.solve(self._wedge_jacobian.columns(torch.arange(len(self.a))))

    def _own_sensitivity(self, own: Tensor) -> Tensor:
        if self.jointly:
            return self.sensitivity[:, own]
        return -self.factorisation.solve(self._wedge_jacobian.columns(own))

    def tangent(self, a: Tensor) -> Tensor:
        """First-order prediction of the unknowns at `a`, `[unknown]`."""
        shift = self._wedge_jacobian.times(a - self.a)
        return self.equilibrium.u - self.factorisation.solve(shift)

    def responses_along(self, changes: Tensor) -> Tensor:
        """How the unknowns follow changes of the instruments, `[instrument, column] -> [unknown, column]`."""
        shifts = torch.stack([self._wedge_jacobian.times(change) for change in changes.T], 1)
        return -self.factorisation.solve(shifts)

    def own_sizes(self) -> tuple[Tensor, Tensor]:
        """Own derivatives, and sizes of the own curvature where the tariff formula gives them, else 0, `[instrument]`.

        (`dlopt.trade.conditions.formula_steps`; the multipliers are those of the dense factors.)
        """
        large = self.game.large
        at = SectorPoint(large.world, large.world.reduced(self.equilibrium.u), large.wedges(self.a))
        multipliers = torch.stack([large.world.reduced(column) for column in self.multipliers.T], 1)
        _, q = FirstOrder(at, large.columns(None), multipliers).gradient()
        own = self.gradient().gather(0, self.game.owner[None, :]).squeeze(0)
        return own, torch.where(large.has_formula, q.abs(), 0.0)

    def gradient(self) -> Tensor:
        """Total derivative of every objective, `[player, instrument]`."""
        return self._gradient

    @cached_property
    def _gradient(self) -> Tensor:
        return -self._wedge_jacobian.transposed_times(self.multipliers).T

    def hessian(self, player: int, joint: bool = False) -> Tensor:
        """Total second derivative of a player's objective, `[own, own]` or `[own, all]`.

        `Z' (grad^2 L) Z` with L = W - mu'F and Z = [S; I] (implicit function theorem, twice).
        """
        self.jointly = self.jointly or joint
        cache = self.__dict__.setdefault("_hessians", {})
        own = (self.game.owner == player).nonzero().squeeze(1)
        if (player, self.jointly) not in cache:
            cache[player, self.jointly] = self._hessian(player, own, self.jointly)
        found: Tensor = cache[player, self.jointly]
        return found[:, own] if self.jointly and not joint else found

    def _hessian(self, player: int, own: Tensor, joint: bool) -> Tensor:
        instruments, rows = self.game.instruments, self.game.form_rows
        everyone = self.sensitivity if joint else self._own_sensitivity(own)
        mine = everyone[:, own] if joint else everyone
        curvature = Curvature(self.linearisation, self.multipliers[:, player])
        mixed = curvature.mixed(instruments, own)
        direct = curvature.direct(instruments, own)
        outer = self._form_hessian(player) @ (rows @ mine)
        left = rows.T @ outer - curvature.along(mine)
        if joint:
            return (left - mixed).T @ everyone - curvature.mixed_along(instruments, mine).T - direct
        half = (left - 2 * mixed).T @ mine - direct[:, own]
        return (half + half.T) / 2
