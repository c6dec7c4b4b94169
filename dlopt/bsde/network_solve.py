"""The way in to the network economy: solve it by training, or exactly where that is possible."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dlopt.bsde.analysis import out_of_sample
from dlopt.bsde.certificate import Certificate, certify, long_run_states, set_level
from dlopt.bsde.checkpoint import load_checkpoint, refuse_changes, save_checkpoint
from dlopt.bsde.exact.network_grid import LARGEST, NetworkGridSolution
from dlopt.bsde.model import State
from dlopt.bsde.network_analysis import decentralised, harmful_links, link_values, transition
from dlopt.bsde.network_economy import NetworkDynamics, NetworkEconomy
from dlopt.bsde.network_states import checked_network_states, evaluate_network_states
from dlopt.bsde.network_value import (
    NETWORK_METHOD,
    ExactNetworkValue,
    arrays,
    build_network_value,
    network_validation,
)
from dlopt.bsde.options import AnalysisOptions, Budget, MethodOptions
from dlopt.bsde.solve import pick_device
from dlopt.bsde.training import Progress, Trainer
from dlopt.bsde.value import Solution

LONG_RUN = 256  # states from which the long run is simulated
NETWORK_ANALYSIS = AnalysisOptions(certificate_paths=64, out_of_sample=2000, paths=128, validation=2048, response_paths=128)  # fmt: skip  # noqa: E501
"""Default sizes of the analyses."""


@dataclasses.dataclass(frozen=True)
class NetworkResult:
    """A solved network economy with its accuracy.

    Attributes:
        model, method: what was solved, and how (None: exactly).
        solution: the value function.
        status: `converged`, `not_converged` or `interrupted`.
        message: what that means, and what to try.
        certificate: errors of the solution; None where training was interrupted or the solution is exact.
        steps, train_seconds: of training.
        frames: the tables by name, see `tables`.
    """

    model: NetworkEconomy
    method: MethodOptions | None
    solution: Solution
    status: str
    message: str
    certificate: Certificate | None
    steps: int
    train_seconds: float
    frames: dict[str, pd.DataFrame]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables by name.

        `losses`, `out_of_sample` (where trained), `validation` (where an exact solution exists), `marginal_values`,
        `harmful_links`, `transition`, `decentralised`, `evaluation` (where states were given).
        """
        return dict(self.frames)


def solve_network(
    model: NetworkEconomy,
    method: MethodOptions = NETWORK_METHOD,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    on_progress: Callable[[Progress], bool] | None = None,
    checkpoint: Path | None = None,
    resume: Path | None = None,
    analysis: AnalysisOptions = NETWORK_ANALYSIS,
    states: pd.DataFrame | None = None,
) -> NetworkResult:
    """Train a value function, certify it, and compute what it says; arguments as for `solve_bsde`.

    Raises:
        CheckpointError: `resume` is not readable, or of another model, method or seed.
        StateError: `states` are not states of this model.
        ModelError: the device cannot be used.
    """
    budget = budget or Budget()
    if states is not None:
        states = checked_network_states(states, model)
    place = pick_device(device)
    saved = None
    if resume is not None:
        saved_model, saved_method, saved_seed, saved = load_checkpoint(resume, place)
        refuse_changes(resume, (saved_model, saved_method, saved_seed), (model, method, seed))
    dynamics = model.on(place)
    generator = torch.Generator(device=place).manual_seed(seed)
    trainer = Trainer(build_network_value(dynamics, method, generator), method, budget, generator)
    exact = NetworkGridSolution(model) if model.size <= LARGEST else None
    decisions = None if exact is None else _decision_check(trainer, exact)
    if saved is not None:
        trainer.load_state_dict(saved)

    def save() -> None:
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, method, seed, trainer.state_dict())

    outcome = trainer.train(on_progress, save, decisions)
    frames = {"losses": pd.DataFrame([dataclasses.asdict(p) for p in trainer.history]).drop(columns="steps")}
    if outcome == "stopped":
        save()
        message = f"Stopped after {trainer.step} of {trainer.steps} steps. Resume the run to go on exactly from there."
        return NetworkResult(
            model, method, trainer.value, "interrupted", message, None, trainer.step, trainer.seconds, frames
        )
    value, later = trainer.value, torch.Generator(device=place).manual_seed(seed + 1)
    resting = long_run_states(value, trainer.pool.rows(slice(0, LONG_RUN)), 10, later)
    set_level(value, resting, 20, later)
    save()
    resting = long_run_states(value, resting, 5, later)
    start = resting.rows(slice(0, analysis.certificate_paths))
    certificate = certify(value, start, analysis.certificate_years, later)
    frames["out_of_sample"] = out_of_sample(value, method, analysis.out_of_sample, later)
    if exact is not None:
        sets = {"long_run": resting, "drawn": dynamics.draw(analysis.validation, later)}
        frames["validation"] = network_validation(value, exact, sets)
    frames |= _analysis(value, dynamics, resting, analysis, seed, states)
    converged = outcome != "diverged" and certificate.hjb_residual_rel <= method.target
    size = (
        f"residual {certificate.hjb_residual_rel:.1e} of rho V, value gap {certificate.value_gap_pct:.4f} % "
        f"(standard error {certificate.value_gap_se_pct:.4f} %)"
    )
    message = f"Solved: {size}."
    if not converged:
        message = (
            f"Not accurate enough: {size}; the target for the residual is {method.target:g}. Train longer "
            "(budget.seconds), use baseline=meanfield, or a larger network (method.hidden)."
        )
    return NetworkResult(
        model, method, value, "converged" if converged else "not_converged", message, certificate, trainer.step,
        trainer.seconds, frames,
    )  # fmt: skip


