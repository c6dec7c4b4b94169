"""`dlopt data aggregate`: a smaller world from a larger one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from .importing import NAME_HELP, Force, install_and_say

_WHAT = "A number, lists such as EU=DEU+FRA,USA (economies that are not named become ROW), or a file (from,to)."


def aggregate(
    calibration: Annotated[str, typer.Argument(help="A calibration's name, or its folder.")],
    name: Annotated[str, typer.Option("--name", help=NAME_HELP)],
    economies: Annotated[str | None, typer.Option("--economies", help=_WHAT)] = None,
    sectors: Annotated[str | None, typer.Option("--sectors", help=_WHAT)] = None,
    by: Annotated[str, typer.Option("--by", metavar="smallest|alike", help="Which are joined, given a number.")] = (
        "smallest"
    ),
    force: Force = False,
) -> None:
    """Put economies and sectors together; accounts, tariffs and elasticities stay consistent."""
    from dlopt.calibrations import find_calibration
    from dlopt.calibrations.aggregate import aggregated, by_number, from_file, from_lists
    from dlopt.calibrations.importing import import_bundle

    imported = import_bundle(find_calibration(calibration))
    world = imported.calibration

    def groups(text: str | None, which: str, labels: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
        if text is None:
            return None
        if text.strip().isdigit():
            return by_number(world, which, int(text), by)
        if Path(text).suffix == ".csv" or "/" in text:
            return from_file(Path(text), labels)
        return from_lists(text, labels, "ROW" if which == "economies" else None)

    install_and_say(
        aggregated(
            imported, groups(economies, "economies", world.economies), groups(sectors, "sectors", world.sectors)
        ),
        name,
        force,
    )
