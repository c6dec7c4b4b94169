"""What closes the model: transfers between economies, the supply of labour, and who gets tax revenue.

Both are functions of a few numbers by economy: log wages w, log incomes y and log prices of consumption p (all hats).

- Transfers `T_n`: `constant` in the numeraire (the base model); `share` of world income, `T_n = D_n sum Y' / sum Y`;
  `proportional` to income, `T_n = Y'_n (d_n - q)` with `d = D/Y` and q the mean of d over world income, which makes
  them add up to zero.
- Labour, with the elasticity phi of its supply to real wages after tax (Greenwood, Hercowitz and Huffman 1988: no
  income effects). Revenue rebated `lump_sum`: `l_n = phi (w_n - p_n)`. Revenue used to cut the tax on labour income
  (`income_tax`): workers keep all that economies earn, `E = wL + taxes = Y - T`, so that
  `l_n = phi / (1 + phi) (log E_n - p_n)`, per unit of labour there is.
- Welfare is consumption less what work costs, `phi / (1 + phi)` of real labour income after tax; in both cases
  relative to the baseline.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Literal

import torch
from torch import Tensor

Rows = tuple[Tensor, Tensor, Tensor]
"""In wages, incomes and prices of consumption, `[..., country, column]` each."""


class Deficits(enum.StrEnum):
    """What happens to the trade deficits in the data."""

    NONE = "none"
    """The baseline has none."""
    CONSTANT = "constant"
    """Each country goes on receiving its deficit, in units of the numeraire (world value added)."""
    SHARE = "share"
    """Each country goes on receiving the same share of world income."""
    PROPORTIONAL = "proportional"
    """The deficit stays the same share of its own income, less what the world's then fail to add up to zero."""


