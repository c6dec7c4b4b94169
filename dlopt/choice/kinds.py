"""What the solver must know of each kind of model, beyond the protocol of its dynamics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch

from dlopt.choice.analysis import impulse_response, long_run
from dlopt.choice.exporter.exact import exact_method
from dlopt.choice.exporter.model import Exporter, ExporterDynamics
from dlopt.choice.model import ModelError, State
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.production.analysis import decentralised, harmful_links, link_values, transition
from dlopt.choice.production.exact.grid import LARGEST, NetworkGridSolution
from dlopt.choice.production.model import NetworkDynamics, NetworkEconomy
from dlopt.choice.production.value import NETWORK_METHOD, ExactNetworkValue, build_network_value
from dlopt.choice.value import ExactlySolved, ExactValue, Solution, ValueFunction, build_value

Model = Exporter | NetworkEconomy
Dynamics = Any
"""`ExporterDynamics` or `NetworkDynamics`, each as its own kind expects it."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of model.

    Attributes:
        method, analysis: defaults.
        sample: long-run states from which simulations start.
        build: the untrained value function of some dynamics that options describe, its weights from a generator.
        exact: how to solve a model exactly; None where that is not possible.
        no_exact: why not, of the models of this kind.
        drawn: the name of sets of random states on which errors against an exact solution are reported, and how to
            draw them.
        analyse: the tables any solution has, from long-run states and a seed.
    """

    method: MethodOptions
    analysis: AnalysisOptions
    sample: int
    build: Callable[[Dynamics, MethodOptions, torch.Generator], ValueFunction]
    exact: Callable[[Any], Callable[[Dynamics], ExactlySolved] | None]
    no_exact: str
    drawn: Callable[[Dynamics, ExactlySolved, int, torch.Generator], dict[str, State]]
    analyse: Callable[[Solution, Dynamics, State, AnalysisOptions, int], dict[str, pd.DataFrame]]


def kind_of(model: Model) -> Kind:
    """The kind of a model."""
    return EXPORTER if isinstance(model, Exporter) else NETWORK


def check_exact(model: Model) -> Callable[[Dynamics], ExactlySolved]:
    """How to solve a model exactly.

    Raises:
        ModelError: that is not possible.
    """
    solve = kind_of(model).exact(model)
    if solve is None:
        raise ModelError(
            f"The model {model.name!r} has no exact solution: {kind_of(model).no_exact}. Use method=default; its "
            "certificate needs no exact solution."
        )
    return solve


def _exact_exporter(model: Exporter) -> Callable[[ExporterDynamics], ExactlySolved] | None:
    solve = exact_method(model)
    return None if solve is None else lambda dynamics: ExactValue(dynamics, solve(model))


def _exact_network(model: NetworkEconomy) -> Callable[[NetworkDynamics], ExactlySolved] | None:
    return None if model.size > LARGEST else lambda dynamics: ExactNetworkValue(dynamics, NetworkGridSolution(model))


def _drawn_exporter(
    dynamics: ExporterDynamics, exact: ExactlySolved, count: int, generator: torch.Generator
) -> dict[str, State]:
    sets = {"drawn": dynamics.draw(count, generator)}
    if exact.method == "separable":
        sets["off_manifold"] = dynamics.draw(count, generator, 1.0, 1.0)
    return sets


def _drawn_network(
    dynamics: NetworkDynamics, exact: ExactlySolved, count: int, generator: torch.Generator
) -> dict[str, State]:
    return {"drawn": dynamics.draw(count, generator)}


def _analyse_exporter(
    solution: Solution, dynamics: ExporterDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    generator = torch.Generator(device=dynamics.device).manual_seed(seed)
    copies = -(-options.paths // len(resting))
    start = resting.rows(torch.arange(len(resting), device=dynamics.device).repeat(copies)[: options.paths])
    marginal, simulation = long_run(solution, dynamics.parameters, start, options, generator)
    response = impulse_response(solution, dynamics, resting, options, seed + 1)
    return {"marginal_values": marginal, "simulation": simulation, "impulse_response": response}


def _analyse_network(
    solution: Solution, dynamics: NetworkDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    """A shock to one sector leaves what the grid covers when N = 3: an exact solution has `transition` for N = 2."""
    links = link_values(solution, dynamics, resting.rows(slice(0, options.paths)))
    frames = {"marginal_values": links, "harmful_links": harmful_links(links)}
    if not isinstance(solution, ExactNetworkValue) or dynamics.factors == dynamics.shocks:
        frames["transition"] = transition(solution, dynamics, resting, options, seed)
    frames["decentralised"] = decentralised(solution, dynamics, resting, options, seed + 1)
    return frames


EXPORTER = Kind(
    MethodOptions(), AnalysisOptions(), 1024, build_value, _exact_exporter,
    "its destinations are neither independent, nor in small blocks, nor identical", _drawn_exporter, _analyse_exporter,
)  # fmt: skip
NETWORK = Kind(
    NETWORK_METHOD,
    AnalysisOptions(certificate_paths=64, out_of_sample=2000, paths=128, validation=2048, response_paths=128),
    256, build_network_value, _exact_network, f"it has more than {LARGEST} sectors", _drawn_network, _analyse_network,
)  # fmt: skip
