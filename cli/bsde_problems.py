"""What `dlopt solve bsde` solves: for each scenario, how models are found, written, solved and evaluated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlopt.bsde as exporter
from dlopt.bsde.folder import write_folder
from dlopt.bsde.network_folder import load_network, read_network, write_network
from dlopt.bsde.network_solve import solve_network, solve_network_exact
from dlopt.bsde.network_states import evaluate_network_states, read_network_states
from dlopt.bsde.network_value import ExactNetworkValue
from dlopt.bsde.states import evaluate_states
from dlopt.bsde.value import ExactValue
from dlopt.figures.network import draw


@dataclasses.dataclass(frozen=True)
class Problem:
    """The functions of one kind of model; see the exporter's for what each takes and returns."""

    load: Callable[[str], Any]
    read: Callable[[Path], Any]
    write: Callable[[Any, Path], None]
    solve: Callable[..., Any]
    solve_exact: Callable[..., Any]
    read_states: Callable[[Path, Any], Any]
    evaluate: Callable[..., Any]
    exact_value: Callable[[Any], Any]
    size: Callable[[Any], str]
    units: str
    draw: Callable[[dict[str, Any], Path], Any] | None = None


def _exact_exporter(model: Any) -> Any:
    import torch

    exact = exporter.exact_solution(model)
    assert exact is not None
    return ExactValue(model.on("cpu", torch.float64), exact)


def _exact_network(model: Any) -> Any:
    import torch

    from dlopt.bsde.exact.network_grid import NetworkGridSolution

    return ExactNetworkValue(model.on("cpu", torch.float64), NetworkGridSolution(model))


PROBLEMS = {
    "export": Problem(
        exporter.load_model, exporter.read_folder, write_folder, exporter.solve_bsde, exporter.solve_exact,
        exporter.read_states, evaluate_states, _exact_exporter, lambda m: f"{m.destinations} destinations",
        "values and costs in the model's unit of money, rates per year",
    ),
    "network": Problem(
        load_network, read_network, write_network, solve_network, solve_network_exact,
        read_network_states, evaluate_network_states, _exact_network, lambda m: f"{m.size} sectors",
        "values in utility times years, log GDP in percent, rates per year", draw,
    ),
}  # fmt: skip
"""Scenario -> problem."""
