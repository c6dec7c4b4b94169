"""The approximate value function: control variate, networks, and a constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dlopt.choice.conditional import ConditionalNetwork
from dlopt.choice.evaluation import Evaluation, hjb_residual
from dlopt.choice.model import Array, State, SwitchingModel
from dlopt.choice.options import MethodOptions
from dlopt.choice.paper import PaperNetwork
from dlopt.choice.perceptron import SwitchNetwork

Sloped = Callable[[State, Tensor, Tensor], Tensor]
"""Worth of switches and its derivatives, `[P, 1 + n]`, at states, rows and switches as `worth` takes them."""

PART = 1024  # states evaluated at a time: bounds the memory, whatever the number of states
MOST = 1000  # functions of the state along which the conditional network is refined


class Baseline(Protocol):
    """A control variate: any function whose evaluation is known."""

    def evaluate(self, state: State) -> Evaluation:
        """Value, differences, generator and sensitivities."""
        ...

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Difference of the value that switch `switch[p]` makes at state `row[p]`, where it is off, `[P]`."""
        ...


class Solution(Protocol):
    """A solved problem, exactly or not: what simulations need."""

    model: SwitchingModel

    def at(self, state: State) -> Evaluation:
        """The value function at some states, without gradients."""
        ...

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """V with switch `switch[p]` on minus V at state `row[p]`, where it is off and can move, `[P]`, no gradients."""
        ...


class ExactSolution(Protocol):
    """A solved model without a clock: functions of switches `y` `[B, J]` and continuous states `x` `[B, K]`.

    Attributes:
        method: which way of solving, in a word.
        covers: the states it is for, in words.
    """

    method: str
    covers: str

    def value(self, y: Array, x: Array) -> Array:
        """V, `[B]`."""
        ...

    def marginal(self, y: Array, x: Array) -> Array:
        """V with switch j on minus V with it off, `[B, J]`."""
        ...

    def accept(self, y: Array, x: Array) -> Array:
        """Whether an opportunity to turn j on would be taken, `[B, J]` booleans."""
        ...


class ExactlySolved(Solution, Protocol):
    """An exact solution, and which one it is."""

    method: str
    covers: str


