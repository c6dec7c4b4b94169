"""The control variate of the network economy: consistent with itself, exact with frozen links."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlopt.choice.evaluation import hjb_residual
from dlopt.choice.model import State
from dlopt.choice.production.control_variate import ExpectedLinksBaseline, occupation_decay
from dlopt.choice.production.exact.frozen import FrozenNetwork
from dlopt.choice.production.presets import network_preset, synthetic
from dlopt.choice.production.value import with_clock


def build(sectors: int, **changes):
    dynamics = dataclasses.replace(synthetic(sectors), **changes).on(dtype=torch.float64)
    accept = np.random.default_rng(0).random((sectors, sectors))
    state = dynamics.draw(30, torch.Generator().manual_seed(0), 1.0, 0.5)
    return dynamics, ExpectedLinksBaseline(dynamics, accept), state


@pytest.mark.parametrize(("preset", "off"), [("synthetic", 0.03), ("synthetic3", 0.09)])
def test_the_papers_ten_terms_fall_short_of_the_inverse(preset, off):
    """By these per cent in the row that is furthest off (docs/network.md)."""
    alpha = network_preset(preset).alpha
    inverse = np.linalg.inv(np.eye(len(alpha)) - alpha).sum(1)
    terms = sum(np.linalg.matrix_power(alpha, k) for k in range(11)).sum(1)
    assert 100 * (1 - terms / inverse).max() == pytest.approx(off, abs=0.005)


@pytest.mark.parametrize("gamma", [2.0, 1.0, 0.5])
@pytest.mark.parametrize("sectors", [2, 5])
def test_updates_of_rank_one_equal_values_at_the_neighbours(sectors, gamma):
    dynamics, baseline, state = build(sectors, gamma=gamma)
    at, rows, index = baseline.evaluate(state), torch.arange(30), dynamics.movable(state)
    for z in range(sectors):
        torch.testing.assert_close(at.clock[:, z], baseline.evaluate(with_clock(state, z)).value, rtol=1e-11, atol=0)
    for k in range(sectors - 1):
        on, off = state.y.clone(), state.y.clone()
        on[rows, index[:, k]], off[rows, index[:, k]] = 1.0, 0.0
        worth = [baseline.evaluate(State(y, state.x, state.z)).value for y in (on, off)]
        torch.testing.assert_close(at.marginal[:, k], worth[0] - worth[1], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("gamma", [2.0, 1.0, 0.5])
def test_generator_and_sensitivity_equal_finite_differences(gamma):
    dynamics, baseline, state = build(4, gamma=gamma)
    at = baseline.evaluate(state)

    def value(x):
        return baseline.evaluate(State(state.y, x, state.z)).value

    small, wide = 1e-4, 0.05
    drift = dynamics.drift(state.x)
    generator = (value(state.x + small * drift) - value(state.x - small * drift)) / (2 * small)
    for m, loading in enumerate(dynamics.sigma):
        slope = (value(state.x + small * loading) - value(state.x - small * loading)) / (2 * small)
        torch.testing.assert_close(at.sensitivity[:, m], slope, rtol=1e-6, atol=1e-7)
        curved = value(state.x + wide * loading) + value(state.x - wide * loading) - 2 * at.value
        generator = generator + 0.5 * curved / wide**2
    torch.testing.assert_close(at.generator, generator, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("gamma", [2.0, 1.0, 0.5])
def test_frozen_links_are_exact(gamma):
    dynamics, baseline, state = build(6, gamma=gamma, link_rate=0.0)
    at = baseline.evaluate(state)
    exact = FrozenNetwork(dynamics.parameters).value(dynamics.links(state.y).numpy(), state.x.numpy())
    np.testing.assert_allclose(at.value.numpy(), exact, rtol=1e-10)
    assert float(hjb_residual(dynamics, state, at).abs().max()) < 1e-10


def test_time_of_the_clock_matches_simulation():
    model = synthetic(3)
    k, times = np.array([0.7]), np.array([2.0])
    rng, paths, dt = np.random.default_rng(0), 20_000, 0.01
    spent = np.zeros((2, paths))
    z = np.stack([np.zeros(paths), np.ones(paths)]).astype(int)
    for _ in range(200):
        spent += dt * (z == 0)
        hop = rng.random(z.shape) < 2 * model.clock_rate * dt
        z = np.where(hop, (z + rng.integers(1, 3, z.shape)) % 3, z)
    for started, expected in zip(spent, occupation_decay(model, k, times), strict=True):
        sample = np.exp(-k[0] * started)
        assert abs(sample.mean() - expected[0, 0]) < 3 * sample.std() / np.sqrt(paths) + 0.003
