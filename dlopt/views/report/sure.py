"""The chapter on how sure an answer is: intervals, and in words which evidence would narrow them."""

from __future__ import annotations

from html import escape
from pathlib import Path

from dlopt.runs.tables import read_table
from dlopt.trade.intervals import in_words
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.figures.sensitivity import intervals
from dlopt.views.report.html import picture, section, table
from dlopt.views.report.pictures import png

_NOTE = (
    "How far the answer moves with uncertain parameters: by its derivatives (delta), and by solving again for drawn "
    "parameters (draws). Neither says whether the model is right."
)


def chapter(folder: Path) -> list[str]:
    """Its sections; none where the run has no intervals."""
    if not (folder / "intervals.parquet").is_file():
        return []
    found = read_table(folder, "intervals")
    columns = ("real_income_change_pct", "standard_error", "low", "high")
    rows = [
        (str(row["economy"]), str(row["method"]), *(f"{row[name]:+.3f}" for name in columns))
        for row in found.to_dict("records")
    ]
    heads = ("economy", "method", "real income, %", "standard error", "low", "high")
    try:
        drawn = picture(png(intervals(found)), "Intervals of real income")
    except MissingPlotError as missing:
        drawn = f'<p class="note">{escape(str(missing))}</p>'
    parts = [section("How sure is this", table(heads, rows) + drawn, _NOTE)]
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
