"""Pictures of a result, by the table each is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from dlopt.trade.rates import KINDS
from dlopt.views.figures.canvas import panels
from dlopt.views.figures.network import link_map
from dlopt.views.figures.sensitivity import intervals
from dlopt.views.figures.worldmap import world
from dlopt.views.report.charts import ENDS, LONGEST, signed
from dlopt.views.report.pictures import policies_by_sector, way_of_the_solver

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Read = Callable[[], pd.DataFrame]
GOOD, BAD = "#1f5f99", "#a34700"
"""The colours of gains and losses on pages, which colour-blind readers can tell apart."""


def of_run(names: Sequence[str], read: Callable[[str], pd.DataFrame]) -> dict[str, Callable[[], Figure]]:
    """Names of the pictures that the tables of a run have, and how to draw each."""
    found: dict[str, Callable[[], Figure]] = {}
    for name in names:
        found |= of_table(name, partial(read, name))
    return found


def of_table(name: str, read: Read) -> dict[str, Callable[[], Figure]]:
    """Names of the pictures that one table has, and how to draw each; the table is read when it is drawn."""
    if name == "objectives":
        return {"objectives": lambda: before_and_after(read(), "player", "objective")}
    if name == "outcomes":
        if "outcome" not in read():  # of the trade model: a table for readers, not for one picture
            return {}
        return {"outcomes": lambda: before_and_after(_labelled(read()), "outcome", "outcome")}
    if name == "welfare":
        return {"welfare": lambda: changes(read()), "map": lambda: world(read())}
    if name == "policies":
        if "chosen" in read():  # of a model of one's own
            return {"instruments": lambda: before_and_after(_moved(read()), "instrument", "instrument")}
        present = set(read()["instrument"])
        return {kind: partial(_policies, read, kind) for kind in KINDS if kind in present}
    if name == "iterations":
        return {"iterations": lambda: way_of_the_solver(read())}
    if name == "intervals":
        return {"intervals": lambda: intervals(read())}
    if name == "losses":
        return {"losses": lambda: training(read())}
    if name == "marginal_values":
        return {"links": lambda: link_map(read())} if "buyer" in read() else {}
    return {}


def changes(welfare: pd.DataFrame) -> Figure:
    """Changes of real income by economy, bars in per cent; of very many economies the highest and the lowest.

    Args:
        welfare: the table `welfare`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    count = len(welfare)
    if count > LONGEST:
        ordered = welfare.sort_values("real_income_change_pct", ascending=False)
        welfare = pd.concat([ordered.head(ENDS), ordered.tail(ENDS)])
    figure, (axes,) = panels(1, 1, 1.0 + 0.25 * len(welfare))
    values = welfare["real_income_change_pct"]
    bars = axes.barh(welfare["economy"], values, color=[GOOD if value >= 0 else BAD for value in values])
    axes.bar_label(bars, fmt=f"%{signed(float(values.abs().max()), 2)}", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.axvline(0, color="#222", linewidth=0.8)
    which = f": {ENDS} highest and {ENDS} lowest of {count}" if count > LONGEST else ""
    axes.set_xlabel(f"change of real income, per cent{which}", fontsize=8)
    return figure


def before_and_after(table: pd.DataFrame, names: str, what: str) -> Figure:
    """A quantity at the start and at the solution, a dot each, by name.

    Args:
        table: with columns `names`, `initial` and `value`.
        names: the column of names.
        what: the label of the axis.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    figure, (axes,) = panels(1, 1, 1.0 + 0.25 * max(len(table), 1))
    rows = range(len(table))
    axes.hlines(rows, table["initial"], table["value"], color="#bbb")
    axes.plot(table["initial"], rows, "o", color="#888", markersize=4, label="start")
    axes.plot(table["value"], rows, "o", color="#1f4e79", markersize=4, label="solution")
    axes.set_yticks(rows, table[names])
    axes.invert_yaxis()
    axes.set_xlabel(what, fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    return figure


def training(losses: pd.DataFrame) -> Figure:
    """The residual of the equation while a value function is trained, as a share of V.

    Args:
        losses: the table `losses`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    figure, (axes,) = panels(1, 1, 2.4)
    axes.semilogy(losses["step"], losses["hjb_residual_rel"], color="#1f4e79")
    axes.set_xlabel("gradient steps", fontsize=8)
    axes.set_ylabel("mean residual / V", fontsize=8)
    return figure


def _policies(read: Read, kind: str) -> Figure:
    return policies_by_sector(read(), kind)


def _moved(policies: pd.DataFrame) -> pd.DataFrame:
    """Instruments that somebody chose or that were set; all where nothing moved."""
    moved = policies[policies["chosen"] | (policies["initial"] != policies["value"])]
    return moved if len(moved) else policies


def _labelled(outcomes: pd.DataFrame) -> pd.DataFrame:
    labels = outcomes["label"].map(lambda label: f" {label}" if label else "")
    return outcomes.assign(outcome=outcomes["outcome"] + labels)
