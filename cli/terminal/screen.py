"""The two consoles: progress and messages on standard error, results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.segment import Segment

from dlopt.store.characters import escaped


class EscapingConsole(Console):
    """A console that shows control characters in what it is given as escapes; only its own reach the terminal.

    It is made without rich's markup: a label or a path may hold square brackets.
    """

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        """As rich's, with the text of every segment escaped."""
        for segment in super().render(*arguments, **options):
            text, style, control = segment
            yield segment if control else Segment(escaped(text), style)


console = EscapingConsole(stderr=True, highlight=False, markup=False)
output = EscapingConsole(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)


def shown(folder: Path) -> str:
    """A folder relative to where the user stands, if it is below."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


STATUS_STYLE = {
    "converged": "bold green",
    "not_converged": "bold yellow",
    "interrupted": "bold yellow",
    "running": "cyan",
    "killed": "bold red",
    "failed": "bold red",
}
