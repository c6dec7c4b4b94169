"""Progress of a solve: one line that changes in place on a terminal, an occasional log line elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from dlopt.kind import Step

from ..logs import PROGRESS
from .screen import console

_log = logging.getLogger(PROGRESS)
_SECONDS_BETWEEN_LINES = 2.0


class _Line:
    """What the live display shows: always redrawn with the time that has passed."""

    def __init__(self) -> None:
        self.text = "starting"
        self._spinner = Spinner("dots")
        self._began = time.perf_counter()

    def __rich__(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_column(justify="right", style="dim", no_wrap=True)
        grid.add_row(self._spinner, self.text, f"{time.perf_counter() - self._began:.0f} s")
        return grid


@contextlib.contextmanager
def progress(*, live: bool) -> Iterator[Callable[[Step], None]]:
    """A function that shows a step; the display is up while the block runs."""
    line = _Line()
    last = time.perf_counter() - _SECONDS_BETWEEN_LINES
    phase = ""

    def show(step: Step) -> None:
        nonlocal last, phase
        line.text = step.words
        now = time.perf_counter()
        if step.phase != phase or now - last >= _SECONDS_BETWEEN_LINES:
            _log.info(line.text)
            last, phase = now, step.phase

    if live and console.is_terminal:
        with Live(line, console=console, transient=True, refresh_per_second=8):
            yield show
    else:
        yield show
