"""`dlopt sensitivity RUN`: what moves the welfare and the policies of a solved run, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlopt.errors import DloptError

from .named import Run

if TYPE_CHECKING:
    import pandas as pd

NONE = {
    "bound": "No rate is held at a bound: nothing moves with them.",
    "weight": "Only a planner who weighs economies has weights.",
    "political_weight": "Nobody chooses in this run: no government has political weights.",
}
"""Why a result has no parameters of a kind."""
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

    Writes sensitivity.parquet (welfare), sensitivity_outcomes.parquet, sensitivity_policies.parquet,
    sensitivity_averages.parquet (players' average rates) and a picture of the largest to RUN/sensitivity; nothing else
    is touched. "One per cent more" of a rate is one percentage point.
    """
    import torch

    from dlopt.store.files import write_table
    from dlopt.trade.average_rates import average_slopes
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
    kinds = [kind.strip() for kind in to.split(",")]
    parameters = parameters_of_result(result, kinds)
    if not parameters:
        raise DloptError(NONE.get(kinds[0], f"The world has no parameters of these kinds: {', '.join(kinds)}."))
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
        averages = average_slopes(found)
        units = {"derivative": "percentage points of the average rate per unit of the parameter"}
        write_table(averages, folder / "sensitivity_averages.parquet", {**result.metadata, **units})
    if picture and len(table):
        from dlopt.views.figures.canvas import save
        from dlopt.views.figures.sensitivity import largest as figure

        save(figure(table), folder / "sensitivity")
    _largest(table, "economy", "real income", rows)
    if result.instruments is not None:
        averages["who"] = averages["player"] + " " + averages["instrument"].str.replace("_", " ")
        output.print()
        _largest(averages, "who", "average rates", rows)
    if found.flat:
        output.print(f"\n{found.flat} directions of policy are not determined by the data and were held still.")
    if found.loose:
        output.print(f"\n{found.loose} instruments would hardly leave their bounds: derivatives hold in one direction.")
    output.print(str(folder), style="cyan", soft_wrap=True)


def _largest(table: pd.DataFrame, who: str, what: str, rows: int) -> None:
    """The rows that move most with one per cent more of a parameter."""
    from ..terminal.screen import output

    order = table["per_one_percent"].abs().sort_values(ascending=False, kind="stable").index
    largest = table.loc[order].head(rows)
    count = "largest effect" if len(largest) == 1 else f"{len(largest)} largest effects"
    output.print(f"The {count} on {what}, in percentage points, of one per cent more:\n")
    width = max([28, *(len(name) for name in largest["name"])])
    names = max([8, *(len(name) for name in largest[who])])
    for row in largest.to_dict("records"):
        output.print(f"  {row['name']:<{width}} {row[who]:<{names}} {row['per_one_percent']:+.5f}", highlight=False)
