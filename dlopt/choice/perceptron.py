"""A multilayer perceptron on (switches, continuous states, clock) with the derivatives the equation needs.

Two things make it fast. The generator of the diffusion is carried forward through the layers (Taylor mode): for
`f(x_t)`, Ito's formula passes a pre-activation h with sensitivities h_m and generator g through an activation a as

    a(h),    a'(h) h_m,    a'(h) g + a''(h) / 2 sum_m h_m^2.

And a flipped switch changes the first pre-activation by one column of its weights, so all neighbours of a state cost
one addition in the first layer.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlopt.choice.evaluation import Evaluation, flip_rates
from dlopt.choice.model import State, SwitchingModel


def silu_jet(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """SiLU, its first and its second derivative."""
    s = torch.sigmoid(h)
    slope = s * (1 - s)
    return h * s, s + h * slope, slope * (2 + h * (1 - 2 * s))


@dataclasses.dataclass(frozen=True)
class _LastLayer:
    """The last hidden layer at B states: there, its generator, sensitivities, with a switch flipped, over the clock."""

    here: Tensor
    generator: Tensor
    sensitivity: Tensor
    flipped: Tensor
    clock: Tensor | None


class SwitchNetwork(nn.Module):
    """Hidden layers of SiLU units and a scalar output, zero at the start.

    Args:
        model: gives the dimensions and the scaling of the inputs.
        widths: units of each hidden layer, at least one.
        generator: source of randomness of the initial weights.
    """

    def __init__(self, model: SwitchingModel, widths: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        inputs, first, last = model.switches + model.factors, widths[0], widths[-1]
        options: dict[str, Any] = {"device": model.centre.device, "dtype": model.centre.dtype}

        def normal(rows: int, columns: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(rows, columns, generator=generator, **options))

        self.switch_weight = normal(model.switches, first, inputs**-0.5)
        self.factor_weight = normal(model.factors, first, inputs**-0.5)
        self.clock_weight = normal(model.clocks, first, 1.0) if model.clocks > 1 else None
        self.input_bias = nn.Parameter(0.5 * torch.randn(first, generator=generator, **options))
        pairs = list(itertools.pairwise(widths))
        self.hidden = nn.ParameterList(normal(after, before, math.sqrt(2 / before)) for before, after in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(after, **options)) for _, after in pairs)
        self.output = nn.Parameter(torch.zeros(last, **options))
        self.register_buffer("refined", torch.zeros(last, **options))
        self.register_buffer("centre", model.centre.clone())
        self.register_buffer("inverse_spread", 1 / model.spread)

    refined: Tensor  # what is added to the output weights after training
    centre: Tensor
    inverse_spread: Tensor

    @torch.no_grad()
    def look_along(self, couplings: Tensor, p: Tensor, generator: torch.Generator, strength: float = 0.5) -> None:
        """Start with switch weights along the directions in which switches interact, scaled to their spread.

        Args:
            couplings: how much pairs of switches matter together, `[J, J]`.
            p: probabilities that switches are on, `[J]`.
            generator: source of randomness.
            strength: standard deviation these weights give the first pre-activations.
        """
        noise = torch.randn(self.switch_weight.shape, generator=generator, device=p.device, dtype=p.dtype)
        along = couplings @ noise
        size = ((along**2) * (4 * p * (1 - p))[:, None]).sum(0).sqrt()
        self.switch_weight.mul_(0.1).add_(strength * along / size.clamp_min(1e-12) if couplings.any() else 0.0)

    def forward(self, state: State) -> Tensor:
        """The output alone, `[B]`."""
        return self._trunk(self._first(state)) @ (self.output + self.refined)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Output with a switch on minus off, `[P]`, for pairs of a state and a switch that is off there."""
        h, weights = self._first(state), self.output + self.refined
        flipped = self._trunk(h[row] + 2 * self.switch_weight[switch])  # inputs are 2 y - 1
        return flipped @ weights - (self._trunk(h) @ weights)[row]

    def evaluate(self, model: SwitchingModel, state: State) -> Evaluation:
        """Output, differences over the movable switches, generator and sensitivities."""
        last, weights = self._last(model, state), self.output + self.refined
        index = model.movable(state)
        y = state.y if index is None else state.y.gather(1, index)
        value = last.here @ weights
        marginal = (last.flipped @ weights - value[:, None]) * (1 - 2 * y)
        clock = None if last.clock is None else last.clock @ weights
        return Evaluation(value, marginal, last.generator @ weights, last.sensitivity @ weights, clock)

    def basis(self, model: SwitchingModel, state: State, at: Evaluation) -> tuple[Tensor, Tensor]:
        """The last hidden layer, and what each unit adds to the equation's residual under the decisions of `at`.

        Returns:
            `(units, change)`, `[B, hidden]` each: a change w of the output weights moves V by `units @ w` and the
            residual by `change @ w`.
        """
        last = self._last(model, state)
        rate = flip_rates(model, state, at.marginal)  # [B, L]
        change = last.generator + torch.einsum("bl,blh->bh", rate, last.flipped)
        change = change - (rate.sum(1, keepdim=True) + model.rho) * last.here
        if last.clock is not None:
            change = change + model.clock_rate * (last.clock - last.here[:, None, :]).sum(1)
        return last.here, change

    def _last(self, model: SwitchingModel, state: State) -> _LastLayer:
        h = self._first(state)
        here, generator, sensitivity = self._jet(model, state, h)
        index = model.movable(state)
        columns = self.switch_weight if index is None else self.switch_weight[index]  # [L, H] or [B, L, H]
        y = state.y if index is None else state.y.gather(1, index)
        sign = 2 - 4 * y  # inputs are 2 y - 1
        flipped = self._trunk(torch.addcmul(h[:, None, :], sign[:, :, None], columns))
        clock = None
        if self.clock_weight is not None and state.z is not None:
            clock = self._trunk(h[:, None, :] - self.clock_weight[state.z][:, None, :] + self.clock_weight)
        return _LastLayer(here, generator, sensitivity, flipped, clock)

    def _first(self, state: State) -> Tensor:
        """Pre-activations of the first layer, `[B, H]`."""
        x = (state.x - self.centre) * self.inverse_spread
        h = (2 * state.y - 1) @ self.switch_weight + x @ self.factor_weight + self.input_bias
        if self.clock_weight is not None and state.z is not None:
            h = h + self.clock_weight[state.z]
        return h

    def _trunk(self, h: Tensor) -> Tensor:
        """From first pre-activations to the last hidden layer, any leading shape."""
        for weight, bias in zip(self.hidden, self.biases, strict=True):
            h = nn.functional.linear(nn.functional.silu(h), weight, bias)
        return nn.functional.silu(h)

    def _jet(self, model: SwitchingModel, state: State, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Last hidden layer `[B, H]`, its generator `[B, H]` and its sensitivities `[B, M, H]`, by Taylor mode."""
        generator = (model.drift(state.x) * self.inverse_spread) @ self.factor_weight
        sensitivity = ((model.volatility(state.x) * self.inverse_spread) @ self.factor_weight).expand(len(h), -1, -1)
        for k in range(len(self.hidden) + 1):
            h, first, second = silu_jet(h)
            generator = first * generator + 0.5 * second * (sensitivity**2).sum(1)
            sensitivity = first[:, None, :] * sensitivity
            if k < len(self.hidden):
                weight, bias = self.hidden[k], self.biases[k]
                h = nn.functional.linear(h, weight, bias)
                generator, sensitivity = generator @ weight.T, sensitivity @ weight.T
        return h, generator, sensitivity
