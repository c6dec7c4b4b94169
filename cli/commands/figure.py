"""`dlopt figure RUN KIND`: one picture of a run, for a paper or a slide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import Run


def figure(
    run: Run,
    kind: Annotated[
        str,
        typer.Argument(help="welfare, map, tariff, subsidy, iterations, ...; without it, what there is."),
    ] = "",
    output: Annotated[Path | None, typer.Option(help="Where to: .pdf, .png or .svg; default NAME-KIND.pdf.")] = None,
    size: Annotated[str, typer.Option(help="paper (the width of a text) or slide (16 to 9, large letters).")] = "paper",
) -> None:
    """One picture of a run as PDF, PNG or SVG, for a paper or a slide."""
    from dlopt.errors import UnknownNameError
    from dlopt.runs.naming import name_of
    from dlopt.runs.tables import read_table
    from dlopt.store.exports import check_suffix
    from dlopt.views.figures.results import of_run
    from dlopt.views.figures.sizes import SUFFIXES, write_figure

    from ..terminal.screen import output as screen
    from ..terminal.screen import shown
    from ..terminal.sheets import called

    if output is not None:
        check_suffix(output, SUFFIXES)
    found = of_run([path.stem for path in sorted(run.glob("*.parquet"))], lambda name: read_table(run, name))
    if not kind:
        screen.print(f"This run has: {', '.join(found)}.")
        if found:
            first = "welfare" if "welfare" in found else next(iter(found))
            screen.print(f"\nNext:\n  dlopt figure {called(run)} {first}\n    one of them as a PDF", soft_wrap=True)
        return
    if kind not in found:
        raise UnknownNameError("picture of this run", kind, found)
    path = output or Path(f"{name_of(run)}-{kind}.pdf")
    write_figure(found[kind](), path, size)
    screen.print(shown(path.absolute()), style="cyan", soft_wrap=True)
