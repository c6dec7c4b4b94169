"""The picture of branches: no economy is left out among twelve, and only marks that are there are explained."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from dlopt.views.figures.branches import figure


def test_every_economy_has_a_panel_and_only_marks_that_are_there_are_explained() -> None:
    pytest.importorskip("matplotlib")
    names = [f"E{k}" for k in range(14)]
    rows = [(0, f, name, 0.1 * k) for k, name in enumerate(names) for f in (0.9, 1.1)]
    table = pd.DataFrame(rows, columns=["branch", "factor", "economy", "real_income_change_pct"])
    none = pd.DataFrame(columns=["kind", "factor", *names])
    sheet = figure(table, none, "psi")
    assert [axis.get_title() for axis in sheet.axes if axis.get_title()] == names[2:]
    assert _explained(sheet.axes[0]) == ["branch 0"]
    fold = pd.DataFrame([["fold", 1.0, *[0.0] * 14]], columns=["kind", "factor", *names])
    assert _explained(figure(table, fold, "psi").axes[0]) == ["branch 0", "fold"]


def _explained(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]