def solve_network_exact(
    model: NetworkEconomy,
    seed: int = 0,
    analysis: AnalysisOptions = NETWORK_ANALYSIS,
    states: pd.DataFrame | None = None,
) -> NetworkResult:
    """The exact solution in the same shape, for up to 3 sectors.

    Transitions start from productivities of the two factors: a shock to one sector leaves what the grid covers when
    N = 3, so the table `transition` is there for N = 2 only.

    Raises:
        ModelError: the economy is too large.
        StateError: `states` are not states of this model, or lie where the exact solution does not reach.
    """
    if states is not None:
        states = checked_network_states(states, model)
    exact = NetworkGridSolution(model)
    dynamics = model.on("cpu", torch.float64)
    solution = ExactNetworkValue(dynamics, exact)
    generator = torch.Generator().manual_seed(seed + 1)
    resting = long_run_states(solution, dynamics.draw(LONG_RUN, generator), 25, generator)
    frames = _analysis(solution, dynamics, resting, analysis, seed, states)
    message = f"Exact solution by method '{exact.method}'; it covers {exact.covers}."
    return NetworkResult(model, None, solution, "converged", message, None, 0, 0.0, frames)


def _analysis(
    solution: Solution,
    dynamics: NetworkDynamics,
    resting: State,
    analysis: AnalysisOptions,
    seed: int,
    states: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    """The tables any solution has."""
    links = link_values(solution, dynamics, resting.rows(slice(0, analysis.paths)))
    frames = {"marginal_values": links, "harmful_links": harmful_links(links)}
    if not isinstance(solution, ExactNetworkValue) or dynamics.factors == dynamics.shocks:
        frames["transition"] = transition(solution, dynamics, resting, analysis, seed + 3)
    frames["decentralised"] = decentralised(solution, dynamics, resting, analysis, seed + 4)
    if states is not None:
        frames["evaluation"] = evaluate_network_states(solution, dynamics, states)
    return frames


def _decision_check(trainer: Trainer, exact: NetworkGridSolution) -> Callable[[], float]:
    """Share of right decisions at fixed states of the first pool."""
    pool = trainer.pool
    assert pool.z is not None
    state = State(pool.y.clone(), pool.x.clone(), pool.z.clone())
    y, eps, z = arrays(state)
    right, missing = exact.marginal(y, eps, z) > 0, np.take_along_axis(y, exact.movable[z], axis=1) < 0.5

    def share() -> float:
        decided = (trainer.value.at(state).marginal > 0).cpu().numpy()
        return float((decided == right)[missing].mean()) if missing.any() else 1.0

    return share
