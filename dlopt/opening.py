"""A finished run opened again from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlopt.errors import DloptError
from dlopt.registry import load_kind
from dlopt.runs import read_run
from dlopt.runs.naming import find_run


class NoResultError(DloptError):
    """A run that has reached no result."""


def open_run(run: str | Path) -> Any:
    """The result of a finished run, as `solve_*` gave it back: `SolveResult`, `BsdeResult`, or that of another kind.

    A trade result is the model of the run's calibration at the policies on file, its equilibrium solved once and
    compared with the one on file; the solver's path is not restored. A choice result is the trained value function with
    the tables on file.

    Args:
        run: a run folder, such as `outputs/nash/2026-11-24/19-05-12-dual`, or what the commands take: `last`,
            `last:nash`, the name of a run or a part of it.

    Raises:
        RunReadError: not a run, or a damaged one.
        RunNameError: no run has this name, or several have.
        NoResultError: it has not ended, or failed.
        DloptError: it has no result, or what it was about has changed since.
    """
    folder = Path(run).expanduser()
    if not folder.exists():
        folder = find_run(run)
    record = read_run(folder)
    if record.status in ("running", "failed"):
        raise NoResultError(f"{folder} is {record.status}: it has no result to open. Give a run that reached one.")
    return load_kind(record.kind).restore(folder)
