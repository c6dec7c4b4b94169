"""Small tables as they are shown: one builder for terminals, plain text and HTML."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dlopt.kind import Cell, Sheet
from dlopt.store.characters import escaped

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80
"""Columns of plain text."""
_LEFT, _RIGHT = "text-align:left", "text-align:right;white-space:nowrap"
_TONE = {"good": "green", "bad": "red", "dim": "dim", "": ""}


def rendered(sheet: Sheet) -> Table:
    """A sheet as a table of rich."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=sheet.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for k, column in enumerate(sheet.columns):
        table.add_column(column, justify="left" if k < sheet.left else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*(Text(c.text, style=_TONE[c.tone]) if isinstance(c, Cell) else Text(c) for c in row))
    return table


def text(sheets: Sequence[Sheet], width: int = WIDTH) -> str:
    """Sheets as plain text, an empty line between them."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=False, color_system=None, legacy_windows=False, markup=False
    )
    for k, sheet in enumerate(sheets):
        if k:
            console.print()
        console.print(rendered(sheet))
    return "\n".join(escaped(line.rstrip()) for line in buffer.getvalue().split("\n")).rstrip("\n")


def html(sheets: Sequence[Sheet]) -> str:
    """Sheets as tables of HTML, without a page around them."""
    return "".join(_html(sheet) for sheet in sheets)


def _html(sheet: Sheet) -> str:
    def row(tag: str, cells: Sequence[str | Cell]) -> str:
        out = []
        for k, cell in enumerate(cells):
            words, tone = (cell.text, cell.tone) if isinstance(cell, Cell) else (cell, "")
            named = f' class="{tone}"' if tone else ""
            out.append(f'<{tag}{named} style="{_LEFT if k < sheet.left else _RIGHT}">{escape(words)}</{tag}>')
        return f"<tr>{''.join(out)}</tr>"

    body = "".join(row("td", cells) for cells in sheet.rows)
    head = row("th", list(sheet.columns))
    caption = f'<caption style="text-align:left"><b>{escape(sheet.title)}</b></caption>' if sheet.title else ""
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"
