"""`dlopt landscape RUN`: welfare of a player along its own instruments around the solution of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .named import Run

if TYPE_CHECKING:
    from rich.table import Table

    from dlopt.trade.landscape import Landscape


def landscape(
    run: Run,
    player: Annotated[str | None, typer.Option(help="Whose policies move; the first player if none is given.")] = None,
    instruments: Annotated[int, typer.Option(help="Number of cuts, the instruments with most curvature.")] = 6,
    pairs: Annotated[
        list[str] | None,
        typer.Option(help="A plane, such as subsidy:18,subsidy:6 or tariff:USA:18,subsidy:18; may be repeated."),
    ] = None,
    points: Annotated[int, typer.Option(help="Points of a cut, an odd number.")] = 41,
    threads: Annotated[int, typer.Option(help="Of torch; 0 means all cores this process may use.")] = 1,
    picture: Annotated[bool, typer.Option(help="Draw the picture (needs matplotlib).")] = True,
) -> None:
    """Welfare along policies, around the solution of a run.

    Writes landscape.parquet, .png and .pdf to RUN/landscape; nothing else in the run is touched.
    """
    import torch

    from dlopt.store.files import write_table
    from dlopt.trade.kind.restore import restore
    from dlopt.trade.landscape import LandscapeError, LandscapeOptions
    from dlopt.trade.landscape import landscape as compute

    from ..solve.task import usable_cores
    from ..terminal.screen import output

    split = [tuple(pair.split(",")) for pair in pairs or []]
    for pair in split:
        if len(pair) != 2:
            raise LandscapeError(f"--pairs {','.join(pair)}: give two instruments with a comma between them.")
    options = LandscapeOptions(instruments, points, tuple((a, b) for a, b in split))
    if picture:
        from dlopt.views.figures.canvas import panels

        panels(1, 1, 1.0)  # fails here, not after the work, where matplotlib is missing
    torch.set_num_threads(threads or usable_cores())
    result = restore(run)
    chosen = player or (result.instruments.players[0] if result.instruments else "")
    found = compute(result, chosen, options)
    folder = run / "landscape"
    units = {"rates": "fractions", "player": chosen}
    write_table(found.table(), folder / "landscape.parquet", {**result.metadata, **units})
    if picture:
        from dlopt.views.figures.canvas import save
        from dlopt.views.figures.landscape import figure

        save(figure(found), folder / "landscape")
    output.print(_table(found))
    if found.failed:
        output.print(f"{found.failed} points have no equilibrium and are left out.", style="yellow")
    output.print(str(folder), style="cyan", soft_wrap=True)


def _table(found: Landscape) -> Table:
    """For each line: its range, and welfare at both ends and at the solution."""
    from rich.table import Table

    country = found.economies.index(found.player.partition("+")[0])
    lines = [cut for cut in found.cuts if len(cut.names) == 1]
    title = f"Real income of {found.player} along its own policies, %"
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("instrument")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for name in ("lowest", "solution", "highest", "welfare at these"):
        table.add_column(name, justify="right", no_wrap=True)
    for cut in lines:
        ends = [0, len(cut.rates[0]) // 2, -1]
        rates = [f"{100 * rate:.1f}" for rate in cut.rates[0][ends].tolist()]
        welfare = " ".join(f"{value:+.3f}" for value in cut.welfare[ends, country].tolist())
        table.add_row(cut.names[0], cut.titles[0].partition(", ")[2], *rates, welfare)
    return table
