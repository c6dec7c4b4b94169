"""The two consoles: progress and messages on standard error, results on standard output."""

from __future__ import annotations

import sys

from rich.console import Console

console = Console(stderr=True, highlight=False)
output = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
