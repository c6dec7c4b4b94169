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

from dlopt.choice.evaluation import Evaluation, flip_rates
from dlopt.choice.model import State, SwitchingModel
from dlopt.choice.perceptron import silu_jet

DIRECTIONS = 2  # of the trunk, beside a constant, along which channels and pairs are refined


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
        self.register_buffer("refined_head", torch.zeros_like(self.head))
        self.register_buffer("refined_bias", torch.zeros_like(self.head_bias))
        self.register_buffer("p", p.clone())
        self.register_buffer("couplings", couplings / size[:, None])  # e_j has variance 1 when channels are independent
        self.register_buffer("centre", model.centre.clone())
        self.register_buffer("inverse_spread", 1 / model.spread)

    refined_head: Tensor  # what is added to head and bias after training
    refined_bias: Tensor
    p: Tensor
    couplings: Tensor
    centre: Tensor
    inverse_spread: Tensor

    def evaluate(self, model: SwitchingModel, state: State) -> Evaluation:
        """Output, differences over all switches, generator and sensitivities."""
        coefficients = self._coefficients(model, state.x)  # [B, 2 + M, 4, J]
        level = coefficients[:, 0] + self.head_bias + self.refined_bias
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
        head = self.head + self.refined_head
        level = (nn.functional.silu(h) @ head).view(len(h), 4, -1) + self.head_bias + self.refined_bias
        d = state.y - self.p
        e = d @ self.couplings.T
        through_others = (level[:, 1] + level[:, 3] * d) @ self.couplings
        return (level[:, 2] + level[:, 3] * e + through_others)[row, switch] / math.sqrt(len(self.p))

    @torch.no_grad()
    def leading(self, model: SwitchingModel, state: State, most: int) -> Tensor | None:
        """A constant and the main directions of the trunk over states, `[hidden + 1, U]`, of which `most` allows.

        Args:
            model: the problem.
            state: states to look at.
            most: functions of the state that `basis` may have: 2 J of them for each direction.

        Returns:
            Weights of the trunk's units and of a constant; None where not even the constant is allowed.
        """
        allowed = most // (2 * model.switches) - 1  # beside the constant
        if allowed < 0:
            return None
        units = self._trunk(model, state.x)[:, 0].double()
        middle = units.mean(0)
        _, size, along = torch.linalg.svd(units - middle, full_matrices=False)
        count = min(DIRECTIONS, allowed, len(size))
        found = units.new_zeros(len(middle) + 1, 1 + count)
        found[-1, 0] = 1
        scaled = along[:count].T / (size[:count] / math.sqrt(len(units))).clamp_min(1e-12)
        found[:-1, 1:], found[-1, 1:] = scaled, -middle @ scaled
        return found

    @torch.no_grad()
    def basis(self, model: SwitchingModel, state: State, at: Evaluation, leading: Tensor) -> tuple[Tensor, Tensor]:
        """Channels and pairs times main directions of the trunk, and what each adds to the equation's residual.

        Args:
            model, state: the problem, `B` states.
            at: V there, whose decisions are taken.
            leading: directions, see `leading`.

        Returns:
            `(units, change)`, `[B, 2 J U]` each, to be weighted as `refine` takes it: a change w of these weights
            moves the output by `units @ w` and the residual by `change @ w`.
        """
        trunk = self._trunk(model, state.x).double()
        one = torch.ones_like(trunk[:, 0, :1])
        here = torch.cat([trunk[:, 0], one], 1) @ leading  # [B, U]
        drift = torch.cat([trunk[:, 1], 0 * one], 1) @ leading - model.rho * here
        d = (state.y - self.p).double()
        couplings = self.couplings.double()
        e = d @ couplings.T
        flow = (flip_rates(model, state, at.marginal) * (1 - 2 * state.y)).double()  # of d
        monomials = torch.cat([d, d * e], 1) / math.sqrt(model.switches)
        flows = torch.cat([flow, flow * e + d * (flow @ couplings.T)], 1) / math.sqrt(model.switches)
        units = monomials[:, :, None] * here[:, None]
        change = monomials[:, :, None] * drift[:, None] + flows[:, :, None] * here[:, None]
        return units.flatten(1), change.flatten(1)

    @torch.no_grad()
    def refine(self, weights: Tensor, leading: Tensor) -> None:
        """Add to the last layer what weights of `basis`, `[2 J U]`, say."""
        found = leading @ weights.view(-1, leading.shape[1]).T  # [hidden + 1, 2 J]
        self.refined_head[:, found.shape[1] :] = found[:-1]
        self.refined_bias[2:] = found[-1].view(2, -1)

    def unrefine(self) -> None:
        """Back to what training left."""
        self.refined_head.zero_()
        self.refined_bias.zero_()

    def _coefficients(self, model: SwitchingModel, x: Tensor) -> Tensor:
        """A, F, B, C without their constants: values, generators, sensitivities, `[B, 2 + M, 4, J]`."""
        trunk = self._trunk(model, x)
        return (trunk @ (self.head + self.refined_head)).view(len(x), 2 + model.shocks, 4, model.switches)

    def _trunk(self, model: SwitchingModel, x: Tensor) -> Tensor:
        """The last hidden layer: values, generators, sensitivities, `[B, 2 + M, hidden]`."""
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
        return torch.cat([h[:, None], generator[:, None], sensitivity], 1)
