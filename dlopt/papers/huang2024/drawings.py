"""The figures of Huang and Yu (2024) that are not drawn by `dlopt.views.figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlopt.views.figures.canvas import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def marginal_values(data: pd.DataFrame) -> Figure:
    """Two scatters with fitted lines: gain against revenue, and its residual against complementarity."""
    used = data[data["delta_v"] > 0]
    sheet, axes = panels(2, 2, 2.8)
    labels = {
        "zeta": "revenue of the destination, a year", "delta_v": "mean gain of V",
        "complementarity": "added to profits elsewhere, a year", "residual": "gain not explained by revenue",
    }  # fmt: skip
    for axis, (x, y) in zip(axes, (("zeta", "delta_v"), ("complementarity", "residual")), strict=True):
        axis.plot(used[x], used[y], "o", color="#1f4e79", markersize=3.5, alpha=0.7, markeredgewidth=0)
        if used[x].nunique() > 1:
            slope, level = np.polyfit(used[x], used[y], 1)
            ends = np.array([used[x].min(), used[x].max()])
            axis.plot(ends, level + slope * ends, color="#c55a11", linewidth=1.2)
            axis.set_title(f"correlation {used[x].corr(used[y]):.2f}", fontsize=8)
        axis.set_xlabel(labels[x], fontsize=8)
        axis.set_ylabel(labels[y], fontsize=8)
    return sheet
