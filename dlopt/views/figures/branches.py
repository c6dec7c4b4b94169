"""The picture of branches of equilibria: one economy's real income against the factor on elasticities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dlopt.views.figures.canvas import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = {"fold": ("o", "#c00000"), "bifurcation": ("s", "#1f4e79")}


def figure(table: pd.DataFrame, specials: pd.DataFrame, along: str) -> Figure:
    """A panel for each economy, a line for each branch, marks for folds and bifurcations.

    At most twelve economies are drawn, those whose real income changes most.

    Args:
        table: `Branches.table()`.
        specials: `Branches.specials()`.
        along: what the factor multiplies, `psi` or `theta`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    size = table["real_income_change_pct"].abs().groupby(table["economy"]).max()
    most = set(size.sort_values(ascending=False, kind="stable").index[:12])
    economies = [economy for economy in dict.fromkeys(table["economy"]) if economy in most]
    sheet, axes = panels(len(economies), min(3, len(economies)), 2.3)
    for economy, axis in zip(economies, axes, strict=True):
        own = table[table["economy"] == economy]
        for number, branch in own.groupby("branch"):
            axis.plot(branch["factor"], branch["real_income_change_pct"], linewidth=1.1, label=f"branch {number}")
        for kind, (mark, colour) in _MARKS.items():
            here = specials[specials["kind"] == kind]
            if here.empty:
                continue
            axis.plot(here["factor"], here[economy], mark, color=colour, markersize=3.5, label=kind, linestyle="none")
        axis.axvline(1.0, color="0.8", linewidth=0.8)
        axis.set_title(economy, fontsize=8)
        axis.set_xlabel(f"factor on all {along}", fontsize=7)
        axis.ticklabel_format(useOffset=False)
    axes[0].set_ylabel("real income, % change", fontsize=7)
    axes[0].legend(fontsize=6, frameon=False)
    return sheet
