"""Quadratic models between bounds by conjugate gradients, against the solver with a matrix."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlopt.framework.ascent_by_products import peak_by_products
from dlopt.framework.box import peak_in_box


def problem(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A concave model in 30 instruments and a box that holds some of them."""
    draw = torch.Generator().manual_seed(seed)
    root = torch.randn(30, 30, generator=draw, dtype=torch.float64)
    curvature = root @ root.T / 30 + 0.2 * torch.eye(30, dtype=torch.float64)
    slope = torch.randn(30, generator=draw, dtype=torch.float64)
    return curvature, slope, -torch.rand(30, generator=draw).double(), torch.rand(30, generator=draw).double()


@pytest.mark.parametrize("seed", range(5))
def test_peaks_are_those_of_the_solver_with_a_matrix(seed: int) -> None:
    curvature, slope, lower, upper = problem(seed)
    free = torch.ones(30, dtype=torch.bool)
    found = peak_by_products(lambda v: -curvature @ v, slope, lower, upper, free, 1e-6)
    wanted = peak_in_box(curvature, slope, lower, upper, torch.zeros_like(slope))
    assert bool(((found >= lower) & (found <= upper)).all())
    assert bool(((wanted == lower) | (wanted == upper)).any())

    def height(d: Tensor) -> float:
        return float(slope @ d - d @ curvature @ d / 2)

    assert abs(height(found) - height(wanted)) <= 1e-6 * height(wanted)


def test_positive_curvature_is_followed_to_the_box() -> None:
    """And instruments that may not move stay."""
    curvature, slope, lower, upper = problem(0)
    free = torch.arange(30) < 20
    indefinite = curvature - 3.0 * torch.eye(30, dtype=torch.float64)
    d = peak_by_products(lambda v: -indefinite @ v, slope, lower, upper, free, 1e-6)
    assert not bool(d[~free].any())
    assert bool(((d >= lower) & (d <= upper)).all())
    assert float(slope @ d - d @ indefinite @ d / 2) > 0
    assert bool(((d == lower) | (d == upper)).any())
