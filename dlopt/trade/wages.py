"""Worlds without inputs and economies of scale: everything is explicit in N wages.

With labour the only cost, prices and shares follow from wages and tariffs, incomes from the budget

    Y_n = (value added_n w_n + transfer_n) / (1 - sum_j alpha_nj rho_nj), rho the part of spending that is tariffs.

What is left are N labour markets. One N x N Jacobian serves Newton's method and all multipliers. Tariffs are the only
policies here.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from dlopt.framework.linear import lu_factors
from dlopt.trade.first_order import Columns
from dlopt.trade.model import TradeModel
from dlopt.trade.sectors import SectorModel

_STEPS = 60  # Newton's
_ENOUGH = 0.2
"""Of a residual, at most so much is left by a step with a Jacobian that is good enough to be used again."""
_ROUNDED = 1e-11
"""Residual below which a step that leaves more than half is rounding, and the largest that is accepted."""


def collapses(model: TradeModel, epsilon: Tensor, sigma: Tensor) -> bool:
    """Whether wages say everything: no inputs, no scale, everything fixed but wages, no policies but tariffs."""
    linked = bool((model.materials != 0).any()) or bool((model.psi != 0).any()) or model.closure is not None
    return not (linked or bool((epsilon != 0).any()) or bool((sigma != 0).any()))


class WagePoint:
    """The world at given wages and tariffs, and the Jacobian of its labour markets.

    Args:
        world: constants.
        wage: log wages, `[country]`.
        tau: log tariffs, `[sector, origin, destination]`.
    """

    def __init__(self, world: SectorModel, wage: Tensor, tau: Tensor, like: WagePoint | None = None) -> None:
        s, m = world, world.model
        self.world, self.wage, self.tau = s, wage, tau
        theta = s.theta
        if like is None:
            self._paid = (-tau).exp()
            self._drawn = s.lam * (-theta * (tau - s.log_kappa0)).exp()
        else:
            self._paid, self._drawn = like._paid, like._drawn
        paid = self._paid
        weight = self._drawn * (-theta * wage[:, None]).exp()
        total = torch.where(s.buys, weight.sum(1), 1.0)
        self.share = share = weight / total[:, None]
        self.price = -total.log() / theta[..., 0]
        """Log prices, `[sector, country]`."""
        kept = share * paid
        self.taxed = share.sum(1) - kept.sum(1)
        labour_income = m.value_added * wage.exp()
        self.spent_at_home = 1 - (s.alpha * self.taxed).sum(0)
        income = (labour_income + m.transfer) / self.spent_at_home
        self.income = (income / m.income).log()
        """Log incomes, `[country]`."""
        self.net = kept * (s.alpha * income)[:, None, :]
        """Receipts of the producers, `[sector, origin, destination]`."""
        self.revenue = self.net.sum((0, 2))
        self._numeraire = m.world_share * wage.exp()  # [bloc, country]
        self.residual = (self.revenue / m.value_added).log() - wage
        self.residual[m.reference] = self._numeraire.sum(1).log()
        self.paid, self.effect = paid, s.alpha / self.spent_at_home
        self._earned = labour_income / (labour_income + m.transfer)

    def moved(self, step: Tensor) -> WagePoint:
        """The world at the same tariffs and log wages `step` further, `[country]`."""
        return WagePoint(self.world, self.wage + step, self.tau, self)

    @cached_property
    def income_by_wage(self) -> Tensor:
        """Derivative of log incomes, `[country, country]`."""
        weight = self.world.theta[..., 0] * self.effect
        by_wage = (weight[:, None] * self.share * ((self.taxed - 1)[:, None] + self.paid)).sum(0).T
        return torch.diag(self._earned) + by_wage

    @cached_property
    def jacobian(self) -> Tensor:
        """Of the residual, `[country, country]`."""
        s, m = self.world, self.world.model
        elastic = self.net * s.theta
        sold, bought = (t.permute(1, 0, 2).reshape(s.n, -1) for t in (elastic, self.share))
        jacobian = (sold @ bought.T + self.net.sum(0) @ self.income_by_wage) / self.revenue[:, None]
        jacobian.diagonal().add_(-elastic.sum((0, 2)) / self.revenue - 1)
        jacobian[m.reference] = self._numeraire / self._numeraire.sum(1, keepdim=True)
        return jacobian

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
        return torch.linalg.solve(self.jacobian.T, by_wage.T @ slope)

    def gradient(self, columns: Columns, slope: Tensor, multipliers: Tensor) -> tuple[Tensor, Tensor]:
        """Own derivatives and their parts proportional to exp(-tau), `[instrument]` each.

        Args:
            columns: who owns what.
            slope: as in `multipliers`.
            multipliers: what it answers.
        """
        theta, alpha = self.world.theta, self.world.alpha
        share, paid, net, effect, taxed, price = (
            columns.of_members(table, table.ndim - 1)
            for table in (self.share, self.paid, self.net, self.effect, self.taxed, alpha)
        )
        own = columns.own(slope)
        mu = multipliers.clone()
        mu[self.world.model.reference] = 0  # its row is the numeraire, which tariffs do not enter
        sold = net * columns.spread(mu / self.revenue[:, None])
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


def settle(world: SectorModel, near: WagePoint | Tensor, tau: Tensor, tolerance: float) -> WagePoint | None:
    """Wages at which labour markets clear; None where they are not found.

    Newton's method from a point near by, or from log wages `[country]`. One Jacobian, that of the point near by first,
    serves as long as every step leaves less than a fifth of the residual before.
    """
    known, wage = (near, near.wage) if isinstance(near, WagePoint) else (None, near)
    at = WagePoint(world, wage, tau)
    *factors, _ = lu_factors((known or at).jacobian)
    size, fresh = float(at.residual.abs().max()), known is None
    for _ in range(_STEPS):
        if size <= tolerance or not math.isfinite(size):
            break
        step = torch.linalg.lu_solve(*factors, at.residual[:, None])[:, 0]
        trial = at.moved(-min(1.0, 0.5 / max(float(step.abs().max()), 1e-300)) * step)
        left = float(trial.residual.abs().max())
        enough = left <= _ENOUGH * size  # false where it is not a number
        if not (enough or fresh):
            *factors, _ = lu_factors(at.jacobian)
            fresh = True
            continue
        if fresh and size <= _ROUNDED and not left < size / 2:
            break
        at, size, fresh = trial, left, False
    return at if size <= max(tolerance, _ROUNDED) else None
