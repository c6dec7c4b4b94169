"""The figures, drawn from their tables: a row of panels for each quantity, a panel for each variant."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlopt.views.figures.canvas import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREY, _GREEN, _RED = "#1f4e79", "#c55a11", "0.6", "#3a7d44", "#c00000"


def _grid(data: pd.DataFrame, rows: list[str | None], height: float) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Panels and the part of the data that each shows; `rows` are values of the column `panel`."""
    variants = list(dict.fromkeys(data["variant"]))
    sheet, axes = panels(len(rows) * len(variants), len(variants), height)
    parts = []
    for number, axis in enumerate(axes):
        row, variant = rows[number // len(variants)], variants[number % len(variants)]
        part = data[data["variant"] == variant]
        parts.append((axis, part if row is None else part[part["panel"] == row]))
        axis.set_title(variant if row is None else f"{variant}, {row}", fontsize=8)
    return sheet, parts


def _diagonal(axis: Axes, part: pd.DataFrame) -> None:
    values = part[["x", "y"]].to_numpy()
    ends = [np.nanmin(values), np.nanmax(values)]
    axis.plot(ends, ends, "--", color=_GREY, linewidth=0.8)


def _labels(axis: Axes, x: str, y: str, first: bool) -> None:
    axis.set_xlabel(x, fontsize=7)
    if first:
        axis.set_ylabel(y, fontsize=7)


def learning_paths(data: pd.DataFrame) -> Figure:
    """A panel for each economy and one for the distance; a line for each learning rate, dashed the equilibrium."""
    names = list(dict.fromkeys(data["panel"]))
    sheet, axes = panels(len(names), 4, 1.8)
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        part = data[data["panel"] == name]
        axis.axhline(part["certified"].iloc[0], linestyle="--", color=_GREY, linewidth=0.8)
        for (rate, path), color in zip(part.groupby("learning_rate"), (_GREEN, _BLUE, _RED), strict=False):
            axis.plot(path["x"], path["y"], color=color, linewidth=1.1, label=f"learning rate {rate:g}")
        axis.set_title(name, fontsize=8)
        last = number == len(names) - 1
        _labels(axis, "optimiser steps", "points" if last else "real income, % change", last or number % 4 == 0)
    sheet.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return sheet


def landscape(data: pd.DataFrame) -> Figure:
    """A line for each instrument, a contour map for each pair; the dot is the solution."""
    cuts = [part for _, part in data.groupby("cut", sort=False)]
    sheet, axes = panels(len(cuts), 3, 2.2)
    for number, (axis, part) in enumerate(zip(axes, cuts, strict=True)):
        x = 100 * np.unique(part["x_rate"])
        first = str(part["x_title"].iloc[0])
        if part["y"].isna().all():
            welfare = part["real_income_change_pct"].to_numpy()
            axis.plot(x, welfare, color=_BLUE, linewidth=1.2)
            axis.plot(x[len(x) // 2], welfare[len(x) // 2], "o", color=_ORANGE, markersize=3.5)
            axis.set_title(textwrap.fill(first, 34), fontsize=7)
            _labels(axis, "rate, %", "real income, % change", number % 3 == 0)
        else:
            y = 100 * np.unique(part["y_rate"])
            surface = part["real_income_change_pct"].to_numpy().reshape(len(x), len(y)).T
            lines = axis.contour(x, y, surface, levels=10, colors=_BLUE, linewidths=0.7, linestyles="solid")
            axis.clabel(lines, list(lines.levels)[::2], fontsize=6)
            axis.plot(x[len(x) // 2], y[len(y) // 2], "o", color=_ORANGE, markersize=3.5)
            axis.set_title("real income, % change", fontsize=7)
            _labels(axis, textwrap.fill(f"{first}, %", 34), textwrap.fill(f"{part['y_title'].iloc[0]}, %", 30), True)
    return sheet


def unilateral_and_nash(data: pd.DataFrame) -> Figure:
    """Scatter with the 45-degree line."""
    sheet, parts = _grid(data, ["tariff", "subsidy"], 2.2)
    columns = len(parts) // 2
    for number, (axis, part) in enumerate(parts):
        _diagonal(axis, part)
        axis.plot(part["x"], part["y"], "o", color=_BLUE, markersize=2.5, alpha=0.6, markeredgewidth=0)
        _labels(axis, "China alone, %", "Nash, %", number % columns == 0)
    return sheet


def production_shares(data: pd.DataFrame) -> Figure:
    """Scatter with the 45-degree line."""
    sheet, parts = _grid(data, [None], 2.4)
    for number, (axis, part) in enumerate(parts):
        _diagonal(axis, part)
        axis.plot(part["x"], part["y"], "o", color=_BLUE, markersize=2.5, alpha=0.6, markeredgewidth=0)
        _labels(axis, "trade war, points", "dual competition, points", number == 0)
    return sheet


def tariffs_and_subsidies(data: pd.DataFrame) -> Figure:
    """Scatter; the line is a plain least-squares fit."""
    sheet, parts = _grid(data, [None], 2.4)
    for number, (axis, part) in enumerate(parts):
        axis.plot(part["x"], part["y"], "o", color=_BLUE, markersize=2, alpha=0.4, markeredgewidth=0)
        if part["x"].nunique() > 1:
            slope, level = np.polyfit(part["x"], part["y"], 1)
            ends = np.array([part["x"].min(), part["x"].max()])
            axis.plot(ends, level + slope * ends, color=_ORANGE, linewidth=1.2)
        axis.set_ylim(0, 1.1 * float(np.nanquantile(data["y"], 0.99)))
        _labels(axis, "subsidy, %", "tariff, %", number == 0)
    return sheet


def war_and_dual(data: pd.DataFrame) -> Figure:
    """Scatter with the 45-degree line, sectors with strong scale economies marked."""
    sheet, parts = _grid(data, [None], 2.6)
    top = 1.1 * float(np.nanquantile(data[["x", "y"]].to_numpy(), 0.98))
    for number, (axis, part) in enumerate(parts):
        axis.plot([0, top], [0, top], "--", color=_GREY, linewidth=0.8)
        for high, color, mark in ((False, _BLUE, "o"), (True, _ORANGE, "^")):
            some = part[part["high_psi"] == high]
            words = f"psi {'above' if high else 'up to'} the median"
            axis.plot(
                some["x"], some["y"], mark, color=color, markersize=2.5, alpha=0.5, markeredgewidth=0, label=words
            )
        axis.set_xlim(0, top)
        axis.set_ylim(0, top)
        _labels(axis, "trade war, %", "dual competition, %", number == 0)
    parts[0][0].legend(fontsize=6, frameon=False)
    return sheet


def drawn_subsidies(data: pd.DataFrame) -> Figure:
    """Histogram; the line is no change."""
    sheet, parts = _grid(data, [None], 2.3)
    for number, (axis, part) in enumerate(parts):
        axis.hist(part["x"].dropna(), bins=40, color=_BLUE)
        axis.axvline(0, color=_ORANGE, linewidth=1)
        _labels(axis, "real income of China, % change", "draws", number == 0)
    return sheet


def relative_wages(data: pd.DataFrame) -> Figure:
    """Bars by economy."""
    sheet, parts = _grid(data, [None], 2.3)
    for number, (axis, part) in enumerate(parts):
        bars = axis.bar(part["group"], part["y"], color=_BLUE)
        axis.bar_label(bars, fmt="%.1f", fontsize=6)
        axis.axhline(0, color="0.3", linewidth=0.6)
        axis.tick_params(axis="x", labelsize=6)
        _labels(axis, "", f"wage relative to {part['numeraire'].iloc[0]}, % change", number == 0)
    return sheet


def by_group(data: pd.DataFrame) -> Figure:
    """Every rate as a point, its group's median as a bar."""
    sheet, parts = _grid(data, [None], 2.4)
    for number, (axis, part) in enumerate(parts):
        groups = sorted(set(part["group"]))
        for position, group in enumerate(groups):
            values = part.loc[part["group"] == group, "y"].to_numpy()
            offsets = np.linspace(-0.3, 0.3, len(values))
            axis.plot(position + offsets, values, "o", color=_BLUE, markersize=1.8, alpha=0.5, markeredgewidth=0)
            axis.plot([position - 0.35, position + 0.35], [np.median(values)] * 2, color=_ORANGE, linewidth=1.2)
        axis.set_xticks(range(len(groups)), groups, fontsize=6)
        axis.set_ylim(0, 1.15 * float(data["y"].max()))
        _labels(axis, "", "tariff, %", number == 0)
    return sheet
