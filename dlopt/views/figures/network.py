"""Pictures of the network economy: what each link is worth (a heat map), and the economy after a shock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlopt.views.figures.canvas import WIDTH, MissingPlotError, panels, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#1f4e79", "#c00000")
CLIPPED = 0.98  # share of links whose worth the colours resolve


def link_map(links: pd.DataFrame) -> Figure:
    """Marginal value of each link in percent of |V|: buyers in rows, suppliers in columns, in the table's order.

    Red raises welfare, blue lowers it; grey is no link; a cross marks links that are profitable to their buyer and
    harmful to society. The colours are linear up to the 98th percentile of sizes.

    Args:
        links: the table `marginal_values`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPlotError from error
    names = dict(zip(links["buyer"], links["buyer_name"], strict=True))
    names |= dict(zip(links["supplier"], links["supplier_name"], strict=True))
    order = [s for s in pd.unique(pd.concat([links["buyer"], links["supplier"]])) if s in names]
    worth = links.pivot(index="buyer", columns="supplier", values="delta_v_pct").reindex(index=order, columns=order)
    limit = float(links["delta_v_pct"].abs().quantile(CLIPPED)) or 1.0
    size = max(0.5, len(order) / 37)
    figure = Figure(figsize=(min(WIDTH, 2.6 + 5.2 * size), 2.0 + 5.2 * size), layout="constrained")
    axis = figure.add_subplot()
    axis.set_facecolor("0.85")
    image = axis.imshow(np.ma.masked_invalid(worth), cmap=matplotlib.colormaps["RdBu_r"], vmin=-limit, vmax=limit)
    labels = [names[s] for s in order]
    axis.set_xticks(range(len(order)), labels, rotation=90, fontsize=5.5 if len(order) > 20 else 8)
    axis.set_yticks(range(len(order)), labels, fontsize=5.5 if len(order) > 20 else 8)
    position = {s: k for k, s in enumerate(order)}
    bad = links[links["harmful"]]
    if len(bad):
        x, y = ([position[s] for s in bad[column]] for column in ("supplier", "buyer"))
        axis.plot(x, y, "x", color="black", markersize=3, label="profitable to the buyer, harmful to society")
        figure.legend(loc="outside lower left", fontsize=7, frameon=False)
    axis.set_xlabel("supplier", fontsize=8)
    axis.set_ylabel("buyer", fontsize=8)
    axis.set_title("Average marginal value of a link, percent of |V|", fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.7, extend="both").ax.tick_params(labelsize=7)
    return figure


def transition_paths(transition: pd.DataFrame) -> Figure:
    """GDP, number of links and welfare after each shock, against the same paths without it.

    Args:
        transition: the table `transition`.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    figure, axes = panels(3, 3, 2.3)
    titles = ("log GDP, % difference", "links, difference", "consumption equivalent, %")
    for (name, path), colour in zip(transition.groupby("shock", sort=False), COLOURS, strict=True):
        series = (path["log_gdp_pct"], path["links"] - path["links_without"], path["consumption_equivalent_pct"])
        for axis, values in zip(axes, series, strict=True):
            axis.plot(path["year"], values, color=colour, linewidth=1.2, label=str(name))
    for axis, title in zip(axes, titles, strict=True):
        axis.axhline(0, color="0.7", linewidth=0.6)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("years after the shock", fontsize=7)
    axes[0].legend(fontsize=6, frameon=False)
    return figure


def draw(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write `link_map` and `transition` (where there is one) as PNG and PDF.

    Raises:
        MissingPlotError: matplotlib is not installed.
        FileWriteError: no permission or no space.
    """
    written = save(link_map(tables["marginal_values"]), folder / "link_map")
    if "transition" in tables:
        written += save(transition_paths(tables["transition"]), folder / "transition")
    return written
