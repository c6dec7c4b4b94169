"""The approximate value function: control variate, networks, and a constant."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from dlopt.bsde.baseline import ConstantBaseline, MeanFieldBaseline, NoBaseline, mean_field
from dlopt.bsde.conditional import ConditionalNetwork
from dlopt.bsde.evaluation import Evaluation, hjb_residual
from dlopt.bsde.exporter import ExporterDynamics
from dlopt.bsde.model import State, SwitchingModel
from dlopt.bsde.network import SwitchNetwork
from dlopt.bsde.options import MethodOptions
from dlopt.bsde.paper import PaperNetwork


class Baseline(Protocol):
    """A control variate: any function whose evaluation is known."""

    def evaluate(self, state: State) -> Evaluation:
        """Value, differences, generator and sensitivities."""
        ...


class ValueFunction(nn.Module):
    """V = baseline + shift + scale * (network + conditional network).

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

    scale: Tensor
    shift: Tensor

    def evaluate(self, state: State) -> Evaluation:
        """V and what the equation needs of it, with gradients to the networks' weights."""
        with torch.no_grad():
            base = self.baseline.evaluate(state)
        correction = self.network.evaluate(self.model, state)
        if self.conditional is not None:
            correction = correction.plus(self.conditional.evaluate(self.model, state))
        at = base.plus(correction, self.scale)
        clock = None if at.clock is None else at.clock + self.shift
        return Evaluation(at.value + self.shift, at.marginal, at.generator, at.sensitivity, clock)

    def evaluate_value(self, state: State) -> Tensor:
        """V alone, `[B]`, with gradients: no neighbours, no derivatives."""
        with torch.no_grad():
            base = self.baseline.evaluate(state).value
        correction = self.network(state)
        if self.conditional is not None:
            correction = correction + self.conditional.evaluate(self.model, state).value
        return base + self.scale * correction + self.shift

    def residual(self, state: State) -> tuple[Tensor, Evaluation]:
        """Hamilton-Jacobi-Bellman residual, `[B]`, and the evaluation behind it, without gradients."""
        with torch.no_grad():
            at = self.evaluate(state)
            return hjb_residual(self.model, state, at), at


def build_value(model: ExporterDynamics, options: MethodOptions, generator: torch.Generator) -> ValueFunction:
    """The untrained value function that the options describe, its weights drawn from `generator`."""
    baseline: Baseline
    if options.baseline == "meanfield":
        baseline = MeanFieldBaseline(model)
        exact = baseline.constant.exact
    elif options.baseline == "constant":
        baseline = ConstantBaseline(model, mean_field(model.parameters)[0])
        exact = baseline.exact
    else:
        baseline, exact = NoBaseline(model), None
    if options.loss == "paper":
        network: SwitchNetwork = PaperNetwork(model, options.hidden, options.layers, generator)
    else:
        network = SwitchNetwork(model, options.hidden, options.layers, generator)
    conditional = None
    if exact is not None:
        p = torch.tensor(exact.p, device=model.device, dtype=model.dtype)
        couplings = torch.tensor(exact.cross, device=model.device, dtype=model.dtype)
        network.look_along(couplings, p, generator)
        if options.conditional:
            conditional = ConditionalNetwork(model, p, couplings, options.conditional, generator)
    return ValueFunction(model, baseline, network, conditional)
