"""Linear systems: by factors where a matrix can be formed, by preconditioned GMRES where it is only multiplied with.

GMRES treats many right-hand sides at once. Either every column has its own Krylov space and the columns only share the
products, which are far cheaper together (`gmres`; `gmres_apart` where each has a matrix of its own); or all columns
make one long vector with one space (`gmres_together`), where a common accuracy is enough: far less memory and
orthogonalisation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from dlopt.errors import DloptError

LinearMap = Callable[[Tensor], Tensor]
"""`[size, column] -> [size, column]`, linear."""


_FEW = 28  # columns
_SMALL = 24  # size of matrices
_WITHIN_SINGLE = 1e-5  # by how much one Krylov space in single precision can lessen a residual
_TOLD = 1e-4  # to which part of a residual such a space knows what it has left: a linear system may cancel digits
_TINY = 1e-30  # a length in either precision


def times(matrices: Tensor, columns: Tensor) -> Tensor:
    """`matrices @ columns`, `[..., row, column]`; few columns are multiplied as rows, up to five times as fast."""
    if columns.shape[-1] > _FEW or matrices.shape[-1] < _SMALL:
        return matrices @ columns
    return (columns.mT.contiguous() @ matrices.mT).mT


class LinearSolveError(DloptError):
    """A linear system was not solved to an accuracy that can be built on."""


class LinearSolver(Protocol):
    """Solves with one matrix and its transpose; those that iterate may raise `LinearSolveError`."""

    def solve(self, rhs: Tensor) -> Tensor:
        """`matrix^{-1} rhs`, rhs `[size]` or `[size, column]`."""

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`matrix'^{-1} rhs`."""


def lu_factors(matrix: Tensor) -> tuple[Tensor, Tensor, bool]:
    """LU factors and pivots of square matrices `[..., size, size]`, and whether one is exactly singular.

    An equilibrium at a fold has an exactly singular Jacobian. A pivot of zero is replaced by rounding of the largest
    entry: derivatives are then as huge as they are everywhere near the fold, and nothing there is taken for a solution.
    """
    lu, pivots, faults = torch.linalg.lu_factor_ex(matrix)
    singular = bool(faults.any())
    if singular:
        diagonal = lu.diagonal(dim1=-2, dim2=-1)
        limits = torch.finfo(matrix.dtype)
        least = limits.eps * matrix.abs().amax((-2, -1))[..., None].clamp(min=limits.tiny)
        diagonal.copy_(torch.where(diagonal == 0, least, diagonal))
    return lu, pivots, singular


