"""What Hydra runs: one job, from composed config to a finished run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from dlopt import SolveResult
from dlopt.errors import DloptError
from dlopt.runs import RunFolder

from . import DEBUG
from .interrupt import Aborted, StopRequest, stopping
from .jobs import Job, build_job
from .progress import progress
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
    threads = _prepare(job)
    overrides = [word for word in hydra.overrides.task if not word.startswith("verb=")]
    run = RunFolder.start(
        folder,
        command=shlex.join(["dlopt", "solve", job.verb, *overrides]),
        scenario=choices["scenario"],
        calibration={"name": job.calibration.name, "sha256": job.calibration.sha256},
        accounting=job.accounting,
        seed=job.seed,
        threads=threads,
    )
    size = f"{job.calibration.n_economies} economies, {job.calibration.n_sectors} sectors"
    _log.info(f"{run.record.command}  ({job.calibration.name}: {size})", extra={"markup": False})
    marker = Path(hydra.sweep.dir) / STOP_MARKER if multirun else None
    # Several processes cannot share one terminal line.
    alone = not multirun or "BasicLauncher" in str(hydra.launcher.get("_target_"))
    with stopping(marker) as stop:
        tables = _run(job, run, stop, live=alone)
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


def usable_cores() -> int:
    """Cores this process may use: its affinity, or fewer where OMP_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


def _run(job: Job, run: RunFolder, stop: StopRequest, *, live: bool) -> Mapping[str, Any]:
    """Solve and write; returns the tables, none where there is no result."""
    try:
        if stop:
            run.finish("interrupted", message="Stopped before it began: run it again.")
            return {}
        with progress(live=live) as show:

            def on_iteration(info: Any) -> bool:
                show(info)
                return bool(stop)

            result = job.solve(on_iteration)
        return _finish(run, result)
    except Aborted:
        run.finish("interrupted", message="Stopped at once; nothing was kept. Run it again.")
        raise
    except (DloptError, OSError, MemoryError) as error:
        fail(run, str(error) or type(error).__name__)
    except Exception as error:
        _log.exception("The solve broke off.", extra={"file_only": True})
        where = shown(run.path / "dlopt.log")
        fail(run, f"{type(error).__name__}: {error}. A fault in dlopt: the traceback is in {where}; --debug shows it.")
        if os.environ.get(DEBUG):
            raise
    return {}


def _finish(run: RunFolder, result: SolveResult) -> Mapping[str, Any]:
    tables: Mapping[str, Any] = result.tables()
    run.write_tables(tables, result.metadata)
    status = str(getattr(result.status, "value", result.status))
    certificate = dataclasses.asdict(result.certificate)
    run.finish(status, message=result.message, certificate=certificate)
    _log.info(f"{status}: {result.message} {certificate}", extra={"file_only": True})
    return tables


def fail(run: RunFolder, message: str) -> None:
    """Say it in run.json and in the log, as far as the disk allows."""
    _log.error(message, extra={"file_only": True})
    with contextlib.suppress(DloptError):
        run.finish("failed", message=message)
    run.record = dataclasses.replace(run.record, status="failed", message=message)
