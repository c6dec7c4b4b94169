"""The few numbers of a state that objectives depend on, all linear in the unknowns.

In the base model these are the log changes of welfare, income less prices, `[country]`. Where welfare is more than
that, or governments care for more than welfare, they are log wages, incomes and prices of consumption `[country]` and,
if wanted, log wage bills by economy and sector.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.trade.model import State, TradeModel
from dlopt.trade.sectors import SectorModel

Values = Callable[[Tensor], Tensor]
"""From forms `[form]` to objectives `[player]`, twice differentiable."""


class Forms:
    """Which they are, and how they go with the unknowns.

    Args:
        model: the model.
    """

    def __init__(self, model: TradeModel) -> None:
        self.model, self.bills = model, model.politics is not None
        """The model, and whether log wage bills follow."""
        self.more = model.closure is not None or self.bills
        """Whether wages, incomes and prices stand apart."""

    @property
    def count(self) -> int:
        """Number of forms."""
        m = self.model
        return m.n if not self.more else 3 * m.n + (m.n * m.j if self.bills else 0)

    def of(self, u: Tensor) -> Tensor:
        """Of the unknowns, `[unknown]`: `[form]`."""
        m = self.model
        if not self.more:
            return m.log_real_income(u)
        s = State.of(u, m.n, m.j)
        parts = [s.wage, s.income, (m.alpha * s.price).sum(-1)]
        return torch.cat([*parts, (s.wage[:, None] + s.labour).flatten()] if self.bills else parts)

    def goals(self, forms: Tensor) -> Tensor:
        """Log of what each government cares for, over the baseline, `[country]`: of welfare, or more (`politics`)."""
        if not self.more:
            return forms
        m = self.model
        wage, income, index = forms[: 3 * m.n].split(m.n)
        welfare = income - index if m.closure is None else m.closure.log_welfare(wage, income, index)
        if m.politics is None:
            return welfare
        return m.politics.log_goal(welfare, income, index, forms[3 * m.n :].view(m.n, m.j))

    def rows(self) -> Tensor:
        """The forms as a matrix, `[form, unknown]`."""
        m, n, j = self.model, self.model.n, self.model.j
        out = torch.zeros((self.count, m.size), dtype=m.theta.dtype)
        country, price = torch.arange(n), 2 * n + n * j
        cells = price + torch.arange(n * j).view(n, j)
        if not self.more:
            out[country, n + country] = 1.0
            out[country[:, None], cells] = -m.alpha
            return out
        out[country, country] = 1.0
        out[n + country, n + country] = 1.0
        out[2 * n + country[:, None], cells] = m.alpha
        if self.bills:
            bill = 3 * n + torch.arange(n * j)
            out[bill, country.repeat_interleave(j)] = 1.0
            out[bill, 2 * n + torch.arange(n * j)] = 1.0
        return out

    def along(self, world: SectorModel, dz: Tensor) -> Tensor:
        """Changes of the forms with the unknowns of large games, `[unknown, column]` to `[form, column]`."""
        wage, income, labour, price = world.split(dz)
        index = (world.alpha[:, :, None] * price).sum(0)
        if not self.more:
            return income - index
        parts = [wage, income, index]
        if self.bills:
            parts.append((wage + labour).transpose(0, 1).reshape(world.cells, -1))
        return torch.cat(parts)

    def fold(self, world: SectorModel, rows: Tensor) -> Tensor:
        """Transpose of `along`: `[form, column]` to `[unknown, column]`."""
        n, columns = world.n, rows.shape[1]
        if not self.more:
            prices = (-world.alpha[:, :, None] * rows).reshape(world.cells, -1)
            return torch.cat((torch.zeros_like(rows), rows, torch.zeros_like(prices), prices))
        wage, income, index = rows[: 3 * n].split(n)
        labour = rows.new_zeros((world.cells, columns))
        if self.bills:
            bills = rows[3 * n :].view(n, world.j, columns)
            wage = wage + bills.sum(1)
            labour = bills.transpose(0, 1).reshape(world.cells, columns)
        return torch.cat((wage, income, labour, (world.alpha[:, :, None] * index).reshape(world.cells, columns)))
