"""Newton steps inside bounds satisfy the conditions of the bounded problem."""

from __future__ import annotations

import pytest
import torch

from dlopt.framework.box import BoxedSystem, peak_in_box


def problem(seed: int, size: int = 40):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    root = normal(size, size) / size**0.5
    slope = normal(size)
    lower, upper = -normal(size).abs(), normal(size).abs()
    lower[:5] = 0.0  # already at a bound
    return root, slope, lower, upper


def held_or_zero(marginal, step, lower, upper, tolerance):
    """Zero inside, inward-pointing nowhere."""
    inside = (step > lower) & (step < upper)
    assert float(marginal[inside].abs().max()) < tolerance
    assert bool((marginal[step <= lower] <= tolerance).all())
    assert bool((marginal[step >= upper] >= -tolerance).all())
    assert bool(((step >= lower) & (step <= upper)).all())


@pytest.mark.parametrize("seed", range(8))
def test_peak_of_a_quadratic_between_bounds(seed):
    root, slope, lower, upper = problem(seed)
    curvature = root @ root.T + 0.05 * torch.eye(len(slope), dtype=torch.float64)
    start = torch.linalg.solve(curvature, slope)
    step = peak_in_box(curvature, slope, lower, upper, start)
    held_or_zero(slope - curvature @ step, step, lower, upper, 1e-5 * float(slope.abs().max()))
    assert 0 < int((step <= lower).sum() + (step >= upper).sum()) < len(step)


@pytest.mark.parametrize("seed", range(8))
def test_linear_complementarity_of_a_game(seed):
    """Not symmetric, as stacked Hessian rows of several players are not."""
    root, slope, lower, upper = problem(seed)
    matrix = -torch.eye(len(slope), dtype=torch.float64) + 0.3 * root
    system = BoxedSystem(matrix)
    for shift in (0.0, 0.1, -0.5):
        step = system.step(slope + shift, lower, upper)
        held_or_zero(slope + shift + matrix @ step, step, lower, upper, 1e-10)
        assert 0 < int((step <= lower).sum() + (step >= upper).sum()) < len(step)


def test_wide_bounds_give_newtons_step():
    root, slope, _, _ = problem(0)
    matrix = -torch.eye(len(slope), dtype=torch.float64) + 0.3 * root
    far = torch.full_like(slope, 1e3)
    expected = torch.linalg.solve(matrix, -slope)
    assert torch.allclose(BoxedSystem(matrix).step(slope, -far, far), expected, rtol=1e-10)
    curvature = root @ root.T + 0.05 * torch.eye(len(slope), dtype=torch.float64)
    peak = torch.linalg.solve(curvature, slope)
    assert torch.allclose(peak_in_box(curvature, slope, -far * 1e3, far * 1e3, peak), peak, rtol=1e-10)


def test_a_singular_system_is_said_to_be():
    matrix = torch.zeros(3, 3, dtype=torch.float64)
    one = torch.ones(3, dtype=torch.float64)
    assert BoxedSystem(matrix).step(one, -one, one) is None
