"""Governments that care for some sectors more than for others (Ossa 2014, section I).

The government of n maximises `sum_j lambda_nj X_nj / P_n`: real incomes of sectors, weighted. The income of a sector is
its labour income and, where the baseline has a markup (a negative subsidy, rebated; Ossa's profits), the markup on
it; what else the economy earns, taxes and transfers, goes to sectors in proportion to their labour. With all weights at
one this is real income, and it is stated as one: `W + sum_j (lambda_nj - 1) X_nj / P_n`, over its baseline.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.trade.model import TradeModel


@dataclasses.dataclass(frozen=True, eq=False)
class Politics:
    """The weights, and incomes of the baseline.

    Attributes:
        weights: lambda, `[country, sector]`.
        labour_income: of each sector, `[country, sector]`.
        markup: income of a sector over its labour income, `[country, sector]`, at least one.
        income: Y, `[country]`.
        consumed: welfare of the baseline in the unit of incomes, `[country]`: Y less what work costs.
    """

    weights: Tensor
    labour_income: Tensor
    markup: Tensor
    income: Tensor
    consumed: Tensor

    @classmethod
    def of(cls, model: TradeModel, weights: Tensor) -> Politics:
        """The politics of a model before any shock.

        Raises:
            DloptError: weights of the wrong shape, negative or not finite, or that leave nothing to maximise.
        """
        shape = model.payroll.shape
        if weights.shape != shape or not bool(((weights >= 0) & weights.isfinite()).all()):
            raise DloptError(
                f"political_weights is {list(weights.shape)}: give {list(shape)} finite numbers [country, sector], 0 "
                "or more, such as dlopt.policies.weights_from('USA: 1.5 on steel', world)."
            )
        consumed = model.income
        if model.closure is not None and model.closure.elasticity:
            consumed = model.closure.consumption0
        found = cls(
            weights.to(model.theta.dtype), model.payroll, (1 - model.calibration.subsidy).clamp(min=1), model.income,
            consumed,
        )  # fmt: skip
        none = torch.zeros_like(model.payroll)
        goal = consumed + found.favour(torch.zeros_like(model.income), none)
        if not bool((goal > 0).all()):
            who = model.calibration.economies[int(goal.argmin())]
            raise DloptError(f"The political weights of {who} leave it nothing to maximise: make them larger.")
        return found

    def incomes(self, income: Tensor, bills: Tensor) -> Tensor:
        """X of every sector, `[country, sector]`, at log hats of incomes `[country]` and wage bills, likewise."""
        paid = self.labour_income * bills.exp()
        earned = paid * self.markup
        rest = self.income * income.exp() - earned.sum(1)
        return earned + paid / paid.sum(1, keepdim=True) * rest[:, None]

    def favour(self, income: Tensor, bills: Tensor) -> Tensor:
        """`sum_j (lambda - 1) X_j` at log hats of incomes `[country]` and of wage bills `[country, sector]`."""
        return ((self.weights - 1) * self.incomes(income, bills)).sum(1)

    def log_goal(self, log_welfare: Tensor, income: Tensor, index: Tensor, bills: Tensor) -> Tensor:
        """Log of what governments maximise over its baseline, `[country]`."""
        before = self.consumed + self.favour(torch.zeros_like(income), torch.zeros_like(bills))
        return ((self.consumed * log_welfare.exp() + self.favour(income, bills) * (-index).exp()) / before).log()
