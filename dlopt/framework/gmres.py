"""Preconditioned GMRES for many right-hand sides at once: linear systems too large to factorise.

Every column has its own Krylov space; the columns only share the products, which are far cheaper together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from dlopt.framework.root import LinearSolveError

LinearMap = Callable[[Tensor], Tensor]
"""`[size, column] -> [size, column]`, linear."""


@dataclasses.dataclass(frozen=True)
class GmresOptions:
    """Options of `gmres`.

    Attributes:
        tolerance: residual aimed at, as a fraction of the right-hand side, Euclidean.
        accepted: residual still accepted where rounding or slow convergence ends the search; above, it fails.
        basis: largest Krylov space of one cycle.
        cycles: restarts, each from the true residual.
        columns: right-hand sides treated together; bounds the memory.
    """

    tolerance: float = 1e-13
    accepted: float = 1e-9
    basis: int = 60
    cycles: int = 6
    columns: int = 64


def gmres(product: LinearMap, precondition: LinearMap, rhs: Tensor, options: GmresOptions = GmresOptions()) -> Tensor:
    """`x` with `product(x) = rhs`, `[size, column]`.

    Args:
        product: of the matrix with a block of columns.
        precondition: an approximate inverse, applied from the right, so that the residual seen is the true one.
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
        step = _cycle(product, precondition, residual[:, open_], options.tolerance * size[open_], options.basis)
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


def _cycle(product: LinearMap, precondition: LinearMap, rhs: Tensor, target: Tensor, basis: int) -> Tensor:
    """The step that minimises the residual over one Krylov space, `[size, column]`; ends at `target`, `[column]`."""
    columns, steps = rhs.shape[1], min(basis, len(rhs))
    norm = rhs.norm(dim=0)
    space = rhs.new_empty((columns, steps + 1, len(rhs)))
    hessenberg = rhs.new_zeros((columns, steps + 1, steps))
    space[:, 0] = (rhs / norm).T
    null = rhs.new_zeros((columns, steps + 1))
    null[:, 0] = 1.0
    for k in range(steps):
        image = product(precondition(space[:, k].T)).T
        held = space[:, : k + 1]
        for _ in range(2):  # Gram-Schmidt, twice is enough
            along = held @ image[:, :, None]
            image = image - (along.mT @ held)[:, 0]
            hessenberg[:, : k + 1, k] += along[:, :, 0]
        length = image.norm(dim=1).clamp(min=1e-300)
        hessenberg[:, k + 1, k] = length
        space[:, k + 1] = image / length[:, None]
        null[:, k + 1] = -(null[:, : k + 1] * hessenberg[:, : k + 1, k]).sum(1) / length
        if bool((norm / null[:, : k + 2].norm(dim=1) <= target).all()):
            break
    first = rhs.new_zeros((columns, k + 2, 1))
    first[:, 0, 0] = norm
    weight = torch.linalg.lstsq(hessenberg[:, : k + 2, : k + 1], first, driver="gelsd").solution
    return precondition((weight.mT @ space[:, : k + 1])[:, 0].T)
