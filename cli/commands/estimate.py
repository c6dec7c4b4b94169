"""`dlopt estimate DATA`: parameters of a dynamic choice model, from a panel; short for `solve estimate data=DATA`."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def estimate(
    data: Annotated[str, typer.Argument(help="A folder with states.parquet and perhaps events.parquet.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="`dlopt solve estimate --help` lists all keys."),
    ] = None,
) -> None:
    """Parameters of a dynamic choice model from a panel of firms."""
    from ..main import solve
    from ..solve.check import quoted

    place = data if re.fullmatch(r"[\w./~-]+", data) else quoted(data)
    raise typer.Exit(solve("estimate", [f"data={place}", *(arguments or [])]))
