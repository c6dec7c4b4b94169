"""Derivatives through a fixed point, by three independent roads."""

from __future__ import annotations

import pytest
import torch
from games import SMOOTH, SMOOTH_AT, SMOOTH_START, contraction, direct_game, smooth_game, two_objectives, vector
from torch import Tensor

from dlopt.framework import FixedPointOptions, FixedPointProblem
from dlopt.framework.linear import LinearSolveError
from dlopt.framework.response import responses

EXACT = FixedPointOptions(tolerance=1e-15, max_iterations=60)
STEP = 1e-4
"""Of fourth-order central differences: truncation and rounding are both near 1e-12 for functions of size one."""


def welfare(a: Tensor) -> Tensor:
    return two_objectives(SMOOTH.solve(a, SMOOTH_START, EXACT).x, a)


def central(function: object, a: Tensor) -> Tensor:
    """Fourth-order central differences, `[..., instrument]`."""
    columns = []
    for k in range(len(a)):
        e = torch.zeros_like(a)
        e[k] = STEP
        f1, f2 = (function(a + m * e) - function(a - m * e) for m in (1, 2))  # type: ignore[operator]
        columns.append((8 * f1 - f2) / (12 * STEP))
    return torch.stack(columns, -1)


def unrolled(a: Tensor) -> Tensor:
    """W after 120 plain iterations: the rate is at most 0.6, so that the rest is below 1e-25."""
    x = SMOOTH_START
    for _ in range(120):
        x = contraction(x, a)
    return two_objectives(x, a)


def test_implicit_gradient_is_the_unrolled_and_the_finite_difference_one() -> None:
    found = SMOOTH.solve(SMOOTH_AT, SMOOTH_START, EXACT)
    implicit = SMOOTH.gradient(found.x, SMOOTH_AT)
    assert implicit.shape == (2, 3)
    # Both are the same chain rule up to rounding.
    assert torch.allclose(implicit, torch.func.jacrev(unrolled)(SMOOTH_AT), rtol=1e-12, atol=1e-13)
    assert torch.allclose(implicit, central(welfare, SMOOTH_AT), rtol=1e-9, atol=1e-10)


def test_a_scalar_objective_has_a_vector_gradient() -> None:
    problem = FixedPointProblem(contraction, lambda x, a: two_objectives(x, a).sum())
    found = problem.solve(SMOOTH_AT, SMOOTH_START, EXACT)
    both = SMOOTH.gradient(found.x, SMOOTH_AT).sum(0)
    assert torch.allclose(problem.gradient(found.x, SMOOTH_AT), both, rtol=1e-13, atol=1e-14)


def test_game_gradient_is_the_problems() -> None:
    point = smooth_game().point(SMOOTH_AT)
    assert point is not None
    assert torch.allclose(point.gradient(), SMOOTH.gradient(point.x, SMOOTH_AT), rtol=1e-13, atol=1e-14)


def test_sensitivity_is_the_derivative_of_the_fixed_point() -> None:
    point = smooth_game().point(SMOOTH_AT)
    assert point is not None
    difference = central(lambda a: SMOOTH.solve(a, SMOOTH_START, EXACT).x, SMOOTH_AT)
    assert torch.allclose(point.sensitivity, difference, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("player", [0, 1])
def test_hessians(player: int) -> None:
    """Against differences of the gradient, against autograd through the unrolled iteration, joint and own."""
    game = smooth_game()
    point = game.point(SMOOTH_AT)
    assert point is not None
    own = (game.owner == player).nonzero().squeeze(1)

    def gradient(a: Tensor) -> Tensor:
        moved = game.point(a)
        assert moved is not None
        return moved.gradient()[player, own]

    joint = point.hessian(player, joint=True)
    assert joint.shape == (len(own), 3)
    assert torch.allclose(joint, central(gradient, SMOOTH_AT), rtol=1e-9, atol=1e-9)
    full = torch.func.hessian(lambda a: unrolled(a)[player])(SMOOTH_AT)
    assert torch.allclose(joint, full[own], rtol=1e-11, atol=1e-12)
    assert torch.equal(point.hessian(player), joint[:, own])
    # Second derivatives commute.
    assert torch.allclose(joint[:, own], joint[:, own].T, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("pull", "determined"), [(0.5, True), (1.0, False)])
def test_answers_to_data_are_refused_where_the_game_does_not_determine_them(pull: float, determined: bool) -> None:
    """Everybody wants to be at `pull` times where the other is: with one, every point on a line is an equilibrium."""
    game = direct_game(lambda a: -((a - pull * a.flip(0)) ** 2) / 2, [0, 1], [-9.0, -9.0], [9.0, 9.0])
    point = game.point(vector(0.0, 0.0))
    assert point is not None
    if not determined:
        with pytest.raises(LinearSolveError, match="where branches of equilibria meet"):
            responses(game, point)
        return
    moved = responses(game, point).to(torch.eye(2, dtype=torch.float64))
    assert moved == pytest.approx(torch.linalg.inv(torch.eye(2) - pull * torch.eye(2).flip(0)).numpy(), abs=1e-7)
