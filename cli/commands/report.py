"""`dlopt report RUN...`: a run, or several side by side, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import Runs


def report(
    runs: Runs,
    output: Annotated[Path | None, typer.Option(help="Where to; by default report.html in the (first) run.")] = None,
) -> None:
    """One run as an HTML page, or several side by side: answer, map, charts, tables, proof; pictures inside.

    Nothing else in a run is touched. The page needs no network and no JavaScript.
    """
    from dlopt.store.files import write_text
    from dlopt.views.report import report_page

    from ..terminal.screen import output as screen
    from ..terminal.screen import shown

    path = output or runs[0] / "report.html"
    write_text(path, report_page(runs))
    screen.print(shown(path.absolute()), style="cyan", soft_wrap=True)
