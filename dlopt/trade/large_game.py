"""The trade game through its first-order conditions: equilibria, multipliers and products, matrix-free.

One preconditioner, made once at an anchor, serves the whole game; equilibria are found by Newton-GMRES to the accuracy
that the solver can use, multipliers go on from those of the point before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.framework.linear import gmres_together
from dlopt.framework.outcome import Outcome
from dlopt.trade.conditions import Anchor, ObjectivesAt, TradeBeginning, TradeConditions, WageConditions
from dlopt.trade.equilibrium import Equilibrium
from dlopt.trade.first_order import Columns
from dlopt.trade.krylov import Preconditioner
from dlopt.trade.model import LogWedges
from dlopt.trade.sectors import SectorModel, SectorPoint, by_sector
from dlopt.trade.side_by_side import ACCEPTED, multipliers_side_by_side, settle_side_by_side
from dlopt.trade.wages import WagePoint, collapses, settle

if TYPE_CHECKING:
    from dlopt.framework.conditions import Asked, Beginning, Conditions
    from dlopt.framework.game import Point
    from dlopt.trade.game import TradeGame, TradePoint

EXACT = 1e-12
"""Residual of equilibria where nothing less exact is asked for."""
EXACT_MULTIPLIERS = 1e-14
"""Relative residual of multipliers, likewise."""
_TOO_MANY = 25  # products in one solve after which the preconditioner is made anew
_NEWTON = 40  # steps to an equilibrium
_COLUMNS_KEPT = 64  # players whose columns are kept: each is a table of all its cells
_FLOWS_TOGETHER = 250_000  # of worlds side by side: some 100 MB of weights


def _general(near: Beginning) -> TradeBeginning:
    if isinstance(near, TradeConditions):
        return near.beginning()
    assert isinstance(near, TradeBeginning)
    return near


class LargeTradeGame:
    """`dlopt.framework.conditions.LargeGame` of a trade game.

    Args:
        game: the same game in dense terms.
    """

    def __init__(self, game: TradeGame) -> None:
        self.game = game
        self.world = SectorModel(game.model)
        tau, epsilon, sigma = (by_sector(wedge) for wedge in game.fixed)
        self._fixed: LogWedges = tau, epsilon, sigma
        self._columns: dict[int | None, Columns] = {}
        self.owner, self.lower, self.upper, self.players = game.owner, game.lower, game.upper, game.players
        self.has_formula = game.instruments.kind == 0
        everybody = self.columns(None)
        taxed = everybody.active[1] or everybody.active[2]
        self.collapsed = collapses(game.model, epsilon, sigma) and not (taxed or game.forms.more)
        """Whether the game is one in wages alone."""
        if everybody.unions:  # the formula is for flows from others: a planner's own are not
            inside = (game.instruments.tau >= 0) & everybody.between_members()[:, :, None]
            self.has_formula = self.has_formula.index_fill(0, game.instruments.tau[inside].unique(), False)
        self.kept_blocks: Any = None
        self.dense = game.model.size <= game.model.dense_up_to
        i = game.instruments
        index = (by_sector(index) for index in (i.tau, i.epsilon, i.sigma))
        self._moved = tuple((one >= 0, one.clamp(min=0)) if bool((one >= 0).any()) else None for one in index)
        """Which cells of each wedge are chosen, and by which instrument; None where nobody chooses any."""
        self._last: tuple[TradePoint, TradeConditions] | None = None
        self.together = max(1, _FLOWS_TOGETHER // (game.model.n**2 * game.model.j))
        """See `LargeGame.together`."""

    def wedges(self, a: Tensor) -> LogWedges:
        """Log wedges at `a`, `[..., instrument]`, the sector first."""
        worlds, tables = a.shape[:-1], []
        for moved, fixed in zip(self._moved, self._fixed, strict=True):
            if moved is None:
                tables.append(fixed.expand(*worlds, *fixed.shape))
            else:
                tables.append(torch.where(moved[0], a[..., moved[1]], fixed))
        return tables[0], tables[1], tables[2]

    def columns(self, player: int | None) -> Columns:
        """Of one player, or of all."""
        if player not in self._columns:
            chosen = list(range(self.players)) if player is None else [player]
            if len(self._columns) > _COLUMNS_KEPT:
                self._columns = {of: kept for of, kept in self._columns.items() if of is None}
            self._columns[player] = Columns(self.game.instruments, chosen)
        return self._columns[player]

    def conditions(
        self, a: Tensor, near: Beginning | Point | None = None, accuracy: float = 0.0, player: int | None = None
    ) -> TradeConditions | WageConditions | None:
        """See `LargeGame.conditions`."""
        from dlopt.trade.game import TradePoint  # the point's own module makes use of this one

        z = self.world.reduced(self.game.model.start)
        if isinstance(near, TradePoint):
            z, near = self.world.reduced(near.equilibrium.u), None
        if self.collapsed:
            assert near is None or isinstance(near, TradeConditions | WageConditions)
            return self._at_wages(a, z if near is None else near, accuracy, player)
        begin = None if near is None else _general(near)
        tolerance = max(EXACT, min(1e-3, 10 * accuracy))
        start_z, kept = (z, None) if begin is None else (begin.z, begin.anchor)
        found = self._settle(a, start_z, kept, tolerance)
        if found is None:
            return None
        at, anchor = found
        columns = self.columns(player)
        start = None
        if begin is not None and columns.players == begin.players:
            start = begin.multipliers
        elif begin is not None and player in begin.players:
            start = begin.multipliers_of(player)[:, None]
        return self._conditions(a, at, anchor, columns, start, max(EXACT_MULTIPLIERS, min(1e-4, accuracy)))

    def several(self, asked: Sequence[Asked]) -> list[Conditions | None]:
        """See `LargeGame.several`."""
        if self.collapsed or min(self.together, len(asked)) == 1:
            return [self.conditions(one.a, one.near, one.accuracy, one.player) for one in asked]
        found: list[Conditions | None] = []
        for first in range(0, len(asked), self.together):
            found += self._side_by_side(asked[first : first + self.together])
        return found

    def _side_by_side(self, asked: Sequence[Asked]) -> list[TradeConditions | None]:
        """Conditions of one player each, with the preconditioner of the first."""
        near = [_general(ask.near) for ask in asked]
        accuracy = torch.tensor([one.accuracy for one in asked], dtype=torch.float64)
        a, preconditioner = torch.stack([one.a for one in asked]), near[0].anchor.preconditioner
        z = torch.stack([one.z for one in near])
        at, there = settle_side_by_side(
            self.world, z, self.wedges(a), preconditioner, (10 * accuracy).clamp(EXACT, 1e-3)
        )
        worlds = [at.one(k) for k in range(len(asked))]
        columns = [self.columns(one.player) for one in asked]
        objectives = [self._objectives(*of) for of in zip(worlds, columns, strict=True)]
        rhs = there * torch.cat([self._slopes(one) for one in objectives], dim=1)
        known = [one.multipliers_of(ask.player) for one, ask in zip(near, asked, strict=True)]
        start = there * torch.stack(known, dim=1)
        mu = multipliers_side_by_side(at, rhs, start, preconditioner, accuracy.clamp(EXACT_MULTIPLIERS, 1e-4))
        found: list[TradeConditions | None] = []
        for k, one in enumerate(asked):
            here = TradeConditions(
                self, one.a, worlds[k], columns[k], near[0].anchor, mu[:, k : k + 1].contiguous(), objectives[k]
            )
            found.append(here if bool(there[k]) and bool(here.multipliers.isfinite().all()) else None)
        return found

    def of(self, point: Point) -> TradeConditions:
        """See `LargeGame.of`; those of the last point are kept."""
        from dlopt.trade.game import TradePoint  # the point's own module makes use of this one

        assert isinstance(point, TradePoint)
        if self._last is not None and self._last[0] is point:
            return self._last[1]
        z = self.world.reduced(point.equilibrium.u)
        at = SectorPoint(self.world, z, self.wedges(point.a))
        anchor = Anchor(point.a, z, Preconditioner(at))
        found = self._conditions(point.a, at, anchor, self.columns(None), None, EXACT_MULTIPLIERS)
        self._last = point, found
        return found

    def point(self, conditions: Conditions) -> TradePoint:
        """See `LargeGame.point`."""
        from dlopt.trade.game import TradePoint

        wedges = self.game.instruments.apply(conditions.a, self.game.fixed)
        if isinstance(conditions, WageConditions):
            u = self.world.stacked(conditions.at.z(), conditions.at.expenditure())
        else:
            assert isinstance(conditions, TradeConditions)
            u = self.world.stacked(conditions.at.z, conditions.at.expenditure)
        return TradePoint(
            self.game, conditions.a, Equilibrium(Outcome.CONVERGED, u, wedges, conditions.residual, 0, None)
        )

    def restore(self, state: dict[str, Any]) -> TradeConditions | WageConditions:
        """See `LargeGame.restore`."""
        if "wage" in state:
            at_wages = WagePoint(self.world, state["wage"], self.wedges(state["a"])[0])
            return WageConditions(self, state["a"], at_wages, self.columns(self._player(state["players"])))
        anchor_at = SectorPoint(self.world, state["anchor_z"], self.wedges(state["anchor_a"]))
        anchor = Anchor(state["anchor_a"], state["anchor_z"], Preconditioner(anchor_at))
        at = SectorPoint(self.world, state["z"], self.wedges(state["a"]))
        columns = self.columns(self._player(state["players"]))
        return TradeConditions(
            self, state["a"], at, columns, anchor, state["multipliers"], self._objectives(at, columns)
        )

    def _player(self, players: list[int]) -> int | None:
        return None if len(players) == self.players else players[0]

    def _at_wages(
        self, a: Tensor, near: TradeConditions | WageConditions | Tensor, accuracy: float, player: int | None
    ) -> WageConditions | None:
        if isinstance(near, WageConditions):
            start: WagePoint | Tensor = near.at
        else:
            start = (near.at.z if isinstance(near, TradeConditions) else near)[: self.world.n]
        at = settle(self.world, start, self.wedges(a)[0], max(EXACT, min(1e-4, 0.1 * accuracy)))
        return None if at is None else WageConditions(self, a, at, self.columns(player))

    def _settle(
        self, a: Tensor, z: Tensor, anchor: Anchor | None, tolerance: float
    ) -> tuple[SectorPoint, Anchor] | None:
        """The equilibrium at `a` from z, by Newton-GMRES; None where it is not found."""
        wedges = self.wedges(a)
        at = SectorPoint(self.world, z, wedges)
        residual = float(at.residual.abs().max())
        for _ in range(_NEWTON):
            if not math.isfinite(residual):
                return None
            if anchor is None:
                anchor = Anchor(a, at.z, Preconditioner(at))
            if residual <= tolerance:
                return at, anchor
            exact = max(min(1e-2, residual), 0.3 * tolerance / residual, 1e-9)  # no more than the step can use
            preconditioner = anchor.preconditioner
            rhs = at.residual[:, None]
            step, products = gmres_together(
                at.product, preconditioner.solve, rhs, tolerance=exact, cycles=2, space=preconditioner.kind
            )
            if products >= _TOO_MANY:
                anchor = Anchor(a, at.z, Preconditioner(at))
            longest = float(step.abs().max())
            if not math.isfinite(longest):
                return None
            scale = min(1.0, 1.0 / max(longest, 1e-300))
            for _ in range(6):
                trial = at.at(at.z - scale * step[:, 0])
                left = float(trial.residual.abs().max())
                if left < (1 - scale / 4) * residual or left <= tolerance:
                    break
                scale /= 2
            else:
                return (at, anchor) if residual <= ACCEPTED else None
            at, residual = trial, left
        return (at, anchor) if anchor is not None and residual <= ACCEPTED else None

    def _conditions(
        self, a: Tensor, at: SectorPoint, anchor: Anchor, columns: Columns, start: Tensor | None, tolerance: float
    ) -> TradeConditions:
        objectives = self._objectives(at, columns)
        rhs = self._slopes(objectives)
        precondition, kind = anchor.preconditioner.solve_transposed, anchor.preconditioner.kind
        found, products = gmres_together(at.transposed, precondition, rhs, start, tolerance, 30, 5, kind)
        if products >= _TOO_MANY:
            anchor = Anchor(a, at.z, Preconditioner(at))
        return TradeConditions(self, a, at, columns, anchor, found, objectives)

    def _slopes(self, objectives: ObjectivesAt) -> Tensor:
        """Derivatives of objectives in the unknowns, `[unknown, column]`."""
        return self.game.forms.fold(self.world, objectives.gradient)

    def _objectives(self, at: SectorPoint, columns: Columns) -> ObjectivesAt:
        forms = self.game.forms.along(self.world, at.z[:, None])[:, 0]
        return ObjectivesAt(self.game.values, forms, columns.players)
