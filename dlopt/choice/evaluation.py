"""A value function at a batch of states, and the Hamilton-Jacobi-Bellman residual made from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.choice.model import State, SwitchingModel, gather_movable


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What the equation needs to know of a value function at B states, L movable switches, M shocks.

    Attributes:
        value: V, `[B]`.
        marginal: V with the switch on minus V with it off, `[B, L]`.
        generator: L V, drift and diffusion of V between jumps, `[B]`.
        sensitivity: sigma^V, the gradient of V in the direction of each shock (Ito), `[B, M]`.
        clock: V at every position of the clock, `[B, clocks]`; None without a clock.
    """

    value: Tensor
    marginal: Tensor
    generator: Tensor
    sensitivity: Tensor
    clock: Tensor | None = None

    def rows(self, index: slice | Tensor) -> Evaluation:
        """The evaluation of some of the states."""
        clock = None if self.clock is None else self.clock[index]
        return Evaluation(
            self.value[index], self.marginal[index], self.generator[index], self.sensitivity[index], clock
        )

    @staticmethod
    def joined(parts: Sequence[Evaluation]) -> Evaluation:
        """Evaluations of consecutive batches as one."""
        clocks = [part.clock for part in parts if part.clock is not None]
        return Evaluation(
            torch.cat([part.value for part in parts]),
            torch.cat([part.marginal for part in parts]),
            torch.cat([part.generator for part in parts]),
            torch.cat([part.sensitivity for part in parts]),
            torch.cat(clocks) if clocks else None,
        )

    def plus(self, other: Evaluation, scale: float | Tensor = 1.0) -> Evaluation:
        """The evaluation of `V + scale * other`: everything here is linear in V."""
        clock = None
        if self.clock is not None and other.clock is not None:
            clock = self.clock + scale * other.clock
        return Evaluation(
            self.value + scale * other.value,
            self.marginal + scale * other.marginal,
            self.generator + scale * other.generator,
            self.sensitivity + scale * other.sensitivity,
            clock,
        )


def jump_value(model: SwitchingModel, state: State, at: Evaluation, acceptance: Tensor | None = None) -> Tensor:
    """J[V], expected change of the value by jumps per year, net of costs paid, `[B]`.

    Source: Huang and Yu (2024), equation (7), with the value changing by the gross amount and the cost a payment.

    Args:
        model, state, at: the model, the states, and the value function there.
        acceptance: probabilities `[J]` with which opportunities are taken, no effort being made; None: taken when
            worth it, effort at its best.
    """
    index = model.movable(state)
    opening, closing = model.rates(state)
    y = state.y if index is None else gather_movable(state.y, index)
    gain, how = at.marginal - model.costs(state), model.choosing(state)
    if acceptance is not None:
        gain = gather_movable(acceptance, index) * gain
        total = (opening * (1 - y) * gain - closing * y * at.marginal).sum(1)
    elif how.plain:
        total = (opening * (1 - y) * gain.clamp_min(0) - closing * y * at.marginal).sum(1)
    else:
        total = ((1 - y) * how.worth(opening, gain) - y * how.loss(closing, at.marginal)).sum(1)
    if at.clock is not None:
        total = total + model.clock_rate * (at.clock - at.value[:, None]).sum(1)
    return total


def flip_rates(model: SwitchingModel, state: State, marginal: Tensor) -> Tensor:
    """Rates per year at which the movable switches change under the policy that `marginal` `[B, L]` implies, `[B, L]`.

    The equation's jump term has these as its derivatives: what multiplies changes of V.
    """
    opening, closing = model.rates(state)
    gain, how = marginal - model.costs(state), model.choosing(state)
    on = gather_movable(state.y, model.movable(state)) > 0.5
    return torch.where(on, how.fails(closing, marginal), how.turns_on(opening, gain))


def hjb_residual(model: SwitchingModel, state: State, at: Evaluation, acceptance: Tensor | None = None) -> Tensor:
    """R = u + L V + J[V] - rho V, utility per year, `[B]`: zero everywhere exactly for the value function."""
    return model.flow(state) + at.generator + jump_value(model, state, at, acceptance) - model.rho * at.value
