"""Pictures of runs side by side: every run can be told from every other, and all are named."""

from __future__ import annotations

import pandas as pd
import pytest

from dlopt.errors import DloptError
from dlopt.views.comparison import INCOME, figure


def frame(names: list[str], economies: int) -> pd.DataFrame:
    columns = {name: [0.1 * k + row for row in range(economies)] for k, name in enumerate(names)}
    return pd.DataFrame({"measure": INCOME, "economy": [f"E{k}" for k in range(economies)], **columns})


def test_twelve_runs_have_twelve_marks_beside_which_their_names_stand() -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    names = [f"a scenario with a long name, number {k}" for k in range(12)]
    drawn = figure(frame(names, 5), names)
    (axes,) = drawn.axes
    marks = {(line.get_marker(), line.get_color(), line.get_markerfacecolor()) for line in axes.lines[:12]}
    assert len(marks) == 12
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == names
    drawn.draw_without_rendering()
    box, legend = axes.get_window_extent(), drawn.legends[0].get_window_extent()
    assert legend.x0 >= box.x1, "the legend lies on the picture"
    assert axes.get_xlabel()


def test_more_runs_are_rows_and_too_many_of_both_are_refused() -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    names = [f"s{k}" for k in range(68)]
    drawn = figure(frame(names, 8), names)
    assert [label.get_text() for label in drawn.axes[0].get_yticklabels()] == names
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [f"E{k}" for k in range(8)]
    with pytest.raises(DloptError, match="at most 12 runs"):
        figure(frame(names, 13), names)
