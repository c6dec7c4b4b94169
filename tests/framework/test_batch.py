"""Many roots at once: each is the root it would be alone, and hopeless problems do not disturb the others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlopt.framework import BatchOptions, solve_batch, solve_root
from dlopt.framework.linear import Factorisation

A = torch.tensor([[3.0, 1.0, 0.2], [0.5, 2.0, 0.3], [0.1, -0.4, 4.0]], dtype=torch.float64)
SHIFTS = torch.linspace(-2.0, 2.0, 12, dtype=torch.float64)[:, None] * torch.tensor([1.0, -0.5, 0.3])


def residual(u: Tensor, shift: Tensor) -> Tensor:
    """A root for every shift; far from linear."""
    return u @ A.T + u**3 / 2 - 1 - shift


FACTORS = Factorisation(A)  # the Jacobian at the origin: the root of none


@pytest.mark.parametrize("memory", [0, 2, 8])
def test_every_root_is_the_one_found_alone(memory: int) -> None:
    options = BatchOptions(tolerance=1e-12, memory=memory, max_iterations=300)
    u, worst = solve_batch(lambda v, k: residual(v, SHIFTS[k]), FACTORS, torch.zeros(12, 3).double(), options)
    assert float(worst.max()) <= 1e-12
    for k in range(12):
        alone = solve_root(
            lambda v, k=k: residual(v, SHIFTS[k]),  # type: ignore[misc]
            lambda v: A + torch.diag(1.5 * v**2),
            torch.zeros(3).double(),
        )
        assert torch.allclose(u[k], alone.u, rtol=0, atol=1e-10)


def test_anderson_needs_fewer_iterations() -> None:
    def iterations(memory: int) -> int:
        calls = 0

        def count(v: Tensor, k: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return residual(v, SHIFTS[k])

        solve_batch(count, FACTORS, torch.zeros(12, 3).double(), BatchOptions(memory=memory, max_iterations=300))
        return calls

    assert iterations(3) < iterations(0)


def test_a_batch_is_the_sum_of_its_parts() -> None:
    whole, _ = solve_batch(lambda v, k: residual(v, SHIFTS[k]), FACTORS, torch.zeros(12, 3).double())
    start = torch.zeros(5, 3).double()
    parts = [
        solve_batch(lambda v, k, part=part: residual(v, SHIFTS[part][k]), FACTORS, start[: len(part)])[0]
        for part in torch.arange(12).split(5)
    ]
    assert torch.allclose(whole, torch.cat(parts), rtol=0, atol=1e-12)


def test_the_hopeless_do_not_disturb() -> None:
    def with_two_without_roots(v: Tensor, k: Tensor) -> Tensor:
        r = residual(v, SHIFTS[k])
        r = torch.where((k == 3)[:, None], v**2 + 1, r)
        return torch.where((k == 5)[:, None], torch.full_like(r, float("nan")), r)

    u, worst = solve_batch(with_two_without_roots, FACTORS, torch.zeros(12, 3).double())
    assert (worst > 1e-11).nonzero().flatten().tolist() == [3, 5]
    alone, _ = solve_batch(lambda v, k: residual(v, SHIFTS[k]), FACTORS, torch.zeros(12, 3).double())
    keep = torch.tensor([k for k in range(12) if k not in (3, 5)])
    assert torch.allclose(u[keep], alone[keep], rtol=0, atol=1e-10)
