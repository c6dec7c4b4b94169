"""Worlds without inputs and economies of scale: everything is explicit in N wages.

With labour the only cost, prices and shares follow from wages and tariffs, incomes from the budget

    Y_n = (value added_n w_n + transfer_n) / (1 - sum_j alpha_nj rho_nj), rho the part of spending that is tariffs.

What is left are N labour markets. One N x N Jacobian serves Newton's method and all multipliers. Tariffs are the only
policies here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlopt.trade.first_order import Columns
from dlopt.trade.model import LogWedges
from dlopt.trade.sectors import SectorModel

_STEPS = 60  # Newton's


def collapses(world: SectorModel, fixed: LogWedges, active: tuple[bool, ...]) -> bool:
    """Whether a game is of this kind: no inputs, no scale, and no policies but tariffs anywhere."""
    _, epsilon, sigma = fixed
    taxed = bool((epsilon != 0).any()) or bool((sigma != 0).any()) or active[1] or active[2]
    return not (world.inputs or world.scale or taxed or world.model.closure is not None)


class WagePoint:
    """The world at given wages and tariffs, and the Jacobian of its labour markets.

    Args:
        world: constants.
        wage: log wages, `[country]`.
        tau: log tariffs, `[sector, origin, destination]`.
    """

    def __init__(self, world: SectorModel, wage: Tensor, tau: Tensor) -> None:
        s, m = world, world.model
        self.world, self.wage, self.tau = s, wage, tau
        theta = s.theta
        paid = (-tau).exp()
        weight = s.lam * (-theta * (wage[None, :, None] + tau - s.log_kappa0)).exp()
        total = torch.where(s.buys, weight.sum(1), 1.0)
        self.share = share = weight / total[:, None]
        self.price = -total.log() / theta[..., 0]
        """Log prices, `[sector, country]`."""
        taxed = (share * (1 - paid)).sum(1)
        labour_income = m.value_added * wage.exp()
        self.spent_at_home = 1 - (s.alpha * taxed).sum(0)
        income = (labour_income + m.transfer) / self.spent_at_home
        self.income = (income / m.income).log()
        """Log incomes, `[country]`."""
        self.net = share * paid * (s.alpha * income)[:, None, :]
        """Receipts of the producers, `[sector, origin, destination]`."""
        self.revenue = self.net.sum((0, 2))
        numeraire = m.world_share * wage.exp()  # [bloc, country]
        self.residual = (self.revenue / m.value_added).log() - wage
        self.residual[m.reference] = numeraire.sum(1).log()
        self.paid, self.taxed, self.effect = paid, taxed, s.alpha / self.spent_at_home
        self._earned = labour_income / (labour_income + m.transfer)
        by_wage = ((theta[..., 0] * self.effect)[:, None] * share * (taxed[:, None] - 1 + paid)).sum(0).T
        self.income_by_wage = torch.diag(self._earned) + by_wage
        """Derivative of log incomes, `[country, country]`."""
        sold, bought = (t.permute(1, 0, 2).reshape(s.n, -1) for t in (self.net * theta, share))
        jacobian = (sold @ bought.T + self.net.sum(0) @ self.income_by_wage) / self.revenue[:, None]
        jacobian.diagonal().add_(-(self.net * theta).sum((0, 2)) / self.revenue - 1)
        jacobian[m.reference] = numeraire / numeraire.sum(1, keepdim=True)
        self.jacobian = jacobian

    @property
    def log_welfare(self) -> Tensor:
        """`[country]`."""
        return self.income - (self.world.alpha * self.price).sum(0)

    def multipliers(self, slope: Tensor) -> Tensor:
        """Of the labour markets, `[country, column]`.

        Args:
            slope: of the objectives in log welfare, `[country, column]`.
        """
        by_wage = self.income_by_wage - (self.world.alpha[:, None] * self.share).sum(0).T
        found = torch.linalg.solve(self.jacobian.T, by_wage.T @ slope)
        found[self.world.model.reference] = 0  # its row is the numeraire, which tariffs do not enter
        return found

    def gradient(self, columns: Columns, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Own derivatives and their parts proportional to exp(-tau), `[instrument]` each.

        Args:
            columns: who owns what.
            slope: as in `multipliers`.
        """
        theta, alpha = self.world.theta, self.world.alpha
        share, paid, net, effect, taxed, price = (
            columns.of_members(table, table.ndim - 1)
            for table in (self.share, self.paid, self.net, self.effect, self.taxed, alpha)
        )
        own = columns.own(slope)
        sold = net * columns.spread(self.multipliers(slope) / self.revenue[:, None])
        by_sector = sold.sum(1)
        spent = (own - by_sector.sum(0)) * effect
        q = (theta + 1) * (spent[:, None] * share * paid + sold)
        rest = theta * share * (spent * (taxed - 1) - by_sector)[:, None] - (own * price)[:, None] * share
        return columns.instruments((rest + q, None, None)), columns.instruments((q, None, None))

    def z(self) -> Tensor:
        """The unknowns of `dlopt.trade.sectors` at these wages, `[2N + 2NJ]`."""
        s = self.world
        revenue = self.net.sum(2)
        labour = torch.where(s.sells, (torch.where(s.sells, revenue, 1.0) / s.revenue).log() - self.wage, 0.0)
        price = torch.where(s.buys, self.price, 0.0)
        return torch.cat((self.wage, self.income, labour.flatten(), price.flatten()))

    def expenditure(self) -> Tensor:
        """log expenditures, `[sector, country]`."""
        s = self.world
        spent = s.alpha * (s.model.income * self.income.exp())
        return torch.where(s.buys, (torch.where(s.buys, spent, 1.0) / s.spending).log(), 0.0)


def settle(world: SectorModel, wage: Tensor, tau: Tensor, tolerance: float) -> WagePoint | None:
    """Wages at which labour markets clear, by Newton's method from `wage`; None where they are not found."""
    at = WagePoint(world, wage, tau)
    size = float(at.residual.abs().max())
    for _ in range(_STEPS):
        if size <= tolerance or not math.isfinite(size):
            break
        step = torch.linalg.solve(at.jacobian, at.residual)
        scale = min(1.0, 0.5 / max(float(step.abs().max()), 1e-300))
        at = WagePoint(world, at.wage - scale * step, tau)
        before, size = size, float(at.residual.abs().max())
        if before <= 1e-11 and size >= before / 2:  # rounding
            break
    return at if size <= max(tolerance, 1e-11) else None
