"""The way in: solve an exporter's problem by training, or exactly where that is possible."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dlopt.bsde.analysis import impulse_response, long_run, out_of_sample, validation
from dlopt.bsde.certificate import Certificate, certify, long_run_states, set_level
from dlopt.bsde.checkpoint import load_checkpoint, refuse_changes, save_checkpoint
from dlopt.bsde.exact import ExactSolution, exact_solution
from dlopt.bsde.exporter import Exporter, ExporterDynamics
from dlopt.bsde.model import ModelError, State
from dlopt.bsde.options import AnalysisOptions, Budget, MethodOptions
from dlopt.bsde.result import BsdeResult
from dlopt.bsde.states import checked_states, evaluate_states
from dlopt.bsde.training import Progress, Trainer
from dlopt.bsde.value import ExactValue, Solution, build_value


def pick_device(name: str = "auto") -> torch.device:
    """`auto` is the GPU where there is one.

    Raises:
        ModelError: the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The device {name!r} cannot be used here ({reason}). Give auto, cpu or cuda.") from None
    return device


def solve_bsde(
    model: Exporter,
    method: MethodOptions | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    on_progress: Callable[[Progress], bool] | None = None,
    checkpoint: Path | None = None,
    resume: Path | None = None,
    analysis: AnalysisOptions | None = None,
    states: pd.DataFrame | None = None,
) -> BsdeResult:
    """Train a value function, certify it, and compute what it says.

    Args:
        model: the exporter.
        method: how; the default is a control variate with small networks trained on the equation's residual.
        budget: how long to train.
        seed: of every random draw. One seed, thread count and number of steps give one result.
        device: `auto`, `cpu`, `cuda`.
        on_progress: told how training stands; returns True to stop.
        checkpoint: where to save the training, every `budget.checkpoint_seconds` and at the end.
        resume: a checkpoint to go on from: the result is that of a run never interrupted.
        analysis: sizes of what is computed afterwards.
        states: user states to evaluate: columns `state`, `y_1..y_J`, `nu_1..nu_J`.

    Raises:
        CheckpointError: `resume` is not readable, or of another model, method or seed.
        StateError: `states` are not states of this model.
        ModelError: the device cannot be used.
    """
    method, budget, analysis = method or MethodOptions(), budget or Budget(), analysis or AnalysisOptions()
    if states is not None:
        states = checked_states(states, model)
    place = pick_device(device)
    saved = None
    if resume is not None:
        saved_model, saved_method, saved_seed, saved = load_checkpoint(resume, place)
        refuse_changes(resume, (saved_model, saved_method, saved_seed), (model, method, seed))
    dynamics = model.on(place)
    generator = torch.Generator(device=place).manual_seed(seed)
    trainer = Trainer(build_value(dynamics, method, generator), method, budget, generator)
    exact = exact_solution(model)
    decisions = None if exact is None else _decision_check(trainer, exact)
    if saved is not None:
        trainer.load_state_dict(saved)

    def save() -> None:
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, method, seed, trainer.state_dict())

    save()
    outcome = trainer.train(on_progress, save, decisions)
    if outcome == "stopped":
        save()
        message = f"Stopped after {trainer.step} of {trainer.steps} steps. Resume the run to go on exactly from there."
        frames = {"losses": _losses(trainer)}
        return BsdeResult(
            model, method, trainer.value, "interrupted", message, None, trainer.step, trainer.seconds, frames
        )
    value, later = trainer.value, torch.Generator(device=place).manual_seed(seed + 1)
    resting = long_run_states(value, trainer.pool, 10, later)
    set_level(value, resting, 40, later)
    save()
    resting = long_run_states(value, resting, 5, later)
    many = State(resting.y, resting.x, resting.z)
    certificate = certify(value, many.rows(slice(0, analysis.certificate_paths)), analysis.certificate_years, later)
    frames = {
        "losses": _losses(trainer),
        "out_of_sample": out_of_sample(value, method, analysis.out_of_sample, later),
    }
    if exact is not None:
        spread = _on_domain(dynamics, exact, analysis.validation, later)
        sets = {"long_run": resting.rows(slice(0, analysis.validation)), **spread}
        frames["validation"] = validation(value, exact, sets)
    frames |= _analysis(value, dynamics, resting, analysis, seed, states)
    converged = outcome != "diverged" and certificate.hjb_residual_rel <= method.target
    return BsdeResult(
        model,
        method,
        value,
        "converged" if converged else "not_converged",
        _message(certificate, method, converged),
        certificate,
        trainer.step,
        trainer.seconds,
        frames,
    )


