"""The first-order conditions of all players as equations to trace: how Nash equilibria move with elasticities.

Unknowns are the state of the world (`dlopt.trade.sectors`) and the chosen log rates. Between bounds the equation of a
rate is its own derivative over the size of its own curvature, `-g_i / s_i = 0`, so that all unknowns have one unit; a
rate that its derivative pushes against a bound stays there. Derivatives are taken at the equilibrium near the state,
and depend on the state only through which one that is. Where a rate reaches or leaves a bound the curve has a kink,
which continuation passes in short steps. Where the equilibrium itself folds, derivatives grow without limit: a branch
passes only if all rates are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.game import Monitor, own_gradient
from dlopt.framework.joint import JointNewton, joint_newton
from dlopt.framework.nash import solve_nash
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import responses
from dlopt.trade.branches import Along, BranchError, scaled
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.game import NEAR, TradeGame, TradePoint
from dlopt.trade.model import LogWedges
from dlopt.trade.run import random_instruments
from dlopt.trade.sectors import SectorModel, SectorPoint, by_sector
from dlopt.trade.sensitivity import Players

if TYPE_CHECKING:
    from dlopt.trade.results import SolveResult

LARGEST = 1500
"""Instruments up to which all their second derivatives are formed at every step."""
_NEAR = 0.2  # largest change of the state on the way to the equilibrium near it
_KEPT = 4  # models: those of one difference quotient and the point between
_CONVEX = 1e-7  # of the largest own curvature: above, a point is no maximum


class GameEquations:
    """`dlopt.trade.branches.Traced`: everybody's first-order conditions at a factor on elasticities.

    Args:
        result: a converged game, best response or planner's optimum.
        along: which elasticities are multiplied.

    Raises:
        BranchError: nobody chose, the objectives are not smooth, the game is too large, or policies are not determined.
    """

    tolerance = 1e-9
    """Largest residual of a solution: equilibria beneath are exact to some 1e-11."""

    def __init__(self, result: SolveResult, along: Along) -> None:
        self.result, self.along = result, along
        if result.instruments is None:
            raise BranchError("Nobody chose policies in this result: trace it with policies held.")
        if result.goal.name == "other":
            raise BranchError(
                "A planner without losers, a sequence of moves and one policy for several worlds have no branches: "
                "hold the policies."
            )
        if result.instruments.count > LARGEST:
            raise BranchError(
                f"This game has {result.instruments.count:,} instruments; branches of games are traced up to "
                f"{LARGEST:,}. Hold the policies, or give fewer instruments."
            )
        self.players = Players(result)
        self._games: dict[float, TradeGame] = {}
        self._worlds: dict[float, SectorModel] = {}
        here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
        self.start = TradePoint(self.game(1.0), self.players.a, here)
        """The result's own point."""
        self._last, self._at = self.start, self.joined(self.start)
        flat = responses(self.start.game, self.start).flat
        if flat:
            raise BranchError(
                f"Policies are not determined along {flat} directions: there is no branch to follow. Fix an instrument."
            )
        game = self.start.game
        sizes = torch.ones_like(self.start.a)
        for player in range(game.players):
            sizes[game.owner == player] = self.start.hessian(player).diagonal().abs()
        self._sizes = sizes.clamp(min=1e-12 * float(sizes.max()))

    def world(self, factor: float) -> SectorModel:
        """The model at a factor, sector by sector."""
        game = self.game(factor)
        if factor not in self._worlds:
            if len(self._worlds) > _KEPT:
                self._worlds.clear()
            self._worlds[factor] = SectorModel(game.model)
        return self._worlds[factor]

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """State and log rates."""
        count = len(self.players.a)
        return x[:-count], x[-count:]

    def game(self, factor: float) -> TradeGame:
        """The game at a factor."""
        if factor not in self._games:
            if len(self._games) > _KEPT:
                self._games.clear()
            self._games[factor] = self.players.game(scaled(self.result.model, self.along, factor))
        return self._games[factor]

    def joined(self, point: TradePoint) -> Tensor:
        """x of a point."""
        return torch.cat((self.world(1.0).reduced(point.equilibrium.u), point.a))

    def point(self, x: Tensor, p: float) -> TradePoint | None:
        """The equilibrium at the log rates of x, near its state; None where none is found."""
        game, (z, rates) = self.game(p), self._parts(x)
        if self._last.game is game and torch.equal(self._at, x):
            return self._last
        a = rates.clamp(game.lower, game.upper)
        wedges = game.instruments.apply(a, game.fixed)
        around = SectorPoint(self.world(p), z, _by_sector(wedges))
        u = self.world(p).stacked(z, around.expenditure)
        if not bool(u.isfinite().all()):
            return None
        found = find_equilibrium(game.model, wedges, u, NEAR, self._last.factorisation, continuation=False)
        if found.outcome is not Outcome.CONVERGED or float((found.u - u).abs().max()) > _NEAR:
            return None
        self._last, self._at = TradePoint(game, a, found), x
        return self._last

    def residual(self, x: Tensor, p: float) -> Tensor:
        """`[unknown + instrument]`; not a number where there is no equilibrium."""
        point = self.point(x, p)
        if point is None:
            return torch.full_like(x, float("nan"))
        z, a = self._parts(x)
        state = SectorPoint(self.world(p), z, _by_sector(point.equilibrium.wedges)).residual
        wanted = a + own_gradient(point.game, point) / self._sizes
        return torch.cat((state, a - wanted.clamp(point.game.lower, point.game.upper)))

    def jacobian(self, x: Tensor, p: float) -> Tensor:
        """Of `residual`, `[unknown + instrument, unknown + instrument]`."""
        point, size = self.point(x, p), len(x)
        if point is None:
            return torch.full((size, size), float("nan"), dtype=x.dtype)
        game, (z, a) = point.game, self._parts(x)
        wanted = a + own_gradient(game, point) / self._sizes
        free = (wanted > game.lower) & (wanted < game.upper)
        matrix, first = torch.eye(size, dtype=x.dtype), len(z)
        world, one = self.world(p), torch.eye(first, dtype=x.dtype)
        by_state = SectorPoint(world, z, _by_sector(point.equilibrium.wedges)).product(one)
        matrix[:first, :first] = by_state
        moves = torch.stack([world.reduced(column) for column in point.sensitivity.T], 1)
        matrix[:first, first:] = -by_state @ moves
        for player in range(game.players):
            own = game.owner == player
            rows = -point.hessian(player, joint=True) / self._sizes[own][:, None]
            matrix[first:, first:][own] = torch.where(free[own][:, None], rows, matrix[first:, first:][own])
        return matrix

    def income(self, x: Tensor, p: float) -> Tensor:
        """Real-income change in per cent, `[country]`."""
        point = self.point(x, p)
        if point is None:
            return torch.full((self.result.model.n,), float("nan"), dtype=x.dtype)
        return 100 * point.log_welfare.expm1()

    def best(self, x: Tensor, p: float) -> bool:
        """Whether nobody's own curvature is positive along rates that are free."""
        point = self.point(x, p)
        if point is None:
            return False
        game = point.game
        inside = (point.a > game.lower) & (point.a < game.upper)
        for player in range(game.players):
            free = inside[game.owner == player]
            own = point.hessian(player)[free][:, free]
            if len(own):
                values = torch.linalg.eigvalsh((own + own.T) / 2)
                if float(values[-1]) > _CONVEX * float(values.abs().max()):
                    return False
        return True


