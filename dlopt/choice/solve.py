"""The way in: solve a model by training, or exactly where that is possible."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from dlopt.choice.analysis import covered, out_of_sample, right_decisions, validation
from dlopt.choice.certificate import Certificate, certify, long_run_states, refine
from dlopt.choice.checkpoint import Saved, load_checkpoint, refuse_changes, save_checkpoint
from dlopt.choice.model import Model, ModelError, State
from dlopt.choice.options import AnalysisOptions, Budget, MethodOptions
from dlopt.choice.ranks import Ranks
from dlopt.choice.resting import refined_at_rest
from dlopt.choice.result import BsdeResult
from dlopt.choice.states import checked_states, evaluate_states
from dlopt.choice.training import Trainer, Watch
from dlopt.choice.traits import Assessed, Traits, check_exact, traits_of
from dlopt.choice.value import ExactlySolved

REASON = 80  # letters of what torch says of a device


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
        reason = str(error).splitlines()[0].split(". ")[0][:REASON]
        if name.startswith("cuda") and not torch.cuda.is_available():
            built = "this torch is for the CPU alone" if torch.version.cuda is None else "no GPU or no driver is found"
            reason = f"torch has no GPU to use: {built}"
        raise ModelError(f"The device {name!r} cannot be used here ({reason}). Give auto, cpu or cuda.") from None
    return device


def solve_bsde(
    model: Model,
    method: MethodOptions | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    watch: Watch | None = None,
    checkpoint: Path | None = None,
    resume: Path | None = None,
    analysis: AnalysisOptions | None = None,
    states: pd.DataFrame | None = None,
    ranks: Ranks = Ranks(),
) -> BsdeResult:
    """Train a value function, certify it, and compute what it says.

    Args:
        model: a model of a registered traits.
        method: how; by default a control variate with small networks trained on the equation's residual.
        budget: how long to train.
        seed: of every random draw. One seed, thread count and number of steps give one result.
        device: `auto`, `cpu`, `cuda`.
        watch: told how it goes; may stop the training.
        checkpoint: where to save the training, every `budget.checkpoint_seconds` and at the end.
        resume: a checkpoint to go on from: the result is that of a run never interrupted.
        analysis: sizes of what is computed afterwards.
        states: states to evaluate, see `checked_states`.
        ranks: the processes that train together. This one is the first of them; the others run `train_along`.

    Raises:
        CheckpointError: `resume` is not readable, or of another model, method, budget or seed.
        StateError: `states` are not states of this model.
        ModelError: the device cannot be used.
        RanksError: another process ended during training.
    """
    traits, watch = traits_of(model), watch or Watch()
    method, budget, analysis = method or traits.method, budget or Budget(), analysis or traits.analysis
    if states is not None:
        states = checked_states(states, model)
    watch.phase("control variate")
    trainer, saved = _trainer(model, method, budget, seed, pick_device(device), resume, ranks)
    dynamics = trainer.model
    exact, decisions = None, None
    solve_exactly = traits.exact(model)
    if solve_exactly is not None:
        watch.phase("exact solution")
        exact = solve_exactly(dynamics)
        decisions = _decision_check(trainer, exact)
    if saved is not None:
        trainer.load_state_dict(saved.training)

    def save() -> None:
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, method, budget, seed, trainer.state_dict())

    save()
    watch.phase("training")
    outcome = trainer.train(watch, save, decisions)
    save()
    frames = {"losses": pd.DataFrame([dataclasses.asdict(row) for row in trainer.history]).drop(columns="steps")}
    if outcome == "stopped":
        message = f"Stopped after {trainer.step} of {trainer.steps} steps. Resume the run to go on exactly from there."
        return BsdeResult(
            model, method, trainer.value, "interrupted", message, None, trainer.step, trainer.seconds, frames
        )
    assess = traits.assess or assessed
    found = assess(trainer, traits, analysis, seed, exact, watch, save)
    frames |= found.frames
    watch.phase("simulations")
    frames |= traits.analyse(trainer.value, dynamics, found.resting, analysis, seed + 2)
    if states is not None:
        frames["evaluation"] = evaluate_states(trainer.value, dynamics, states)
    status = "converged" if found.converged else "not_converged"
    return BsdeResult(
        model, method, trainer.value, status, found.message, found.certificate, trainer.step, trainer.seconds, frames
    )


def assessed(
    trainer: Trainer, traits: Traits, analysis: AnalysisOptions, seed: int, exact: ExactlySolved | None, watch: Watch,
    save: Callable[[], None],
) -> Assessed:  # fmt: skip
    """Refine a trained value function, certify it, and measure its errors.

    Args:
        trainer: after training.
        traits: of the model.
        analysis: sizes of the simulations.
        seed: of the run.
        exact: the exact solution, where there is one.
        watch: told what is going on.
        save: writes the checkpoint, once V is as it will be.
    """
    value, method = trainer.value, trainer.options
    resting, later = refined_at_rest(trainer, traits.sample, seed, refine, watch, save)
    watch.phase("certificate")
    start = resting.rows(slice(0, analysis.certificate_paths))
    certificate = certify(value, start, analysis.certificate_years, later)
    watch.phase("losses out of sample")
    frames = {"out_of_sample": out_of_sample(value, method, analysis.out_of_sample, later)}
    if exact is not None:
        watch.phase("errors against the exact solution")
        sets = {"long_run": resting.rows(slice(0, analysis.validation))}
        sets |= traits.drawn(trainer.model, exact, analysis.validation, later)
        frames["validation"] = validation(value, exact, sets)
    converged = trainer.outcome != "diverged" and certificate.hjb_residual_rel <= method.target
    return Assessed(certificate, frames, resting, converged, _message(certificate, method, converged))


def train_along(
    model: Model,
    ranks: Ranks,
    method: MethodOptions | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    device: str = "auto",
    watch: Watch | None = None,
    resume: Path | None = None,
) -> None:
    """Take part in the training of a `solve_bsde` with the same arguments in the first of several processes.

    Raises:
        CheckpointError, ModelError: as there.
        RanksError: another process ended during training.
    """
    watch = watch or Watch()
    watch.phase("control variate")
    method, budget = method or traits_of(model).method, budget or Budget()
    trainer, saved = _trainer(model, method, budget, seed, pick_device(device), resume, ranks)
    if saved is not None:
        trainer.load_state_dict(saved.training)
    watch.phase("training")
    trainer.train(watch, lambda: None)


def _trainer(
    model: Model,
    method: MethodOptions,
    budget: Budget,
    seed: int,
    place: torch.device,
    resume: Path | None,
    ranks: Ranks,
) -> tuple[Trainer, Saved | None]:
    """A training at its start, and the checkpoint to go on from."""
    saved = None if resume is None else load_checkpoint(resume, place)
    if resume is not None and saved is not None:
        refuse_changes(resume, saved, model, method, budget, seed)
    generator = torch.Generator(device=place).manual_seed(seed)
    value = traits_of(model).build(model.on(place), method, generator)
    return traits_of(model).trainer(value, method, budget, generator, ranks), saved


def solve_exact(
    model: Model,
    seed: int = 0,
    analysis: AnalysisOptions | None = None,
    states: pd.DataFrame | None = None,
    watch: Watch | None = None,
) -> BsdeResult:
    """The exact solution in the same shape, where the model has one.

    Raises:
        ModelError: it has none.
        StateError: `states` are not states of this model, or lie where the exact solution does not reach.
    """
    traits, watch = traits_of(model), watch or Watch()
    analysis, solve_exactly = analysis or traits.analysis, check_exact(model)
    if states is not None:
        states = checked_states(states, model)
    watch.phase("exact solution")
    dynamics = model.on("cpu", torch.float64)
    solution = solve_exactly(dynamics)
    frames = {} if states is None else {"evaluation": evaluate_states(solution, dynamics, states)}
    watch.phase("simulations")
    generator = torch.Generator().manual_seed(seed + 1)
    resting = long_run_states(solution, dynamics.draw(traits.sample, generator), 25, generator)
    frames |= traits.analyse(solution, dynamics, resting, analysis, seed + 2)
    message = f"Exact solution by method '{solution.method}'; it covers {solution.covers}."
    unsettled = getattr(solution, "unsettled", "")  # of a game
    status = "not_converged" if unsettled else "converged"
    return BsdeResult(model, None, solution, status, unsettled or message, None, 0, 0.0, frames)


def _decision_check(trainer: Trainer, exact: ExactlySolved) -> Callable[[], float]:
    """Share of right decisions at fixed states of the first pool."""
    pool = trainer.pool.rows(slice(0, 256))
    copied = State(pool.y.clone(), pool.x.clone(), None if pool.z is None else pool.z.clone())
    state = covered(exact, copied)
    truth = exact.at(state)
    return lambda: right_decisions(trainer.model, state, trainer.value.at(state), truth)


def _message(certificate: Certificate, method: MethodOptions, converged: bool) -> str:
    size = (
        f"residual {certificate.hjb_residual_rel:.1e} of rho V, value gap {certificate.value_gap_pct:.4f} % "
        f"(standard error {certificate.value_gap_se_pct:.4f} %)"
    )
    if converged:
        return f"Solved: {size}."
    advice = ["train longer (budget.steps)"]
    if method.baseline != "meanfield":
        advice.append("use method.baseline=meanfield")
    # A network economy has no conditional network: its size is that of method.hidden alone.
    larger = "method.hidden, method.conditional" if method.conditional else "method.hidden"
    advice.append(f"take a larger neural network ({larger})")
    words = f"{', '.join(advice[:-1])} or {advice[-1]}"
    return (
        f"Not accurate enough: {size}; the target for the residual is {method.target:g}. "
        f"{words[:1].upper()}{words[1:]}."
    )
