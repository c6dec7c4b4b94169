"""One job of `dlopt solve bsde`: from composed config to a finished run folder."""

from __future__ import annotations

import dataclasses
import logging
import math
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dlopt.choice import (
    AnalysisOptions,
    BsdeResult,
    Budget,
    MethodOptions,
    Progress,
    Ranks,
    Watch,
    check_exact,
    load_checkpoint,
    pick_device,
    read_states,
    refuse_changes,
    solve_bsde,
    solve_exact,
    train_along,
)
from dlopt.errors import DloptError
from dlopt.runs import RunFolder
from dlopt.runs.record import FILE
from dlopt.views.figures.canvas import MissingPlotError

from . import processes
from .bsde_problems import PROBLEMS, Problem
from .bsde_screen import report
from .composing import CommandError
from .interrupt import Aborted, StopRequest, stopping
from .progress import progress
from .resume import finished, settings_of
from .screen import console, output, shown
from .summary import ending
from .task import STOP_MARKER, broke_off, fail, usable_cores

CHECKPOINT = "model.pt"
SOURCE = {"source": "dlopt solve bsde"}
_log = logging.getLogger("dlopt")


@dataclasses.dataclass(frozen=True)
class Job:
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
    def of(cls, cfg: DictConfig, choices: Any) -> Job:
        """The job a config describes.

        Raises:
            DloptError: something in it is not possible.
        """
        problem = PROBLEMS[str(choices["scenario"])]
        for key in ("seed", "threads"):
            if not 0 <= cfg[key] < 2**62:
                raise CommandError(f"{key}={cfg[key]} is not possible: it must be a whole number, 0 or more.")
        for section in ("method", "budget", "analysis"):
            options: Any = OmegaConf.to_container(cfg[section]) or {}
            for key, value in options.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise CommandError(f"{section}.{key}={value} is not possible: it must be finite.")
        model, budget = problem.load(cfg.model), Budget(**cfg.budget)
        pick_device(cfg.device)
        method = None if choices["method"] == "exact" else MethodOptions(**cfg.method)
        resume = None if cfg.resume is None else Path(cfg.resume) / CHECKPOINT
        if method is None:
            check_exact(model)
        elif resume is not None:
            if not resume.is_file():
                raise CommandError(f"{cfg.resume} has no {CHECKPOINT}: it ended before a checkpoint. Start a new run.")
            refuse_changes(resume, load_checkpoint(resume), model, method, budget, cfg.seed)
        return cls(
            problem, model, method, budget, AnalysisOptions(**cfg.analysis),
            None if cfg.evaluate is None else read_states(Path(cfg.evaluate), model),
            None if method is None else resume, cfg.seed, cfg.threads, cfg.device,
        )  # fmt: skip

    def solve(self, checkpoint: Path, watch: Watch, ranks: Ranks) -> BsdeResult:
        """Solve it, with checkpoints of the training in a file."""
        if self.method is None:
            return solve_exact(self.model, self.seed, self.analysis, self.states, watch)
        return solve_bsde(
            self.model, self.method, self.budget, self.seed, self.device, watch, checkpoint, self.resume,
            self.analysis, self.states, ranks,
        )  # fmt: skip

    def set_threads(self) -> int:
        """Give torch its threads; those of several processes together are no more than the cores."""
        threads = self.threads or usable_cores(processes.local_count())
        torch.set_num_threads(threads)
        return threads


class _Screen(Watch):
    """Shows how a solve goes, and passes on that somebody asked to stop.

    Training stops after its step and is kept whole. Everything else can be done again from the checkpoint, so there a
    signal ends the run at once.
    """

    def __init__(self, show: Any, stop: StopRequest) -> None:
        self.show, self.request = show, stop

    def phase(self, name: str) -> None:
        self.request.at_once = name != "training"
        if self.request and self.request.at_once:
            raise Aborted
        self.show(SimpleNamespace(phase=name, iteration="", player=None, first_order_residual=None, welfare=None))

    def progress(self, progress: Progress) -> None:
        decisions = (
            "" if math.isnan(progress.decision_accuracy) else f" · decisions {100 * progress.decision_accuracy:.2f} %"
        )
        self.show(
            SimpleNamespace(
                phase="step",
                iteration=f"{progress.step}/{progress.steps}",
                player=f"{progress.seconds:.0f} s{decisions}",
                first_order_residual=progress.hjb_residual_rel,
                welfare=None,
            )
        )

    def stop(self) -> bool:
        return bool(self.request)


