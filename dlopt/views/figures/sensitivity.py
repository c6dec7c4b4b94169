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
    labels = chosen["name"].str.cat(chosen["economy"], sep=": ")
    values = chosen["per_one_percent"]
    axes.barh(range(len(chosen)), values, color=[COLOURS[value >= 0] for value in values])
    axes.set_yticks(range(len(chosen)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color="#222", linewidth=0.8)
    axes.set_xlabel("real income, percentage points, for one per cent more (rates: one percentage point)", fontsize=7)
    axes.set_title("What moves real income most, and whose", fontsize=9)
    return figure


def intervals(table: pd.DataFrame) -> Figure:
    """Real incomes with their intervals, per cent: a line for each economy and method.

    Args:
        table: `intervals.parquet`, that is `Intervals.table()`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    economies = list(dict.fromkeys(table["economy"]))
    figure, (axes,) = panels(1, 1, 1.0 + 0.25 * len(economies))
    for shift, (method, part) in zip((-0.12, 0.12), table.groupby("method", sort=False), strict=False):
        at = [economies.index(economy) + shift for economy in part["economy"]]
        axes.hlines(at, part["low"], part["high"], color=COLOURS[method == "delta"], linewidth=1.5, label=str(method))
        axes.plot(part["real_income_change_pct"], at, "o", color="#222", markersize=2.5)
    axes.set_yticks(range(len(economies)), economies, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="#222", linewidth=0.6)
    axes.set_xlabel("change of real income, per cent", fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    return figure
