"""The two consoles: progress and messages on standard error, results on standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

console = Console(stderr=True, highlight=False)
output = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


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
