"""A model as a game: points with exact derivatives through the equilibrium, by the implicit function theorem."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dlopt.framework.game import Point
from dlopt.framework.linear import Factorisation
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions, RootResult, solve_root
from dlopt.models.derivatives import curvature, jacobians
from dlopt.models.model import EquilibriumModel, ModelError

ACCEPTED = 1e-11
"""Largest residual of an equilibrium that is built on; solvers aim a digit lower."""
_OPTIONS = RootOptions(tolerance=1e-12, max_step=float("inf"))
_NEAR = RootOptions(tolerance=1e-12, max_step=float("inf"), max_iterations=20, shortest=0.2)
_STAGE = RootOptions(tolerance=1e-12, max_step=float("inf"), max_iterations=20, shortest=0.01)


class NoEquilibriumError(ModelError):
    """No equilibrium was found where a solve begins."""


class SingularJacobianError(ModelError):
    """The equations do not determine the unknowns."""


class ModelGame:
    """A `dlopt.framework.Game` on a model.

    Args:
        model: the model.
        chosen: positions of the instruments that are chosen, `[chosen]`.
        owner: player of the game who chooses each, `[chosen]`.
        weight: what the players of the game maximise, as weights on the model's objectives, `[player, model player]`.
        fixed: all instruments of the model; those not chosen stay there, `[instrument]`.
    """

    def __init__(self, model: EquilibriumModel, chosen: Tensor, owner: Tensor, weight: Tensor, fixed: Tensor) -> None:
        self.model, self.chosen, self.owner, self.weight, self.fixed = model, chosen, owner, weight, fixed
        self.lower, self.upper = model.lower[chosen], model.upper[chosen]
        self.players = len(weight)

    def instruments(self, a: Tensor) -> Tensor:
        """All instruments of the model, those chosen at `a`: `[chosen] -> [instrument]`."""
        return self.fixed.index_copy(0, self.chosen, a)

    def point(self, a: Tensor, near: Point | None = None) -> ModelPoint | None:
        """The equilibrium at `a`: with `near`, Newton from the tangent there or nothing; without, by every means."""
        full = self.instruments(a)
        if isinstance(near, ModelPoint):
            found = _newton(self.model, full, near.tangent(full), _NEAR, near.factorisation)
        else:
            found = search(self.model, full)
        return ModelPoint(self, a, found.u, found.residual) if _good(found) else None

    def restore(self, state: dict[str, Any]) -> ModelPoint:
        """The point of which `state` is."""
        return ModelPoint(self, state["a"], state["u"], state["residual"])


class ModelPoint:
    """A `dlopt.framework.Point` of a `ModelGame`: an equilibrium `u`, `[unknown]`, at the chosen instruments `a`."""

    def __init__(self, game: ModelGame, a: Tensor, u: Tensor, residual: float) -> None:
        self.game, self.a, self.u, self.residual = game, a, u, residual
        self.instruments = game.instruments(a)
        self.values = game.model.call("objectives", u, self.instruments).detach()
        """The model's objectives, `[model player]`."""
        self.objectives = game.weight @ self.values
        self._hessians: dict[int, Tensor] = {}

    def state(self) -> dict[str, Any]:
        """What `ModelGame.restore` needs."""
        return {"a": self.a, "u": self.u, "residual": self.residual}

    @cached_property
    def _residual(self) -> tuple[Tensor, Tensor]:
        return jacobians(self.game.model, "residual", self.u, self.instruments)

    @cached_property
    def _objectives(self) -> tuple[Tensor, Tensor]:
        w_u, w_a = jacobians(self.game.model, "objectives", self.u, self.instruments)
        return self.game.weight @ w_u, self.game.weight @ w_a

    @cached_property
    def factorisation(self) -> Factorisation:
        """Factors of `F_u`."""
        return factorise(self.game.model, self._residual[0])

    @cached_property
    def multipliers(self) -> Tensor:
        """m with `F_u' m_p = W_u,p'`, `[unknown, player]`: one transposed solve for all players."""
        return self.factorisation.solve_transposed(self._objectives[0].T)

    @cached_property
    def sensitivity(self) -> Tensor:
        """`du/da = -F_u^{-1} F_a` of the chosen instruments, `[unknown, chosen]`."""
        return -self.factorisation.solve(self._residual[1][:, self.game.chosen])

    def tangent(self, instruments: Tensor) -> Tensor:
        """First-order prediction of the unknowns at other instruments, `[unknown]`."""
        shift = self._residual[1] @ (instruments - self.instruments)
        return self.u - self.factorisation.solve(shift)

    def gradient(self) -> Tensor:
        """Total derivative of every objective, `[player, chosen]`."""
        return self._gradient

    @cached_property
    def _gradient(self) -> Tensor:
        return (self._objectives[1] - self.multipliers.T @ self._residual[1])[:, self.game.chosen]

    def hessian(self, player: int, joint: bool = False) -> Tensor:
        """Total second derivative of a player's objective, `[own, own]` or `[own, chosen]`.

        `Z' (grad^2 L) Z` with `L = W - m'F` and `Z = [du/da; I]`.
        """
        own = (self.game.owner == player).nonzero().squeeze(1)
        if player not in self._hessians:
            game, mine = self.game, self.sensitivity[:, own]
            da = torch.zeros((len(self.instruments), len(own)), dtype=self.a.dtype)
            da[game.chosen[own], torch.arange(len(own))] = 1.0
            h_u, h_a = curvature(
                game.model, self.u, self.instruments, game.weight[player], self.multipliers[:, player], mine, da
            )
            self._hessians[player] = h_u.T @ self.sensitivity + h_a.T[:, game.chosen]
        found = self._hessians[player]
        return found if joint else found[:, own]


