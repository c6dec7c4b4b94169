"""Calling dlopt in this process and judging how it answers."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from dlopt.errors import DloptError

CPU_SECONDS = 120.0
"""More processor time than this and it hangs: a table of five million rows, the most there may be, takes 40 s."""
WALL_SECONDS = 600.0
"""More time than this and it waits for something that never comes."""


class HangError(Exception):
    """It took too long."""


@contextlib.contextmanager
def limited(seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Raise `HangError` when the block takes more processor time than this, or waits for ever."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {seconds:g} s of processor time, or {WALL_SECONDS:g} s")

    before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def answer(call: Callable[[], Any]) -> tuple[str, Any]:
    """`accepted` with what it returns, `refused` with the message, or `wrong` with what should not have happened."""
    try:
        with limited():
            return "accepted", call()
    except DloptError as error:
        return "refused", str(error)
    except HangError as error:
        return "wrong", f"hangs: {error}"
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"
