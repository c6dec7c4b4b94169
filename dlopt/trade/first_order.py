"""First-order conditions of all players from one adjoint solve, and never an array of players times instruments.

A tariff on (origin i, destination n, sector j) belongs to the player of n, an export tax or subsidy to that of i. The
derivative of a player's objective with respect to its own rate on a flow needs its multipliers at i and n only. Let the
columns of `mu` be all players' multipliers, `F_z' mu_p = dW_p/dz`: those of the destinations' players are already lined
up with the destinations of the flows, those of the origins' players with the origins. All own derivatives of the world
are one sum of tables `[sector, origin, destination]`.

With s = 1 for tariffs and export taxes, s = -1 for subsidies, and r_n, r_i the receipts of n and i per unit of flow,
the derivative on one flow is

    s theta share mu_price[n] + s (theta+1) sales mu_labour[i]
      + (flow / income_n) (s theta r_n - r_n') mu_income[n] + (flow / income_i) (s theta r_i - r_i') mu_income[i].

For a tariff the part q of it is proportional to exp(-tau), so that the condition P + q = 0 is solved, at given
multipliers, by `exp(tau) = -q exp(tau) / P`: the sufficient-statistics formula of the optimal tariff, with multipliers
for statistics. At a fixed point it is exact, whatever the input links, scale economies and accounting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from dlopt.trade.accounting import Sides, Wedges
from dlopt.trade.instruments import Instruments
from dlopt.trade.sectors import SectorPoint, by_sector

SIGNS = (1.0, 1.0, -1.0)
"""Of tau, epsilon, sigma in log kappa."""


class Columns:
    """Who owns what: which column of multipliers belongs to each country, and which instrument moves each cell.

    Args:
        instruments: of all players.
        players: those with a column, in order; the instruments of all others count as fixed.
    """

    def __init__(self, instruments: Instruments, players: list[int]) -> None:
        n = instruments.tau.shape[0]
        self.players, self.count = players, instruments.count
        column_of = torch.full((int(instruments.owner.max()) + 2,), -1)
        column_of[players] = torch.arange(len(players))
        owner = torch.cat((instruments.owner, torch.tensor([-1])))
        by_destination = owner[instruments.tau].amax((0, 2))
        by_origin = torch.maximum(owner[instruments.epsilon].amax((1, 2)), owner[instruments.sigma].amax(1))
        column = column_of[torch.maximum(by_destination, by_origin)]
        self.members = (column >= 0).nonzero().flatten()
        """Countries that have a player with a column, `[member]`."""
        self.column = column[self.members]
        """Column of each, `[member]`."""
        everybody = torch.arange(n)
        self.everybody = len(self.members) == n
        self.alone = self.everybody and bool((self.column == everybody).all()) and len(players) == n
        """Whether every country is a player of its own, in order."""
        self.unions = len(self.members) > len(players)
        """Whether a player has more than one country."""
        self.same = self.column[:, None] == torch.full((n,), -1).index_put((self.members,), self.column)
        """Whether a member and a country have the same player, `[member, country]`."""
        tau, epsilon, sigma = (by_sector(index) for index in (instruments.tau, instruments.epsilon, instruments.sigma))
        self.cells = (self._of_members(tau, 2), self._of_members(epsilon, 1), self._of_members(sigma, 1))
        """Instrument of each cell of the members, -1 where fixed: tariffs `[sector, origin, member]`, export taxes
        `[sector, member, destination]`, subsidies `[sector, member]`."""
        self.active = tuple(bool((index >= 0).any()) for index in self.cells)
        self._here = tuple((index >= 0).flatten().nonzero().flatten() for index in self.cells)
        self._to = tuple(index.flatten()[here] for index, here in zip(self.cells, self._here, strict=True))

    def between_members(self) -> Tensor:
        """Whether two countries have the same player, `[country, country]`."""
        n = self.same.shape[1]
        return torch.zeros((n, n), dtype=torch.bool).index_copy(0, self.members, self.same)

    def _of_members(self, table: Tensor, axis: int) -> Tensor:
        return table if self.everybody else table.index_select(axis, self.members)

    def of_members(self, table: Tensor, axis: int) -> Tensor:
        """The members' part of a table along an axis of countries."""
        return self._of_members(table, axis)

    def spread(self, columns: Tensor) -> Tensor:
        """From `[..., column]` to `[..., member]`; a single common direction stays as it is."""
        return columns if self.alone or columns.shape[-1] < len(self.players) else columns[..., self.column]

    def gathered(self, members: Tensor) -> Tensor:
        """Transpose of `spread`: members of one player added up, `[..., column]`."""
        if self.alone:
            return members
        out = members.new_zeros((*members.shape[:-1], len(self.players)))
        return out.index_add_(members.ndim - 1, self.column, members)

    def own(self, columns: Tensor) -> Tensor:
        """From `[..., country, column]` each member's entry in its own column, `[..., member]`."""
        if columns.shape[-1] == 1 and len(self.players) > 1:
            return self._of_members(columns[..., 0], columns.ndim - 2)
        return columns[..., self.members, self.column]

    def add_own(self, columns: Tensor, values: Tensor) -> None:
        """Transpose of `own`: add `[..., member]` in place."""
        columns[..., self.members, self.column] += values

    def tables(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cells of the three wedges at `[instrument]`, zero where fixed; zero-dimensional where nobody has any."""
        nothing = v.new_zeros(())
        return tuple(
            torch.where(index >= 0, v[index.clamp(min=0)], 0.0) if active else nothing
            for index, active in zip(self.cells, self.active, strict=True)
        )  # type: ignore[return-value]

    def instruments(self, cells: tuple[Tensor | None, Tensor | None, Tensor | None]) -> Tensor:
        """Transpose of `tables`: cells added up by instrument, `[instrument]`; None for those nobody has."""
        out = torch.zeros(self.count, dtype=torch.float64)
        for values, here, to in zip(cells, self._here, self._to, strict=True):
            if values is not None:
                out.index_add_(0, to, values.reshape(-1)[here])
        return out


@dataclasses.dataclass(frozen=True)
class Flows:
    """The flows into the members, or out of them, with the weights and the multipliers of the member's player.

    Shapes broadcast to `[sector, origin, member]` or `[sector, member, destination]`.
    """

    theta: Tensor
    share: Tensor
    sales: Tensor
    tariff: Tensor
    export: Tensor
    to_importer: Tensor
    to_exporter: Tensor
    sides: Sides
    price: Tensor
    labour: Tensor
    importer: Tensor
    exporter: Tensor

    def gradient(self, wedge: int) -> tuple[Tensor, Tensor]:
        """Own derivative by flow, and (for tariffs) its part q proportional to exp(-tau)."""
        s, sides = SIGNS[wedge], self.sides
        fixed = s * self.theta * self.share * self.price
        fixed = fixed + s * self.theta * (self.tariff * self.importer + self.export * self.exporter)
        slopes = self.to_importer * sides.importer.slope(wedge) * self.importer
        slopes = slopes + self.to_exporter * sides.exporter.slope(wedge) * self.exporter
        sold = self.sales * self.labour
        return fixed + s * (self.theta + 1) * sold - slopes, (self.theta + 1) * (sold - slopes)

    def receipts(self, change: Wedges, kappa: Tensor) -> tuple[Tensor, Tensor]:
        """What a change of the wedges does to the incomes of destination and origin at given state."""
        importer = self.to_importer * self.sides.importer.along(change) - self.theta * self.tariff * kappa
        return importer, self.to_exporter * self.sides.exporter.along(change) - self.theta * self.export * kappa


class FirstOrder:
    """Own derivatives of the players that have a column.

    Args:
        at: weights at an equilibrium.
        columns: who owns what.
        multipliers: `[unknown, column]`.
    """

    def __init__(self, at: SectorPoint, columns: Columns, multipliers: Tensor) -> None:
        self.at, self.columns, self.multipliers = at, columns, multipliers
        _, self.income, self.labour, self.price = at.world.split(multipliers)
        self._known: dict[bool, Flows] = {}

    def flows(self, inward: bool) -> Flows:
        """Those into the members (whose tariffs they meet), or out of them."""
        if inward not in self._known:
            at, c = self.at, self.columns
            axis = 2 if inward else 1
            tau, epsilon, sigma = at.wedges
            wedges = (c.of_members(tau, axis), c.of_members(epsilon, axis), sigma[:, :, None])
            if not inward:
                wedges = (*wedges[:2], c.of_members(sigma, 1)[:, :, None])
            sides = at.sides if c.everybody else Sides(at.world.model.accounting, wedges)
            weights = (at.share, at.sales, at.tariff, at.export, at.to_importer, at.to_exporter)
            share, sales, tariff, export, to_importer, to_exporter = (c.of_members(table, axis) for table in weights)
            if inward:
                price, labour = c.own(self.price)[:, None, :], c.spread(self.labour)
                importer, exporter = c.own(self.income), c.spread(self.income)
            else:
                price, labour = c.spread(self.price).mT, c.own(self.labour)[:, :, None]
                importer, exporter = c.spread(self.income).T, c.own(self.income)[:, None]
            self._known[inward] = Flows(
                at.world.theta, share, sales, tariff, export, to_importer, to_exporter, sides,
                price, labour, importer, exporter,
            )  # fmt: skip
        return self._known[inward]

    def gradient(self) -> tuple[Tensor, Tensor]:
        """Derivative of each instrument's owner's objective, and q of the tariffs, `[instrument]` each."""
        values: list[Tensor | None] = [None, None, None]
        proportional: Tensor | None = None
        for wedge in self.wedges():
            cells, q = self.flows(wedge == 0).gradient(wedge)
            values[wedge] = cells.sum(2) if wedge == 2 else cells
            if wedge == 0:
                proportional = q
        c = self.columns
        return c.instruments((values[0], values[1], values[2])), c.instruments((proportional, None, None))

    def wedges(self) -> Iterator[int]:
        """Which wedges anybody moves."""
        return (wedge for wedge in range(3) if self.columns.active[wedge])