def solve_exact(
    model: Exporter, seed: int = 0, analysis: AnalysisOptions | None = None, states: pd.DataFrame | None = None
) -> BsdeResult:
    """The exact solution in the same shape, where the model has one.

    Raises:
        ModelError: it has none.
        StateError: `states` are not states of this model, or lie where the exact solution does not reach.
    """
    analysis = analysis or AnalysisOptions()
    if states is not None:
        states = checked_states(states, model)
    exact = exact_solution(model)
    if exact is None:
        raise ModelError(
            f"The model {model.name!r} has no exact solution: its destinations are neither independent, nor in small "
            "blocks, nor identical. Use method=default; its certificate needs no exact solution."
        )
    dynamics = model.on("cpu", torch.float64)
    solution = ExactValue(dynamics, exact)
    generator = torch.Generator().manual_seed(seed + 1)
    resting = dynamics.draw(analysis.paths, generator)
    frames = _analysis(solution, dynamics, resting, analysis, seed, states)
    message = f"Exact solution by method '{exact.method}'; it covers {exact.covers}."
    return BsdeResult(model, None, solution, "converged", message, None, 0, 0.0, frames)


def _analysis(
    solution: Solution,
    dynamics: ExporterDynamics,
    resting: State,
    analysis: AnalysisOptions,
    seed: int,
    states: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    """The tables any solution has."""
    generator = torch.Generator(device=dynamics.device).manual_seed(seed + 2)
    copies = -(-analysis.paths // len(resting))
    start = resting.rows(torch.arange(len(resting)).repeat(copies)[: analysis.paths])
    frames = {}
    frames["marginal_values"], frames["simulation"] = long_run(
        solution, dynamics.parameters, start, analysis, generator
    )
    frames["impulse_response"] = impulse_response(solution, dynamics, resting, analysis, seed + 3)
    if states is not None:
        frames["evaluation"] = evaluate_states(solution, dynamics, states)
    return frames


def _losses(trainer: Trainer) -> pd.DataFrame:
    return pd.DataFrame([dataclasses.asdict(row) for row in trainer.history]).drop(columns="steps")


def _on_domain(
    dynamics: ExporterDynamics, exact: ExactSolution, count: int, generator: torch.Generator
) -> dict[str, State]:
    """States drawn at random rather than visited, where the exact solution covers them."""
    sets = {"drawn": dynamics.draw(count, generator)}
    if exact.method == "separable":
        sets["off_manifold"] = dynamics.draw(count, generator, 1.0, 1.0)
    return sets


def _decision_check(trainer: Trainer, exact: ExactSolution) -> Callable[[], float]:
    """Share of right decisions at fixed states of the first pool."""
    state = trainer.pool.rows(slice(0, 256))
    state = State(state.y.clone(), state.x.clone(), state.z)
    y = state.y.double().cpu().numpy()
    right = exact.accept(y, state.x.double().cpu().numpy())

    def share() -> float:
        decided = (trainer.value.at(state).marginal > trainer.model.cost).cpu().numpy()
        return float(np.mean((decided == right)[y < 0.5]))

    return share


def _message(certificate: Certificate, method: MethodOptions, converged: bool) -> str:
    size = (
        f"residual {certificate.hjb_residual_rel:.1e} of rho V, value gap {certificate.value_gap_pct:.4f} % "
        f"(standard error {certificate.value_gap_se_pct:.4f} %)"
    )
    if converged:
        return f"Solved: {size}."
    return (
        f"Not accurate enough: {size}; the target for the residual is {method.target:g}. Train longer "
        "(budget.seconds), use baseline=meanfield, or a larger network (method.hidden, method.conditional)."
    )
