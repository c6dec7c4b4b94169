"""Charts as tables: bars and dots whose numbers stand beside them, readable at any width and without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from dlopt.views.report.html import scrolling

BEFORE_AFTER = ("before", "after")
"""Series whose numbers are joined by an arrow."""


def bars(values: Mapping[str, float], form: str, unit: str, caption: str, column: str) -> str:
    """Bars from zero, the longest first; the number after each.

    Args:
        values: by label.
        form: of the number, as in `format`.
        unit: said after it.
        caption: what is shown.
        column: the column of a table that the numbers are, for readers of the page that are programs.
    """
    low, high = min(0.0, *values.values()), max(0.0, *values.values())
    span = high - low or 1.0
    rows = []
    for label, value in sorted(values.items(), key=lambda item: -item[1]):
        left, width = 100 * (min(value, 0) - low) / span, 100 * abs(value) / span
        side = "pos" if value >= 0 else "neg"
        number = f"{value:{form}} {unit}"
        rows.append(
            f'<tr title="{escape(label)}: {escape(number)}"><th scope="row">{escape(label)}</th>'
            f'<td class="track"><span class="zero" style="left:{100 * -low / span:.2f}%"></span>'
            f'<span class="bar {side}" style="left:{left:.2f}%;width:{width:.2f}%"></span></td>'
            f'<td class="num" data-row="{escape(label)}" data-column="{column}" data-value="{value!r}">'
            f"{escape(number)}</td></tr>"
        )
    return f'<table class="bars"><caption>{escape(caption)}</caption><tbody>{"".join(rows)}</tbody></table>'


def dots(rows: Mapping[str, Sequence[float | None]], series: Sequence[str], form: str, unit: str, caption: str) -> str:
    """Dots of several series on one line per label, such as before and after; the numbers after them."""
    known = [value for values in rows.values() for value in values if value is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    span = high - low or 1.0
    body = []
    for label, values in rows.items():
        marks, words = [], []
        for k, (name, value) in enumerate(zip(series, values, strict=True)):
            if value is None:
                continue
            words.append(f"{value:{form}}")
            title = escape(f"{label}, {name}: {value:{form}} {unit}")
            left = 2 + 96 * (value - low) / span
            marks.append(f'<span class="dot d{k % 6}" style="left:{left:.2f}%" title="{title}"></span>')
        joined = " → ".join(words) if tuple(series) == BEFORE_AFTER else ", ".join(words)
        body.append(
            f'<tr><th scope="row">{escape(label)}</th><td class="track">{"".join(marks)}</td>'
            f'<td class="num">{escape(joined)} {escape(unit)}</td></tr>'
        )
    key = "".join(f'<span class="dot d{k % 6}"></span>{escape(name)}' for k, name in enumerate(series))
    head = f'<p class="key" aria-hidden="true">{key}</p>'
    return f'{head}<table class="bars"><caption>{escape(caption)}</caption><tbody>{"".join(body)}</tbody></table>'


def sortable(
    heads: Sequence[tuple[str, str]],
    rows: Sequence[tuple[str, Sequence[tuple[str, object]]]],
    source: str,
    totals: Sequence[str] = (),
) -> str:
    """A table that a click on a head sorts.

    Args:
        heads: of the columns after the first: name in the file, and in words.
        rows: label, and for each column the text and the value behind it.
        source: the file the values are from.
        totals: labels of rows that stay below.
    """
    head = '<th scope="col">who</th>' + "".join(f'<th scope="col">{escape(words)}</th>' for _, words in heads)
    body = []
    for label, values in rows:
        row = escape(label)
        inside = "".join(
            f'<td data-row="{row}" data-column="{column}" data-value="{escape(str(value))}">{escape(text)}</td>'
            for (column, _), (text, value) in zip(heads, values, strict=True)
        )
        total = ' class="total"' if label in totals else ""
        body.append(f'<tr{total}><th scope="row" class="text">{escape(label)}</th>{inside}</tr>')
    return scrolling(
        f'<table class="sortable" data-source="{source}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )
