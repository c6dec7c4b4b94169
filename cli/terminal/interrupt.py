"""Ctrl-C and SIGTERM: the first asks the solver to stop and keep what it has, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from .screen import console

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR2") if hasattr(signal, name)
)  # Slurm's warning arrives as SIGUSR2


_WARNING = int(getattr(signal, "SIGUSR2", 0))


class Aborted(KeyboardInterrupt):
    """The second signal."""


class StopRequest:
    """Whether somebody asked to stop.

    Attributes:
        asked: a signal came.
        at_once: the first signal already stops at once: there is nothing to keep that is not kept.
        marker: a file whose presence asks every job of a sweep to stop, in whichever process it runs.
        spread: whether a signal to this process stops the whole sweep.
    """

    def __init__(self, marker: Path | None = None, spread: bool = True) -> None:
        self.asked, self.at_once, self.marker, self.spread = False, False, marker, spread

    def __bool__(self) -> bool:
        return self.asked or (self.marker is not None and self.marker.exists())

    def ask(self) -> None:
        """Record a signal; tell the other jobs of the sweep.

        Raises:
            Aborted: it was asked before, or `at_once`.
        """
        if self.asked:
            raise Aborted
        self.asked = True
        if self.marker is not None and self.spread:
            with contextlib.suppress(OSError):
                self.marker.touch()
        if self.at_once:
            raise Aborted
        console.print("Stopping after this iteration; once more to stop at once.", style="yellow")


@contextlib.contextmanager
def stopping(marker: Path | None = None, spread: bool = True) -> Iterator[StopRequest]:
    """Turn signals into a `StopRequest` while the block runs (in the main thread; elsewhere only the marker counts).

    Afterwards Slurm's warning goes on to whoever listened before: submitit then puts the job into the queue again.
    """
    request = StopRequest(marker, spread)
    previous: dict[int, Any] = {}
    warned = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal warned
        warned = warned or number == _WARNING
        request.ask()

    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    listener = previous.get(_WARNING)
    if warned and callable(listener) and getattr(listener, "__module__", None) != __name__:
        listener(_WARNING, None)
