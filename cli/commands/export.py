"""`dlopt export RUN FORMAT`: the tables of a run for Excel, Stata, LaTeX, or as CSV, with a codebook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import Run


def export(
    run: Run,
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="xlsx, csv, dta (Stata) or tex.")],
    output: Annotated[
        Path | None, typer.Option(help="The file (xlsx), or the folder; default NAME.xlsx or NAME-FORMAT.")
    ] = None,
) -> None:
    """All tables of a run, with a codebook that says what every column means."""
    from dlopt.runs.naming import name_of
    from dlopt.views.export import export as write

    from ..terminal.screen import output as screen
    from ..terminal.screen import shown

    target = output or Path(f"{name_of(run)}.xlsx" if form == "xlsx" else f"{name_of(run)}-{form}")
    written = write(run, form, target)
    count = f"{len(written)} files in " if form != "xlsx" else ""
    screen.print(f"{count}{shown(target.absolute())}", style="cyan", soft_wrap=True)
