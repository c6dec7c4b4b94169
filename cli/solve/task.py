"""One job, from composed config to a finished run folder: the same for every kind of problem."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from dlopt.errors import DloptError
from dlopt.framework.tape import Tape, TapeMismatchError
from dlopt.kind import Kind, Result, Session, Status, Step, Watch
from dlopt.runs import RunFolder
from dlopt.runs.checkpoint import Checkpoints
from dlopt.runs.folder import CHECKPOINT
from dlopt.runs.places import remember
from dlopt.runs.record import FILE
from dlopt.store.files import FileWriteError
from dlopt.views.figures.canvas import MissingPlotError

from .. import DEBUG, processes
from ..terminal.interrupt import Aborted, StopRequest, stopping
from ..terminal.progress import progress
from ..terminal.screen import console, output, shown
from ..terminal.sheets import ended, ending, screen
from .job import Job, job_of
from .resume import finished, steps_of

STOP_MARKER = ".stop"
_log = logging.getLogger("dlopt")


class Screen(Watch):
    """Shows how a solve goes, keeps its tape, and passes on that somebody asked to stop.

    In the phases a kind keeps, a stop is made after the step under way and loses nothing. Elsewhere everything can be
    done again from the checkpoint, so there a signal ends the run at once.
    """

    def __init__(self, show: Any, stop: StopRequest, kind: Kind, save: Any = lambda: None) -> None:
        self.show, self.request, self.save = show, stop, save
        self.keeps, self.phases = kind.keeps, kind.phases

    def phase(self, name: str) -> None:
        self.request.at_once = self.keeps is not None and name not in self.keeps
        if self.request and self.request.at_once:
            raise Aborted
        self.show(Step(name, self.phases.get(name, name)))

    def progress(self, progress: Any) -> None:
        self.show(progress)
        with _spared():
            self.save()

    def stop(self) -> bool:
        return bool(self.request)


def task(cfg: DictConfig) -> None:
    """One job of a sweep: solve, write the run folder, show what came of it. How it ended stands in run.json."""
    choices = {str(name): str(value) for name, value in HydraConfig.get().runtime.choices.items()}
    solve_one(job_of(cfg, choices), cfg)


def solve_one(job: Job, _: DictConfig, *, ranks: Any = None) -> None:
    """As `task`, of a job that was built from the config before."""
    hydra = HydraConfig.get()
    multirun, folder = hydra.mode == RunMode.MULTIRUN, Path(hydra.runtime.output_dir)
    # Several processes cannot share one terminal line, and what stops one of them need not stop all.
    alone = not multirun or "BasicLauncher" in str(hydra.launcher.get("_target_"))
    marker = Path(hydra.sweep.dir) / STOP_MARKER if multirun else None
    skipped = ("verb=", "resume=", "hydra.")
    overrides = [word for word in hydra.overrides.task if not word.startswith(skipped)]
    execute(job, folder, overrides, swept=multirun, marker=marker, alone=alone, ranks=ranks)


def execute(
    job: Job,
    folder: Path,
    overrides: Sequence[str],
    *,
    command: str | None = None,
    swept: bool = False,
    marker: Path | None = None,
    alone: bool = True,
    ranks: Any = None,
) -> Result | None:
    """Solve a job and write its run folder; None where it did not come to a result.

    Args:
        job: what is solved.
        folder: of the run.
        overrides: the keys that were set, as typed.
        command: what to type to run it again, if it is not `dlopt solve VERB OVERRIDES`.
        swept: whether it is one job of a sweep.
        marker: a file that tells every job of a sweep to stop.
        alone: whether it has the terminal to itself.
        ranks: the processes that share the work, this one the first.

    Raises:
        DloptError: the folder cannot be had, or holds another run.
    """
    command = command or shlex.join(["dlopt", "solve", job.verb.name, *map(_as_typed, overrides)])
    source = None if job.resume is None else job.resume.absolute()
    if swept and (folder / FILE).exists():
        if finished(folder, job):
            _log.info(f"{command}  (finished before)", extra={"markup": False})
            return None
        source = folder
    own = job.kind.checkpoint != CHECKPOINT
    steps = [] if source is None or own else steps_of(source)
    kept = None if source is None or not own else source / job.kind.checkpoint
    threads = set_threads(job)
    run = RunFolder.start(
        folder,
        kind=job.kind.name,
        verb=job.verb.name,
        command=command,
        scenario=job.scenario,
        calibration=job.identity,
        accounting=job.problem.accounting,
        seed=job.config["seed"],
        threads=threads,
        dtype=job.problem.dtype,
        settings=job.settings,
        choices=job.choices,
        overrides=overrides,
        resumed=source,
        seconds_before=steps[-1]["seconds"] if steps else 0.0,
    )
    remember(folder)
    size = job.problem.size + (f"; {ranks.size} processes" if ranks is not None and ranks.size > 1 else "")
    _log.info(f"{command}  ({job.identity['name']}: {size})", extra={"markup": False})
    if source is not None:
        kept_steps = f": {len(steps)} steps on record" if not own else ""
        _log.info(f"Going on with {shown(source)}{kept_steps}.", extra={"markup": False})
    with stopping(marker, spread=alone) as stop:
        resume = kept if kept is not None and kept.is_file() and job.problem.recorded else None
        result, tables = _run(job, run, Tape(steps, lambda: bool(stop)), stop, resume, ranks, live=alone)
    if swept or not tables:
        console.print(ending(run.record, folder))
    else:
        output.print(screen(job.kind, run.record, folder, tables))
    return result


def follow(job: Job, ranks: Any) -> int:
    """Work along as another than the first of `ranks`, and leave: the first goes on alone.

    Returns:
        The exit code: 0 once the shared part has ended, however; the code of the command is that of the first process.
        1 if it could not be done to its end, of which the first process speaks.
    """
    set_threads(job)
    console.quiet = True
    resume = None if job.resume is None else job.resume / job.kind.checkpoint
    try:
        with stopping() as stop:
            job.problem.follow(ranks, Screen(lambda _: None, stop, job.kind), resume)
    except (DloptError, Aborted):
        return 1
    return 0


def set_threads(job: Job) -> int:
    """Give torch its threads; those of several processes together are no more than the cores."""
    threads = job.config["threads"] or usable_cores(processes.local_count())
    torch.set_num_threads(threads)
    return int(threads)


def usable_cores(sharing: int = 1) -> int:
    """Cores for each of some processes that share those of its affinity, or fewer where OMP_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = max(1, cores // sharing)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


def _run(
    job: Job, run: RunFolder, tape: Tape, stop: StopRequest, resume: Path | None, ranks: Any, *, live: bool
) -> tuple[Result | None, Mapping[str, Any]]:
    """Solve and write; the result, if there is one, and its tables."""
    own = job.kind.checkpoint != CHECKPOINT
    checkpoints = Checkpoints(run.path, job.config.get("checkpoint_seconds", 10.0))
    try:
        if stop:
            run.finish("interrupted", message="Stopped before it began: run it again.")
            return None, {}
        with progress(live=live) as show:
            watch = Screen(show, stop, job.kind, lambda: checkpoints.due(tape.entries))
            result = job.problem.solve(Session(run.path, watch, tape, resume, ranks))
        message = result.message
        if Status(str(result.status)) is Status.INTERRUPTED and job.problem.recorded and not own:
            checkpoints.write(tape.entries)
            message = f"Stopped. Go on with resume={shown(run.path)}"
        tables = result.tables()
        _finish(job, run, result, tables, message)
        return result, tables
    except Aborted:
        with _spared():
            checkpoints.write(tape.entries)
        kept = (run.path / job.kind.checkpoint).is_file()
        rest = f"Go on with resume={shown(run.path)}" if kept else "Nothing was kept. Run it again."
        run.finish("interrupted", message=f"Stopped at once. {rest}")
        if stop.marker is not None:
            raise
    except TapeMismatchError as error:
        fail(run, f"The checkpoint does not fit: {error}. Start the run again, without resume.")
    except (DloptError, OSError, MemoryError) as error:
        fail(run, str(error) or type(error).__name__)
    except Exception as error:
        broke_off(run, error)
    return None, {}


def _finish(job: Job, run: RunFolder, result: Result, tables: Mapping[str, Any], message: str) -> None:
    run.write_tables(tables, job.problem.metadata(result))
    status = Status(str(getattr(result.status, "value", result.status)))
    if status is not Status.INTERRUPTED:
        try:
            job.kind.pictures(tables, run.path)
        except MissingPlotError as error:
            _log.info(str(error))
    certificate = {} if result.certificate is None else dataclasses.asdict(result.certificate)
    answer = ""
    if status is Status.CONVERGED:
        answer = job.kind.brief(ended(run.record, run.path, tables))
    run.finish(status, message=message, certificate=certificate or None, answer=answer)
    told = ", ".join(f"{name} {value}" for name, value in certificate.items() if value not in (None, (), {}))
    _log.info(f"{status}: {message} {told}".rstrip(), extra={"file_only": True})


@contextlib.contextmanager
def _spared() -> Iterator[None]:
    """A checkpoint that cannot be written does not end the run: the one before it is still there."""
    try:
        yield
    except FileWriteError as error:
        _log.warning(f"No checkpoint: {error}", extra={"markup": False})


def broke_off(run: RunFolder, error: Exception) -> None:
    """An error nobody foresaw: called where it is caught, for the log holds its traceback."""
    _log.exception("The solve broke off.", extra={"file_only": True})
    where = shown(run.path / "dlopt.log")
    fail(run, f"{type(error).__name__}: {error}. A fault in dlopt: the traceback is in {where}; --debug shows it.")
    if os.environ.get(DEBUG):
        raise error


def fail(run: RunFolder, message: str) -> None:
    """Say it in run.json and in the log, as far as the disk allows."""
    _log.error(message, extra={"file_only": True})
    with contextlib.suppress(DloptError):
        run.finish("failed", message=message)
    run.record = dataclasses.replace(run.record, status=Status.FAILED, message=message)


def _as_typed(word: str) -> str:
    """A sentence such as `policy='USA: 25% on steel'` without the quotes that Hydra needs and the command adds."""
    return re.sub(r"^(policy|shocks|carbon\.[a-z_]+)='([^'\\\\]*)'$", r"\1=\2", word)
