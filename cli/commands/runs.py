"""`dlopt runs`: the runs below a folder."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .compare import compare
from .named import Run, Sweep

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from dlopt.runs import RunReadError, RunRecord
    from dlopt.runs.sweep import SweepJob

app = typer.Typer()


@app.command("list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("outputs"),
) -> None:
    """All runs below a folder, oldest first."""
    from dlopt.runs import find_runs

    from ..terminal.screen import output

    runs = find_runs(folder)
    if runs:
        output.print(runs_table(runs, folder))
    else:
        output.print(f"No run below {folder}. `dlopt solve nash scenario=dual` makes one.")


@app.command()
def show(
    run: Run = Path("last"),
    proof: Annotated[bool, typer.Option("--proof", help="Show every figure of the certificate.")] = False,
) -> None:
    """Welfare, average policies and certificate of a run; of the latest if none is given."""
    from dlopt.registry import load_kind
    from dlopt.runs import read_run
    from dlopt.runs.naming import find_run

    from ..terminal.screen import output
    from ..terminal.sheets import screen

    folder = find_run(run)
    record = read_run(folder)
    accounting = f", {record.accounting} accounting" if record.accounting else ""
    output.print(f"{record.command}\n{record.calibration['name']}{accounting}, {record.started}\n")
    output.print(screen(load_kind(record.kind), record, folder, proof=proof))


app.command()(compare)


@app.command()
def collect(
    sweep: Sweep,
    table: Annotated[str | None, typer.Option(help="Which table of the runs; by default the kind's main one.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to: .parquet, .csv, .xlsx or .tex; default SWEEP/collected-TABLE.parquet."),
    ] = None,
) -> None:
    """One table over all runs of a sweep, their overrides as columns.

    Jobs that have not finished are listed. Exit codes: 0 all there, 2 some missing, 1 error.
    """
    from dlopt.runs.sweep import collect as collected
    from dlopt.runs.sweep import jobs_of_sweep
    from dlopt.store.exports import check_suffix, write_any

    from ..terminal.screen import output as screen
    from ..terminal.screen import shown

    if output is not None:
        check_suffix(output)
    jobs = jobs_of_sweep(sweep)
    missing = [job for job in jobs if not job.finished]
    if missing:
        screen.print(_jobs_table(missing))
    table = table or _main_table(jobs)
    frame = collected(jobs, table)
    path = output or sweep / f"collected-{table}.parquet"
    write_any(frame, path, {"source": "dlopt runs collect", "table": table})
    done = len(jobs) - len(missing)
    screen.print(f"{done} of {len(jobs)} jobs, {len(frame)} rows, in {shown(path)}", soft_wrap=True)
    if missing:
        screen.print(f"`dlopt runs retry {shlex.quote(str(sweep))}` completes it.", soft_wrap=True)
    raise typer.Exit(2 if missing else 0)


@app.command()
def retry(sweep: Sweep) -> None:
    """Run the jobs of a sweep that failed, were cut off or never began; the others stay as they are.

    Jobs with a checkpoint go on from it. The launcher is the sweep's own. Exit codes as for `dlopt solve`.
    """
    import os

    from dlopt.errors import DloptError
    from dlopt.runs.sweep import jobs_of_sweep, read_sweep

    from ..loading import load
    from ..solve.check import quoted
    from ..terminal.screen import output

    asked, folder = read_sweep(sweep), sweep.absolute()
    left = [job for job in jobs_of_sweep(sweep) if not job.finished]
    if not left:
        output.print("Every job has finished: nothing to do.")
        raise typer.Exit(0)
    output.print(_jobs_table(left))
    try:
        os.chdir(asked.cwd)
    except OSError as error:
        raise DloptError(f"The sweep was started in {asked.cwd}, which cannot be entered: {error.strerror}.") from error
    words = [*asked.arguments, f"hydra.sweep.dir={quoted(str(folder))}"]
    launch, trust = load("solve.launch"), load("solve.trust")
    trust.check_recorded(asked.arguments, launchers=True)
    with trust.words_of_a_folder():
        raise typer.Exit(launch.solve(asked.verb, words))


@app.command()
def prune(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("outputs"),
    status: Annotated[
        list[str] | None,
        typer.Option(help="Which runs: failed, killed, interrupted, not_converged, converged; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs that came to nothing: by default those that failed or were killed.

    Only folders of runs below FOLDER that hold nothing but what dlopt wrote; never one that is running or damaged.
    """
    from dlopt.errors import DloptError, UnknownNameError
    from dlopt.runs.pruning import DEFAULT, PRUNABLE, prunable, remove

    from ..terminal.screen import output, shown

    statuses = status or list(DEFAULT)
    for name in statuses:
        if name not in PRUNABLE:
            raise UnknownNameError("status", name, PRUNABLE)
    go, stay = prunable(folder, statuses)
    for path, reason in stay:
        output.print(f"{shown(path)} stays: {reason}.", style="yellow", soft_wrap=True)
    if not go:
        output.print(f"Nothing to remove below {folder}.", soft_wrap=True)
        raise typer.Exit(0)
    for path, how in go:
        output.print(f"{shown(path)} ({how})", soft_wrap=True)
    if not yes and not typer.confirm(f"Remove these {len(go)} runs?"):
        raise typer.Exit(1)
    for path, _ in go:
        try:
            remove(path, folder)
        except (OSError, ValueError) as error:
            raise DloptError(f"Cannot remove {path}: {error}. Those before it are gone.") from error
    output.print(f"{len(go)} runs removed.")


