"""The pieces of the equation: derivatives, neighbours, sensitivities, baselines, the residual."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlopt.choice import PAPER, ConstantAcceptance, MethodOptions, State, hjb_residual, preset
from dlopt.choice.exporter.control_variate import ConstantBaseline, MeanFieldBaseline
from dlopt.choice.exporter.value import build_exporter_value as build_value
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_METHOD, build_network_value
from dlopt.choice.simulation import advance, follow


@pytest.fixture(params=["default", "paper", "constant"])
def trained_like(request):
    """A value function with random weights everywhere, in float64, and states."""
    options = {
        "default": MethodOptions(hidden=8, layers=3, conditional=8),
        "paper": dataclasses.replace(PAPER, hidden=8, subnet=6),
        "constant": MethodOptions(hidden=8, layers=1, conditional=0, baseline="constant"),
    }[request.param]
    model = preset("gravity_strong", 13).on("cpu", torch.float64)
    generator = torch.Generator().manual_seed(0)
    value = build_value(model, options, generator)
    with torch.no_grad():
        for weight in value.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return value, model, model.draw(6, generator, off_manifold=0.5)


def test_generator_equals_double_backward(trained_like):
    value, model, state = trained_like
    x = state.x.clone().requires_grad_(True)

    def output(x):
        return sum(part.evaluate(model, State(state.y, x)).value for part in (value.network, value.conditional) if part)

    gradient = torch.autograd.grad(output(x).sum(), x, create_graph=True)[0]
    expected = (gradient * model.drift(x)).sum(1)
    for direction in model.sigma:
        along = (gradient * direction).sum()
        second = torch.autograd.grad(along, x, retain_graph=True)[0]
        expected = expected + 0.5 * (second * direction).sum(1)
    jets = sum(part.evaluate(model, state).generator for part in (value.network, value.conditional) if part)
    assert torch.allclose(jets, expected, rtol=1e-9, atol=1e-10)


def test_marginals_equal_naive_evaluation(trained_like):
    value, _, state = trained_like
    at = value.at(state)
    for j in range(state.y.shape[1]):
        other = value.at(state.flipped(j)).value
        naive = (other - at.value) * (1 - 2 * state.y[:, j])
        assert torch.allclose(at.marginal[:, j], naive, rtol=1e-8, atol=1e-8)


def test_worth_of_pairs_is_their_marginal(trained_like):
    value, _, state = trained_like
    row, switch = (state.y < 0.5).nonzero(as_tuple=True)
    assert torch.allclose(value.worth(state, row, switch), value.at(state).marginal[row, switch], rtol=1e-9, atol=1e-9)


def test_worth_of_pairs_in_the_network_economy():
    generator = torch.Generator().manual_seed(0)
    model = synthetic(5).on("cpu", torch.float64)
    value = build_network_value(model, dataclasses.replace(NETWORK_METHOD, hidden=8), generator)
    with torch.no_grad():
        value.network.output.normal_(generator=generator)
    state = model.draw(7, generator)
    index = model.movable(state)
    row, place = (state.y.gather(1, index) < 0.5).nonzero(as_tuple=True)
    worth = value.worth(state, row, index[row, place])
    assert torch.allclose(worth, value.at(state).marginal[row, place], rtol=1e-9, atol=1e-9)


def test_torchs_default_dtype_does_not_matter():
    """Who works with the trade half may well have set it to float64."""
    torch.set_default_dtype(torch.float64)
    try:
        model = preset("gravity", 8).on("cpu")
        value = build_value(model, MethodOptions(), torch.Generator().manual_seed(0))
        state = model.draw(5, torch.Generator().manual_seed(0))
        at, row = value.at(state), torch.tensor([0, 3])
        assert {at.value.dtype, at.marginal.dtype, value.worth(state, row, row).dtype} == {torch.float32}
        assert float(value.residual(follow(value, state, 0.5, torch.Generator().manual_seed(0)))[0].abs().max()) > 0
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", ["gravity_strong", "network"])
def test_following_a_policy_has_the_law_of_advancing_under_it(name):
    """Means after ten steps of both, from the same states: within 3.5 standard errors, all switches."""
    generator = torch.Generator().manual_seed(0)
    if name == "network":
        model = synthetic(4).on("cpu", torch.float64)
        value = build_network_value(model, NETWORK_METHOD, generator)
    else:
        model = preset(name, 10).on("cpu", torch.float64)
        value = build_value(model, MethodOptions(), generator)
    one = other = model.draw(3000, generator)
    for _ in range(10):
        one = advance(model, one, value.at(one).marginal, 0.5, generator)
        other = follow(value, other, 0.5, generator)
    gap = one.y.mean(0) - other.y.mean(0)
    error = ((one.y.var(0) + other.y.var(0)) / len(one)).sqrt().clamp_min(1e-9)
    assert float((gap / error).abs().max()) < 3.5


def test_sensitivity_is_the_slope_along_the_shock(trained_like):
    value, model, state = trained_like
    at, h = value.at(state), 1e-4
    for m, direction in enumerate(model.sigma):
        up = value.evaluate_value(State(state.y, state.x + h * direction))
        down = value.evaluate_value(State(state.y, state.x - h * direction))
        assert torch.allclose(at.sensitivity[:, m], (up - down) / (2 * h), rtol=1e-4, atol=1e-4)


def test_constant_baseline_solves_the_equation_of_its_policy():
    model = preset("gravity_strong", 100).on("cpu", torch.float64)
    q = np.random.default_rng(0).random(100)
    baseline = ConstantBaseline(model, q)
    state = model.draw(50, torch.Generator().manual_seed(0), width=1.5, off_manifold=0.5)
    at = baseline.evaluate(state)
    residual = hjb_residual(model, state, at, acceptance=torch.tensor(q))
    assert residual.abs().max() < 1e-10 * at.value.abs().max()
    exact = ConstantAcceptance(model.parameters, q)
    assert at.value.numpy() == pytest.approx(exact.value(state.y.numpy(), state.x.numpy()), rel=1e-12)


def test_mean_field_is_exact_without_complementarity():
    model = preset("separable", 20).on("cpu", torch.float64)
    state = model.draw(200, torch.Generator().manual_seed(0), off_manifold=0.5)
    at = MeanFieldBaseline(model).evaluate(state)
    assert hjb_residual(model, state, at).abs().max() < 1e-3 * model.rho * at.value.abs().mean()


def test_value_of_independent_destinations_is_a_sum():
    whole = preset("separable", 6)
    state = whole.on("cpu", torch.float64).draw(20, torch.Generator().manual_seed(1))
    total = MeanFieldBaseline(whole.on("cpu", torch.float64)).evaluate(state).value
    parts = 0.0
    for j in range(6):
        alone = MeanFieldBaseline(whole.subset([j]).on("cpu", torch.float64))
        parts = parts + alone.evaluate(State(state.y[:, [j]], state.x[:, [j]])).value
    assert torch.allclose(total, parts, rtol=1e-9)


@pytest.mark.parametrize("kind", ["export", "network"])
def test_the_last_layer_moves_value_and_residual_linearly(kind):
    generator = torch.Generator().manual_seed(0)
    if kind == "export":
        model = preset("gravity_strong", 9).on("cpu", torch.float64)
        value = build_value(model, MethodOptions(), generator)
    else:
        model = synthetic(4).on("cpu", torch.float64)
        value = build_network_value(model, NETWORK_METHOD, generator)
    state = model.draw(40, generator)
    leading = value.leading(model.draw(200, generator))
    assert (leading is None) == (kind == "network")
    residual, at = value.residual(state)
    units, change = value.basis(state, at, leading)
    assert units.shape[1] == 32 + 1 + (0 if leading is None else 2 * 9 * 3)
    weights = 1e-6 * torch.randn(units.shape[1], generator=generator, dtype=torch.float64)
    value.refine(weights, leading)
    moved, after = value.residual(state)
    assert torch.allclose(after.value - at.value, units @ weights, rtol=1e-5, atol=1e-12)
    assert torch.allclose(moved - residual, change @ weights, rtol=1e-5, atol=1e-12)
    if kind == "export":
        worth = value.worth(state, *(state.y < 0.5).nonzero().T)
        assert torch.allclose(worth, after.marginal[state.y < 0.5], rtol=1e-9)
    value.unrefine()
    assert torch.equal(value.at(state).value, at.value)


@pytest.mark.parametrize(("hidden", "most", "directions"), [(8, 1000, 2), (1, 1000, 1), (8, 36, 1), (8, 18, 0)])
def test_what_can_be_refined_is_bounded(hidden, most, directions):
    model, generator = preset("gravity_strong", 9).on("cpu", torch.float64), torch.Generator().manual_seed(0)
    value = build_value(model, MethodOptions(conditional=hidden), generator)
    state = model.draw(50, generator)
    leading = value.conditional.leading(model, state, most)
    assert leading.shape == (hidden + 1, 1 + directions)
    along = torch.cat([value.conditional._trunk(model, state.x)[:, 0], torch.ones(50, 1)], 1).double() @ leading
    assert torch.allclose(along.T @ along / 50, torch.eye(1 + directions, dtype=torch.float64), atol=1e-9)
    assert value.conditional.leading(model, state, 17) is None
