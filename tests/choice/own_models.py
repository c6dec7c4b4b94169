"""Models written as a user would write them: the exporter, and one with volatility that depends on the state."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dlopt.choice import ChoiceModel, Exporter
from dlopt.choice.exporter.value import build_exporter_value
from dlopt.choice.factors import FactorDynamics


@dataclasses.dataclass(frozen=True, eq=False)
class OwnExporter(ChoiceModel):
    """The built-in exporter's equations, its exact transitions and its draws."""

    zeta: Tensor
    cost: Tensor
    sigma: Tensor
    c: Tensor
    centre: Tensor
    spread: Tensor
    loading: Tensor
    theta: float
    lambda0: float
    lambda1: float
    rho: float
    longest_step: float = math.inf

    @classmethod
    def of(cls, model: Exporter) -> OwnExporter:
        return cls(
            model.zeta, model.s, model.sigma, model.c, model.nubar, model.spread, model.loading, model.theta,
            model.lambda0, model.lambda1, model.rho,
        )  # fmt: skip

    def flow(self, state):
        return (state.y * (self.zeta - state.x)).sum(1) + ((state.y @ self.c) * state.y).sum(1)

    def drift(self, x):
        return -self.theta * (x - self.centre)

    def volatility(self, x):
        return self.sigma.T.contiguous()

    def rates(self, state):
        return self.cost.new_tensor([self.lambda0]), self.cost.new_tensor([self.lambda1])

    @property
    def reversion(self):
        return self.theta

    @property
    def device(self):
        return self.centre.device

    @property
    def dtype(self):
        return self.centre.dtype

    diffuse, draw = FactorDynamics.diffuse, FactorDynamics.draw


@dataclasses.dataclass(frozen=True, eq=False)
class WithItsControlVariate(OwnExporter):
    """It with the built-in control variate as well."""

    @classmethod
    def of(cls, model):
        made = super().of(model)
        object.__setattr__(made, "exporter", model)
        return made

    def build(self, options, generator):
        value = build_exporter_value(self.exporter.on(self.device, self.dtype), options, generator)
        value.model = self
        return value


@dataclasses.dataclass(frozen=True, eq=False)
class Shops(ChoiceModel):
    """Costs follow K states with `dx = -x dt / 2 + sqrt(1 + a x^2) dW`; rates of opportunities depend on x, too."""

    margin: Tensor
    exposure: Tensor
    pair: Tensor
    cost: Tensor
    centre: Tensor
    spread: Tensor
    a: float = 0.05
    rho: float = 0.05

    def flow(self, state):
        return (state.y * (self.margin - state.x @ self.exposure)).sum(1) + 0.5 * ((state.y @ self.pair) * state.y).sum(
            1
        )

    def drift(self, x):
        return -0.5 * x

    def volatility(self, x):
        return torch.diag_embed((1 + self.a * x**2).sqrt())

    def rates(self, state):
        return 0.2 + 0.2 * torch.sigmoid(state.x[:, :1] + 0 * state.y), 0.15 + 0.05 * torch.sigmoid(state.x[:, :1])


def shops(j=3, k=2, seed=0, **changes):
    """A seeded one."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    pair = 0.1 * uniform(j, j)
    pair = (pair + pair.T) * (1 - torch.eye(j, dtype=torch.float64))
    given = {
        "margin": 0.5 * uniform(j) - 0.1, "exposure": 0.3 * uniform(k, j), "pair": pair, "cost": 0.3 + 0.3 * uniform(j),
        "centre": torch.zeros(k, dtype=torch.float64), "spread": 1.05 * torch.ones(k, dtype=torch.float64),
    }  # fmt: skip
    return Shops(**{**given, **changes})