def task(cfg: DictConfig, ranks: Ranks = Ranks()) -> None:
    """Solve one job and write its run folder, as the first of `ranks`. How it ended stands in run.json."""
    settings: Any = HydraConfig.get()
    folder, multirun = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    job = Job.of(cfg, settings.runtime.choices)
    overrides = [word for word in settings.overrides.task if not word.startswith(("hydra.", "resume="))]
    command, scenario = shlex.join(["dlopt", "solve", "bsde", *overrides]), str(settings.runtime.choices.scenario)
    calibration, given = {"name": job.model.name, "sha256": job.model.digest()}, settings_of(cfg, None)
    source = None if job.resume is None else job.resume.parent.absolute()
    if multirun and (folder / FILE).exists():
        if finished(folder, given, scenario, calibration):
            _log.info(f"{command}  (finished before)", extra={"markup": False})
            return
        source, kept = folder, folder / CHECKPOINT
        job = dataclasses.replace(job, resume=kept if job.method is not None and kept.is_file() else None)
    threads = job.set_threads()
    run = RunFolder.start(
        folder,
        command=command,
        scenario=scenario,
        calibration=calibration,
        accounting="",
        seed=job.seed,
        threads=threads,
        dtype="float64" if job.method is None else "float32",
        settings=given,
        resumed=source,
    )
    size = job.problem.size(job.model) + (f"; {ranks.size} processes" if ranks.size > 1 else "")
    _log.info(f"{run.record.command}  ({job.model.name}: {size})", extra={"markup": False})
    marker = Path(settings.sweep.dir) / STOP_MARKER if multirun else None
    # Several processes cannot share one terminal line.
    alone = not multirun or "BasicLauncher" in str(settings.launcher.get("_target_"))
    with stopping(marker, spread=alone) as stop:
        _run(job, run, stop, ranks, live=alone)
    if multirun:
        console.print(ending(run.record, folder))
    else:
        output.print(report(run.record, folder))


def follow(job: Job, ranks: Ranks) -> int:
    """Train as another than the first of `ranks`, and leave: the first goes on alone.

    Returns:
        The exit code: 0 once the training has ended, however; the code of the command is that of the first process.
        1 if it could not be trained to its end, of which the first process speaks.
    """
    assert job.method is not None
    job.set_threads()
    console.quiet = True
    try:
        with stopping() as stop:
            watch = _Screen(lambda _: None, stop)
            train_along(job.model, ranks, job.method, job.budget, job.seed, job.device, watch, job.resume)
    except (DloptError, Aborted):
        return 1
    return 0


def _run(job: Job, run: RunFolder, stop: StopRequest, ranks: Ranks, *, live: bool) -> None:
    """Solve and write."""
    try:
        if stop:
            run.finish("interrupted", message="Stopped before it began: run it again.")
            return
        job.problem.write(job.model, run.path / "model")
        with progress(live=live) as show:
            result = job.solve(run.path / CHECKPOINT, _Screen(show, stop), ranks)
        run.write_tables(result.tables(), {**SOURCE, "units": job.problem.units})
        if job.problem.draw is not None and result.status != "interrupted":
            try:
                job.problem.draw(result.tables(), run.path)
            except MissingPlotError as error:
                _log.info(str(error))
        certificate = None if result.certificate is None else dataclasses.asdict(result.certificate)
        run.finish(result.status, message=result.message, certificate=certificate)
    except Aborted:
        kept = (run.path / CHECKPOINT).is_file()
        message = f"Go on with resume={shown(run.path)}." if kept else "Nothing was kept. Run it again."
        run.finish("interrupted", message=f"Stopped. {message}")
        if stop.marker is None:
            return
        raise
    except (DloptError, OSError, MemoryError) as error:
        fail(run, str(error) or type(error).__name__)
    except Exception as error:
        broke_off(run, error)
