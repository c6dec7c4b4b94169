"""`dlopt solve bsde` and `dlopt evaluate`: dynamic discrete choice from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from dlopt.bsde import Solution, check_exact, evaluate_states, load_solution, read_states
from dlopt.errors import DloptError, UnknownNameError
from dlopt.files import write_table
from dlopt.runs import read_run

from .bsde_config import allowed_keys, register
from .bsde_problems import PROBLEMS
from .bsde_screen import help_table
from .bsde_task import CHECKPOINT, SOURCE, Job, task
from .check import Checked, check_folder, jobs_of, quoted, resolved, told_by_job
from .composing import CommandError, compose_words, group_options, options_of, parse_arguments, parse_overrides, session
from .launching import parallelism
from .resume import resumed_by, with_resumed
from .screen import output, shown
from .solve import launch

__all__ = ["evaluate", "help_table", "solve"]

METHODS = ("default", "network", "paper", "exact")


def solve(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 converged, 2 finished but not converged, 1 error.

    Raises:
        DloptError: the command is unsound; nothing was made.
    """
    checked = _check(arguments)
    register()
    return launch(checked, "dlopt-solve-bsde", "bsde", task)


def evaluate(run: Path, states: Path) -> int:
    """Evaluate states with the solution of a run; writes `evaluation.parquet` there."""
    record = read_run(run)
    if record.verb != "bsde":
        raise DloptError(
            f"{run} is a run of `dlopt solve {record.verb}`; only runs of `dlopt solve bsde` can evaluate."
        )
    problem = PROBLEMS[record.scenario]
    solution: Solution
    if (run / CHECKPOINT).is_file():
        model, solution = load_solution(run / CHECKPOINT)
        dynamics = model.on()
    elif record.status == "converged" and (run / "model").is_dir():
        model = problem.read(run / "model")
        dynamics = model.on(dtype=torch.float64)
        solution = check_exact(model)(dynamics)
    else:
        raise DloptError(f"{run} ({record.status}) holds no solution: it has no {CHECKPOINT}. Run it again.")
    table = evaluate_states(solution, dynamics, read_states(states, model))
    write_table(
        table,
        run / "evaluation.parquet",
        {**SOURCE, "units": problem.units, "states": str(states), "model": record.calibration["name"]},
    )
    output.print(f"{len(table)} states in {shown(run / 'evaluation.parquet')}")
    return 0


def _check(arguments: Sequence[str]) -> Checked:
    """Parse, compose and build every job once, before a folder is made."""
    parsed = parse_arguments(arguments)
    options, words = options_of(parsed), list(parsed.overrides)
    register()
    with session(parsed.config_dir):
        overrides = parse_overrides(words)
        resumed = resumed_by(overrides)
        if resumed is not None:
            words = with_resumed(words, resumed, "bsde")
            overrides = parse_overrides(words)
        _check_keys(overrides)
        if parsed.cfg or parsed.info or parsed.hydra_help or parsed.shell_completion:
            return Checked([*options, *words], None, None, False)
        jobs = jobs_of(overrides, words, parsed.multirun)
        composed = [_composed(job, f"Job {' '.join(job)}: " if len(jobs) > 1 else "") for job in jobs]
        cfg = composed[-1]
    folder = Path(resolved(cfg.hydra.sweep if parsed.multirun else cfg.hydra.run, "dir")).absolute()
    check_folder(folder)
    key = "hydra.sweep.dir" if parsed.multirun else "hydra.run.dir"
    launched = parallelism(composed, overrides) if parsed.multirun else []
    final = [*options, *words, *launched, f"{key}={quoted(str(folder))}"]
    return Checked(final, folder, len(jobs), parsed.multirun, jobs)


def _composed(words: Sequence[str], prefix: str) -> DictConfig:
    with told_by_job(prefix):
        for word in words:
            _check_choice(*word.split("=", 1))
        cfg = compose_words(words, "bsde")
        Job.of(cfg, cfg.hydra.runtime.choices)
    return cfg


def _check_keys(overrides: Sequence[Override]) -> None:
    for override in overrides:
        key = override.key_or_group
        if key.startswith(("hydra.", "hydra/")):
            continue
        if key not in allowed_keys():
            raise UnknownNameError("key", key, allowed_keys())
        if override.is_delete() or override.is_add():
            raise CommandError(f"{override.input_line!r}: keys can be neither added nor deleted; write {key}=VALUE.")


def _check_choice(key: str, value: str) -> None:
    """The method and the scenario of one job are ones that `dlopt solve bsde` has."""
    if key == "method" and value not in METHODS:
        raise UnknownNameError("method", value, METHODS)
    if key == "scenario" and value not in PROBLEMS:
        if value in group_options("scenario"):
            served = " and ".join(PROBLEMS)
            raise CommandError(f"`dlopt solve bsde` cannot serve scenario {value!r}; it serves {served}.")
        raise UnknownNameError("scenario", value, list(PROBLEMS))
