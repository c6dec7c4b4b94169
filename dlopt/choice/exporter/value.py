"""The approximate value function of the exporter."""

from __future__ import annotations

import torch

from dlopt.choice.exporter.control_variate import ConstantBaseline, MeanFieldBaseline, mean_field
from dlopt.choice.exporter.model import ExporterDynamics
from dlopt.choice.options import MethodOptions
from dlopt.choice.value import Baseline, NoBaseline, ValueFunction, build_value


def build_exporter_value(model: ExporterDynamics, options: MethodOptions, generator: torch.Generator) -> ValueFunction:
    """The untrained value function that the options describe, its weights drawn from `generator`."""
    baseline: Baseline
    if options.baseline == "meanfield":
        baseline = MeanFieldBaseline(model)
        exact = baseline.constant.exact
    elif options.baseline == "constant":
        baseline = ConstantBaseline(model, mean_field(model.parameters)[0])
        exact = baseline.exact
    else:
        return build_value(model, NoBaseline(model), options, generator)
    p = torch.tensor(exact.p, device=model.device, dtype=model.dtype)
    couplings = torch.tensor(exact.cross, device=model.device, dtype=model.dtype)
    return build_value(model, baseline, options, generator, p, couplings)
