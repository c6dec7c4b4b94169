"""`dlopt sensitivity RUN`: what moves the welfare and the policies of a solved run, and by how much."""

from __future__ import annotations

from typing import Annotated

import typer

from .named import Run

MANY = 500
"""Parameters above which the command says that they take long."""


def sensitivity(
    run: Run,
    to: Annotated[
        str,
        typer.Option(
            help="Kinds of parameters, separated by commas: theta, psi, value_added_share, input_share, final_share, "
            "trade, tariff, export_tax, subsidy, cost, productivity, political_weight, weight, bound."
        ),
    ] = "theta,psi",
    rows: Annotated[int, typer.Option(help="How many of the largest to show.")] = 10,
    threads: Annotated[int, typer.Option(help="Of torch; 0 means all cores this process may use.")] = 1,
    picture: Annotated[bool, typer.Option(help="Draw the picture (needs matplotlib).")] = True,
) -> None:
    """Derivatives of real incomes, prices, trade and chosen policies with respect to the data, through the whole game.

    Writes sensitivity.parquet (welfare), sensitivity_outcomes.parquet, sensitivity_policies.parquet and a picture of
    the largest to RUN/sensitivity; nothing else is touched.
    """
    import torch

    from dlopt.store.files import write_table
    from dlopt.trade.kind.restore import restore
    from dlopt.trade.parameters import parameters_of_result
    from dlopt.trade.sensitivity import sensitivities

    from ..solve.task import usable_cores
    from ..terminal.screen import output

    if picture:
        from dlopt.views.figures.canvas import panels

        panels(1, 1, 1.0)  # fails here, not after the work, where matplotlib is missing
    torch.set_num_threads(threads or usable_cores())
    result = restore(run)
    parameters = parameters_of_result(result, [kind.strip() for kind in to.split(",")])
    if len(parameters) > MANY:
        output.print(f"{len(parameters):,} parameters, two equilibria for each: this may take long.", style="dim")
    found = sensitivities(result, parameters)
    folder = run / "sensitivity"
    table = found.table()
    units = {"derivative": "percentage points of the baseline per unit of the parameter"}
    write_table(table, folder / "sensitivity.parquet", {**result.metadata, **units})
    write_table(found.outcome_table(), folder / "sensitivity_outcomes.parquet", {**result.metadata, **units})
    if result.instruments is not None:
        write_table(found.policies(), folder / "sensitivity_policies.parquet", dict(result.metadata))
    if picture and len(table):
        from dlopt.views.figures.canvas import save
        from dlopt.views.figures.sensitivity import largest as figure

        save(figure(table), folder / "sensitivity")
    largest = table.reindex(table["per_one_percent"].abs().sort_values(ascending=False).index).head(rows)
    output.print(f"The {len(largest)} largest effects on real income, in percentage points, of one per cent more:\n")
    width = max([28, *(len(name) for name in largest["name"])])
    for row in largest.to_dict("records"):
        output.print(f"  {row['name']:<{width}} {row['economy']:<8} {row['per_one_percent']:+.5f}", highlight=False)
    if found.flat:
        output.print(f"\n{found.flat} directions of policy are not determined by the data and were held still.")
    if found.loose:
        output.print(f"\n{found.loose} instruments would hardly leave their bounds: derivatives hold in one direction.")
    output.print(str(folder), style="cyan", soft_wrap=True)