class NoBaseline:
    """V = 0: the network learns everything."""

    def __init__(self, model: SwitchingModel) -> None:
        self.model = model

    def evaluate(self, state: State) -> Evaluation:
        """Zeros."""
        zero, index = state.x.new_zeros(len(state)), self.model.movable(state)
        return Evaluation(
            zero,
            torch.zeros_like(state.y if index is None else state.y.gather(1, index)),
            zero,
            zero[:, None].expand(-1, self.model.shocks),
            None if state.z is None else zero[:, None].expand(-1, self.model.clocks),
        )

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Zeros."""
        return state.x.new_zeros(len(row))


class ExactValue:
    """An exact solution in the shape of the neural one, in float64; generator and sensitivities are not known (NaN)."""

    def __init__(self, model: SwitchingModel, exact: ExactSolution) -> None:
        self.model = model
        self.exact, self.method, self.covers = exact, exact.method, exact.covers

    def at(self, state: State) -> Evaluation:
        """Values and differences from the exact solution."""
        y, x = state.y.double().cpu().numpy(), state.x.double().cpu().numpy()
        nan = state.x.new_full((len(state),), float("nan"), dtype=torch.float64)
        value = torch.from_numpy(self.exact.value(y, x)).to(nan)
        marginal = torch.from_numpy(self.exact.marginal(y, x)).to(nan)
        return Evaluation(value, marginal, nan, nan[:, None].expand(-1, self.model.shocks))

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """Differences from the exact solution."""
        known: Callable[..., Array] | None = getattr(self.exact, "worth", None)
        if known is None:
            return self.at(state).marginal[row, switch]
        found = known(state.x[row, switch].double().cpu().numpy(), switch.cpu().numpy())
        return torch.from_numpy(found).to(state.x.device)

    def slopes(self, moved: Sequence[tuple[ExactValue, ExactValue, float]]) -> Sloped | None:
        """`worth` and differences of pairs of other solutions over distances at once, where the solution knows how."""
        known: Callable[..., Any] | None = getattr(self.exact, "slopes", None)
        found = known and known([(up.exact, down.exact, distance) for up, down, distance in moved])
        if not found:
            return None
        return lambda state, row, switch: torch.from_numpy(found(state.x[row, switch].numpy(), switch.numpy()))

    def reaches(self, state: State) -> Tensor:
        """Which states the exact solution covers, `[B]` booleans."""
        known: Callable[[Array], Array] | None = getattr(self.exact, "reaches", None)
        if known is None:
            return torch.ones(len(state), dtype=torch.bool, device=state.x.device)
        return torch.from_numpy(known(state.x.double().cpu().numpy())).to(state.x.device)


class ValueFunction(nn.Module):
    """V = baseline + shift + level + scale * (network + conditional network).

    `shift` is set while training, `level` once, afterwards, from longer simulations.

    Args:
        model: the problem on a device.
        baseline: the control variate.
        network, conditional: corrections with zero output at the start.
        scale: size of the correction, in units of V.
    """

    def __init__(
        self, model: SwitchingModel, baseline: Baseline, network: SwitchNetwork, conditional: ConditionalNetwork | None
    ) -> None:
        super().__init__()
        self.model, self.baseline = model, baseline
        self.network, self.conditional = network, conditional
        self.register_buffer("scale", model.centre.new_ones(()))
        self.register_buffer("shift", model.centre.new_zeros(()))
        self.register_buffer("level", model.centre.new_zeros(()))

    scale: Tensor
    shift: Tensor
    level: Tensor

    def evaluate(self, state: State) -> Evaluation:
        """V and what the equation needs of it, with gradients to the networks' weights."""
        with torch.no_grad():
            base = self.baseline.evaluate(state)
        correction = self.network.evaluate(self.model, state)
        if self.conditional is not None:
            correction = correction.plus(self.conditional.evaluate(self.model, state))
        at = base.plus(correction, self.scale)
        constant = self.constant(state)
        clock = None if at.clock is None else at.clock + constant.reshape(-1, 1)
        return Evaluation(at.value + constant, at.marginal, at.generator, at.sensitivity, clock)

    def evaluate_value(self, state: State) -> Tensor:
        """V alone, `[B]`, with gradients: no neighbours, no derivatives."""
        with torch.no_grad():
            base = self.baseline.evaluate(state).value
        correction = self.network(state)
        if self.conditional is not None:
            correction = correction + self.conditional.evaluate(self.model, state).value
        return base + self.scale * correction + self.constant(state)

    def constants(self, state: State) -> Tensor:
        """What the constant in V is made of, `[B, C]`: ones."""
        return state.x.new_ones(len(state), 1)

    def constant(self, state: State) -> Tensor:
        """The constant in V, of any shape that broadcasts to `[B]`."""
        return self.shift + self.level

    def take_out(self, state: State, residual: Tensor) -> Tensor:
        """Residuals without their mean, of which the constant in V is set."""
        self.shift += residual.mean() / self.model.rho
        return residual - residual.mean()

    def unrefine(self) -> None:
        """Back to what training left."""
        self.level.zero_()
        self.network.refined.zero_()
        if self.conditional is not None:
            self.conditional.unrefine()

    def leading(self, state: State) -> Tensor | None:
        """Directions along which the conditional network can be refined, see there; None: not at all."""
        return None if self.conditional is None else self.conditional.leading(self.model, state, MOST)

    def basis(self, state: State, at: Evaluation, leading: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What can be refined, and what each part of it adds to the residual, both `[B, hidden + 2 J U + C]`.

        The last layer of the network; if wanted, that of the conditional network along some directions; constants.
        """
        found = []
        with torch.no_grad():
            for k in range(0, len(state), PART):
                here, there = state.rows(slice(k, k + PART)), at.rows(slice(k, k + PART))
                parts = [self.network.basis(self.model, here, there)]
                if leading is not None and self.conditional is not None:
                    parts.append(self.conditional.basis(self.model, here, there, leading))
                found.append([torch.cat([part[side].double() for part in parts], 1) for side in (0, 1)])
        units, change = (torch.cat([part[side] for part in found]) for side in (0, 1))
        one = self.constants(state).to(units)
        return torch.cat([units, one], 1), torch.cat([change, -self.model.rho * one], 1)

    def refine(self, weights: Tensor, leading: Tensor | None = None) -> None:
        """Add to V what weights of `basis`, in units of V, say."""
        hidden, constants = len(self.network.refined), self.level.numel()
        self.network.refined.copy_(weights[:hidden] / self.scale)
        if leading is not None and self.conditional is not None:
            self.conditional.refine((weights[hidden:-constants] / self.scale).to(leading), leading)
        self.level.copy_(weights[-constants:].view_as(self.level))

    def at(self, state: State) -> Evaluation:
        """`evaluate` without gradients, in parts that fit in memory."""
        with torch.no_grad():
            parts = [self.evaluate(state.rows(slice(k, k + PART))) for k in range(0, max(len(state), 1), PART)]
        return parts[0] if len(parts) == 1 else Evaluation.joined(parts)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some switches are worth at some states, `[P]`: `marginal` of `evaluate`, without the rest of it."""
        with torch.no_grad():
            correction = self.network.worth(state, row, switch)
            if self.conditional is not None:
                correction = correction + self.conditional.worth(state, row, switch)
            return self.baseline.worth(state, row, switch) + self.scale * correction

    def residual(self, state: State) -> tuple[Tensor, Evaluation]:
        """Hamilton-Jacobi-Bellman residual, `[B]`, and the evaluation behind it, without gradients."""
        at = self.at(state)
        return hjb_residual(self.model, state, at), at


def build_value(
    model: SwitchingModel,
    baseline: Baseline,
    options: MethodOptions,
    generator: torch.Generator,
    p: Tensor | None = None,
    couplings: Tensor | None = None,
) -> ValueFunction:
    """The untrained value function that the options describe, its weights drawn from `generator`.

    Args:
        model: the problem on a device.
        baseline: the control variate.
        options: network, widths, depth.
        generator: source of randomness.
        p: probabilities that switches are on, where the control variate knows them, `[J]`.
        couplings: how much pairs of switches matter together, symmetric, diagonal 0, `[J, J]`; with `p` it directs
            the network's first weights, and makes the conditional network possible where all switches can move.
    """
    if options.loss == "paper":
        network: SwitchNetwork = PaperNetwork(model, options.hidden, options.layers, options.subnet, generator)
    else:
        network = SwitchNetwork(model, [options.hidden] * options.layers, generator)
    conditional = None
    if p is not None and couplings is not None:
        network.look_along(couplings, p, generator)
        if options.conditional and model.clocks == 1:
            conditional = ConditionalNetwork(model, p, couplings, options.conditional, generator)
    return ValueFunction(model, baseline, network, conditional)
