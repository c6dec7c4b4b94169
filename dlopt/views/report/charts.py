"""Charts as tables: bars and dots whose numbers stand beside them, readable at any width and without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from dlopt.views.report.html import scrolling

BEFORE_AFTER = ("before", "after")
"""Series whose numbers are joined by an arrow."""
LONGEST = 40
"""Labels; of more than these a chart shows the ends, and says how many it leaves to the table."""
ENDS = 15
"""How many labels a chart shows at each end, where it cannot show all."""
_LONG = 12
"""Letters; longer labels have more room."""
_FINEST = 7
"""Decimals; smaller changes are rounding."""


def signed(largest: float, decimals: int) -> str:
    """The form of signed numbers: with more decimals than usual where the largest of them is small."""
    more = 1 + math.ceil(-math.log10(largest / 2)) if largest > 0 else 0
    return f"+.{max(decimals, min(more, _FINEST))}f"


def bars(values: Mapping[str, float], form: str, unit: str, caption: str, column: str) -> str:
    """Bars from zero, the largest value first; the number after each.

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
    ordered = sorted(values.items(), key=lambda item: -item[1])
    between = len(ordered) - 2 * ENDS if len(ordered) > LONGEST else 0
    for place, (label, value) in enumerate(ordered):
        if between and place == ENDS:
            rows.append(
                f'<tr><td colspan="3" class="text">{between} others lie between; the tables have all.</td></tr>'
            )
        if between and ENDS <= place < ENDS + between:
            continue
        left, width = 100 * (min(value, 0) - low) / span, 100 * abs(value) / span
        side = "pos" if value >= 0 else "neg"
        number = f"{value:{form}} {unit}".strip()
        rows.append(
            f'<tr title="{escape(label)}: {escape(number)}"><th scope="row">{escape(label)}</th>'
            f'<td class="track"><span class="zero" style="left:{100 * -low / span:.2f}%"></span>'
            f'<span class="bar {side}" style="left:{left:.2f}%;width:{width:.2f}%"></span></td>'
            f'<td class="num" data-row="{escape(label)}" data-column="{column}" data-value="{value!r}">'
            f"{escape(number)}</td></tr>"
        )
    long = " long" if max(map(len, values)) > _LONG else ""
    return f'<table class="bars{long}"><caption>{escape(caption)}</caption><tbody>{"".join(rows)}</tbody></table>'


def dots(rows: Mapping[str, Sequence[float | None]], series: Sequence[str], form: str, unit: str, caption: str) -> str:
    """Dots of several series on one line per label, such as before and after; the numbers after them.

    Before and after are joined by an arrow; other series have a column of numbers each, under their name. Of very many
    labels those whose values differ most are drawn.
    """
    left_out = max(len(rows) - 2 * ENDS, 0) if len(rows) > LONGEST else 0
    if left_out:
        apart = sorted(rows, key=lambda label: _spread(rows[label]))
        dropped = set(apart[:left_out])
        rows = {label: values for label, values in rows.items() if label not in dropped}
        caption = f"{caption} The {len(rows)} that move most; the tables have the other {left_out}, too."
    known = [value for values in rows.values() for value in values if value is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    span = high - low or 1.0
    arrow = tuple(series) == BEFORE_AFTER
    first = 0 if arrow else 1  # the hollow dot is the one before
    colours = [k % 6 if arrow else first + k % 5 for k in range(len(series))]
    body = []
    for label, values in rows.items():
        marks = [f'<span class="zero" style="left:{2 + 96 * -low / span:.2f}%"></span>'] if low < 0 else []
        for colour, name, value in zip(colours, series, values, strict=True):
            if value is None:
                continue
            title = escape(f"{label}, {name}: {value:{form}} {unit}")
            left = 2 + 96 * (value - low) / span
            marks.append(f'<span class="dot d{colour}" style="left:{left:.2f}%" title="{title}"></span>')
        words = ["" if value is None else f"{value:{form}}" for value in values]
        numbers = [f"{' → '.join(filter(None, words))} {unit}"] if arrow else words
        inside = "".join(f'<td class="num">{escape(number)}</td>' for number in numbers)
        body.append(f'<tr><th scope="row">{escape(label)}</th><td class="track">{"".join(marks)}</td>{inside}</tr>')
    if arrow:
        key = "".join(f'<span class="dot d{k}"></span>{escape(name)}' for k, name in zip(colours, series, strict=True))
        head = f'<p class="key" aria-hidden="true">{key}</p>'
        return f'{head}<table class="bars"><caption>{escape(caption)}</caption><tbody>{"".join(body)}</tbody></table>'
    names = "".join(
        f'<th scope="col"><span class="dot key d{k}"></span>{escape(name)}</th>'
        for k, name in zip(colours, series, strict=True)
    )
    return f'<p class="caption">{escape(caption)}</p>' + scrolling(
        f'<table class="dots"><thead><tr><th scope="col">economy</th><td></td>{names}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def sortable(
    heads: Sequence[tuple[str, str]],
    rows: Sequence[tuple[str, Sequence[tuple[str, object]]]],
    source: str,
    totals: Sequence[str] = (),
    first: str = "economy",
) -> str:
    """A table that a click on a head sorts.

    Args:
        heads: of the columns after the first: name in the file, and in words.
        rows: label, and for each column the text and the value behind it.
        source: the file the values are from.
        totals: labels of rows that stay below.
        first: the head of the column of labels.
    """
    head = f'<th scope="col">{escape(first)}</th>' + "".join(
        f'<th scope="col">{escape(words)}</th>' for _, words in heads
    )
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


def _spread(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else 0.0
