"""Moving states forward in time under a policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlopt.bsde.model import State, SwitchingModel, gather_movable


def advance(
    model: SwitchingModel,
    state: State,
    marginal: Tensor,
    years: float,
    generator: torch.Generator,
    acceptance: Tensor | None = None,
) -> State:
    """States `years` later, opportunities being taken where they are worth their cost.

    The continuous states move exactly; decisions are those of the start of the step, and each switch moves at most
    once in it, so `years` must be short against the mean time between jumps of one switch.

    Args:
        model, state: the model, the states.
        marginal: V with a switch on minus V with it off, of the switches that can move, `[B, L]`.
        years: length of the step.
        generator: source of randomness.
        acceptance: probabilities `[J]` that replace the choice; None: opportunities are taken when worth it.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=state.x.device, dtype=state.x.dtype)

    index = model.movable(state)
    opening, closing = model.rates(state)
    y = gather_movable(state.y, index)
    wanted = marginal > gather_movable(model.cost, index)
    if acceptance is not None:
        wanted = uniform(*y.shape) < gather_movable(acceptance, index)
    rate = torch.where(y > 0.5, closing, opening * wanted)
    y = torch.where(uniform(*y.shape) < -torch.expm1(-rate * years), 1 - y, y)
    if index is not None:
        y = state.y.scatter(1, index, y)
    noise = torch.randn(len(state), model.shocks, generator=generator, device=y.device, dtype=y.dtype)
    z = state.z
    if z is not None:
        moves = uniform(len(state)) < -math.expm1(-model.clock_rate * (model.clocks - 1) * years)
        hop = torch.randint(1, model.clocks, z.shape, generator=generator, device=z.device)
        z = torch.where(moves, (z + hop) % model.clocks, z)
    return State(y, model.diffuse(state.x, years, noise), z)
