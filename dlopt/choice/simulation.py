"""Moving states forward in time under a policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.choice.effort import Choosing
from dlopt.choice.evaluation import flip_rates
from dlopt.choice.model import State, SwitchingModel, gather_movable

if TYPE_CHECKING:
    from dlopt.choice.value import Solution


def advance(
    model: SwitchingModel,
    state: State,
    marginal: Tensor,
    years: float,
    generator: torch.Generator,
    acceptance: Tensor | None = None,
) -> State:
    """States `years` later, opportunities being taken where they are worth their cost.

    The continuous states move as the model says, in parts of at most its `longest_step`. Decisions and efforts are
    those of the start of the step, and each switch moves at most once in it, so `years` must be short against the mean
    time between jumps of one switch.

    Args:
        model, state: the model, the states.
        marginal: V with a switch on minus V with it off, of the switches that can move, `[B, L]`.
        years: length of the step.
        generator: source of randomness.
        acceptance: probabilities `[J]` that replace the choice; None: opportunities are taken when worth it.
    """
    index = model.movable(state)
    y = gather_movable(state.y, index)
    if acceptance is None:
        rate = flip_rates(model, state, marginal)
    else:
        opening, closing = model.rates(state)
        rate = torch.where(y > 0.5, closing, opening * (_uniform(y, generator) < gather_movable(acceptance, index)))
    y = torch.where(_uniform(y, generator) < -torch.expm1(-rate * years), 1 - y, y)
    return _moved(model, state, index, y, years, generator)


def follow(solution: Solution, state: State, years: float, generator: torch.Generator) -> State:
    """`advance` under the policy of a solution, of which only the decisions that come up are computed.

    The same law, other random numbers: opportunities arrive first, and are then judged. Effort has to be known
    everywhere, so that where it can be made this is `advance`.
    """
    model = solution.model
    how = model.choosing(state)
    if how.search is not None or how.keep is not None:
        return advance(model, state, solution.at(state).marginal, years, generator)
    index = model.movable(state)
    opening, closing = model.rates(state)
    y = gather_movable(state.y, index)
    due = _uniform(y, generator) < -torch.expm1(-torch.where(y > 0.5, closing, opening) * years)
    row, place = (due & (y < 0.5)).nonzero(as_tuple=True)
    switch = place if index is None else index[row, place]
    cost = model.costs(state)
    gain = solution.worth(state, row, switch) - cost.expand_as(y)[row, place]
    due[row, place] = gain > 0 if how.sure else _uniform(gain, generator) < _noisy(how, row).taken(gain)
    return _moved(model, state, index, torch.where(due, 1 - y, y), years, generator)


def _noisy(how: Choosing, row: Tensor) -> Choosing:
    """How it is chosen at pairs of a state and a switch."""
    noise = how.noise
    return Choosing(noise=noise[row].flatten() if isinstance(noise, Tensor) else noise)


def _moved(
    model: SwitchingModel, state: State, index: Tensor | None, y: Tensor, years: float, generator: torch.Generator
) -> State:
    """The states with movable switches at `y`, and all else `years` later."""
    if index is not None:
        y = state.y.scatter(1, index, y)
    steps, x = max(1, math.ceil(years / model.longest_step)), state.x
    for _ in range(steps):
        noise = torch.randn(len(state), model.shocks, generator=generator, device=y.device, dtype=y.dtype)
        x = model.diffuse(x, years / steps, noise)
    z = state.z
    if z is not None:
        moves = _uniform(state.x[:, 0], generator) < -math.expm1(-model.clock_rate * (model.clocks - 1) * years)
        hop = torch.randint(1, model.clocks, z.shape, generator=generator, device=z.device)
        z = torch.where(moves, (z + hop) % model.clocks, z)
    return State(y, x, z)


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
