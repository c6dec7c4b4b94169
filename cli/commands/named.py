"""Arguments that name a run or a sweep, the same for all commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HOW = "last, last:VERB, the name or a part of it, or a folder."


def _run(text: str) -> Path:
    from dlopt.runs.naming import find_run

    return find_run(text)


def _sweep(text: str) -> Path:
    from dlopt.runs.naming import find_sweep

    return find_sweep(text)


def _run_or_sweep(text: str) -> Path:
    from dlopt.runs.naming import MANY, RunNameError, find_run, find_sweep

    try:
        return find_run(text)
    except RunNameError:
        try:
            found = find_sweep(text)
        except RunNameError:
            found = None
        if found is None or not any((found / mark).is_file() for mark in MANY):
            raise
        return found


def complete_run(incomplete: str) -> list[tuple[str, str]]:
    """Names of runs that begin so, the latest first, with what each solved.

    A name that a shell would not take as it stands is left out: it would be typed for the user, and obeyed.
    """
    from dlopt.runs.naming import LAST, named_runs
    from dlopt.runs.places import places
    from dlopt.store.characters import plain

    found: dict[str, str] = {LAST: "the latest"}
    for place in places():
        for one in reversed(list(named_runs(place))):
            found.setdefault(f"{LAST}:{one.path.split('/')[0]}", "the latest of it")
            found.setdefault(one.folder.name, one.path)
    return [item for item in found.items() if item[0].startswith(incomplete) and plain(item[0])]


Run = Annotated[Path, typer.Argument(metavar="RUN", help=f"A run: {_HOW}", parser=_run, autocompletion=complete_run)]
Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help=f"Runs, each: {_HOW}", parser=_run, autocompletion=complete_run)
]
RunsOrSweeps = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help=f"Runs, sweeps or suites, each: {_HOW}",
        parser=_run_or_sweep,
        autocompletion=complete_run,
    ),
]
Sweep = Annotated[Path, typer.Argument(metavar="SWEEP", help=f"A sweep: {_HOW}", parser=_sweep)]
