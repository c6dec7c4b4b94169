"""The few numbers of a state that objectives depend on, all linear in the unknowns.

In the base model these are the log changes of welfare, income less prices, `[country]`. Where welfare is more than
that, or governments care for more than welfare, they are log wages, incomes and prices of consumption `[country]` and,
if wanted, log wage bills by economy and sector, and log outputs where emissions do damage.
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
        self.outputs = model.carbon is not None and model.carbon.harms
        """Whether log outputs follow."""
        self.more = model.closure is not None or self.bills or self.outputs
        """Whether wages, incomes and prices stand apart."""

    @property
    def count(self) -> int:
        """Number of forms."""
        m = self.model
        return m.n if not self.more else 3 * m.n + m.n * m.j * (self.bills + self.outputs)

    def of(self, u: Tensor) -> Tensor:
        """Of the unknowns, `[unknown]`: `[form]`."""
        m = self.model
        if not self.more:
            return m.log_real_income(u)
        s = State.of(u, m.n, m.j)
        parts, bills = [s.wage, s.income, (m.alpha * s.price).sum(-1)], s.wage[:, None] + s.labour
        if self.bills:
            parts.append(bills.flatten())
        if self.outputs:
            parts.append((bills - m.unit_cost(s)).flatten())
        return torch.cat(parts)

    def goals(self, forms: Tensor) -> Tensor:
        """Log of what each government cares for, over the baseline, `[country]`: of welfare, or more (`politics`)."""
        if not self.more:
            return forms
        m = self.model
        wage, income, index = forms[: 3 * m.n].split(m.n)
        welfare = income - index if m.closure is None else m.closure.log_welfare(wage, income, index)
        if self.outputs:
            assert m.carbon is not None
            welfare = m.carbon.log_welfare(welfare, forms[-m.n * m.j :].view(m.n, m.j))
        if m.politics is None:
            return welfare
        return m.politics.log_goal(welfare, income, index, forms[3 * m.n : 3 * m.n + m.n * m.j].view(m.n, m.j))

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
        if self.outputs:
            sector = torch.arange(j)
            table = out[-n * j :].view(n, j, m.size)
            table[country, :, country] = 1 - m.beta
            jobs, prices = (table[:, :, at : at + n * j].view(n, j, n, j) for at in (2 * n, price))
            jobs[country[:, None], sector, country[:, None], sector] = (1 + m.psi).expand(n, j)
            prices[country, :, country] = -m.materials.transpose(1, 2)
        return out

    def along(self, world: SectorModel, dz: Tensor) -> Tensor:
        """Changes of the forms with the unknowns of large games, `[unknown, column]` to `[form, column]`."""
        wage, income, labour, price = world.split(dz)
        index = (world.alpha[:, :, None] * price).sum(0)
        if not self.more:
            return income - index
        parts = [wage, income, index]
        bills = wage + labour
        if self.bills:
            parts.append(bills.transpose(0, 1).reshape(world.cells, -1))
        if self.outputs:
            outputs = bills - world.unit_cost(wage, labour, price)
            parts.append(outputs.transpose(0, 1).reshape(world.cells, -1))
        return torch.cat(parts)

    def fold(self, world: SectorModel, rows: Tensor) -> Tensor:
        """Transpose of `along`: `[form, column]` to `[unknown, column]`."""
        n, columns = world.n, rows.shape[1]
        if not self.more:
            prices = (-world.alpha[:, :, None] * rows).reshape(world.cells, -1)
            return torch.cat((torch.zeros_like(rows), rows, torch.zeros_like(prices), prices))
        wage, income, index = rows[: 3 * n].split(n)
        labour, price = rows.new_zeros((world.cells, columns)), world.alpha[:, :, None] * index
        if self.bills:
            bills = rows[3 * n : 3 * n + world.cells].view(n, world.j, columns)
            wage = wage + bills.sum(1)
            labour = bills.transpose(0, 1).reshape(world.cells, columns)
        if self.outputs:
            outputs = rows[-world.cells :].view(n, world.j, columns).transpose(0, 1)
            of_wage, of_labour, of_price = world.fold_costs(outputs)
            wage = wage + outputs.sum(0) - of_wage
            labour = labour + (outputs - of_labour).reshape(world.cells, columns)
            price = price - of_price
        return torch.cat((wage, income, labour, price.reshape(world.cells, columns)))
