"""`dlopt branches RUN`: equilibria under the policies of a run, traced as elasticities move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from .named import Run

if TYPE_CHECKING:
    from dlopt.trade.branches import Along, Policies


def branches(
    run: Run,
    along: Annotated[str, typer.Option(help="What moves: psi or theta, all of them by one factor.")] = "psi",
    low: Annotated[float, typer.Option(help="Smallest factor.")] = 0.5,
    high: Annotated[float, typer.Option(help="Largest factor.")] = 2.0,
    policies: Annotated[
        str, typer.Option(help="held: where the run has them; chosen: again by its players at every factor.")
    ] = "held",
    starts: Annotated[
        int | None,
        typer.Option(
            help="Random points from which further equilibria are looked for: 20, of games 3.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of these points.")] = 0,
    threads: Annotated[int, typer.Option(help="Of torch; 0 means all cores this process may use.")] = 1,
    picture: Annotated[bool, typer.Option(help="Draw the picture (needs matplotlib).")] = True,
) -> None:
    """How many equilibria a run's policies, or its game, have: branches, folds and bifurcations as elasticities move.

    Writes branches, specials and equilibria (Parquet) and a picture to RUN/branches; nothing else is touched.
    """
    import torch

    from dlopt.store.files import write_table
    from dlopt.trade.branch_words import in_words
    from dlopt.trade.branches import branches as compute
    from dlopt.trade.kind.restore import restore

    from ..solve.task import usable_cores
    from ..terminal.screen import output

    if picture:
        from dlopt.views.figures.canvas import panels

        panels(1, 1, 1.0)  # fails here, not after the work, where matplotlib is missing
    torch.set_num_threads(threads or usable_cores())
    found = compute(restore(run), cast("Along", along), low, high, starts, seed, policies=cast("Policies", policies))
    folder, metadata = run / "branches", {**found.result.metadata, "factor": f"on all {along}"}
    table, specials, equilibria = found.table(), found.specials(), found.equilibria()
    for name, content in (("branches", table), ("specials", specials), ("equilibria", equilibria)):
        write_table(content, folder / f"{name}.parquet", metadata)
    if picture:
        from dlopt.views.figures.branches import figure
        from dlopt.views.figures.canvas import save

        save(figure(table, specials, along), folder / "branches")
    for sentence in in_words(found):
        output.print(sentence, highlight=False)
    output.print("This is a search: others may exist.", style="dim")
    output.print(str(folder), style="cyan", soft_wrap=True)
