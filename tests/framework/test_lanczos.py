"""Largest eigenvalues of many blocks from products, against all eigenvalues."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlopt.framework.lanczos import Spectrum, largest_eigenvalues

SIZES = (40, 1, 25, 12)
OWNER = torch.repeat_interleave(torch.arange(4), torch.tensor(SIZES))


def blocks(top: float) -> Tensor:
    """Block-diagonal with eigenvalues spread evenly between -1 and `top` in every block."""
    draw = torch.Generator().manual_seed(0)
    made = []
    for size in SIZES:
        basis, _ = torch.linalg.qr(torch.randn(size, size, generator=draw, dtype=torch.float64))
        values = torch.linspace(top, -1.0, size, dtype=torch.float64)
        made.append((basis * values) @ basis.T)
    return torch.block_diag(*made)


def spectrum(matrix: Tensor, free: Tensor | None = None, **options: float) -> Spectrum:
    free = torch.ones(len(matrix), dtype=torch.bool) if free is None else free
    return largest_eigenvalues(lambda v: matrix @ v, OWNER, 4, free, **options)  # type: ignore[arg-type]


def test_a_full_process_finds_the_eigenvalues_of_every_block() -> None:
    matrix = blocks(-0.1)
    found = spectrum(matrix, accuracy=1e-12, missed=0.0)
    for player in range(4):
        mine = player == OWNER
        values = torch.linalg.eigvalsh(matrix[mine][:, mine])
        assert float(found.largest[player]) == pytest.approx(float(values[-1]), abs=1e-10)
        assert float(found.smallest[player]) == pytest.approx(float(values[0]), abs=1e-10)
    assert found.steps <= max(SIZES)


def test_a_short_process_says_how_much_it_may_have_missed() -> None:
    """Some eigenvalue lies within the residual of each Ritz value; the probability shrinks with the steps."""
    matrix = blocks(-0.3)
    short, longer = spectrum(matrix, max_steps=6), spectrum(matrix, max_steps=14)
    assert 0 < longer.missed < short.missed <= 1
    for player in range(4):
        mine = player == OWNER
        values = torch.linalg.eigvalsh(matrix[mine][:, mine])
        gap = float((values - short.largest[player]).abs().min())
        assert gap <= float(short.residual[player]) + 1e-10
        assert float(short.largest[player]) <= float(values[-1]) + 1e-10


def test_more_products_exclude_what_few_cannot() -> None:
    """The best point of a planner of many instruments is flat in some directions: 80 products say too little."""
    values = torch.linspace(-0.003, -1.0, 400, dtype=torch.float64)
    one = torch.zeros(400, dtype=torch.long)
    few, many = (largest_eigenvalues(lambda v: values * v, one, 1, one == 0, max_steps=steps) for steps in (80, 400))
    assert few.missed > 1e-4
    assert many.missed <= 1e-6
    assert many.steps < 400
    assert float(many.largest + many.residual) < 0


def test_positive_curvature_is_seen() -> None:
    assert float(spectrum(blocks(0.05)).largest.max()) > 0


def test_instruments_held_by_a_bound_do_not_count() -> None:
    matrix = blocks(-0.2)
    matrix[0, 0] = 5.0
    free = torch.ones(len(matrix), dtype=torch.bool)
    free[0] = False
    free[OWNER == 1] = False
    found = spectrum(matrix, free)
    assert float(found.largest.max()) <= 0
    assert float(found.largest[1]) == 0.0


def with_flat(counts: tuple[int, ...], beside: float) -> Tensor:
    """Blocks as above, the first `counts` of whose eigenvalues are zero; the next is `beside`."""
    draw = torch.Generator().manual_seed(1)
    made = []
    for size, zeros in zip(SIZES, counts, strict=True):
        basis, _ = torch.linalg.qr(torch.randn(size, size, generator=draw, dtype=torch.float64))
        values = torch.linspace(beside, -1.0, size, dtype=torch.float64)
        values[:zeros] = 0.0
        if zeros < size:
            values[zeros] = beside
        made.append((basis * values) @ basis.T)
    return torch.block_diag(*made)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (1, 0, 2, 1), (3, 1, 1, 0), (2, 1, 25, 12)])
def test_flat_directions_are_counted_and_set_aside(counts: tuple[int, ...]) -> None:
    matrix = with_flat(counts, -0.2)
    found = spectrum(matrix, flat=1e-9)
    whole = [k for k, (n, zeros) in enumerate(zip(SIZES, counts, strict=True)) if n == zeros]
    assert found.flat == sum(zeros for k, zeros in enumerate(counts) if k not in whole)
    assert found.missed <= 1e-6 or whole
    for player in set(range(4)) - set(whole):
        assert float(found.largest[player]) == pytest.approx(-0.2, abs=0.02)


def test_positive_curvature_beside_a_flat_direction_is_seen() -> None:
    matrix = with_flat((1, 0, 2, 0), 0.03)
    found = spectrum(matrix, flat=1e-9)
    assert float(found.largest.max()) > 0.02