DeficitsWord = Deficits | Literal["none", "constant", "share", "proportional"]
"""A treatment of deficits, or its name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Closure:
    """The rules.

    Attributes:
        deficits: how transfers move.
        elasticity: phi, of labour supply to real wages after tax; 0 is fixed labour.
        tax_cut: whether revenue cuts the tax on labour income.
        transfer0: D, `[country]`.
        income0: Y, `[country]`.
        labour_income0: wL before any shock, `[country]`.
        labour: labour there is over that of the baseline, `[country]`: other than one after a shock.
    """

    deficits: Deficits
    elasticity: float
    tax_cut: bool
    transfer0: Tensor
    income0: Tensor
    labour_income0: Tensor
    labour: Tensor

    @property
    def cost_of_work(self) -> float:
        """phi / (1 + phi): what work costs, in real labour income after tax."""
        return self.elasticity / (1 + self.elasticity)

    @property
    def consumption0(self) -> Tensor:
        """Welfare of the baseline in the unit of incomes, `[country]`: Y less what work costs."""
        paid = self.income0 - self.transfer0 if self.tax_cut else self.labour_income0
        return self.income0 - self.cost_of_work * paid

    def transfer(self, income: Tensor) -> Tensor:
        """T, in the unit of `transfer0`, from log incomes, `[..., country]` both."""
        if self.deficits in (Deficits.NONE, Deficits.CONSTANT):
            return self.transfer0.expand(income.shape)
        level = self.income0 * income.exp()
        total = level.sum(-1, keepdim=True)
        if self.deficits is Deficits.SHARE:
            return self.transfer0 * total / self.income0.sum()
        share = self.transfer0 / self.income0
        return level * (share - (share * level).sum(-1, keepdim=True) / total)

    def supply(self, wage: Tensor, income: Tensor, index: Tensor) -> Tensor:
        """Log of labour supplied by those who are there, `[..., country]`."""
        if not self.elasticity:
            return torch.zeros_like(income)
        if not self.tax_cut:
            return self.elasticity * (wage - index)
        earned = self.income0 * income.exp() - self.transfer(income)
        kept = (earned / (self.income0 - self.transfer0) / self.labour).log()
        return self.cost_of_work * (kept - index)

    def log_welfare(self, wage: Tensor, income: Tensor, index: Tensor) -> Tensor:
        """Log of consumption less the cost of work, over that of the baseline, `[..., country]`."""
        if not self.elasticity:
            return income - index
        spent = self.income0 * income.exp()
        if self.tax_cut:
            paid, paid0 = spent - self.transfer(income), self.income0 - self.transfer0
        else:
            paid0 = self.labour_income0
            paid = paid0 * self.labour * (wage + self.supply(wage, income, index)).exp()
        a = self.cost_of_work
        return ((spent - a * paid) / (self.income0 - a * paid0)).log() - index

    def at(self, wage: Tensor, income: Tensor, index: Tensor) -> ClosurePoint:
        """Values and derivatives at `[country]` each."""
        return ClosurePoint(self, wage, income, index)


class ClosurePoint:
    """Transfers and labour at a point, and products with their first and second derivatives.

    Args:
        closure: the rules.
        wage, income, index: logs of hats, `[..., country]`.
    """

    def __init__(self, closure: Closure, wage: Tensor, income: Tensor, index: Tensor) -> None:
        c = self.closure = closure
        self.transfer, self.labour = c.transfer(income), c.supply(wage, income, index)
        level = c.income0 * income.exp()
        self._level = level[..., None]
        self._share = (level / level.sum(-1, keepdim=True))[..., None]
        self._world = (level / c.income0.sum())[..., None]
        gap = c.transfer0 / c.income0
        self._gap = (gap - (gap * level).sum(-1, keepdim=True) / level.sum(-1, keepdim=True))[..., None]
        self._earned = (level - self.transfer)[..., None]
        self._transfer = self.transfer[..., None]

    def push(self, wage: Tensor, income: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Changes of log labour and of transfers with the three, `[..., country, column]` all."""
        transfer = self._transfers(income)
        c = self.closure
        if not c.elasticity:
            return torch.zeros_like(income), transfer
        if not c.tax_cut:
            return c.elasticity * (wage - index), transfer
        return c.cost_of_work * ((self._level * income - transfer) / self._earned - index), transfer

    def pull(self, labour: Tensor, transfer: Tensor) -> Rows:
        """Transpose of `push`."""
        c = self.closure
        nothing = torch.zeros_like(labour)
        if not c.elasticity:
            return nothing, self._transfer_rows(transfer), nothing
        if not c.tax_cut:
            moved = c.elasticity * labour
            return moved, self._transfer_rows(transfer), -moved
        moved = c.cost_of_work * labour
        return nothing, self._transfer_rows(transfer) + self._earned_rows(moved), -moved

    def curved(self, labour: Tensor, transfer: Tensor, income: Tensor) -> Tensor:
        """Rows in incomes of the second derivative of `labour' l + transfer' T` along a change of incomes.

        All that is not linear in the three depends on incomes alone.
        """
        rows = self._transfer_curved(transfer, income)
        c = self.closure
        if c.elasticity and c.tax_cut:
            weight = c.cost_of_work * labour
            change = (self._level * income - self._transfers(income)) / self._earned
            rows = rows + self._level * weight / self._earned * income
            rows = rows - self._transfer_curved(weight / self._earned, income) - self._earned_rows(weight * change)
        return rows

    def _earned_rows(self, weight: Tensor) -> Tensor:
        """Rows in incomes of the derivative of log E, weighted."""
        return self._level * weight / self._earned - self._transfer_rows(weight / self._earned)

    def _transfers(self, income: Tensor) -> Tensor:
        c = self.closure
        if c.deficits is Deficits.SHARE:
            return c.transfer0[..., None] * (self._world * income).sum(-2, keepdim=True)
        if c.deficits is Deficits.PROPORTIONAL:
            mean = (self._share * self._gap * income).sum(-2, keepdim=True)
            return self._transfer * income - self._level * mean
        return torch.zeros_like(income)

    def _transfer_rows(self, weight: Tensor) -> Tensor:
        c = self.closure
        if c.deficits is Deficits.SHARE:
            return self._world * (c.transfer0[..., None] * weight).sum(-2, keepdim=True)
        if c.deficits is Deficits.PROPORTIONAL:
            return self._transfer * weight - self._share * self._gap * (self._level * weight).sum(-2, keepdim=True)
        return torch.zeros_like(weight)

    def _transfer_curved(self, weight: Tensor, income: Tensor) -> Tensor:
        c = self.closure
        if c.deficits is Deficits.SHARE:
            return self._world * income * (c.transfer0[..., None] * weight).sum(-2, keepdim=True)
        if c.deficits is Deficits.PROPORTIONAL:
            mean = (self._share * self._gap * income).sum(-2, keepdim=True)
            share = self._share * (income - (self._share * income).sum(-2, keepdim=True))
            spent = (self._level * weight).sum(-2, keepdim=True)
            rows = self._transfers(income) * weight - share * self._gap * spent + self._share * mean * spent
            return rows - self._share * self._gap * (self._level * income * weight).sum(-2, keepdim=True)
        return torch.zeros_like(income)