def equilibrium(model: EquilibriumModel, a: Tensor) -> Tensor:
    """The unknowns that solve the model at instruments `a`, `[instrument] -> [unknown]`.

    Raises:
        NoEquilibriumError: none was found.
        SingularJacobianError: the equations do not determine them.
    """
    found = search(model, a)
    if not _good(found):
        worst = int(model.call("residual", found.u, a).abs().nan_to_num(nan=float("inf")).argmax())
        raise NoEquilibriumError(
            f"Model {model.name!r}: no equilibrium was found; the largest residual left is {found.residual:.1e}, in "
            f"residual[{worst}]. {found.outcome.remedy}"
        )
    return found.u


def search(model: EquilibriumModel, a: Tensor) -> RootResult:
    """Newton from the model's start; where it fails, in steps from the instruments at their start."""
    direct = _newton(model, a, model.u0, _OPTIONS)
    if _good(direct) or bool((a == model.a0).all()):
        return direct
    stage = _newton(model, model.a0, model.u0, _OPTIONS)
    done, step = 0.0, 0.25
    while _good(stage) and done < 1:
        target = min(1.0, done + step)
        attempt = _newton(model, model.a0 + target * (a - model.a0), stage.u, _STAGE)
        if _good(attempt):
            stage, done, step = attempt, target, 2 * step
        elif step > 0.01:
            step /= 3
        else:
            return attempt
    return stage


def factorise(model: EquilibriumModel, matrix: Tensor) -> Factorisation:
    """Factors of `F_u`.

    Raises:
        SingularJacobianError: it has no inverse.
    """
    factors = Factorisation(matrix)
    if factors.singular:
        raise SingularJacobianError(
            f"Model {model.name!r}: the equations do not determine the unknowns where the search has led (their "
            "Jacobian is singular). Check for an equation that repeats others, or tighten the bounds."
        )
    return factors


def _newton(
    model: EquilibriumModel, a: Tensor, u: Tensor, options: RootOptions, factorisation: Factorisation | None = None
) -> RootResult:
    return solve_root(
        lambda u: model.call("residual", u, a).detach(),
        lambda u: jacobians(model, "residual", u, a)[0],
        u,
        options,
        factorisation,
    )


def _good(found: RootResult) -> bool:
    return found.outcome is Outcome.CONVERGED or found.residual <= ACCEPTED
