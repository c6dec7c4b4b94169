"""`dlopt evaluate RUN STATES`: answers of a finished run at states of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import Run


def evaluate(
    run: Run,
    states: Annotated[Path, typer.Argument(help="CSV or Parquet, columns as in docs/bsde.md and docs/network.md.")],
) -> None:
    """Value and decisions at states of your own, by a solved exporter or network."""
    from dlopt.registry import load_kind
    from dlopt.runs import read_run
    from dlopt.store.files import write_table

    from ..terminal.screen import output, shown

    table, metadata = load_kind(read_run(run).kind).evaluate(run, states)
    path = run / "evaluation.parquet"
    write_table(table, path, dict(metadata))
    output.print(f"{len(table)} states in {shown(path)}")
