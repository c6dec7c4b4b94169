"""`dlopt sensitivity RUN`: what moves the welfare and the policies of a solved run, and by how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sensitivity(
    run: Annotated[Path, typer.Argument(help="A run folder of the trade model that converged.")],
    to: Annotated[
        str, typer.Option(help="Kinds of parameters, separated by commas: theta, psi, trade, tariff, ...")
    ] = "theta,psi",
    rows: Annotated[int, typer.Option(help="How many of the largest to show.")] = 10,
    threads: Annotated[int, typer.Option(help="Of torch; 0 means all cores this process may use.")] = 1,
) -> None:
    """Derivatives of real incomes and chosen policies with respect to the data, through the whole game.

    Writes sensitivity.parquet (welfare) and sensitivity_policies.parquet to RUN/sensitivity; nothing else is touched.
    """
    import torch

    from dlopt.store.files import write_table
    from dlopt.trade.kind.restore import goal_of_run, restore
    from dlopt.trade.parameters import parameters_of
    from dlopt.trade.sensitivity import sensitivities

    from ..solve.task import usable_cores
    from ..terminal.screen import output

    torch.set_num_threads(threads or usable_cores())
    result = restore(run)
    parameters = parameters_of(result.model.given, [kind.strip() for kind in to.split(",")])
    found = sensitivities(result, parameters, goal_of_run(run))
    folder = run / "sensitivity"
    table = found.table()
    units = {"derivative": "percentage points of real income per unit of the parameter"}
    write_table(table, folder / "sensitivity.parquet", {**result.metadata, **units})
    if result.instruments is not None:
        write_table(found.policies(), folder / "sensitivity_policies.parquet", dict(result.metadata))
    largest = table.reindex(table["per_one_percent"].abs().sort_values(ascending=False).index).head(rows)
    output.print(f"The {len(largest)} largest effects on real income, in percentage points, of one per cent more:\n")
    for row in largest.to_dict("records"):
        output.print(f"  {row['parameter']:<28} {row['economy']:<8} {row['per_one_percent']:+.5f}", highlight=False)
    if found.flat:
        output.print(f"\n{found.flat} directions of policy are not determined by the data and were held still.")
    if found.loose:
        output.print(f"\n{found.loose} instruments hardly push against their bounds: derivatives hold on one side.")
    output.print(str(folder), style="cyan", soft_wrap=True)
