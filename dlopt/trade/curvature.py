"""Second derivatives of `multiplier' residual` at an equilibrium, from the structure of the equations.

At an equilibrium every equation is `sum_k w_k exp(g_k) = 1` with linear forms g_k, so its second derivative is
`sum_k w_k dg_k dg_k'` (plus the derivatives of the tax rates). The forms of one flow (i, n, j) involve only

    share change s = theta (p_n - c_i - kappa), expenditure x_n, wage bill w_i + l_ij, incomes Y_n, Y_i, three wedges,

so that everything of sector j couples through one small dense block. Here it is assembled in the extended unknowns
(price, unit cost, expenditure, wage bill by cell, income by country) and folded back by the chain rule (A.2).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.trade.derivatives import Linearisation, offsets
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import State

_SIGNS = (1.0, 1.0, -1.0)  # of tau, epsilon, sigma in log kappa


@dataclasses.dataclass(frozen=True)
class _Extended:
    """Rows in the extended unknowns: four `[country, sector, column]` and income `[country, column]`."""

    price: Tensor
    cost: Tensor
    spending: Tensor
    pay: Tensor
    income: Tensor


class Curvature:
    """`grad^2 (multiplier' residual)` in blocks.

    Args:
        linearisation: weights at an equilibrium.
        multiplier: `[unknown]`.
    """

    def __init__(self, linearisation: Linearisation, multiplier: Tensor) -> None:
        self.lin, self.model = linearisation, linearisation.model
        lin, m = linearisation, linearisation.model
        mu = State.of(multiplier, m.n, m.j)
        self.mu = mu
        mu_importer, mu_exporter = mu.income[None, :, None], mu.income[:, None, None]
        self.sales = (mu.labour * m.sells)[:, None, :] * lin.sales
        self.tariff, self.export = mu_importer * lin.tariff, mu_exporter * lin.export
        self.flow = self.sales + self.tariff + self.export
        self.share = (mu.price * m.buys)[None] * lin.share + self.flow
        self.tariff_d, self.export_d = mu_importer * lin.tariff_d, mu_exporter * lin.export_d
        self.wedge_dd = mu_importer * lin.tariff_dd + mu_exporter * lin.export_dd

    def along(self, du: Tensor) -> Tensor:
        """Product with directions in the unknowns, `[unknown, direction] -> [unknown, direction]`."""
        m, n, j = self.model, self.model.n, self.model.j
        d = self._extend(du)
        columns = du.shape[1]
        stacked = torch.stack((d.price, d.cost, d.spending, d.pay, d.income[:, None].expand(n, j, columns)))
        local = stacked.permute(2, 0, 1, 3).reshape(j, 5 * n, columns)
        out = (self._sector_blocks() @ local).view(j, 5, n, columns).permute(1, 2, 0, 3)
        price, cost, spending, pay, by_sector = out
        income = by_sector.sum(1)

        lin, mu = self.lin, self.mu
        active = (mu.expenditure * m.buys)[:, :, None]
        final = active * lin.final[:, :, None] * (d.income[:, None] - d.spending)
        use = active * lin.use
        spending = spending - final - use @ d.pay + use.sum(2)[:, :, None] * d.spending
        pay = pay + use.sum(1)[:, :, None] * d.pay - use.transpose(1, 2) @ d.spending
        wage = du[:n]
        of_labour_income = (mu.income * lin.labour_income)[:, None]
        supply, transfer = torch.zeros_like(wage), torch.zeros_like(wage)
        if lin.closure is not None:
            index = (m.alpha[:, :, None] * du[offsets(n, j)[3] : offsets(n, j)[4]].view(n, j, -1)).sum(1)
            supply, transfer = lin.closure.push(wage, d.income, index)
        earned = of_labour_income * (wage + supply - d.income)
        income = income + final.sum(1) - earned + (mu.income * lin.transfer)[:, None] * d.income
        folded = self._fold(_Extended(price, cost, spending, pay, income))
        markets = mu.wage.clone()
        markets[m.reference] = 0.0
        _, _, lab, p, _ = offsets(n, j)
        folded[lab:p] += (markets[:, None] * lin.labour).reshape(-1, 1) * du[lab:p]
        if lin.closure is not None:
            of_transfer = (mu.income / lin.earned)[:, None]
            folded[lab:p] -= ((markets[:, None] * lin.labour)[:, :, None] * supply[:, None]).reshape(n * j, -1)
            folded[n : 2 * n] -= of_transfer * transfer
            rows = lin.closure.pull(earned, -of_transfer * d.income)
            curved = lin.closure.curved(of_labour_income - markets[:, None], of_transfer, d.income)
            folded[:n] += rows[0]
            folded[n : 2 * n] += rows[1] + curved
            folded[p : p + n * j] += (m.alpha[:, :, None] * rows[2][:, None]).reshape(n * j, -1)
        folded[:n] += earned + (mu.wage[m.reference] @ lin.numeraire)[:, None] * wage
        return folded

    def mixed(self, instruments: Instruments, columns: Tensor) -> Tensor:
        """Second derivative in (unknown, instrument), `[unknown, column]` for the instruments in `columns`."""
        m, n, j = self.model, self.model.n, self.model.j
        theta = m.theta
        count = len(columns)
        position = torch.full((instruments.count + 1,), count)
        position[columns] = torch.arange(count)
        table = self.share.new_zeros((4, n, j, count + 1))
        income = self.share.new_zeros((n, count + 1))
        i = torch.arange(n)[:, None, None].expand(n, n, j)
        k = torch.arange(n)[None, :, None].expand(n, n, j)
        s = torch.arange(j).expand(n, n, j)
        for which, index in enumerate(instruments.cells()):
            if not bool((index >= 0).any()):
                continue
            column = position[index]
            here = column < count
            if not bool(here.any()):
                continue
            with_share, with_spending, with_pay, with_importer, with_exporter = self._slopes(which)
            origin, destination, sector, to = i[here], k[here], s[here], column[here]
            for row, country, value in (
                (0, destination, theta * with_share),
                (1, origin, -theta * with_share),
                (2, destination, with_spending),
                (3, origin, with_pay),
            ):
                table[row].index_put_((country, sector, to), value[here], accumulate=True)
            income.index_put_((destination, to), with_importer[here], accumulate=True)
            income.index_put_((origin, to), with_exporter[here], accumulate=True)
        price, cost, spending, pay = table[..., :count]
        return self._fold(_Extended(price, cost, spending, pay, income[:, :count]))

    def mixed_along(self, instruments: Instruments, du: Tensor) -> Tensor:
        """Transpose of `mixed` for all instruments, times `[unknown, direction]`: `[instrument, direction]`."""
        m, n, j = self.model, self.model.n, self.model.j
        d = self._extend(du)
        price, cost, spending, pay = (table.reshape(n * j, -1) for table in (d.price, d.cost, d.spending, d.pay))
        out = du.new_zeros((instruments.count, du.shape[1]))
        cell = torch.arange(n * j).view(n, j)
        exporter, importer = cell[:, None].expand(n, n, j), cell[None].expand(n, n, j)
        for which, index in enumerate(instruments.cells()):
            here = index >= 0
            if not bool(here.any()):
                continue
            of_share, of_spending, of_pay, of_importer, of_exporter = (v[here][:, None] for v in self._slopes(which))
            origin, destination = exporter[here], importer[here]
            rows = (m.theta.expand(n, n, j)[here][:, None] * of_share) * (price[destination] - cost[origin])
            rows += of_spending * spending[destination]
            rows += of_pay * pay[origin]
            rows += of_importer * d.income[destination // j]
            rows += of_exporter * d.income[origin // j]
            out.index_add_(0, index[here], rows)
        return out

    def _slopes(self, which: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Second derivative of each cell in one of its wedges and (share change, spending, pay, two incomes)."""
        theta, sign = self.model.theta, _SIGNS[which]
        rate_m, rate_x = self.tariff_d[which], self.export_d[which]
        return (
            -sign * (theta * self.share + self.sales) + rate_m + rate_x,
            -sign * (theta * self.flow + self.sales) + rate_m + rate_x,
            sign * (theta + 1) * self.sales,
            sign * theta * self.tariff - rate_m,
            sign * theta * self.export - rate_x,
        )

    def direct(self, instruments: Instruments, rows: Tensor) -> Tensor:
        """Second derivative in (instrument, instrument), `[row, instrument]` for the instruments in `rows`."""
        count = instruments.count
        position = torch.full((count + 1,), len(rows))
        position[rows] = torch.arange(len(rows))
        matrix = self.share.new_zeros((len(rows) + 1, count + 1))
        maps = instruments.cells()
        for a, index_a in enumerate(maps):
            row = position[index_a]
            here = row < len(rows)
            if not bool(here.any()):
                continue
            for b, index_b in enumerate(maps):
                both = here & (index_b >= 0)
                if not bool(both.any()):
                    continue
                value = self.of_wedges(a, b)
                matrix.index_put_((row[both], index_b[both]), value[both], accumulate=True)
        return matrix[:-1, :count]

    def of_wedges(self, a: int, b: int) -> Tensor:
        """Second derivative in two wedges of a flow (0 to 2: tau, epsilon, sigma), `[origin, destination, sector]`."""
        theta, rates = self.model.theta, self.tariff_d + self.export_d
        value = _SIGNS[a] * _SIGNS[b] * (theta**2 * self.share + (2 * theta + 1) * self.sales) + self.wedge_dd[a, b]
        return value - theta * (_SIGNS[b] * rates[a] + _SIGNS[a] * rates[b])

    def by_cell(self, du: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Second derivative in (unknown, wedge of a flow) along directions in the unknowns, `[unknown, direction]`.

        For tau, epsilon and sigma `[origin, destination, sector, direction]` each.
        """
        d = self._extend(du)
        out = []
        for which in range(3):
            of_share, of_spending, of_pay, of_importer, of_exporter = (v[..., None] for v in self._slopes(which))
            rows = (self.model.theta[:, None] * of_share) * (d.price[None] - d.cost[:, None])
            rows = rows + of_spending * d.spending[None] + of_pay * d.pay[:, None]
            out.append(rows + of_importer * d.income[None, :, None] + of_exporter * d.income[:, None, None])
        return out[0], out[1], out[2]

    def _sector_blocks(self) -> Tensor:
        """Dense couplings within each sector, `[sector, 5 country, 5 country]` in the order of `_Extended`."""
        m, n, j = self.model, self.model.n, self.model.j
        theta = m.theta
        block = self.share.new_zeros((5, n, 5, n, j))
        diagonal = torch.arange(n)

        def put(a: int, b: int, values: Tensor) -> None:
            """Couple kinds a and b: `[country of a, country of b, sector]`, or `[country, sector]` on the diagonal."""
            if values.ndim == 2:
                block[a, diagonal, b, diagonal] += values
                if a != b:
                    block[b, diagonal, a, diagonal] += values
            else:
                block[a, :, b] += values
                block[b, :, a] += values.transpose(0, 1)

        price, cost, spending, pay, income = range(5)
        put(price, price, theta**2 * self.share.sum(0))
        put(cost, cost, theta**2 * self.share.sum(1))
        put(cost, price, -(theta**2) * self.share)
        put(spending, spending, self.flow.sum(0))
        put(spending, price, theta * self.flow.sum(0))
        put(cost, spending, -theta * self.flow)
        put(pay, pay, self.sales.sum(1))
        put(pay, cost, theta * self.sales.sum(1))
        put(pay, price, -theta * self.sales)
        put(pay, spending, -self.sales)
        put(income, income, self.tariff.sum(0) + self.export.sum(1))
        put(income, price, -theta * self.tariff.sum(0))
        put(income, spending, -self.tariff.sum(0))
        put(cost, income, theta * self.tariff)
        put(income, price, -theta * self.export)
        put(income, spending, -self.export)
        put(income, cost, theta * self.export.sum(1))
        return block.permute(4, 0, 1, 2, 3).reshape(j, 5 * n, 5 * n)

    def _extend(self, du: Tensor) -> _Extended:
        """Directions in the unknowns, `[unknown, direction]`, in the extended ones (A.2)."""
        m, n, j = self.model, self.model.n, self.model.j
        _, y, lab, p, x = offsets(n, j)
        wage, income = du[:n], du[y:lab]
        labour, price, spending = (du[at : at + n * j].view(n, j, -1) for at in (lab, p, x))
        cost = m.beta[:, :, None] * wage[:, None] - m.psi[:, None] * labour + m.materials.transpose(1, 2) @ price
        return _Extended(price, cost, spending, wage[:, None] + labour, income)

    def _fold(self, rows: _Extended) -> Tensor:
        """Transpose of `_extend`: `[unknown, column]`."""
        m, n, j = self.model, self.model.n, self.model.j
        out = rows.income.new_empty((m.size, rows.income.shape[1]))
        _, y, lab, p, x = offsets(n, j)
        out[:n] = (rows.pay + m.beta[:, :, None] * rows.cost).sum(1)
        out[y:lab] = rows.income
        out[lab:p] = (rows.pay - m.psi[:, None] * rows.cost).reshape(n * j, -1)
        out[p:x] = (rows.price + m.materials @ rows.cost).reshape(n * j, -1)
        out[x:] = rows.spending.reshape(n * j, -1)
        return out
