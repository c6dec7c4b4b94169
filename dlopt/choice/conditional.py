"""A network for what channels, alone and in pairs, are worth given the continuous state.

    N(y, x) = sum_j (A_j(x) + e_j F_j(x) + d_j B_j(x) + d_j e_j C_j(x)) / sqrt(J),    d = y - p,    e = E d,

with A, B, F, C the outputs of one trunk on x alone, and E the couplings of the control variate. Being a polynomial
in y, its value at all neighbours of a state costs one product with E: no pass through the network per neighbour, so
the trunk can be as wide as the rank of the value function asks.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, SwitchingModel
from dlopt.choice.perceptron import silu_jet


class ConditionalNetwork(nn.Module):
    """Two hidden layers of `hidden` SiLU units on x; zero at the start.

    Args:
        model: dimensions and scaling.
        p: centre of the switches, `[J]`.
        couplings: E, symmetric, zero diagonal, `[J, J]`.
        hidden: units per layer.
        generator: source of randomness of the initial weights.
    """

    def __init__(
        self, model: SwitchingModel, p: Tensor, couplings: Tensor, hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"device": model.centre.device, "dtype": model.centre.dtype}

        def normal(*shape: int, scale: float = 1.0) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(*shape, generator=generator, **options))

        size = ((couplings**2) @ (p * (1 - p))).sqrt().clamp_min(1e-6)
        self.input = normal(model.factors, hidden, scale=model.factors**-0.5)
        self.input_bias = normal(hidden)
        self.hidden = nn.ParameterList([normal(hidden, hidden, scale=math.sqrt(2 / hidden))])
        self.hidden_bias = nn.Parameter(torch.zeros(hidden, **options))
        self.head = nn.Parameter(torch.zeros(hidden, 4 * model.switches, **options))
        self.head_bias = nn.Parameter(torch.zeros(4, model.switches, **options))
        self.register_buffer("p", p.clone())
        self.register_buffer("couplings", couplings / size[:, None])  # e_j has variance 1 when channels are independent
        self.register_buffer("centre", model.centre.clone())
        self.register_buffer("inverse_spread", 1 / model.spread)

    p: Tensor
    couplings: Tensor
    centre: Tensor
    inverse_spread: Tensor

    def evaluate(self, model: SwitchingModel, state: State) -> Evaluation:
        """Output, differences over all switches, generator and sensitivities."""
        coefficients = self._coefficients(model, state.x)  # [B, 2 + M, 4, J]
        level = coefficients[:, 0] + self.head_bias
        d = state.y - self.p
        e = d @ self.couplings.T
        weight = 1 / math.sqrt(model.switches)
        monomials = weight * torch.stack([torch.ones_like(e), e, d, d * e], 1)  # [B, 4, J]
        value = (level * monomials).sum((1, 2))
        rest = (coefficients[:, 1:] * monomials[:, None]).sum((2, 3))
        through_others = (level[:, 1] + level[:, 3] * d) @ self.couplings
        marginal = weight * (level[:, 2] + level[:, 3] * e + through_others)
        return Evaluation(value, marginal, rest[:, 0], rest[:, 1:])

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Output with a switch on minus off, `[P]`, for pairs of a state and a switch."""
        h = ((state.x - self.centre) * self.inverse_spread) @ self.input + self.input_bias
        for weight in self.hidden:
            h = nn.functional.silu(h) @ weight.T + self.hidden_bias
        level = (nn.functional.silu(h) @ self.head).view(len(h), 4, -1) + self.head_bias
        d = state.y - self.p
        e = d @ self.couplings.T
        through_others = (level[:, 1] + level[:, 3] * d) @ self.couplings
        return (level[:, 2] + level[:, 3] * e + through_others)[row, switch] / math.sqrt(len(self.p))

    def _coefficients(self, model: SwitchingModel, x: Tensor) -> Tensor:
        """A, F, B, C without their constants: values, generators, sensitivities, `[B, 2 + M, 4, J]`."""
        h = ((x - self.centre) * self.inverse_spread) @ self.input + self.input_bias
        generator = (model.drift(x) * self.inverse_spread) @ self.input
        sensitivity = ((model.volatility(x) * self.inverse_spread) @ self.input).expand(len(h), -1, -1)
        for weight in (*self.hidden, None):
            h, first, second = silu_jet(h)
            generator = first * generator + 0.5 * second * (sensitivity**2).sum(1)
            sensitivity = first[:, None, :] * sensitivity
            if weight is not None:
                h, generator, sensitivity = (
                    h @ weight.T + self.hidden_bias,
                    generator @ weight.T,
                    sensitivity @ weight.T,
                )
        stacked = torch.cat([h[:, None], generator[:, None], sensitivity], 1)
        return (stacked @ self.head).view(len(h), 2 + model.shocks, 4, model.switches)
