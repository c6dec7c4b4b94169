"""LU factors of the equilibrium's Jacobian, with sector expenditures eliminated by hand.

Expenditure enters its own equation (A.8) with a coefficient of plus or minus one and no other expenditure, so that a
third of the unknowns drops out exactly: what is left is written down directly and factorised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.linear import Factorisation

if TYPE_CHECKING:
    from dlopt.trade.derivatives import Linearisation


class EquilibriumFactors:
    """Solves with the Jacobian and its transpose, like `dlopt.framework.linear.Factorisation`.

    Args:
        linearisation: weights at the point.
    """

    def __init__(self, linearisation: Linearisation) -> None:
        lin, m = linearisation, linearisation.model
        n, nj = m.n, m.n * m.j
        self._cut = 2 * n + 2 * nj
        # Expenditures act on incomes and labour only, and depend on wages, incomes and labour only.
        self._rows, self._columns = slice(n, 2 * n + nj), slice(0, 2 * n + nj)
        buys = m.buys.to(m.theta.dtype)
        self._pivot = (1 - 2 * buys).reshape(-1, 1)
        cause = lin.share.new_zeros((n, m.j, 2 * n + nj))  # of expenditure, over its pivot and with the sign changed
        country = torch.arange(n)
        use = lin.use * buys[:, :, None]
        cause[country, :, country] = use.sum(2)
        cause[country, :, n + country] = lin.final * buys
        cause[:, :, 2 * n :].view(n, m.j, n, m.j)[country, :, country] = use
        self._cause = cause.view(nj, -1)
        effect = lin.share.new_zeros((n + nj, n, m.j))
        effect[:n] = lin.export
        effect[country, country] += lin.tariff.sum(0)
        _diagonal(effect[n:].view(n, m.j, n, m.j)).copy_(lin.sales)
        self._effect = effect.view(n + nj, nj)
        self._reduced = Factorisation(self._matrix(lin, use, buys))
        self.singular = self._reduced.singular

    def _matrix(self, lin: Linearisation, use: Tensor, buys: Tensor) -> Tensor:
        """What expenditures leave of the Jacobian, in wage, income, labour, price: `[2N + 2NJ, 2N + 2NJ]`."""
        m, n, j = lin.model, lin.model.n, lin.model.j
        nj, theta = n * j, m.theta
        country = torch.arange(n)
        sells = m.sells.to(theta.dtype)
        out = lin.share.new_zeros((self._cut, self._cut))
        w, y, lab, p = slice(0, n), slice(n, 2 * n), slice(2 * n, 2 * n + nj), slice(2 * n + nj, None)

        # labour: sum_n sales (theta dp_n + dx_n) - sells (theta dc_i + dw_i + dl_i)
        jobs = out[lab].view(n, j, self._cut)
        spent = lin.sales.transpose(1, 2)  # [origin, sector, destination]
        jobs[:, :, w] = spent * use.sum(2).T
        jobs[country, :, country] -= sells * (theta * m.beta + 1)
        jobs[:, :, y] = spent * lin.final.T
        by_cell = out[lab, lab].view(n, j, n, j)
        torch.mul(spent[..., None], use.transpose(0, 1), out=by_cell)
        _diagonal(_diagonal(by_cell, 0, 2), 0, 1).add_(torch.where(m.sells, theta * m.psi - 1, 1.0))
        by_cell = out[lab, p].view(n, j, n, j)
        by_cell[country, :, country] = -(sells * theta)[:, :, None] * m.materials.transpose(1, 2)
        _diagonal(by_cell).add_(theta * lin.sales)

        # prices: theta dp_n - sum_i theta share dc_i; identity where nothing is bought
        bought = (theta * lin.share).permute(1, 2, 0)  # [destination, sector, origin]
        prices = out[p].view(n, j, self._cut)
        prices[:, :, w] = -bought * m.beta.T
        by_cell = out[p, lab].view(n, j, n, j)
        _diagonal(by_cell).copy_((theta * m.psi * lin.share).transpose(0, 1))
        by_cell = out[p, p].view(n, j, n, j)
        torch.mul(bought[..., None], -m.materials.permute(2, 0, 1), out=by_cell)
        _diagonal(_diagonal(by_cell, 0, 2), 0, 1).add_(torch.where(m.buys, theta, 1.0))

        # income: labour income dw_i + taxes - dY_i
        taxes = theta * lin.tariff.transpose(0, 1)  # [importer, origin, sector]: -dc_i
        taxes[country, country] += theta * lin.export.sum(1)
        earned = out[y]
        earned[:, w] = torch.diag(lin.labour_income) - (taxes * m.beta).sum(2)
        earned[country, n + country] = -1.0
        earned[:, lab] = (taxes * m.psi).reshape(n, nj)
        gained = theta * self._effect[:n].view(n, n, j)  # [country, destination, sector]: dp_n
        earned[:, p] = (gained - torch.einsum("cis,irs->cir", taxes, m.materials)).reshape(n, nj)
        earned[:, self._columns] += self._effect[:n] @ self._cause

        # labour markets, one of them replaced by the numeraire
        out[w, lab].view(n, n, j)[country, country] = lin.labour
        if lin.closure is not None:
            unit, nothing = torch.eye(n, dtype=theta.dtype), lin.share.new_zeros((n, n))
            for columns, moves in ((w, (unit, nothing, nothing)), (y, (nothing, unit, nothing))):
                supply, transfer = lin.closure.push(*moves)
                out[w, columns] -= supply
                out[y, columns] += lin.labour_income[:, None] * supply + transfer / lin.earned[:, None]
            by_index, _ = lin.closure.push(nothing, nothing, unit)  # no transfer depends on prices
            prices = (by_index[:, :, None] * m.alpha).reshape(n, nj)
            out[w, p] -= prices
            out[y, p] += lin.labour_income[:, None] * prices
        out[m.reference] = 0
        out[m.reference, w] = lin.numeraire
        return out

    def solve(self, rhs: Tensor) -> Tensor:
        """`jacobian^{-1} rhs`, rhs `[unknown]` or `[unknown, column]`."""
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        out = b.clone()
        last = self._pivot * b[self._cut :]
        out[self._rows] -= self._effect @ last
        out[: self._cut] = self._reduced.solve(out[: self._cut])
        out[self._cut :] = last + self._cause @ out[self._columns]
        return out.reshape(rhs.shape)

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`jacobian'^{-1} rhs`."""
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        out = b.clone()
        out[self._columns] += self._cause.T @ b[self._cut :]
        out[: self._cut] = self._reduced.solve_transposed(out[: self._cut])
        out[self._cut :] = self._pivot * (b[self._cut :] - self._effect.T @ out[self._rows])
        return out.reshape(rhs.shape)


def _diagonal(blocks: Tensor, first: int = 1, second: int = 3) -> Tensor:
    """View of the entries that two axes share, as the last axis; by default sectors: `[country, country, sector]`."""
    return blocks.diagonal(dim1=first, dim2=second)
