"""Tables of a kind as they stand on the terminal, and how a run ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from dlopt.kind import Ended, Kind
from dlopt.views.sheets import rendered

from .screen import STATUS_STYLE, shown

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.runs import RunRecord


def screen(
    kind: Kind, record: RunRecord, folder: Path, tables: Mapping[str, pd.DataFrame] | None = None
) -> RenderableType:
    """What a run comes to, and how it ended; its tables from the folder unless they are given."""
    parts: list[RenderableType] = []
    for sheet in kind.sheets(ended(record, folder, tables)):
        parts += (rendered(sheet), "")
    return Group(*parts, ending(record, folder))


def ended(record: RunRecord, folder: Path, tables: Mapping[str, pd.DataFrame] | None = None) -> Ended:
    """A run as its kind shows it."""
    from dlopt.runs.tables import read_table

    def table(name: str) -> Any:
        if tables is not None:
            return tables.get(name)
        return read_table(folder, name) if (folder / f"{name}.parquet").is_file() else None

    return Ended(record.verb, record.status, record.certificate or {}, table)


def ending(record: RunRecord, folder: Path) -> Text:
    """How it ended, in one paragraph, and where the files are."""
    text = Text()
    text.append(record.status.replace("_", " "), style=STATUS_STYLE[record.status])
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    text.append(f"{seconds}. {record.message}\n".replace(". \n", ".\n"))
    text.append(shown(folder), style="cyan")
    return text
