"""Exact solutions: each against simulation of the process itself, against each other, and under refinement."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from monte_carlo import simulated_value

from dlopt.choice import ConstantAcceptance, StateError, exact_solution, preset
from dlopt.choice.exporter.exact import BlocksSolution, LumpedSolution, SeparableSolution


def random_states(model, count, seed=0, off_manifold=False):
    """Channels and costs within what the process visits."""
    rng = np.random.default_rng(seed)
    y = (rng.random((count, model.destinations)) < rng.random((count, 1))).astype(float)
    z = rng.normal(size=(count, model.destinations)) * model.spread if off_manifold else None
    return y, model.nubar + (rng.normal(size=(count, 2)) @ model.loading.T if z is None else z)


@pytest.mark.parametrize("q", [0.0, 0.35, 1.0])
def test_constant_acceptance_equals_simulation(q):
    model = preset("gravity_strong", 6)
    exact = ConstantAcceptance(model, np.full(6, q))
    y, nu = np.array([1.0, 0, 1, 0, 0, 1]), model.nubar + model.spread * np.array([1.0, -1, 0.5, 0, -2, 1])
    mean, error = simulated_value(model, y, nu, lambda y, nu: np.full(y.shape, q), 6000, seed=1)
    assert abs(mean - exact.value(y[None], nu[None])[0]) <= 3 * error


@pytest.mark.parametrize("name", ["separable", "blocks", "lumped"])
def test_optimal_value_equals_simulation_of_its_policy(name):
    model = preset(name, 5)
    exact = exact_solution(model)
    y, nu = random_states(model, 1, seed=3)
    mean, error = simulated_value(model, y[0], nu[0], exact.accept, 3000, seed=2)
    assert abs(mean - exact.value(y, nu)[0]) <= 3 * error


@pytest.mark.parametrize("name", ["separable", "blocks", "lumped"])
def test_no_constant_policy_does_better(name):
    model = preset(name, 10)
    exact = exact_solution(model)
    y, nu = random_states(model, 200)
    for q in (0.0, 0.3, 0.7, 1.0):
        assert (exact.value(y, nu) >= ConstantAcceptance(model, np.full(10, q)).value(y, nu) - 1e-6).all()


def test_grids_are_fine_enough():
    for name, solve, coarse, fine in (
        ("separable", SeparableSolution, 961, 1921),
        ("lumped", LumpedSolution, 961, 1921),
        ("blocks", BlocksSolution, 97, 129),
    ):
        model = preset(name, 5)
        y, nu = random_states(model, 300)
        a, b = solve(model, coarse).value(y, nu), solve(model, fine).value(y, nu)
        assert np.abs(a - b).max() < 1e-5 * np.abs(b).mean(), name


def test_two_methods_agree_where_both_apply():
    model = preset("lumped", 4)
    y, nu = random_states(model, 200)
    by_count, by_block = LumpedSolution(model), BlocksSolution(model, 193)  # kinks lie along the grid: fine steps
    size = by_count.value(y, nu).mean()
    assert by_count.value(y, nu) == pytest.approx(by_block.value(y, nu), abs=5e-4 * size)
    alone = preset("separable", 4)
    y, nu = random_states(alone, 200)
    assert SeparableSolution(alone).value(y, nu) == pytest.approx(BlocksSolution(alone).value(y, nu), rel=1e-5)


def test_marginal_is_a_difference_of_values():
    for name in ("separable", "blocks", "lumped"):
        model = preset(name, 10)
        exact = exact_solution(model)
        y, nu = random_states(model, 20)
        up, down = y.copy(), y.copy()
        up[:, 3], down[:, 3] = 1, 0
        assert exact.marginal(y, nu)[:, 3] == pytest.approx(exact.value(up, nu) - exact.value(down, nu), abs=1e-8)


def test_method_is_found_from_the_model():
    assert exact_solution(preset("separable", 12)).method == "separable"
    assert exact_solution(preset("lumped", 12)).method == "lumped"
    assert exact_solution(preset("blocks", 10)).method == "blocks"
    assert exact_solution(preset("gravity", 30)) is None
    shuffled = preset("blocks", 10).subset(np.random.default_rng(0).permutation(10))
    assert exact_solution(shuffled).method == "blocks"


def test_relabelling_destinations_changes_nothing():
    model = preset("blocks", 10)
    order = np.random.default_rng(1).permutation(10)
    y, nu = random_states(model, 50)
    plain, shuffled = exact_solution(model), exact_solution(model.subset(order))
    assert shuffled.value(y[:, order], nu[:, order]) == pytest.approx(plain.value(y, nu), rel=1e-8)
    assert (shuffled.accept(y[:, order], nu[:, order]) == plain.accept(y, nu)[:, order]).all()


def test_states_outside_the_solution_are_refused():
    for name in ("lumped", "blocks"):
        model = preset(name, 10)
        y, nu = random_states(model, 5, off_manifold=True)
        with pytest.raises(StateError, match="standard deviations"):
            exact_solution(model).value(y, nu)


def test_asymmetric_complementarity_counts_by_its_sum():
    model = preset("blocks", 5)
    swapped = dataclasses.replace(model, c=model.c.T)
    y, nu = random_states(model, 50)
    assert exact_solution(swapped).value(y, nu) == pytest.approx(exact_solution(model).value(y, nu), rel=1e-10)
