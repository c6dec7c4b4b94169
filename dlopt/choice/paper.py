"""The losses and the network of Huang and Yu (2024) as printed, with an option for every correction.

Loss_A is the Bellman equation over a sub-interval of length Delta with a few diffusion nodes (four for two shocks),
their equations (10) and (11); Loss_P is the backward equation (8) along a path and along the nodes. The nodes serve
both losses.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlopt.choice.evaluation import Evaluation, jump_value
from dlopt.choice.model import State, SwitchingModel, along, gather_movable
from dlopt.choice.options import MethodOptions
from dlopt.choice.perceptron import SwitchNetwork

if TYPE_CHECKING:
    from dlopt.choice.value import ValueFunction

SUBNET_LAYERS = 2
CORNERS = 2  # shocks up to which the nodes are the corners of a cube


def nodes(shocks: int) -> list[tuple[float, ...]]:
    """Equally likely shocks with the mean, variance and third moments of M standard normal ones.

    The paper's four for M = 2: every combination of signs; for more than two, `sqrt(M)` up or down in one of them.
    """
    if shocks <= CORNERS:
        return list(itertools.product((1.0, -1.0), repeat=shocks))
    size = math.sqrt(shocks)
    return [tuple(sign * size if k == m else 0.0 for k in range(shocks)) for m in range(shocks) for sign in (1, -1)]


class PaperNetwork(SwitchNetwork):
    """Shared layers, then two layers for V and two for sigma^V (section 2.3 of the paper).

    The paper names no activation; SiLU here, so that residuals of second order exist. As an evaluation, V is a
    `SwitchNetwork` of `layers + 2` layers.

    Args:
        model: gives the dimensions and the scaling of the inputs.
        hidden, layers: units of each shared layer, and how many there are.
        subnet: units in the layers of V's and of sigma^V's own.
        generator: source of randomness of the initial weights.
    """

    def __init__(
        self, model: SwitchingModel, hidden: int, layers: int, subnet: int, generator: torch.Generator
    ) -> None:
        own = [subnet] * SUBNET_LAYERS
        super().__init__(model, [hidden] * layers + own, generator)
        options: dict[str, Any] = {"device": model.centre.device, "dtype": model.centre.dtype}
        self.shared = layers
        self.sigma_hidden = nn.ParameterList(
            nn.Parameter(math.sqrt(2 / before) * torch.randn(subnet, before, generator=generator, **options))
            for before in [hidden, *own[1:]]
        )
        self.sigma_bias = nn.ParameterList(nn.Parameter(torch.zeros(subnet, **options)) for _ in own)
        self.sigma_output = nn.Parameter(torch.zeros(subnet, model.shocks, **options))

    def sigma(self, state: State) -> Tensor:
        """The subnet's sigma^V, `[B, M]`, in units of the output."""
        h = nn.functional.silu(self._first(state))
        for k in range(self.shared - 1):
            h = nn.functional.silu(nn.functional.linear(h, self.hidden[k], self.biases[k]))
        for weight, bias in zip(self.sigma_hidden, self.sigma_bias, strict=True):
            h = nn.functional.silu(nn.functional.linear(h, weight, bias))
        return h @ self.sigma_output


@dataclasses.dataclass(frozen=True)
class PaperLosses:
    """Loss_A, Loss_P and V at the start of each path, each `[B]`."""

    analytic: Tensor
    probabilistic: Tensor
    value: Tensor


def increments(model: SwitchingModel, n: int, options: MethodOptions, generator: torch.Generator) -> list[Tensor]:
    """Brownian increments of n paths, `[n, M]` for each sub-interval."""
    where: dict[str, Any] = {"generator": generator, "device": model.centre.device, "dtype": model.centre.dtype}
    return [math.sqrt(options.delta) * torch.randn(n, model.shocks, **where) for _ in range(options.intervals)]


def paper_losses(value: ValueFunction, state: State, options: MethodOptions, noises: Sequence[Tensor]) -> PaperLosses:
    """The two losses of each path over `options.intervals` sub-intervals of length `options.delta`.

    Args:
        value: the value function.
        state: where the paths start; switches stay as they are along a path.
        options: `delta`, `intervals`, `loss_p`, `loss_a`, `pt_normalisation`, `sigma`.
        noises: Brownian increments of the paths, see `increments`.
    """
    model: SwitchingModel = value.model
    delta, root = options.delta, math.sqrt(options.delta)
    share, cube = 1 / options.intervals, nodes(model.shocks)  # Delta / T
    analytic = probabilistic = state.x.new_zeros(len(state))
    propagated = start = None
    for noise in noises:
        at = value.evaluate(state)
        if propagated is None:
            propagated = start = at.value
        sigma = at.sensitivity
        if options.sigma == "network":
            with torch.no_grad():
                base = value.baseline.evaluate(state).sensitivity
            assert isinstance(value.network, PaperNetwork)
            sigma = base + value.scale * value.network.sigma(state)
        flow = model.flow(state)
        step = state.x + delta * model.drift(state.x)
        drift = flow - model.rho * propagated
        if options.loss_p == "corrected":
            drift = drift + jump_value(model, state, at)
        volatility = model.volatility(state.x)
        shocks = [(state.x.new_tensor(signs) * root).expand_as(noise) for signs in cube] + [noise]
        ends = [State(state.y, step + along(volatility, shock), state.z) for shock in shocks]
        reached = value.evaluate_value(State.joined(ends)).view(len(ends), len(state))
        told = propagated - delta * drift + (sigma * torch.stack(shocks)).sum(2)
        probabilistic = probabilistic + share * (told - reached).square().sum(0)
        expected = _expectation(model, state, at, reached[:-1].mean(0), options)
        entering = propagated if options.loss_a == "propagated" else at.value
        analytic = analytic + share * ((1 + model.rho * delta) * entering - delta * flow - expected).square()
        state, propagated = ends[-1], told[-1]
    assert start is not None
    return PaperLosses(analytic, probabilistic, start)


def _expectation(model: SwitchingModel, state: State, at: Evaluation, mean: Tensor, options: MethodOptions) -> Tensor:
    """E[V(t + Delta)] by equations (11) and (13), or with their division by P_t taken out (it biases all rates)."""
    index = model.movable(state)
    opening, closing = (-torch.expm1(-rate * options.delta) for rate in model.rates(state))
    y = gather_movable(state.y, index)
    gain, how = at.marginal - model.costs(state), model.choosing(state)
    if how.plain:
        changes = (opening * (1 - y) * gain.clamp_min(0) - closing * y * at.marginal).sum(1)
    else:  # to first order in Delta
        rates = model.rates(state)
        changes = options.delta * ((1 - y) * how.worth(rates[0], gain) - y * how.loss(rates[1], at.marginal)).sum(1)
    weight = (opening * (1 - y) + closing * y).sum(1)
    if at.clock is not None:
        moving = -math.expm1(-model.clock_rate * options.delta)
        changes = changes + moving * (at.clock - at.value[:, None]).sum(1)
        weight = weight + moving * (model.clocks - 1)
    if not options.pt_normalisation:
        return mean + changes
    return (mean + changes + weight * at.value) / (1 + weight)