class Factorisation:
    """LU factors of a square matrix, for solves with it and with its transpose (see `lu_factors`).

    Attributes:
        singular: whether a pivot was zero.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._lu, self._pivots, self.singular = lu_factors(matrix)

    def solve(self, rhs: Tensor) -> Tensor:
        """`matrix^{-1} rhs`, rhs `[size]` or `[size, column]`."""
        columns = rhs if rhs.ndim == 2 else rhs[:, None]
        return torch.linalg.lu_solve(self._lu, self._pivots, columns).reshape(rhs.shape)

    def solve_transposed(self, rhs: Tensor) -> Tensor:
        """`matrix'^{-1} rhs`."""
        columns = rhs if rhs.ndim == 2 else rhs[:, None]
        return torch.linalg.lu_solve(self._lu, self._pivots, columns, adjoint=True).reshape(rhs.shape)


@dataclasses.dataclass(frozen=True)
class GmresOptions:
    """Options of `gmres`.

    Attributes:
        tolerance: residual aimed at, as a fraction of the right-hand side, Euclidean.
        accepted: residual still accepted where rounding or slow convergence ends the search; above, it fails.
        basis: largest Krylov space of one cycle.
        cycles: restarts, each from the true residual.
        columns: right-hand sides treated together; bounds the memory.
        space: precision of Krylov spaces. In single precision the product is asked in single precision, too, and every
            cycle begins with a residual in the precision of the right-hand side: what that costs is a restart.
    """

    tolerance: float = 1e-13
    accepted: float = 1e-9
    basis: int = 60
    cycles: int = 6
    columns: int = 64
    space: torch.dtype = torch.float64


def gmres(product: LinearMap, precondition: LinearMap, rhs: Tensor, options: GmresOptions = GmresOptions()) -> Tensor:
    """`x` with `product(x) = rhs`, `[size, column]`.

    Args:
        product: of the matrix with a block of columns.
        precondition: an approximate inverse, applied from the right, so that the residual seen is the true one; it may
            answer in single precision.
        rhs: `[size, column]`.
        options: see `GmresOptions`.

    Raises:
        LinearSolveError: a residual stayed above `options.accepted`.

    Source: Saad and Schultz (1986); residual norms from the left null vector of the Hessenberg matrix.
    """
    x = torch.zeros_like(rhs)
    for at in torch.arange(rhs.shape[1]).split(options.columns):
        x[:, at] = _columns(product, precondition, rhs[:, at], options)
    return x


def _columns(product: LinearMap, precondition: LinearMap, rhs: Tensor, options: GmresOptions) -> Tensor:
    x = torch.zeros_like(rhs)
    size = rhs.norm(dim=0)
    if not bool(size.isfinite().all()):
        return torch.full_like(rhs, float("nan"))  # as a factorisation would answer
    size = torch.where(size > 0, size, 1.0)
    residual, error = rhs, (rhs.norm(dim=0) / size)
    for _ in range(options.cycles):
        open_ = error > options.tolerance
        if not bool(open_.any()):
            return x
        target = options.tolerance * size[open_]
        step, _, _ = _cycle(product, precondition, residual[:, open_], target, options.basis, options.space)
        x = x.index_add(1, open_.nonzero().flatten(), step)
        residual = rhs - product(x)
        before, error = error, residual.norm(dim=0) / size
        if not bool((error[open_] < 0.5 * before[open_]).any()):
            break
    worst = float(error.max())
    if not worst <= options.accepted:
        raise LinearSolveError(
            f"A linear system of {len(rhs)} unknowns could not be solved: GMRES leaves a relative residual of "
            f"{worst:.1e}, more than {options.accepted:g}."
        )
    return x


def gmres_together(
    product: LinearMap, precondition: LinearMap, rhs: Tensor, start: Tensor | None = None,
    tolerance: float = 1e-12, basis: int = 40, cycles: int = 4, space: torch.dtype = torch.float64,
) -> tuple[Tensor, int]:  # fmt: skip
    """`x` with `product(x) = rhs`, as exact as `tolerance` asks: all columns in one Krylov space.

    The columns share the operator, so they can share the polynomial: one basis of long vectors instead of one for each
    column, and a start that is nearly right needs few products.

    Args:
        product, precondition: as in `gmres`.
        rhs: `[size, column]`.
        start: where to begin, `[size, column]`; default zero.
        tolerance: residual aimed at as a fraction of the right-hand side, all columns together, Euclidean.
        basis: largest Krylov space of one cycle.
        cycles: restarts.
        space: as in `GmresOptions`.

    Returns:
        The last iterate, and the number of products in Krylov spaces; the caller decides what is too many.
    """

    def long(linear: LinearMap) -> LinearMap:
        return lambda v: linear(v.reshape(rhs.shape)).reshape(-1, 1)

    x = torch.zeros_like(rhs) if start is None else start
    residual = rhs if start is None else rhs - product(start)
    target, count = tolerance * rhs.norm().reshape(1), 0
    for _ in range(cycles):
        if not float(residual.norm()) > float(target):
            break
        step, products, ended = _cycle(long(product), long(precondition), residual.reshape(-1, 1), target, basis, space)
        x, count = x + step.reshape(rhs.shape), count + products
        if ended:
            break
        residual = rhs - product(x)
    return x, count


def gmres_apart(
    product: LinearMap, precondition: LinearMap, rhs: Tensor, start: Tensor | None, tolerance: Tensor,
    basis: int = 30, cycles: int = 4, space: torch.dtype = torch.float64,
) -> Tensor:  # fmt: skip
    """`x` with `product(x) = rhs` for systems side by side: each column its own matrix, Krylov space and accuracy.

    Args:
        product, precondition: as in `gmres`; column k of the product is that of system k.
        rhs: `[size, column]`.
        start: where to begin, `[size, column]`; None for zero.
        tolerance: residual aimed at as a fraction of the right-hand side, Euclidean, `[column]`.
        basis: largest Krylov space of one cycle.
        cycles: restarts.
        space: as in `GmresOptions`.
    """
    x = torch.zeros_like(rhs) if start is None else start
    residual = rhs if start is None else rhs - product(start)
    target = tolerance * rhs.norm(dim=0)
    for _ in range(cycles):
        if bool((residual.norm(dim=0) <= target).all()):
            break
        step, _, ended = _cycle(product, precondition, residual, target, basis, space)
        x = x + step
        if ended:
            break
        residual = rhs - product(x)
    return x


def _cycle(
    product: LinearMap, precondition: LinearMap, rhs: Tensor, target: Tensor, basis: int, kind: torch.dtype
) -> tuple[Tensor, int, bool]:
    """The step that minimises the residual over one Krylov space, `[size, column]`; ends at `target`, `[column]`.

    Also the products it took, and whether the residuals are at the target; not where that is too near to rounding in
    single precision to be told without a product. What the preconditioner made of each
    direction is kept, so that it may be as inexact as single precision (flexible GMRES, Saad 1993).
    """
    columns, steps = rhs.shape[1], min(basis, len(rhs))
    norm = rhs.norm(dim=0)
    told = kind == rhs.dtype or bool((target >= _TOLD * norm).all())
    if kind != rhs.dtype:
        target = torch.maximum(target, _WITHIN_SINGLE * norm)
    space = rhs.new_empty((columns, steps + 1, len(rhs)), dtype=kind)
    kept: list[Tensor] = []
    hessenberg = rhs.new_zeros((columns, steps + 1, steps))
    space[:, 0] = (rhs / norm.clamp(min=1e-300)).T
    here = (norm > 0).to(rhs.dtype)  # else the space ends
    null = rhs.new_zeros((columns, steps + 1))
    null[:, 0] = 1.0
    for k in range(steps):
        kept.append(precondition(space[:, k].T))
        # A good preconditioner leaves little beside the identity, which needs no Gram-Schmidt.
        image = product(kept[-1].to(kind)).to(kind).T.contiguous() - space[:, k]
        hessenberg[:, k, k] = here
        held, length = space[:, : k + 1], image.norm(dim=1)
        for _ in range(2):  # Gram-Schmidt, twice is enough, and once where little was taken away
            before, along = length, image[:, None] @ held.mT
            image = torch.baddbmm(image[:, None], along, held, alpha=-1)[:, 0]
            hessenberg[:, : k + 1, k] += along[:, 0]
            length = image.norm(dim=1)
            if bool((length >= 0.5 * before).all()):
                break
        here, length = here * (length > 0), length.clamp(min=_TINY)
        hessenberg[:, k + 1, k] = length
        space[:, k + 1] = image / length[:, None]
        null[:, k + 1] = -(null[:, : k + 1] * hessenberg[:, : k + 1, k]).sum(1) / length
        left = norm / null[:, : k + 2].norm(dim=1)
        if bool((left <= target).all()):
            break
    first = rhs.new_zeros((columns, k + 2, 1))
    first[:, 0, 0] = norm
    weight = torch.linalg.lstsq(hessenberg[:, : k + 2, : k + 1], first, driver="gelsd").solution[..., 0]
    step = torch.zeros_like(rhs)
    for factor, direction in zip(weight.T, kept, strict=True):
        step.addcmul_(direction.to(rhs.dtype), factor)
    return step, k + 1, told and bool((left <= target).all())
