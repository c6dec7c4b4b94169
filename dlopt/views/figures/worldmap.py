"""The map of the world as a figure for print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlopt.errors import DloptError
from dlopt.views.figures.canvas import panels
from dlopt.views.report.worldmap import colour, outlines, painted

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def world(welfare: pd.DataFrame) -> Figure:
    """Changes of real income by economy, on the map; members of groups like their group.

    Args:
        welfare: the table `welfare`.

    Raises:
        MissingPlotError: matplotlib is not installed.
        DloptError: the economies are no countries.
    """
    values = dict(zip(welfare["economy"], welfare["real_income_change_pct"], strict=True))
    owner = painted(values)
    if not owner:
        raise DloptError("The economies of this run are no countries: there is no map of them. Draw welfare instead.")
    figure, (axes,) = panels(1, 1, 3.6)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.patches import Polygon

    limit = max(abs(value) for value in values.values()) or 1.0
    for code, outline in outlines().items():
        fill = colour(values[owner[code]] / limit) if code in owner else "#ffffff"
        for ring in outline.strip("MZ").split("ZM"):
            points = np.array([[float(part) for part in pair.split()] for pair in ring.split("L")])
            axes.add_patch(Polygon(points, closed=True, facecolor=fill, edgecolor="#8a8a8a", linewidth=0.3))
    axes.set_xlim(0, 1000)
    axes.set_ylim(440, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    shades = LinearSegmentedColormap.from_list("gains", [colour(share) for share in np.linspace(-1, 1, 41)])
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), shades), ax=axes, location="bottom", shrink=0.5)
    bar.set_label("change of real income, per cent", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
