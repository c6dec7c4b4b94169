"""Krylov solvers of several right-hand sides: columns of zeros, solved ones, inexact preconditioners, systems apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlopt.framework.linear import Factorisation, GmresOptions, gmres, gmres_apart, gmres_together, times

SIZE = 60


def system(seed: int, spread: float = 0.02) -> Tensor:
    """A matrix near one."""
    noise = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.eye(SIZE, dtype=torch.float64) + spread * noise


def columns(count: int) -> Tensor:
    return torch.randn(SIZE, count, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


@pytest.mark.parametrize("count", [1, 2, 28, 29])
@pytest.mark.parametrize("size", [5, 30])
def test_few_columns_are_multiplied_like_many(count: int, size: int) -> None:
    draw = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, size, size, generator=draw, dtype=torch.float64)
    right = torch.randn(3, size, count, generator=draw, dtype=torch.float64)
    assert float((times(matrices, right) - matrices @ right).abs().max()) <= 1e-13
    assert times(matrices.mT, right).shape == right.shape


def test_a_preconditioner_in_single_precision_costs_no_accuracy() -> None:
    matrix, rhs = system(0), columns(4)
    rough = torch.linalg.inv(system(0) + 0.005 * system(1)).float()
    for solve in (gmres, lambda *of: gmres_together(*of, tolerance=1e-14)[0]):
        x = solve(lambda v: matrix @ v, lambda v: rough @ v.float(), rhs)
        assert x.dtype == torch.float64
        assert float((matrix @ x - rhs).norm() / rhs.norm()) <= 1e-13


def test_krylov_spaces_in_single_precision_cost_no_accuracy() -> None:
    """Products inside them are asked in single precision, residuals between them in double."""
    matrix, rhs, asked = system(0), columns(4), []

    def product(v: Tensor) -> Tensor:
        asked.append(v.dtype)
        return matrix.to(v.dtype) @ v

    single = torch.float32
    solvers = (
        lambda: gmres(product, lambda v: v, rhs, GmresOptions(space=single)),
        lambda: gmres_together(product, lambda v: v, rhs, tolerance=1e-13, space=single)[0],
        lambda: gmres_apart(
            product, lambda v: v, rhs, None, torch.full((4,), 1e-13, dtype=torch.float64), space=single
        ),
    )
    for solve in solvers:
        asked.clear()
        x = solve()
        assert x.dtype == torch.float64
        assert float((matrix @ x - rhs).norm() / rhs.norm()) <= 1e-13
        assert asked.count(single) >= 4 * asked.count(torch.float64) > 0


def test_columns_of_zeros_cost_the_others_nothing() -> None:
    """Nor do columns that are solved at once keep the search going."""
    rhs = columns(3)
    rhs[:, 1] = 0
    matrices = torch.stack([system(0), system(1), torch.eye(SIZE, dtype=torch.float64)])
    products = 0

    def product(v: Tensor) -> Tensor:
        nonlocal products
        products += 1
        return torch.einsum("kab,bk->ak", matrices, v)

    x = gmres_apart(product, lambda v: v, rhs, None, torch.full((3,), 1e-8, dtype=torch.float64))
    assert bool(x.isfinite().all())
    assert not bool(x[:, 1].any())
    left = (torch.einsum("kab,bk->ak", matrices, x) - rhs).norm(dim=0)
    assert float(left.max()) <= 2e-8 * float(rhs.norm(dim=0).max())
    assert products <= 15


@pytest.mark.parametrize("rank", [4, 1])
def test_an_exactly_singular_system_has_a_huge_answer_and_no_error(rank: int) -> None:
    """Zero pivots are rounded up: what is within reach of the matrix is solved, and the rest shows."""
    matrix = torch.zeros(5, 5, dtype=torch.float64)
    matrix[:rank, :rank] = torch.eye(rank, dtype=torch.float64) + 1
    factors = Factorisation(matrix)
    within = matrix @ torch.arange(5, dtype=torch.float64)
    for solve, used in ((factors.solve, matrix), (factors.solve_transposed, matrix.T)):
        assert torch.allclose(used @ solve(within), within, rtol=1e-12)
        assert float(solve(torch.ones(5, dtype=torch.float64)).abs().max()) > 1e14
