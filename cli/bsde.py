"""`dlopt solve bsde` and `dlopt evaluate`: dynamic discrete choice from the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hydra
import torch
import yaml
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlopt.bsde import (
    AnalysisOptions,
    BsdeResult,
    Budget,
    MethodOptions,
    Progress,
)
from dlopt.bsde.network_solve import NetworkResult
from dlopt.bsde.solve import pick_device
from dlopt.errors import DloptError, UnknownNameError
from dlopt.figures.canvas import MissingPlotError
from dlopt.runs import RunFolder, RunRecord, find_runs, read_run

from . import DEBUG
from .bsde_config import KEYS, allowed_keys, register
from .bsde_problems import PROBLEMS, Problem
from .composing import CommandError, group_options, parse_overrides, session
from .interrupt import Aborted, StopRequest, stopping
from .progress import progress
from .screen import console, output, shown
from .solve import EXIT_CODES
from .summary import ending
from .task import usable_cores

METHODS = ("default", "network", "paper", "exact")
CHECKPOINT = "model.pt"
SOURCE = {"source": "dlopt solve bsde"}
_log = logging.getLogger("dlopt")


def solve(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 converged, 2 finished but not converged, 1 error.

    Raises:
        DloptError: the command is unsound; nothing was made.
    """
    flags = [word for word in arguments if word.startswith("-")]
    if set(flags) - {"-m", "--multirun"}:
        raise CommandError(f"{flags[0]} is not an option here. `dlopt solve bsde --help` shows the keys.")
    words = _with_resumed([word for word in arguments if not word.startswith("-")])
    register()
    with session(None):
        _check_words(words)
        if not flags:
            folder = _check(words)
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register()
    if not flags:
        words.append(f"hydra.run.dir='{folder}'")
    sys.argv = ["dlopt-solve-bsde", *flags, *words]
    main = hydra.main(version_base="1.3", config_path="pkg://dlopt.conf", config_name="bsde")(_task)
    try:
        main()
    except KeyboardInterrupt:
        console.print("[yellow]Stopped.[/]")
        return 2
    if flags:
        return max(_task_codes, default=1)
    records = [record for _, record in find_runs(folder) if isinstance(record, RunRecord)]
    return EXIT_CODES[records[0].status] if records else 1


_task_codes: list[int] = []


def evaluate(run: Path, states: Path) -> int:
    """Evaluate states with the solution of a run; writes `evaluation.parquet` there."""
    from dlopt.bsde.result import load_solution
    from dlopt.files import write_table

    record = read_run(run)
    if record.verb != "bsde":
        raise DloptError(
            f"{run} is a run of `dlopt solve {record.verb}`; only runs of `dlopt solve bsde` can evaluate."
        )
    problem = PROBLEMS[record.scenario]
    if (run / CHECKPOINT).is_file():
        model, solution = load_solution(run / CHECKPOINT)
    elif record.status == "converged" and (run / "model").is_dir():
        model = problem.read(run / "model")
        solution = problem.exact_value(model)
    else:
        raise DloptError(f"{run} ({record.status}) holds no solution: it has no {CHECKPOINT}. Run it again.")
    table = problem.evaluate(solution, model.on("cpu", solution.model.centre.dtype), problem.read_states(states, model))
    write_table(
        table,
        run / "evaluation.parquet",
        {**SOURCE, "units": problem.units, "states": str(states), "model": record.calibration["name"]},
    )
    output.print(f"{len(table)} states in {shown(run / 'evaluation.parquet')}")
    return 0


def _with_resumed(words: list[str]) -> list[str]:
    """The settings of the run that is resumed, then those given now."""
    run = next((word.partition("=")[2] for word in words if word.startswith("resume=")), None)
    if run is None or run == "null":
        return words
    path = Path(run) / ".hydra" / "overrides.yaml"
    try:
        before = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"resume={run}: {path} cannot be read ({error}). Give the folder of a run.") from error
    given = {word.partition("=")[0] for word in words}
    kept = [w for w in before if w.partition("=")[0] not in given and not w.startswith(("resume=", "hydra."))]
    return [*kept, *words]


def _check_words(words: Sequence[str]) -> None:
    for override in parse_overrides(words):
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        if key not in allowed_keys():
            raise UnknownNameError("key", key, allowed_keys())
        if override.is_delete() or override.is_add():
            raise CommandError(f"{override.input_line!r}: keys can be neither added nor deleted; write {key}=VALUE.")
        if key == "method" and override.value() not in METHODS and not override.is_sweep_override():
            raise UnknownNameError("method", override.value(), METHODS)
        if key == "scenario" and override.value() not in PROBLEMS and not override.is_sweep_override():
            if override.value() in group_options("scenario"):
                served = " and ".join(PROBLEMS)
                raise CommandError(
                    f"`dlopt solve bsde` cannot serve scenario {override.value()!r}; it serves {served}."
                )
            raise UnknownNameError("scenario", override.value(), list(PROBLEMS))


def _check(words: Sequence[str]) -> Path:
    """Compose and build everything once, before a folder is made."""
    try:
        cfg = compose("bsde", overrides=list(words), return_hydra_config=True)
        folder = Path(str(cfg.hydra.run.dir)).absolute()
        _Job.of(cfg, cfg.hydra.runtime.choices)
    except (HydraException, OmegaConfBaseException) as error:
        raise CommandError(str(error).splitlines()[0]) from error
    return folder


