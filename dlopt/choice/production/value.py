"""The approximate value function of the network economy, exact values in its shape, and errors between the two."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, SwitchingModel, of_pairs
from dlopt.choice.options import PAPER, MethodOptions
from dlopt.choice.production.control_variate import ExpectedLinksBaseline, consistent_acceptance
from dlopt.choice.production.exact.grid import NetworkGridSolution
from dlopt.choice.production.model import NetworkDynamics
from dlopt.choice.value import Baseline, NoBaseline, ValueFunction, build_value

NETWORK_METHOD = MethodOptions(batch=64, pool=256, conditional=0, stop_at=1e-5)
"""Defaults for the network economy: its states cost more and its control variate leaves less."""

NETWORK_PAPER = dataclasses.replace(PAPER, hidden=512)
"""The published method with the wider shared layers that Huang and Yu (2024, section 3.3) take for this problem."""

LARGEST_SIZE = 4.0


def build_network_value(model: NetworkDynamics, options: MethodOptions, generator: torch.Generator) -> ValueFunction:
    """The untrained value function that the options describe, its weights drawn from `generator`.

    `baseline=meanfield` is the control variate at self-consistent acceptance, `constant` the one that accepts every
    opportunity; `conditional` has no counterpart here.
    """
    baseline: Baseline
    n = model.factors
    if options.baseline == "meanfield":
        baseline = ExpectedLinksBaseline(model, consistent_acceptance(model, generator))
    elif options.baseline == "constant":
        baseline = ExpectedLinksBaseline(model, np.ones((n, n)))
    else:
        baseline = NoBaseline(model)
    value = build_value(model, baseline, options, generator)
    if options.loss == "hjb":
        parametrize.register_parametrization(value.network, "switch_weight", LinkSize(model))
    return value


class LinkSize(nn.Module):
    """First weights of a link in proportion to what it moves GDP by: its buyer's Domar weight times its input share.

    So the network's error in the worth of a link shrinks with the link, and is zero where the share is. Sizes are
    relative to their root mean square, and at most `LARGEST_SIZE`.
    """

    def __init__(self, model: NetworkDynamics) -> None:
        super().__init__()
        domar = torch.linalg.solve((model.identity - model.alpha).T, model.beta)
        size = (domar[:, None] * model.alpha).flatten()[model.slots]
        size = size / size.square().mean().sqrt().clamp_min(1e-12)
        self.register_buffer("size", size.clamp_max(LARGEST_SIZE)[:, None])

    size: torch.Tensor

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Weights `[J, H]` with each link's row scaled."""
        return self.size * weight


class ExactNetworkValue:
    """An exact solution in the shape of the neural one, in float64; generator and sensitivities are not known (NaN)."""

    def __init__(self, model: NetworkDynamics, exact: NetworkGridSolution) -> None:
        self.model: SwitchingModel = model
        self.exact, self.method, self.covers = exact, exact.method, exact.covers

    def at(self, state: State) -> Evaluation:
        """Values, differences and values over the clock from the exact solution."""
        y, eps, z = arrays(state)
        nan = state.x.new_full((len(state),), float("nan"), dtype=torch.float64)
        clock = torch.from_numpy(self.exact.by_clock(y, eps)).to(nan)
        marginal = torch.from_numpy(self.exact.marginal(y, eps, z)).to(nan)
        value = clock[torch.arange(len(state)), torch.from_numpy(z)]
        return Evaluation(value, marginal, nan, nan[:, None].expand(-1, self.model.shocks), clock)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Differences from the exact solution."""
        return of_pairs(self.at(state).marginal, self.model.movable(state), row, switch)


def arrays(state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links `[B, J]`, productivities `[B, N]` and clock `[B]` as arrays."""
    assert state.z is not None
    return state.y.double().cpu().numpy(), state.x.double().cpu().numpy(), state.z.cpu().numpy()


def with_clock(state: State, sector: int) -> State:
    """The same states with the clock at one sector."""
    assert state.z is not None
    return dataclasses.replace(state, z=torch.full_like(state.z, sector))
