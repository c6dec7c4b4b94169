"""The picture of a landscape: a panel for each instrument, then a contour map for each pair."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from dlopt.trade.landscape import Cut, Landscape
from dlopt.views.figures.canvas import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _POINT = "#1f4e79", "#c00000"
_COLUMNS = 3


def figure(landscape: Landscape) -> Figure:
    """Real income of the player (per cent) against its own rates (per cent).

    The dot is the solution; rates beyond the player's bounds are shaded.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    country = landscape.economies.index(landscape.player.partition("+")[0])
    sheet, axes = panels(len(landscape.cuts), _COLUMNS, 2.1)
    for number, (cut, axis) in enumerate(zip(landscape.cuts, axes, strict=True)):
        if len(cut.names) == 1:
            _line(axis, cut, country)
            if number % _COLUMNS == 0:
                axis.set_ylabel("real income, % change", fontsize=7)
        else:
            _plane(axis, cut, country)
    title = f"Welfare of {landscape.economies[country]} along its own policies (dot: solution; shaded: out of bounds)"
    sheet.suptitle(title, fontsize=9)
    return sheet


def _line(axis: Axes, cut: Cut, country: int) -> None:
    rates, welfare = 100 * cut.rates[0].numpy(), cut.welfare[:, country].numpy()
    middle = len(rates) // 2
    axis.axvline(rates[middle], color="0.8", linewidth=0.8)
    low, high = (100 * bound for bound in cut.bounds[0])
    axis.set_xlim(rates[0], rates[-1])
    for start, end in ((rates[0], low), (high, rates[-1])):
        if start < end:
            axis.axvspan(start, end, color="0.92", linewidth=0)
    axis.plot(rates, welfare, color=_LINE, linewidth=1.2)
    axis.plot(rates[middle], welfare[middle], "o", color=_POINT, markersize=3.5)
    axis.set_title(_wrapped(cut.titles[0]), fontsize=7)
    axis.set_xlabel("rate, %", fontsize=7)
    axis.ticklabel_format(useOffset=False)


def _plane(axis: Axes, cut: Cut, country: int) -> None:
    x, y = (100 * rates.numpy() for rates in cut.rates)
    welfare = cut.welfare[:, :, country].numpy().T
    low, high = np.nanmin(welfare), np.nanmax(welfare)
    # A map that stops at a middling blue, so that lines and labels stand out everywhere.
    filled = axis.contourf(x, y, welfare, levels=12, cmap="Blues", vmin=low, vmax=high + 0.9 * (high - low))
    levels = list(filled.levels)
    lines = axis.contour(x, y, welfare, levels=levels, colors="0.25", linewidths=0.4, linestyles="solid")
    axis.clabel(lines, levels[::2], fontsize=6)
    axis.plot(x[len(x) // 2], y[len(y) // 2], "o", color=_POINT, markersize=3.5)
    axis.set_xlabel(f"{_wrapped(cut.titles[0])}, %", fontsize=7)
    axis.set_ylabel(f"{_wrapped(cut.titles[1])}, %", fontsize=7)
    axis.set_title("real income, % change", fontsize=7)


def _wrapped(title: str) -> str:
    return textwrap.fill(textwrap.shorten(title, 56, placeholder="…"), 30)
