"""`dlopt data elasticities`: the sets of published elasticities, one of them, or one more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .lines import add_row, print_table, say, table_of


def elasticities(
    name: Annotated[str | None, typer.Argument(help="A set to show in full.")] = None,
    add: Annotated[Path | None, typer.Option("--add", help="A CSV file to add as a set of your own.")] = None,
    called: Annotated[str | None, typer.Option("--name", help="What an added set is called; its file's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a set of that name.")] = False,
) -> None:
    """Sets of elasticities that any calibration can take: list them, show one, add your own."""
    from dlopt.calibrations.elasticities import add_set, elasticity_set, elasticity_sets

    if add is not None:
        target = add_set(add, called, force=force)
        say(f"{target.stem}: {len(elasticity_set(target.stem).rows)} rows, in {target}.")
        return
    if name is None:
        columns = ["set", "rows", "printed as", "theta", "scale", "source"]
        table = table_of(None, columns, right=["rows"])
        for found in elasticity_sets():
            values = sorted(row.theta for row in found.rows)
            span = f"{values[0]:g} to {values[-1]:g}" if len(values) > 1 else f"{values[0]:g}"
            scale = "yes" if found.has_scale else "no"
            add_row(table, found.name, str(len(found.rows)), found.definition, span, scale, found.rows[0].source)
        print_table(table)
        say("")
        say("theta is the trade elasticity: sigma - 1 where sigma, the elasticity of substitution, is printed.")
        say("Use: dlopt solve ... elasticities=NAME, or --elasticities NAME at import. Add: --add FILE.csv.")
        return
    found = elasticity_set(name)
    numbers = ["theta", "standard error", "psi"]
    table = table_of(
        f"{found.name} (printed as {found.definition})", ["sector", "ISIC Rev. 4", *numbers, "source"], numbers
    )
    for row in found.rows:
        cells = ["" if value is None else f"{value:g}" for value in (row.theta, row.standard_error, row.psi)]
        add_row(table, row.sector, " ".join(map(str, row.isic)) or "none", *cells, row.source)
    print_table(table)
