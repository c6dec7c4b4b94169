"""The published method: its losses against a second, slow implementation of the printed steps; V ends as trained."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch

from dlopt.choice import PAPER, AnalysisOptions, Budget, ModelError, State, preset, solve_bsde
from dlopt.choice.exporter.value import build_exporter_value
from dlopt.choice.kind import METHODS
from dlopt.choice.options import MethodOptions
from dlopt.choice.paper import increments, paper_losses
from dlopt.choice.production.presets import synthetic
from dlopt.choice.production.value import NETWORK_PAPER, build_network_value
from dlopt.choice.training import Trainer
from dlopt.kind import Watch, loaded

NARROW = dataclasses.replace(PAPER, hidden=8, subnet=6, batch=8, pool=16)
SMALL = AnalysisOptions(
    certificate_paths=16, certificate_years=5, out_of_sample=20, paths=4, years=1, validation=20, response_years=1,
    response_paths=2,
)  # fmt: skip


def _untrained(options):
    """A value function with weights at random everywhere, and states, in float64."""
    model, generator = preset("gravity_strong", 6).on("cpu", torch.float64), torch.Generator().manual_seed(0)
    value = build_exporter_value(model, options, generator)
    with torch.no_grad():
        for weight in value.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return model, value, model.draw(5, generator), generator


def _printed_losses(model, value, y, nu, noise, delta):
    """Section 2.3, steps 1 to 3, for one path: loops over destinations, neighbours, nodes and sub-intervals."""
    parameters = model.parameters
    zeta, nubar, s, c = (torch.tensor(getattr(parameters, key)) for key in ("zeta", "nubar", "s", "c"))
    sigma = torch.tensor(parameters.sigma).T  # [2, J]
    theta, rho, lambda0, lambda1 = parameters.theta, parameters.rho, parameters.lambda0, parameters.lambda1

    def v(y, nu):
        return value.evaluate_value(State(y[None], nu[None]))[0]

    loss_a = loss_p = 0.0
    propagated = v(y, nu)
    for dw in noise:
        profit = y @ (zeta - nu) + y @ (c @ y)
        volatility = value.scale * value.network.sigma(State(y[None], nu[None]))[0]
        moved = nu - theta * (nu - nubar) * delta
        nodes, total = list(itertools.product((1, -1), (1, -1))), 0.0
        for a, b in nodes:
            total = total + v(y, moved + (a * sigma[0] + b * sigma[1]) * math.sqrt(delta)) / 4
        weight = 1.0
        for j in range(len(y)):
            other = y.clone()
            other[j] = 1 - y[j]
            chance = 1 - math.exp(-(lambda1 if y[j] else lambda0) * delta)
            weight += chance
            total = total + chance * (v(other, nu) if y[j] else torch.maximum(v(other, nu) - s[j], v(y, nu)))
        expected = total / weight
        loss_a = loss_a + ((1 + rho * delta) * propagated - profit * delta - expected) ** 2 / len(noise)
        drift = propagated - (profit - rho * propagated) * delta
        for a, b in nodes:
            node = moved + (a * sigma[0] + b * sigma[1]) * math.sqrt(delta)
            at_node = drift + (a * volatility[0] + b * volatility[1]) * math.sqrt(delta)
            loss_p = loss_p + (at_node - v(y, node)) ** 2 / len(noise)
        nu, propagated = moved + dw @ sigma, drift + volatility @ dw
        loss_p = loss_p + (propagated - v(y, nu)) ** 2 / len(noise)
    return loss_a, loss_p


@torch.no_grad()
def test_losses_are_those_of_the_printed_steps():
    options = dataclasses.replace(NARROW, intervals=3, delta=0.05)
    model, value, state, generator = _untrained(options)
    noises = increments(model, len(state), options, generator)
    losses = paper_losses(value, state, options, noises)
    for k in range(len(state)):
        noise = [step[k] for step in noises]
        expected = _printed_losses(model, value, state.y[k], state.x[k], noise, options.delta)
        assert float(losses.analytic[k]) == pytest.approx(float(expected[0]), rel=1e-9)
        assert float(losses.probabilistic[k]) == pytest.approx(float(expected[1]), rel=1e-9)


def test_every_correction_changes_a_loss():
    options = dataclasses.replace(NARROW, intervals=2, delta=0.05)
    model, value, state, generator = _untrained(options)
    noises = increments(model, len(state), options, generator)
    printed = paper_losses(value, state, options, noises)
    changes = {"loss_p": "corrected", "loss_a": "network", "pt_normalisation": False, "sigma": "ito"}
    for key, choice in changes.items():
        other = paper_losses(value, state, dataclasses.replace(options, **{key: choice}), noises)
        assert not torch.allclose(
            printed.analytic + printed.probabilistic, other.analytic + other.probabilistic, rtol=1e-6
        ), key


def test_networks_have_the_published_widths():
    def widths(network):
        return [network.switch_weight.shape[1], *(len(weight) for weight in network.hidden)]

    generator = torch.Generator().manual_seed(0)
    exporter = build_exporter_value(preset("blocks", 5).on(), PAPER, generator).network
    economy = build_network_value(synthetic(4).on(), NETWORK_PAPER, generator).network
    assert widths(exporter) == [256, 256, 256, 256, 256]
    assert widths(economy) == [512, 512, 512, 256, 256]
    assert [tuple(weight.shape) for weight in economy.sigma_hidden] == [(256, 512), (256, 256)]
    assert loaded(METHODS["paper"]) == PAPER
    assert loaded(METHODS["paper_network"]) == NETWORK_PAPER


@pytest.mark.parametrize("refine", ["none", "constant"])
def test_v_is_that_of_the_trained_network(refine):
    """`refine=none` leaves V as training ended, to the last bit; the constant alone moves it by a constant."""
    model, method = preset("blocks", 5), dataclasses.replace(NARROW, refine=refine)
    found = solve_bsde(model, method, Budget(steps=20), seed=3, device="cpu", analysis=SMALL).solution
    generator = torch.Generator().manual_seed(3)
    value = build_exporter_value(model.on(), method, generator)
    Trainer(value, method, Budget(steps=20), generator).train(Watch(), lambda: None)
    state = model.on().draw(50, torch.Generator().manual_seed(9))
    ours, trained = found.at(state), value.at(state)
    assert torch.equal(ours.marginal, trained.marginal)
    assert torch.equal(ours.value, trained.value) == (refine == "none")
    assert float((ours.value - trained.value).std()) < 1e-4 * float(trained.value.abs().mean())


def test_batches_are_random_states_only():
    model, generator = preset("blocks", 5).on(), torch.Generator().manual_seed(0)
    trainer = Trainer(build_exporter_value(model, NARROW, generator), NARROW, Budget(steps=3), generator)
    before = trainer.pool.y.clone(), trainer.pool.x.clone()
    trainer.train(Watch(), lambda: None)
    assert torch.equal(trainer.pool.y, before[0])
    assert torch.equal(trainer.pool.x, before[1])


def test_shares_of_the_pool_that_cannot_be_are_refused():
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ModelError, match=r"method\.pool_share"):
            MethodOptions(pool_share=share)
    with pytest.raises(ModelError, match=r"method\.loss=hjb needs on-policy"):
        MethodOptions(pool_share=0.0)
