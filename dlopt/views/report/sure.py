"""The chapter on how sure an answer is: intervals, and in words which evidence would narrow them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dlopt.runs.tables import read_table
from dlopt.trade.interval_words import assumed_in, in_words
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.figures.sensitivity import intervals
from dlopt.views.report.html import picture, section, table
from dlopt.views.report.pictures import png

if TYPE_CHECKING:
    import pandas as pd

_NOTE = (
    "How far the answer moves with uncertain parameters: by its derivatives (delta), and by solving again for drawn "
    "parameters (draws). Neither says whether the model is right."
)


_AVERAGE = (
    "Simple averages of the rates that each player chose, under uncertain parameters; the table interval_policies has "
    "every rate."
)


def chapter(folder: Path, message: str = "") -> list[str]:
    """Its sections; none where the run has no intervals.

    Args:
        folder: of the run.
        message: how the run ended, in which it says what was assumed.
    """
    if not (folder / "intervals.parquet").is_file():
        return []
    found = read_table(folder, "intervals")
    forms = {"real_income_change_pct": "+.3f", "standard_error": ".3f", "low": "+.3f", "high": "+.3f"}
    rows = [
        (str(row["economy"]), str(row["method"]), *(format(row[name], form) for name, form in forms.items()))
        for row in found.to_dict("records")
    ]
    heads = ("economy", "method", "real income, %", "standard error", "low", "high")
    try:
        drawn = picture(png(intervals(found)), "Intervals of real income")
    except MissingPlotError as missing:
        drawn = f'<p class="note">{escape(str(missing))}</p>'
    parts = [section("How sure is this", f"<p>{escape(assumed_in(message))}</p>" + table(heads, rows) + drawn, _NOTE)]
    if (folder / "interval_averages.parquet").is_file():
        parts.append(section("How sure are the policies", _averages(read_table(folder, "interval_averages")), _AVERAGE))
    evidence = read_table(folder, "evidence")
    sentences = "".join(f"<p>{escape(text)}</p>" for text in in_words(evidence))
    parts.append(section("Which evidence would matter", sentences or "<p>No parameter moves the answer.</p>"))
    if (folder / "sobol.parquet").is_file():
        shares = [
            (
                str(r["group"]),
                str(r["economy"]),
                *(f"{r[c]:.2f}" for c in ("first", "first_error", "total", "total_error")),
            )
            for r in read_table(folder, "sobol").to_dict("records")
        ]
        names = ("parameter", "economy", "alone", "±", "with interactions", "±")
        parts.append(section("Shares of the variance (Sobol indices)", table(names, shares)))
    return parts


def _averages(frame: pd.DataFrame) -> str:
    figures = ("rate", "standard_error", "low", "high")
    rows = [
        (
            str(row["player"]),
            str(row["kind"]).replace("_", " "),
            str(row["method"]),
            *(f"{row[c]:.2f}" for c in figures),
        )
        for row in frame.to_dict("records")
    ]
    return table(("player", "chosen", "method", "average rate, %", "standard error", "low", "high"), rows)
