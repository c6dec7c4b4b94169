"""`dlopt explore [RUN...]`: one page on which runs are looked at from all sides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import RunsOrSweeps

_LATEST = 6


def explore(
    runs: RunsOrSweeps = None,  # type: ignore[assignment]
    output: Annotated[Path, typer.Option(help="Where to.")] = Path("explore.html"),
) -> None:
    """One HTML page to look at runs from all sides: choose runs, an economy, an instrument.

    A sweep or a suite stands for all its runs. The page shows welfare, rates by partner and sector, trade, the parts
    of real income and jobs. It opens from a file and needs no network. Without a run it takes the latest runs on the
    same world as the last.
    """
    from dlopt.errors import DloptError
    from dlopt.runs.naming import latest_runs
    from dlopt.runs.sweep import members
    from dlopt.store.files import write_text
    from dlopt.views.comparison import LONGER, names_of, runs_of
    from dlopt.views.explore import explore_page

    from ..terminal.screen import output as screen
    from ..terminal.screen import shown

    left_out = []
    for folder in runs or ():
        done, asked = members(folder) or ([], 0)
        if len(done) < asked:
            left_out.append(f"{folder.name}: {asked - len(done)} of {asked} runs, which have no result.")
    folders = runs_of(runs) if runs else latest_runs(_LATEST, kind="trade")
    if not folders:
        raise DloptError(
            "There is no run of the trade model with a result here. `dlopt solve nash scenario=trade_war` makes one."
        )
    write_text(output, explore_page(folders, left_out=left_out))
    screen.print(f"Runs on the page: {', '.join(names_of(folders, LONGER))}.", soft_wrap=True)
    screen.print(shown(output.absolute()), style="cyan", soft_wrap=True)
