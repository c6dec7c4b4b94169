"""Lines and tables of `dlopt data`, as they are: no markup, no breaks of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def fixed(values: Sequence[float], digits: int) -> list[str]:
    """Numbers with so many decimals, without a minus before zero."""
    return [f"{round(value, digits) + 0.0:.{digits}f}" for value in values]


def say(text: str) -> None:
    """One line as it is: no markup, and no breaks of ours."""
    from ..terminal.screen import output

    output.print(text, soft_wrap=True)


def table_of(title: str | None, columns: list[str], right: list[str] | None = None) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in (right or ()) else "left", overflow="fold")
    return table


def add_row(table: Table, *cells: str) -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def print_table(table: Table) -> None:
    """On a terminal as wide as it is; in a pipe as wide as the table, so that no cell is broken."""
    from rich.measure import Measurement

    from ..terminal.screen import EscapingConsole, output

    if output.is_terminal:
        output.print(table)
        return
    wide = output.options.update(max_width=100_000)
    width = Measurement.get(output, wide, table).maximum
    plain = EscapingConsole(file=output.file, width=max(width, 1), highlight=False, markup=False, color_system=None)
    plain.print(table)