def _by_sector(wedges: LogWedges) -> LogWedges:
    tau, epsilon, sigma = (by_sector(wedge) for wedge in wedges)
    return tau, epsilon, sigma


def game_starts(equations: GameEquations, states: Sequence[Tensor], count: int, seed: int) -> list[Tensor]:
    """The result's own point, and where the game ends from other equilibria under its policies and from other policies.

    Args:
        equations: of the game.
        states: other equilibria under the policies of the result, in reduced unknowns.
        count: games played from random policies.
        seed: of these.
    """
    game, a = equations.start.game, equations.start.a
    starts = [equations.point(torch.cat((z, a)), 1.0) for z in states]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        draw = random_instruments(game.instruments, generator)
        starts.append(next((p for share in (1.0, 0.5, 0.25) if (p := game.point(a + share * (draw - a)))), None))
    found = [equations.joined(equations.start)]
    for start in starts:
        end = None if start is None else _played(game, start)
        if end is not None:
            found.append(equations.joined(end))
    return found


def _played(game: TradeGame, start: TradePoint) -> TradePoint | None:
    """Where first-order conditions hold near by, or where best responses lead."""
    near = joint_newton(game, start, JointNewton(), Monitor())
    if near.outcome is Outcome.CONVERGED and isinstance(near.point, TradePoint):
        return near.point
    end = solve_nash(game, start, JointNewton(), [], Monitor())
    return end.point if end.outcome is Outcome.CONVERGED and isinstance(end.point, TradePoint) else None
