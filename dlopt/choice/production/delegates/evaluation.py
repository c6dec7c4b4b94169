"""The values of all parties at a batch of states, and the residuals of all their equations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.choice.evaluation import Evaluation, flip_rates
from dlopt.choice.model import State, gather_movable
from dlopt.choice.production.delegates.model import DelegatesDynamics


@dataclasses.dataclass(frozen=True)
class Evaluations:
    """What the equations need to know of the value functions at B states: P parties, L movable links, N clocks.

    Attributes:
        value: V of every party, `[B, P]`.
        worth: V with the link on minus V with it off, `[B, P, L]`.
        generator: L V, drift and diffusion of V between jumps, `[B, P]`.
        clock: V at every position of the clock, `[B, P, N]`.
        z: position of the clock, whose delegate decides, `[B]`.
    """

    value: Tensor
    worth: Tensor
    generator: Tensor
    clock: Tensor
    z: Tensor

    @property
    def marginal(self) -> Tensor:
        """What each link is worth to the delegate who decides, `[B, L]`."""
        return self.to(self.z)

    def to(self, party: Tensor) -> Tensor:
        """What each link is worth to a party of each state `[B]`, `[B, L]`."""
        return self.worth[torch.arange(len(party), device=party.device), party]

    @staticmethod
    def joined(parts: Sequence[Evaluations]) -> Evaluations:
        """Evaluations of consecutive batches as one."""
        names = [field.name for field in dataclasses.fields(Evaluations)]
        return Evaluations(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def plus(self, other: Evaluations, scale: Tensor, constant: Tensor) -> Evaluations:
        """The evaluation of `V + scale * other + constant`, both numbers `[P]`."""
        return Evaluations(
            self.value + scale * other.value + constant,
            self.worth + scale[:, None] * other.worth,
            self.generator + scale * other.generator,
            self.clock + scale[:, None] * other.clock + constant[:, None],
            self.z,
        )

    def of(self, party: int) -> Evaluation:
        """One party's values beside the decisions of the delegates; sensitivities are not known (NaN)."""
        nan = self.value.new_full((len(self.value), 2), float("nan"))
        return Evaluation(self.value[:, party], self.marginal, self.generator[:, party], nan, self.clock[:, party])


@dataclasses.dataclass(frozen=True)
class Doing:
    """What is done at a batch of states.

    Attributes:
        rate: rates per year at which the movable links change, `[B, L]`.
        cost: what effort costs a year, `[B]`.
    """

    rate: Tensor
    cost: Tensor


def doing(dynamics: DelegatesDynamics, state: State, marginal: Tensor) -> Doing:
    """What somebody does to whom the links are worth `marginal` `[B, L]`."""
    how = dynamics.choosing(state)
    opening, closing = dynamics.rates(state)
    rate, y = flip_rates(dynamics, state, marginal), gather_movable(state.y, dynamics.movable(state))
    if how.plain:
        return Doing(rate.expand_as(y), y.new_zeros(len(y)))
    value = torch.where(y > 0.5, -how.loss(closing, marginal), how.worth(opening, marginal))
    return Doing(rate, ((1 - 2 * y) * rate * marginal - value).sum(1))


def residuals(dynamics: DelegatesDynamics, state: State, at: Evaluations, done: Doing) -> Tensor:
    """R_p = u_p + L V_p + J V_p - rho V_p of every party if this is done, utility per year, `[B, P]`.

    J counts the links that change, the share of the cost of effort, and the clock.
    """
    assert state.z is not None
    sign = 1 - 2 * gather_movable(state.y, dynamics.movable(state))
    jumps = (at.worth @ (sign * done.rate)[..., None])[..., 0] - dynamics.shares[:, state.z].T * done.cost[:, None]
    clocks = dynamics.clock_rate * (at.clock - at.value[..., None]).sum(2)
    return dynamics.flows(state) + at.generator + jumps + clocks - dynamics.rho * at.value
