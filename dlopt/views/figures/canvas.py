"""A figure of small panels for print, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlopt.errors import DloptError
from dlopt.store.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.0
"""Inches: the text width of a page."""


class MissingPlotError(DloptError):
    """matplotlib is not installed."""

    def __init__(self) -> None:
        super().__init__("Pictures need matplotlib: pip install matplotlib.")


def panels(count: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in rows of `columns`, each `height` inches high.

    Raises:
        MissingPlotError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPlotError from error
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, rows * height), layout="constrained")
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    for each in axes:
        each.tick_params(which="both", labelsize=7)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem.png` (300 dots per inch) and `stem.pdf`, each whole or not at all."""
    paths = [stem.with_suffix(suffix) for suffix in (".png", ".pdf")]
    for path in paths:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=300)
    return paths
