"""Solves with the equilibrium's Jacobian in a large economy, without ever forming it.

Expenditures drop out exactly, as in `dlopt.trade.factors`. A product with what is left is a handful of small matrix
products: countries are linked within a sector (trade shares), sectors within a country (input shares). GMRES needs
few of them with a preconditioner of the same structure: all links inside a sector are inverted exactly, and wages and
incomes, which touch everything, by their Schur complement; only links between sectors are left to the iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.gmres import GmresOptions, LinearMap, gmres
from dlopt.framework.root import LinearSolveError

if TYPE_CHECKING:
    from dlopt.trade.derivatives import Linearisation


class KrylovFactors:
    """Solves with the Jacobian and its transpose, like `dlopt.trade.factors.EquilibriumFactors`.

    Args:
        linearisation: weights at the point.
        options: of the iteration.
    """

    def __init__(self, linearisation: Linearisation, options: GmresOptions = GmresOptions()) -> None:
        lin, m = linearisation, linearisation.model
        self._model, self._lin, self._options = m, lin, options
        dtype = m.theta.dtype
        self._globals, self._cut = 2 * m.n, 2 * m.n + 2 * m.n * m.j
        self._buys, self._sells = m.buys.to(dtype)[:, :, None], m.sells.to(dtype)[:, :, None]
        self._pivot = 1 - 2 * self._buys.reshape(-1, 1)  # of expenditure in its own equation
        self._theta = m.theta[:, None]
        self._bought = lin.share.permute(2, 1, 0).contiguous()  # [sector, destination, origin]
        self._sold = lin.sales.permute(2, 0, 1).contiguous()  # [sector, origin, destination]
        self._tariffs = lin.tariff.permute(1, 0, 2).reshape(m.n, -1)  # [importer, origin x sector]
        self._exports = lin.export.reshape(m.n, -1)  # [exporter, destination x sector]
        self._own_tariffs, self._own_exports = lin.tariff.sum(0)[:, :, None], lin.export.sum(1)[:, :, None]
        self._use, self._final = lin.use * self._buys, lin.final[:, :, None] * self._buys
        self._within = self._sector_inverses()
        self._couple()

    def solve(self, rhs: Tensor) -> Tensor:
        """`jacobian^{-1} rhs`, rhs `[unknown]` or `[unknown, column]`.

        Raises:
            LinearSolveError: the iteration does not converge.
        """
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        last = self._pivot * b[self._cut :]
        z = self._iterate(self._product, self._precondition, b[: self._cut] - self._effect(last))
        return torch.cat((z, self._spending(z) + last)).reshape(rhs.shape)

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`jacobian'^{-1} rhs`.

        Raises:
            LinearSolveError: the iteration does not converge.
        """
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        cut, rest = self._cut, len(b) - self._cut
        product, precondition = _transpose(self._product, cut), _transpose(self._precondition, cut)
        z = self._iterate(product, precondition, b[:cut] + _transpose(self._spending, cut)(b[cut:]))
        return torch.cat((z, self._pivot * (b[cut:] - _transpose(self._effect, rest)(z)))).reshape(rhs.shape)

    def _iterate(self, product: LinearMap, precondition: LinearMap, rhs: Tensor) -> Tensor:
        try:
            return gmres(product, precondition, rhs, self._options)
        except LinearSolveError as error:
            raise LinearSolveError(
                f"{error} These policies are probably close to where no equilibrium exists: keep subsidies smaller, or "
                "start nearer to the baseline (init=baseline)."
            ) from error

    def _tables(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Wages and incomes `[country, column]`, labour and prices `[country, sector, column]`."""
        n, j = self._model.n, self._model.j
        wage, income, labour, price = z.split((n, n, n * j, n * j))
        return wage, income, labour.reshape(n, j, -1), price.reshape(n, j, -1)

    def _product(self, z: Tensor) -> Tensor:
        """The Jacobian without expenditures, times `[unknown, column]`."""
        lin, m = self._lin, self._model
        wage, income, labour, price = self._tables(z)
        cost = m.beta[:, :, None] * wage[:, None] - m.psi[:, None] * labour + m.materials.mT @ price
        cost = self._theta * cost
        prices = self._theta * price - _by_sector(self._bought, cost)
        prices = self._buys * prices + (1 - self._buys) * price
        jobs = -self._sells * (cost + wage[:, None] + labour) + (1 - self._sells) * labour
        taxes = -self._tariffs @ cost.flatten(0, 1) - (self._own_exports * cost).sum(1)
        earned = lin.labour_income[:, None] * wage - income + taxes
        markets = (lin.labour[:, :, None] * labour).sum(1)
        reference = torch.arange(m.n)[:, None] == m.reference
        markets = torch.where(reference, lin.numeraire @ wage, markets)
        own = torch.cat((markets, earned, jobs.flatten(0, 1), prices.flatten(0, 1)))
        return own + self._effect((self._theta * price).flatten(0, 1) + self._spending(z))

    def _effect(self, demand: Tensor) -> Tensor:
        """What demand does to incomes and jobs, `[country x sector, column] -> [unknown, column]`."""
        n, j = self._model.n, self._model.j
        table = demand.reshape(n, j, -1)
        jobs = _by_sector(self._sold, table)
        earned = (self._own_tariffs * table).sum(1) + self._exports @ demand
        nothing = torch.zeros_like(earned)
        return torch.cat((nothing, earned, jobs.flatten(0, 1), torch.zeros_like(demand)))

    def _spending(self, z: Tensor) -> Tensor:
        """Expenditures due to wages, incomes and labour, `[unknown, column] -> [country x sector, column]`."""
        wage, income, labour, _ = self._tables(z)
        return (self._final * income[:, None] + self._use @ (wage[:, None] + labour)).flatten(0, 1)

    def _precondition(self, rhs: Tensor) -> Tensor:
        """An approximate inverse of `_product`: exact but for links between different sectors."""
        cells = self._inside_sectors(rhs[self._globals :])
        world = self._schur @ (rhs[: self._globals] - self._from_cells @ cells)
        return torch.cat((world, cells - self._to_cells @ world))

    def _inside_sectors(self, cells: Tensor) -> Tensor:
        """Labour and prices that solve their equations if there are no links between sectors."""
        n, j = self._model.n, self._model.j
        by_sector = cells.reshape(2, n, j, -1).permute(2, 0, 1, 3).reshape(j, 2 * n, -1)
        return (self._within @ by_sector).reshape(j, 2, n, -1).permute(1, 2, 0, 3).reshape(cells.shape)

    def _sector_inverses(self) -> Tensor:
        """Inverse couplings of labour and prices within each sector, `[sector, 2 country, 2 country]`."""
        m, n, j = self._model, self._model.n, self._model.j
        theta, psi = m.theta[:, None], m.psi[:, None]
        sells, buys = self._sells[:, :, 0].T, self._buys[:, :, 0].T  # [sector, country]
        own_use = self._use.diagonal(dim1=1, dim2=2).T
        own_input = m.materials.diagonal(dim1=1, dim2=2).T
        block = m.theta.new_empty((j, 2, n, 2, n))
        block[:, 0, :, 0] = self._sold * own_use[:, None] + torch.diag_embed(sells * (theta * psi - 2) + 1)
        block[:, 0, :, 1] = theta[:, :, None] * (self._sold - torch.diag_embed(sells * own_input))
        block[:, 1, :, 0] = buys[:, :, None] * (theta * psi)[:, :, None] * self._bought
        block[:, 1, :, 1] = torch.diag_embed(buys * (theta - 1) + 1) - (
            buys[:, :, None] * theta[:, :, None] * self._bought * own_input[:, None]
        )
        return torch.linalg.inv(block.reshape(j, 2 * n, 2 * n))

    def _couple(self) -> None:
        """Elimination of labour and prices from the equations of wages and incomes, given the links within sectors."""
        count, cut = self._globals, self._cut
        unit = torch.eye(cut, count, dtype=self._within.dtype)
        columns = self._product(unit)
        self._from_cells = _transpose(self._product, cut)(unit)[count:].T.contiguous()
        self._to_cells = self._inside_sectors(columns[count:])
        self._schur = torch.linalg.inv(columns[:count] - self._from_cells @ self._to_cells)


def _by_sector(matrices: Tensor, table: Tensor) -> Tensor:
    """`[sector, country, country]` times `[country, sector, column]`, sector by sector."""
    return (matrices @ table.transpose(0, 1)).transpose(0, 1)


def _transpose(linear: LinearMap, size: int) -> LinearMap:
    """The transpose of a linear map on `[size, column]`, by reverse differentiation: one recording per block width."""
    recorded: dict[int, tuple[Tensor, Tensor]] = {}

    def apply(v: Tensor) -> Tensor:
        if v.shape[1] not in recorded:
            with torch.enable_grad():
                at = v.new_zeros((size, v.shape[1])).requires_grad_()
                recorded[v.shape[1]] = at, linear(at)
        at, out = recorded[v.shape[1]]
        return torch.autograd.grad(out, at, v, retain_graph=True)[0]

    return apply