def _jobs_table(jobs: Sequence[SweepJob]) -> Table:
    from rich.text import Text

    from ..terminal.screen import STATUS_STYLE

    table = table_of("Not finished", ["job", "status", "overrides"], right=("job",))
    for job in jobs:
        words = " ".join(f"{key}={value}" for key, value in job.overrides.items())
        table.add_row(str(job.number), Text(job.status, style=STATUS_STYLE.get(job.status, "bold red")), Text(words))
    return table


def runs_table(runs: Sequence[tuple[Path, RunRecord | RunReadError]], root: Path) -> RenderableType:
    """One row for each run, for 80 columns: the name every command takes, what was solved, when, how it ended, with
    what answer; below, what the answers are."""
    from rich.console import Group
    from rich.text import Text

    from dlopt.runs import RunRecord, is_killed

    from ..terminal.screen import STATUS_STYLE

    names = _names([folder for folder, _ in runs], root)
    read = [record for _, record in runs if isinstance(record, RunRecord)]
    worlds = {record.calibration.get("name", "") for record in read}
    title = f"Runs on {next(iter(worlds))}" if len(worlds) == 1 else None
    columns = ["run", "verb", "started", "status", "answer", *([] if len(worlds) < 2 else ["calibration"])]
    table = table_of(title, columns)
    table.columns[0].no_wrap = True
    for name, (folder, record) in zip(names, runs, strict=True):
        if not isinstance(record, RunRecord):
            cells: list[str | Text] = [name, "", "", Text("damaged", style="bold red"), ""]
        else:
            status = "killed" if is_killed(folder, record) else record.status
            ended = Text(status.replace("_", " "), style=STATUS_STYLE[status])
            cells = [name, record.verb, record.started[2:16].replace("T", " "), ended, record.answer]
        world = record.calibration.get("name", "") if isinstance(record, RunRecord) else ""
        table.add_row(*cells, *([] if len(worlds) < 2 else [world]))
    said = [Text(f"answer: {words}", style="dim") for words in _explained(read)]
    return Group(table, *said)


def _names(folders: Sequence[Path], root: Path) -> list[str]:
    """What each run is called by: the latest of a name by that name alone, one of a sweep as SWEEP/JOB; others by their
    folder's name or path."""
    from collections import Counter

    from dlopt.runs.naming import MANY, name_of

    def short(folder: Path) -> str:
        place = folder.parent
        swept = place != root and any((place / mark).is_file() for mark in MANY)
        return f"{name_of(place)}/{folder.name}" if swept else name_of(folder)

    latest = {short(folder): folder for folder in folders}
    count = Counter(folder.name for folder in folders)
    names = []
    for folder in folders:
        name = short(folder)
        if folder == root:
            names.append(".")
        elif name and latest[name] == folder:
            names.append(name)
        else:
            names.append(folder.name if count[folder.name] == 1 else folder.relative_to(root).as_posix())
    return names


def _explained(records: Sequence[RunRecord]) -> list[str]:
    """What the answers of these runs are, kind by kind; nothing for kinds that are not here any more."""
    from dlopt.errors import DloptError
    from dlopt.registry import load_kind

    found: dict[str, str] = {}
    for name in dict.fromkeys(record.kind for record in records if record.answer):
        with contextlib.suppress(DloptError):
            words = load_kind(name).briefly
            if words:
                found.setdefault(words, name)
    return list(found)


def _main_table(jobs: Sequence[SweepJob]) -> str:
    """The table that a sweep is collected by: that of the kind of its first run."""
    from dlopt.kind import Kind
    from dlopt.registry import load_kind
    from dlopt.runs import read_run

    folder = next((job.folder for job in jobs if job.finished and job.folder is not None), None)
    return Kind.table if folder is None else load_kind(read_run(folder).kind).table


def table_of(title: str | None, columns: Sequence[str], right: Sequence[str] = ()) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table
