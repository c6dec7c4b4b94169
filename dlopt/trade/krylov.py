"""Solves with the equilibrium's Jacobian in a large economy, without ever forming it.

Expenditures drop out exactly, as in `dlopt.trade.factors`. A product with what is left is a handful of small matrix
products (`dlopt.trade.sectors`). GMRES needs few of them with a preconditioner of the same structure: all links inside
a sector are inverted exactly, and wages and incomes, which touch everything, by their Schur complement; only links
between sectors are left to the iteration.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.linear import GmresOptions, LinearMap, LinearSolveError, gmres, times
from dlopt.trade.sectors import SectorModel, SectorWeights, by_sector

if TYPE_CHECKING:
    from dlopt.trade.derivatives import Linearisation


_SINGLE = 24
"""Countries from which a preconditioner and Krylov spaces are in single precision: what they cost is reading tables."""


class Preconditioner:
    """An approximate inverse of the Jacobian in z, exact but for links between different sectors and for rounding.

    Args:
        at: weights at some point; the preconditioner serves the points around it too.
    """

    def __init__(self, at: SectorWeights) -> None:
        self._world = at.world
        self._within = self._sector_inverses(at)
        count = at.world.globals
        unit = torch.eye(at.world.size, count, dtype=self._within.dtype)
        columns = at.product(unit)
        self._from_cells = at.transposed(unit)[count:].T.contiguous()
        self._to_cells = self._inside(self._within, columns[count:])
        self._schur = torch.linalg.inv(columns[:count] - self._from_cells @ self._to_cells)
        kind = self.kind = torch.float32 if at.world.n >= _SINGLE else self._within.dtype
        """The precision in which it answers, and in which Krylov spaces are held."""
        self._within, self._from_cells = self._within.to(kind), self._from_cells.to(kind)
        self._to_cells, self._schur = self._to_cells.to(kind), self._schur.to(kind)
        self._within_transposed = self._within.mT.contiguous()

    def _sector_inverses(self, at: SectorWeights) -> Tensor:
        """Inverse couplings of labour and prices within each sector, `[sector, 2 country, 2 country]`."""
        s, n, j = at.world, at.world.n, at.world.j
        theta, psi = s.theta[..., 0], s.psi[..., 0]
        sells, buys = s.sells.to(at.share.dtype), s.buys.to(at.share.dtype)
        own_use = at.use.diagonal(dim1=1, dim2=2).T
        own_input = s.model.materials.diagonal(dim1=1, dim2=2).T
        block = at.share.new_empty((j, 2, n, 2, n))
        block[:, 0, :, 0] = at.sales * own_use[:, None] + torch.diag_embed(sells * (theta * psi - 2) + 1)
        block[:, 0, :, 1] = s.theta * (at.sales - torch.diag_embed(sells * own_input))
        block[:, 1, :, 0] = buys[:, :, None] * (s.theta * s.psi) * at.bought
        block[:, 1, :, 1] = torch.diag_embed(buys * (theta - 1) + 1) - (
            buys[:, :, None] * s.theta * at.bought * own_input[:, None]
        )
        return torch.linalg.inv(block.reshape(j, 2 * n, 2 * n))

    def _inside(self, inverses: Tensor, cells: Tensor) -> Tensor:
        """Labour and prices that solve their equations if there are no links between sectors."""
        j, n = self._world.j, self._world.n
        together = cells.reshape(2, j, n, -1).transpose(0, 1).reshape(j, 2 * n, -1)
        return times(inverses, together).reshape(j, 2, n, -1).transpose(0, 1).reshape(cells.shape)

    def solve(self, rhs: Tensor) -> Tensor:
        """The approximate inverse times `[unknown, column]`."""
        rhs, count = rhs.to(self._schur.dtype), self._world.globals
        cells = self._inside(self._within, rhs[count:])
        world = self._schur @ (rhs[:count] - times(self._from_cells, cells))
        return torch.cat((world, cells - times(self._to_cells, world)))

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """Its transpose times `[unknown, column]`."""
        rhs, count = rhs.to(self._schur.dtype), self._world.globals
        world = self._schur.T @ (rhs[:count] - times(self._to_cells.T, rhs[count:]))
        cells = self._inside(self._within_transposed, rhs[count:] - times(self._from_cells.T, world))
        return torch.cat((world, cells))


class KrylovFactors:
    """Solves with the Jacobian and its transpose, like `dlopt.trade.factors.EquilibriumFactors`.

    Args:
        linearisation: weights at the point.
        options: of the iteration.
    """

    def __init__(self, linearisation: Linearisation, options: GmresOptions = GmresOptions()) -> None:
        self._model = linearisation.model
        world = SectorModel(self._model)
        self._point = _weights(world, linearisation)
        self._preconditioner = Preconditioner(self._point)
        self._options = dataclasses.replace(options, space=self._preconditioner.kind)
        self._buys = world.buys[:, :, None]

    def solve(self, rhs: Tensor) -> Tensor:
        """`jacobian^{-1} rhs`, rhs `[unknown]` or `[unknown, column]`.

        Raises:
            LinearSolveError: the iteration does not converge.
        """
        at, s = self._point, self._point.world
        b, spending = self._split(rhs)
        last = torch.where(self._buys, -spending, spending)
        b = b - at.effect(last)
        z = self._iterate(at.product, self._preconditioner.solve, b)
        wage, income, labour, _ = s.split(z)
        return self._joined(z, at.final * income + at.intermediate(wage + labour) + last, rhs)

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`jacobian'^{-1} rhs`.

        Raises:
            LinearSolveError: the iteration does not converge.
        """
        at, s = self._point, self._point.world
        b, spending = self._split(rhs)
        b = b + at.causes(spending)
        z = self._iterate(at.transposed, self._preconditioner.solve_transposed, b)
        _, income, labour, _ = s.split(z)
        last = spending - at.demand_rows(income, labour)
        return self._joined(z, torch.where(self._buys, -last, last), rhs)

    def _iterate(self, product: LinearMap, precondition: LinearMap, rhs: Tensor) -> Tensor:
        try:
            return gmres(product, precondition, rhs, self._options)
        except LinearSolveError as error:
            raise LinearSolveError(
                f"{error} These policies are probably close to where no equilibrium exists: keep subsidies smaller, or "
                "start nearer to the baseline (init=baseline)."
            ) from error

    def _split(self, rhs: Tensor) -> tuple[Tensor, Tensor]:
        """Of `[unknown]` or `[unknown, column]` in the model's order: z `[.., column]`, and expenditures by sector."""
        m = self._model
        b = rhs if rhs.ndim == 2 else rhs[:, None]
        top, *tables = b.split((2 * m.n, m.n * m.j, m.n * m.j, m.n * m.j))
        labour, price, spending = (t.reshape(m.n, m.j, -1).transpose(0, 1) for t in tables)
        flat = (t.reshape(m.n * m.j, -1) for t in (labour, price))
        return torch.cat((top, *flat)), spending

    def _joined(self, z: Tensor, spending: Tensor, like: Tensor) -> Tensor:
        """Inverse of `_split`."""
        m = self._model
        top, *cells = z.split((2 * m.n, m.n * m.j, m.n * m.j))
        tables = (*(t.reshape(m.j, m.n, -1) for t in cells), spending)
        flat = (t.transpose(0, 1).reshape(m.n * m.j, -1) for t in tables)
        return torch.cat((top, *flat)).reshape(like.shape)


def _weights(world: SectorModel, lin: Linearisation) -> SectorWeights:
    share, sales, tariff, export = (by_sector(t) for t in (lin.share, lin.sales, lin.tariff, lin.export))
    final, labour = by_sector(lin.final), by_sector(lin.labour)
    closure = None if lin.closure is None else (lin.closure, lin.earned)
    return SectorWeights(
        world, share, sales, tariff, export, final, lin.use, lin.labour_income, labour, lin.numeraire, closure
    )
