"""`dlopt solve bsde` and `dlopt evaluate`: dynamic discrete choice from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from dlopt.choice import Solution, check_exact, evaluate_states, joined, load_solution, pick_device, read_states
from dlopt.errors import DloptError, UnknownNameError
from dlopt.runs import read_run
from dlopt.store.files import write_table

from . import processes
from .bsde_config import allowed_keys, register
from .bsde_problems import PROBLEMS
from .bsde_screen import help_table
from .bsde_task import CHECKPOINT, SOURCE, Job, follow, task
from .check import Checked, check_folder, jobs_of, quoted, resolved, told_by_job
from .composing import CommandError, compose_words, group_options, options_of, parse_arguments, parse_overrides, session
from .launching import parallelism
from .resume import resumed_by, with_resumed
from .screen import output, shown
from .solve import launch

__all__ = ["evaluate", "help_table", "solve"]

_HYDRA = ("dlopt-solve-bsde", "bsde")
METHODS = ("default", "network", "paper", "exact")


def solve(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 converged, 2 finished but not converged, 1 error.

    Of several processes that train together, the first runs the command, the others only train.

    Raises:
        DloptError: the command is unsound; nothing was made.
    """
    checked, composed = _check(arguments)
    register()
    if processes.count() > 1:
        return _together(checked, composed)
    return launch(checked, *_HYDRA, task)


def _together(checked: Checked, composed: Sequence[DictConfig]) -> int:
    first = processes.rank() == 0
    if checked.folder is None:  # something is shown, nothing solved
        return launch(checked, *_HYDRA, task) if first else 0
    if checked.multirun:
        processes.refuse_several("a sweep (-m)")
    job = Job.of(composed[0], composed[0].hydra.runtime.choices)
    if job.method is None:
        processes.refuse_several("method=exact")
    with joined(pick_device(job.device), processes.local_rank(), processes.local_count()) as ranks:

        def shared(cfg: DictConfig) -> None:
            task(cfg, ranks)

        return launch(checked, *_HYDRA, shared) if first else follow(job, ranks)


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


def _check(arguments: Sequence[str]) -> tuple[Checked, Sequence[DictConfig]]:
    """Parse, compose and build every job once, before a folder is made. Returns the config of each job as well."""
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
            return Checked([*options, *words], None, None, False), []
        jobs = jobs_of(overrides, words, parsed.multirun)
        composed = [_composed(job, f"Job {' '.join(job)}: " if len(jobs) > 1 else "") for job in jobs]
        cfg = composed[-1]
    folder = Path(resolved(cfg.hydra.sweep if parsed.multirun else cfg.hydra.run, "dir")).absolute()
    if processes.rank() == 0:  # it alone writes
        check_folder(folder)
    key = "hydra.sweep.dir" if parsed.multirun else "hydra.run.dir"
    launched = parallelism(composed, overrides) if parsed.multirun else []
    final = [*options, *words, *launched, f"{key}={quoted(str(folder))}"]
    return Checked(final, folder, len(jobs), parsed.multirun, jobs), composed


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
