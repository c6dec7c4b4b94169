"""Tables of a kind as they stand on the terminal, and how a run ended."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from dlopt.kind import Ended, Kind, Status
from dlopt.runs.places import OUTPUTS
from dlopt.views.sheets import rendered

from .screen import STATUS_STYLE, shown

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.runs import RunRecord


def screen(
    kind: Kind,
    record: RunRecord,
    folder: Path,
    tables: Mapping[str, pd.DataFrame] | None = None,
    *,
    proof: bool = False,
) -> RenderableType:
    """The answer first, then how the run ended with its proof in a sentence, then what to do next.

    Args:
        kind: of the run.
        record: of the run.
        folder: of the run.
        tables: of the run; read from the folder if they are not given.
        proof: show every figure of the certificate, too; where a run has not converged they are always shown.
    """
    proof = proof or record.status == Status.NOT_CONVERGED
    run = ended(record, folder, tables)
    parts: list[RenderableType] = []
    note = record.calibration.get("note")
    if note:
        parts += (Text(f"The world {record.calibration['name']} is {note}.", style="yellow"), "")
    lines = kind.headlines(run)
    if lines:
        parts += (*(Text(line) for line in lines), "")
    sheets = kind.sheets(run)
    for sheet in sheets:
        if proof or not sheet.proof:
            parts += (rendered(sheet), "")
    hidden = not proof and any(sheet.proof for sheet in sheets)
    return Group(*parts, ending(record, folder), "", following(record, folder, hidden))


def following(record: RunRecord, folder: Path, hidden: bool) -> Text:
    """The commands that make sense after a run, two at most.

    Args:
        record: of the run.
        folder: of the run.
        hidden: whether figures of the certificate were not shown.
    """
    name = called(folder)
    page = (f"dlopt report {name}", "a page with pictures, tables and proof")
    proof = (f"dlopt runs show {name} --proof", "every figure of the certificate")
    if record.status == Status.INTERRUPTED:
        commands = [(f"dlopt solve {record.verb} resume={name}", "go on where it stopped")]
    elif record.status == Status.CONVERGED:
        commands = [page, proof] if hidden else [page]
    else:
        commands = [proof, page] if hidden else [page]
    return Text("Next:\n" + "\n".join(f"  {command}\n    {why}" for command, why in commands))


def called(folder: Path) -> str:
    """The shortest name by which commands find a run or a sweep, as a shell takes it: the one given at solve, the
    folder's, or its path."""
    from dlopt.errors import DloptError
    from dlopt.runs.naming import MANY, find_run, find_sweep, name_of

    if not any(parent.name == OUTPUTS for parent in folder.absolute().parents):
        return shlex.quote(shown(folder))
    name, find = name_of(folder), find_sweep if any((folder / mark).is_file() for mark in MANY) else find_run
    with contextlib.suppress(DloptError, OSError):
        if name and find(name).samefile(folder):
            return shlex.quote(name)
    return shlex.quote(folder.name)


def ended(record: RunRecord, folder: Path, tables: Mapping[str, pd.DataFrame] | None = None) -> Ended:
    """A run as its kind shows it."""
    from dlopt.runs.tables import read_table

    def table(name: str) -> Any:
        if tables is not None:
            return tables.get(name)
        return read_table(folder, name) if (folder / f"{name}.parquet").is_file() else None

    return Ended(record.verb, record.status, record.certificate or {}, table, record.settings)


def ending(record: RunRecord, folder: Path) -> Text:
    """How it ended, in one paragraph, and where the files are."""
    text = Text()
    text.append(record.status.replace("_", " "), style=STATUS_STYLE[record.status])
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    text.append(f"{seconds}. {record.message}\n".replace(". \n", ".\n"))
    text.append(shown(folder), style="cyan")
    return text
