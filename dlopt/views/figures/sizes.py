"""Figures in the size of a page or of a slide, written as the suffix of the file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlopt.errors import UnknownNameError
from dlopt.store.exports import check_suffix
from dlopt.store.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".pdf", ".png", ".svg")
SLIDE = (13.33, 7.5)
"""Inches: a slide of 16 to 9."""
_LARGER = 1.9
_MARGIN = 0.15
"""Inches around what a slide shows."""
SIZES = ("paper", "slide")


def write_figure(figure: Figure, path: Path, size: str = "paper") -> None:
    """Write a figure: `paper` as it was drawn (the width of a text), `slide` large, its letters too.

    Raises:
        SuffixError: the file is not .pdf, .png or .svg.
        UnknownNameError: another size.
        FileWriteError: it cannot be written.
    """
    check_suffix(path, SUFFIXES)
    if size not in SIZES:
        raise UnknownNameError("size", size, SIZES)
    if size == "slide":
        from matplotlib.layout_engine import ConstrainedLayoutEngine
        from matplotlib.lines import Line2D
        from matplotlib.text import Text

        figure.set_size_inches(*SLIDE)
        for text in figure.findobj(Text):
            text.set_fontsize(float(text.get_fontsize()) * _LARGER)  # type: ignore[attr-defined]
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
        for handle in (handle for found in legends if found is not None for handle in found.legend_handles):
            if isinstance(handle, Line2D):
                handle.set_markersize(_LARGER * handle.get_markersize())
        engine = figure.get_layout_engine()
        if isinstance(engine, ConstrainedLayoutEngine):
            engine.set(w_pad=_MARGIN, h_pad=_MARGIN)
        for axes in figure.axes:
            axes.tick_params(labelsize=8 * _LARGER)
            for line in axes.lines:
                line.set_markersize(_LARGER * line.get_markersize())
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=200)
