"""What the solver must know of exporters."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch

from dlopt.choice.analysis import repeated
from dlopt.choice.exporter.analysis import impulse_response, long_run
from dlopt.choice.exporter.exact import exact_method
from dlopt.choice.exporter.model import Exporter, ExporterDynamics
from dlopt.choice.exporter.value import build_exporter_value
from dlopt.choice.model import State
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.traits import Traits, drawn, register
from dlopt.choice.value import ExactlySolved, ExactValue, Solution


def _exact(model: Exporter) -> Callable[[ExporterDynamics], ExactlySolved] | None:
    solve = exact_method(model)
    return None if solve is None else lambda dynamics: ExactValue(dynamics, solve(model))


def _drawn(
    dynamics: ExporterDynamics, exact: ExactlySolved, count: int, generator: torch.Generator
) -> dict[str, State]:
    sets = drawn(dynamics, exact, count, generator)
    if exact.method == "separable":
        sets["off_manifold"] = dynamics.draw(count, generator, 1.0, 1.0)
    return sets


def _analyse(
    solution: Solution, dynamics: ExporterDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    generator = torch.Generator(device=dynamics.device).manual_seed(seed)
    start = repeated(resting, options.paths)
    marginal, simulation = long_run(solution, dynamics.parameters, start, options, generator)
    response = impulse_response(solution, dynamics, resting, options, seed + 1)
    return {"marginal_values": marginal, "simulation": simulation, "impulse_response": response}


EXPORTER = register(
    Traits(
        name="export",
        model=Exporter,
        method=MethodOptions(),
        analysis=AnalysisOptions(),
        sample=1024,
        build=build_exporter_value,
        exact=_exact,
        no_exact="its destinations are neither independent, nor in small blocks moved by two factors, nor identical",
        drawn=_drawn,
        analyse=_analyse,
    )
)