@dataclasses.dataclass(frozen=True)
class _Job:
    """One solve, ready to run."""

    problem: Problem
    model: Any
    method: MethodOptions | None
    budget: Budget
    analysis: AnalysisOptions
    states: Any
    resume: Path | None
    seed: int
    threads: int
    device: str

    @classmethod
    def of(cls, cfg: DictConfig, choices: Any) -> _Job:
        method, problem = str(choices.method), PROBLEMS[str(choices.scenario)]
        for key in ("seed", "threads"):
            if not 0 <= cfg[key] < 2**62:
                raise CommandError(f"{key}={cfg[key]} is not possible: it must be a whole number, 0 or more.")
        for section in ("method", "budget", "analysis"):
            options: Any = OmegaConf.to_container(cfg[section]) or {}
            for key, value in options.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise CommandError(f"{section}.{key}={value} is not possible: it must be finite.")
        model = problem.load(cfg.model)
        pick_device(cfg.device)
        resume = None
        if cfg.resume is not None:
            resume = Path(cfg.resume) / CHECKPOINT
            if not resume.is_file():
                raise CommandError(f"{cfg.resume} has no {CHECKPOINT}: it ended before a checkpoint. Start a new run.")
        method_options = None if method == "exact" else MethodOptions(**cfg.method)
        return cls(
            problem,
            model,
            method_options,
            Budget(**cfg.budget),
            AnalysisOptions(**cfg.analysis),
            None if cfg.evaluate is None else problem.read_states(Path(cfg.evaluate), model),
            resume,
            cfg.seed,
            cfg.threads,
            cfg.device,
        )

    def solve(self, checkpoint: Path, show: Any, stop: StopRequest) -> BsdeResult | NetworkResult:
        if self.method is None:
            return self.problem.solve_exact(self.model, self.seed, self.analysis, self.states)

        def on_progress(p: Progress) -> bool:
            decisions = "" if math.isnan(p.decision_accuracy) else f" · decisions {100 * p.decision_accuracy:.2f} %"
            show(
                SimpleNamespace(
                    phase="step",
                    iteration=f"{p.step}/{p.steps}",
                    player=f"{p.seconds:.0f} s{decisions}",
                    first_order_residual=p.hjb_residual_rel,
                    welfare=None,
                )
            )
            return bool(stop)

        return self.problem.solve(
            self.model, self.method, self.budget, self.seed, self.device, on_progress, checkpoint, self.resume,
            self.analysis, self.states,
        )  # fmt: skip


def _task(cfg: DictConfig) -> None:
    """Solve one job and write its run folder."""
    settings: Any = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    job = _Job.of(cfg, settings.runtime.choices)
    threads = job.threads or usable_cores()
    torch.set_num_threads(threads)
    overrides = [word for word in settings.overrides.task if not word.startswith("hydra.")]
    run = RunFolder.start(
        folder,
        command=shlex.join(["dlopt", "solve", "bsde", *overrides]),
        scenario=str(settings.runtime.choices.scenario),
        calibration={"name": job.model.name, "sha256": job.model.digest()},
        accounting="",
        seed=job.seed,
        threads=threads,
        dtype="float64" if job.method is None else "float32",
    )
    job.problem.write(job.model, folder / "model")
    _log.info(f"{run.record.command}  ({job.model.name}: {job.problem.size(job.model)})")
    try:
        with stopping() as stop, progress(live=settings.mode == RunMode.RUN) as show:
            result = job.solve(folder / CHECKPOINT, show, stop)
        run.write_tables(result.tables(), {**SOURCE, "units": job.problem.units})
        if job.problem.draw is not None and result.status != "interrupted":
            try:
                job.problem.draw(result.tables(), folder)
            except MissingPlotError as error:
                _log.info(str(error))
        certificate = None if result.certificate is None else dataclasses.asdict(result.certificate)
        run.finish(result.status, message=result.message, certificate=certificate)
    except Aborted:
        run.finish("interrupted", message="Stopped at once. Resume it from its last checkpoint, if it has one.")
        raise
    except Exception as error:
        _log.exception("The solve broke off.", extra={"file_only": True})
        reason = str(error) if isinstance(error, DloptError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(DloptError):
            run.finish("failed", message=reason or type(error).__name__)
        if os.environ.get(DEBUG):
            raise
    _task_codes.append(EXIT_CODES[run.record.status])
    output.print(_summary(run, folder))


def _summary(run: RunFolder, folder: Path) -> Any:
    from rich.console import Group
    from rich.table import Table

    parts: list[Any] = []
    if run.record.certificate:
        table = Table(title="Certificate", title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("")
        table.add_column("value", justify="right")
        for key, label, form in (
            ("hjb_residual_rel", "residual over rho V", "{:.1e}"),
            ("value_gap_pct", "value gap, %", "{:+.4f}"),
            ("value_gap_se_pct", "its standard error, %", "{:.4f}"),
        ):
            table.add_row(label, form.format(run.record.certificate[key]))
        parts += [table, ""]
    parts.append(ending(run.record, folder))
    return Group(*parts)


def help_table() -> Any:
    """The keys and what they mean."""
    from rich.table import Table

    table = Table(title="\nKeys", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("key", style="cyan", no_wrap=True)
    table.add_column("meaning")
    for key, text in KEYS.items():
        table.add_row(key, text)
    return table
