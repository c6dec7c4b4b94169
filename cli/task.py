"""What Hydra runs: one job, from composed config to a finished run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from dlopt import SolveResult
from dlopt.errors import DloptError
from dlopt.framework.tape import Tape, TapeMismatchError
from dlopt.runs import RunFolder
from dlopt.runs.checkpoint import Checkpoints
from dlopt.runs.record import FILE
from dlopt.store.files import FileWriteError

from . import DEBUG
from .interrupt import Aborted, StopRequest, stopping
from .jobs import Job, build_job
from .progress import progress
from .resume import finished, steps_of
from .screen import console, output, shown
from .summary import ending, summary

STOP_MARKER = ".stop"
_log = logging.getLogger("dlopt")


def task(cfg: DictConfig) -> None:
    """Solve, write the run folder, show the summary. How it ended stands in run.json."""
    hydra = HydraConfig.get()
    multirun = hydra.mode == RunMode.MULTIRUN
    folder = Path(hydra.runtime.output_dir)
    choices = dict(hydra.runtime.choices)
    job = build_job(cfg, choices)
    calibration = {"name": job.calibration.name, "sha256": job.calibration.sha256}
    overrides = [word for word in hydra.overrides.task if not word.startswith(("verb=", "resume="))]
    command = shlex.join(["dlopt", "solve", job.verb, *overrides])
    source = None if job.resume is None else job.resume.absolute()
    if multirun and (folder / FILE).exists():
        if finished(folder, job.settings, choices["scenario"], calibration):
            _log.info(f"{command}  (finished before)", extra={"markup": False})
            return
        source = folder
    steps = [] if source is None else steps_of(source)
    threads = _prepare(job)
    run = RunFolder.start(
        folder,
        command=command,
        scenario=choices["scenario"],
        calibration=calibration,
        accounting=job.accounting,
        seed=job.seed,
        threads=threads,
        settings=job.settings,
        resumed=source,
        seconds_before=steps[-1]["seconds"] if steps else 0.0,
    )
    size = f"{job.calibration.n_economies} economies, {job.calibration.n_sectors} sectors"
    _log.info(f"{command}  ({job.calibration.name}: {size})", extra={"markup": False})
    if source is not None:
        _log.info(f"Going on with {shown(source)}: {len(steps)} steps on record.", extra={"markup": False})
    marker = Path(hydra.sweep.dir) / STOP_MARKER if multirun else None
    # Several processes cannot share one terminal line, and what stops one of them need not stop all.
    alone = not multirun or "BasicLauncher" in str(hydra.launcher.get("_target_"))
    with stopping(marker, spread=alone) as stop:
        tables = _run(job, run, Tape(steps, lambda: bool(stop)), stop, cfg.checkpoint_seconds, live=alone)
    if multirun or not tables:
        console.print(ending(run.record, folder))
    else:
        output.print(summary(run.record, folder, tables))


def _prepare(job: Job) -> int:
    """Set what a job before this one may have left otherwise; returns the number of threads."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(job.seed)
    threads = job.threads or usable_cores()
    torch.set_num_threads(threads)
    return threads


def usable_cores(sharing: int = 1) -> int:
    """Cores for each of some processes that share those of its affinity, or fewer where OMP_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = max(1, cores // sharing)
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


def _run(job: Job, run: RunFolder, tape: Tape, stop: StopRequest, seconds: float, *, live: bool) -> Mapping[str, Any]:
    """Solve and write; returns the tables, none where there is no result."""
    checkpoints = Checkpoints(run.path, seconds)
    try:
        if stop:
            run.finish("interrupted", message="Stopped before it began: run it again.")
            return {}
        with progress(live=live) as show:

            def on_iteration(info: Any) -> bool:
                show(info)
                with _spared():
                    checkpoints.due(tape.entries)
                return bool(stop)

            result = job.solve(on_iteration, tape)
        if result.status == "interrupted" and job.resumable:
            checkpoints.write(tape.entries)
            result = dataclasses.replace(result, message=f"Stopped. Go on with resume={shown(run.path)}")
        return _finish(run, result)
    except Aborted:
        with _spared():
            checkpoints.write(tape.entries)
        run.finish("interrupted", message=f"Stopped at once. Go on with resume={shown(run.path)}")
        raise
    except TapeMismatchError as error:
        fail(run, f"The checkpoint does not fit: {error}. Start the run again, without resume.")
    except (DloptError, OSError, MemoryError) as error:
        fail(run, str(error) or type(error).__name__)
    except Exception as error:
        broke_off(run, error)
    return {}


def _finish(run: RunFolder, result: SolveResult) -> Mapping[str, Any]:
    tables: Mapping[str, Any] = result.tables()
    run.write_tables(tables, result.metadata)
    status = str(getattr(result.status, "value", result.status))
    certificate = dataclasses.asdict(result.certificate)
    run.finish(status, message=result.message, certificate=certificate)
    _log.info(f"{status}: {result.message} {certificate}", extra={"file_only": True})
    return tables


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
    run.record = dataclasses.replace(run.record, status="failed", message=message)
