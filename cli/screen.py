"""The two consoles: progress and messages on standard error, results on standard output."""

from __future__ import annotations

from rich.console import Console

console = Console(stderr=True, highlight=False)
output = Console(highlight=False)
