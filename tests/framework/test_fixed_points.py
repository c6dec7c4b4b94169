"""Fixed points: four methods, one answer; and every way of not finding it."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from games import SMOOTH, SMOOTH_AT, SMOOTH_START, vector
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.framework import FixedPointOptions, FixedPointProblem, Outcome, RootOptions, solve_root
from dlopt.framework.fixed_point import METHODS


def _nothing(x: Tensor, a: Tensor) -> Tensor:
    return x.sum()


@pytest.mark.parametrize("method", METHODS)
def test_a_fixed_point_is_fixed(method: str) -> None:
    found = SMOOTH.solve(SMOOTH_AT, SMOOTH_START, FixedPointOptions(method=method, tolerance=1e-13))
    assert found.outcome is Outcome.CONVERGED
    # The tolerance asked for, and what the result says, is the true residual.
    assert float((SMOOTH.equilibrium(found.x, SMOOTH_AT) - found.x).abs().max()) == found.residual <= 1e-13
    assert len(found.history) == found.iterations


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 1])
def test_methods_and_starts_agree(method: str, seed: int) -> None:
    """A contraction has one fixed point: at rate 0.6 a residual of 1e-13 is within 2.5e-13 of it."""
    start = 3 * torch.randn(len(SMOOTH_START), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    options = FixedPointOptions(method=method, tolerance=1e-13)
    reference = SMOOTH.solve(SMOOTH_AT, SMOOTH_START, FixedPointOptions(method="contraction", tolerance=1e-15))
    found = SMOOTH.solve(SMOOTH_AT, start, options)
    assert torch.allclose(found.x, reference.x, rtol=0, atol=2.6e-13)


def test_orders_of_convergence() -> None:
    """Newton beats Anderson beats plain iteration, and contraction shrinks by its rate at most."""
    steps = {
        m: SMOOTH.solve(SMOOTH_AT, SMOOTH_START, FixedPointOptions(method=m, tolerance=1e-13)).iterations
        for m in METHODS
    }
    assert steps["newton"] <= steps["chord"] < steps["contraction"]
    assert steps["newton"] < steps["anderson"] < steps["contraction"]
    plain = SMOOTH.solve(SMOOTH_AT, SMOOTH_START, FixedPointOptions(method="contraction", tolerance=1e-10))
    assert all(b <= 0.6 * a for a, b in pairwise(plain.history))


def test_damping_makes_an_expanding_map_converge() -> None:
    """G = -3x + 4 runs away; half a step of it, x -> -x + 2, oscillates; a quarter of it arrives at 1 at once."""
    problem = FixedPointProblem(lambda x, a: 4 - 3 * x, _nothing)
    a, start = vector(0.0), vector(5.0)
    options = FixedPointOptions(method="contraction", max_iterations=100)
    assert problem.solve(a, start, options).outcome is Outcome.DIVERGED
    half = FixedPointOptions(method="contraction", max_iterations=100, damping=0.5)
    assert problem.solve(a, start, half).outcome is Outcome.MAX_ITERATIONS
    quarter = FixedPointOptions(method="contraction", max_iterations=100, damping=0.25)
    assert problem.solve(a, start, quarter).x.tolist() == [1.0]


class TestOutcomes:
    """Failure is a value, with a remedy in words and the last point."""

    def test_diverged(self) -> None:
        problem = FixedPointProblem(lambda x, a: 2 * x + 1, _nothing)
        found = problem.solve(vector(0.0), vector(1.0), FixedPointOptions(method="contraction"))
        assert found.outcome is Outcome.DIVERGED
        assert "Newton" in found.outcome.remedy

    @pytest.mark.parametrize("method", METHODS)
    def test_non_finite(self, method: str) -> None:
        """The logarithm of a negative number."""
        problem = FixedPointProblem(lambda x, a: x.log(), _nothing)
        found = problem.solve(vector(0.0), vector(-1.0), FixedPointOptions(method=method))
        assert found.outcome is Outcome.NON_FINITE
        assert "domain" in found.outcome.remedy

    @pytest.mark.parametrize("method", METHODS)
    def test_max_iterations(self, method: str) -> None:
        found = SMOOTH.solve(
            SMOOTH_AT, SMOOTH_START, FixedPointOptions(method=method, max_iterations=2, tolerance=1e-14)
        )
        assert found.outcome is Outcome.MAX_ITERATIONS
        assert found.iterations == 2
        assert found.residual > 1e-14

    @pytest.mark.parametrize("method", ["newton", "chord"])
    def test_stalled(self, method: str) -> None:
        """x^2 + 1 has no real root: no step keeps improving for ever."""
        problem = FixedPointProblem(lambda x, a: x**2 + x + 1, _nothing)
        found = problem.solve(vector(0.0), vector(0.5), FixedPointOptions(method=method, max_iterations=500))
        assert found.outcome is Outcome.STALLED
        assert "start nearer" in found.outcome.remedy

    def test_a_singular_jacobian_is_a_stall(self) -> None:
        root = solve_root(lambda u: u * 0 + 1, lambda u: torch.zeros(2, 2, dtype=u.dtype), vector(1.0, 2.0))
        assert root.outcome is Outcome.STALLED
        assert root.u.tolist() == [1.0, 2.0]

    def test_every_outcome_has_its_own_remedy(self) -> None:
        remedies = [outcome.remedy for outcome in Outcome]
        assert len(set(remedies)) == len(remedies)
        assert all(text.endswith(".") for text in remedies)

    def test_an_unknown_method_is_refused(self) -> None:
        with pytest.raises(UnknownNameError, match=r"'newtn'.*'newton'"):
            FixedPointOptions(method="newtn")


class TestRoot:
    """The Newton underneath."""

    def test_newton_converges_quadratically(self) -> None:
        """The square root of 2 by Newton: the error of a step is at most half the square of the one before (x > 1)."""
        root = solve_root(lambda u: u**2 - 2, lambda u: 2 * u[:, None], vector(2.0), RootOptions(1e-15, chord=0.0))
        assert abs(float(root.u) - 2**0.5) <= 4e-16
        errors = [abs((r + 2) ** 0.5 - 2**0.5) for r in root.history]
        assert all(b <= 0.5 * a**2 + 1e-15 for a, b in pairwise(errors))

    def test_the_chord_saves_factorisations(self) -> None:
        calls = {"newton": 0, "chord": 0}

        def solve(name: str, chord: float) -> Tensor:
            def jacobian(u: Tensor) -> Tensor:
                calls[name] += 1
                return torch.diag(2 * u)

            return solve_root(lambda u: u**2 - vector(2.0, 3.0), jacobian, vector(1.5, 1.8), RootOptions(chord=chord)).u

        assert torch.allclose(solve("newton", 0.0), solve("chord", 0.25), rtol=0, atol=1e-11)
        assert calls["chord"] < calls["newton"]

    def test_a_given_factorisation_is_used(self) -> None:
        first = solve_root(lambda u: u**2 - 2, lambda u: 2 * u[:, None], vector(1.5))

        def unused(u: Tensor) -> Tensor:
            raise AssertionError("a factorisation was at hand")

        again = solve_root(lambda u: u**2 - 2.001, unused, first.u, factorisation=first.factorisation)
        assert again.outcome is Outcome.CONVERGED
        assert float(again.u) == pytest.approx(2.001**0.5, abs=1e-11)

    def test_steps_are_no_longer_than_allowed(self) -> None:
        """From 0 the exponential asks for a step of 99: taken in steps of 2, the root is found without overflow."""
        seen: list[float] = []

        def residual(u: Tensor) -> Tensor:
            seen.append(float(u))
            return u.exp() - 100

        root = solve_root(residual, lambda u: u.exp()[:, None], vector(0.0))
        assert root.outcome is Outcome.CONVERGED
        assert max(seen) <= 2 * (root.iterations + 1)
        assert float(root.u) == pytest.approx(float(vector(100.0).log()), abs=1e-13)
