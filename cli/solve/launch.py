"""`dlopt solve VERB ...`: check the command, hand it to Hydra, read back how every job ended."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from dlopt.errors import DloptError
from dlopt.kind import Status
from dlopt.runs import RunReadError, RunRecord, find_runs
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.lock import take_ahead
from dlopt.runs.record import FILE
from dlopt.runs.sweep import Sweep
from dlopt.store.files import FileWriteError

from .. import DEBUG, processes
from ..terminal.interrupt import stopping
from ..terminal.screen import console, shown
from .check import Checked, check
from .task import STOP_MARKER, follow, solve_one, task

EXIT_CODES = {
    Status.CONVERGED: 0, Status.NOT_CONVERGED: 2, Status.INTERRUPTED: 2, Status.FAILED: 1, Status.RUNNING: 1,
}  # fmt: skip


def solve(verb: str, arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code: 0 converged, 2 finished but not converged, 1 error.

    Raises:
        DloptError: the command is unsound; nothing was made.
    """
    checked = check(verb, arguments, writes=processes.rank() == 0)
    if processes.count() > 1:
        return _together(verb, checked)
    if checked.job is not None:
        return launch(verb, checked, functools.partial(solve_one, checked.job))
    return launch(verb, checked, task)


def _together(verb: str, checked: Checked) -> int:
    """Of several processes that share a solve, the first runs the command, the others only work along."""
    first = processes.rank() == 0
    if checked.folder is None:  # something is shown, nothing solved
        return launch(verb, checked, task) if first else 0
    job = checked.job
    if job is None:
        processes.refuse_several("a sweep (-m)")
        return 1
    if not job.kind.shared:
        processes.refuse_several(f"`dlopt solve {verb}`")
    if not job.problem.recorded:
        processes.refuse_several("method=exact")
    with job.problem.joined(processes.local_rank(), processes.local_count()) as ranks:
        if first:
            return launch(verb, checked, functools.partial(solve_one, job, ranks=ranks))
        return follow(job, ranks)


def launch(verb: str, checked: Checked, run: Callable[[DictConfig], None]) -> int:
    """Have `run` called with each composed config, by Hydra unless it is one; the exit code as for `solve`.

    Raises:
        DloptError: Hydra or a plugin of it failed.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing a traceback and leaving
    logging.raiseExceptions = bool(os.environ.get(DEBUG))  # a full disk must not fill the screen
    main = functools.partial(checked.run, run) if checked.run is not None else _by_hydra(verb, checked, run)
    if checked.folder is None:
        main()
        return 0
    if not checked.multirun:
        _claim(checked.folder, checked.again)
    marker = checked.folder / STOP_MARKER if checked.multirun else None
    if marker is not None:
        marker.unlink(missing_ok=True)  # of a sweep that was killed here
    try:
        if checked.multirun:
            if checked.overrides:
                _describe(checked, verb)
            console.print(f"{checked.jobs or 'Some'} jobs in {shown(checked.folder)}", soft_wrap=True)
            with stopping(marker):
                main()
        else:
            main()
    except KeyboardInterrupt:
        _mark_interrupted(checked.folder)
    except DloptError:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        raise DloptError(_in_words(error)) from error
    finally:
        if marker is not None:
            marker.unlink(missing_ok=True)
    return _exit_code(checked)


def _by_hydra(verb: str, checked: Checked, run: Callable[[DictConfig], None]) -> Callable[[], None]:
    """Hydra's own front, given the command in its words."""
    import hydra

    sys.argv = [f"dlopt-solve-{verb}", *checked.arguments]
    main: Callable[[], None] = hydra.main("pkg://dlopt.conf", checked.config, version_base="1.3")(run)
    return main


def _claim(folder: Path, again: bool) -> None:
    """Have the folder before Hydra writes to it: a command that comes second must not leave its config there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = take_ahead(folder)
    except OSError as error:
        raise FileWriteError(f"Cannot write to {folder}: {error.strerror}. Choose another folder.") from error
    if not taken or ((folder / FILE).exists() and not again):
        raise FolderInUseError(folder, alive=not taken)


def _describe(checked: Checked, verb: str) -> None:
    """Leave in the sweep's folder what was asked for, so that it can be completed later."""
    assert checked.folder is not None
    asked = tuple(word for word in checked.arguments if not word.startswith(("verb=", "hydra.sweep.dir=")))
    Sweep(verb, asked, os.getcwd(), tuple(tuple(job) for job in checked.overrides)).write(checked.folder)


def _exit_code(checked: Checked) -> int:
    """The worst of all jobs; a job without a readable run.json counts as an error."""
    assert checked.folder is not None
    runs = sorted(find_runs(checked.folder), key=lambda run: _job_number(run[0]))
    codes = [EXIT_CODES[r.status] if isinstance(r, RunRecord) else 1 for _, r in runs]
    missing = (checked.jobs or 1) - len(codes)
    if checked.multirun:
        _show_sweep(runs, missing, checked.folder)
    if missing > 0 or 1 in codes:
        return 1
    return max(codes, default=1)


def _job_number(folder: Path) -> tuple[int, str]:
    number = folder.name.partition("-")[0]
    return (int(number) if number.isdecimal() else 0, folder.name)


def _show_sweep(runs: Sequence[tuple[Path, RunRecord | RunReadError]], missing: int, folder: Path) -> None:
    from ..commands.runs import runs_table
    from ..terminal.screen import output
    from ..terminal.sheets import called

    output.print(runs_table(runs, folder))
    if missing > 0:
        console.print(f"{missing} job(s) left no run.json.", style="red")
    output.print(shown(folder), style="cyan")
    if sum(isinstance(record, RunRecord) and record.status.finished for _, record in runs) > 1:
        name = called(folder)
        output.print(f"\nNext:\n  dlopt runs compare {name}\n    results side by side", soft_wrap=True)
        output.print(f"  dlopt runs collect {name} --output all.csv\n    all results in one table", soft_wrap=True)


def _mark_interrupted(folder: Path) -> None:
    """Runs that a second signal cut off say so."""
    import dataclasses

    for path, record in find_runs(folder):
        if isinstance(record, RunRecord) and record.status is Status.RUNNING:
            stopped = dataclasses.replace(record, status=Status.INTERRUPTED, message="Stopped at once; run it again.")
            with contextlib.suppress(DloptError):
                stopped.write(path)
    console.print("Stopped.", style="yellow")


def _in_words(error: Exception) -> str:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    remedy = "Free some space or choose another folder." if isinstance(error, OSError) else "--debug shows where."
    return f"{type(error).__name__}: {reason}. {remedy}"
