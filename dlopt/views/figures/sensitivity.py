"""Pictures of what moves an answer: the largest effects on real income, and how far the answer can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dlopt.views.figures.canvas import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {True: "#1f4e79", False: "#c00000"}


def largest(table: pd.DataFrame, rows: int = 20) -> Figure:
    """The largest effects on real income of one per cent more of a parameter (of rates: one percentage point).

    Args:
        table: `sensitivity.parquet`, that is `Sensitivities.table()`.
        rows: how many, at most; of each parameter only the economy it moves most.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    size = table["per_one_percent"].abs()
    order = size.sort_values(ascending=False, kind="stable").index
    chosen = table.loc[order].drop_duplicates("parameter").head(rows)
    figure, (axes,) = panels(1, 1, 1.0 + 0.2 * len(chosen))
    labels = chosen["parameter"].str.cat(chosen["economy"], sep=" on ")
    values = chosen["per_one_percent"]
    axes.barh(range(len(chosen)), values, color=[COLOURS[value >= 0] for value in values])
    axes.set_yticks(range(len(chosen)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color="#222", linewidth=0.8)
    axes.set_xlabel("real income, percentage points, for one per cent more (rates: one percentage point)", fontsize=7)
    axes.set_title("What moves the answer most, and whose", fontsize=9)
    return figure
