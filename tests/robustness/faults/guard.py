"""Calling dlopt in this process and judging how it answers."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from dlopt.errors import DloptError

CPU_SECONDS = 30.0
"""More than this and it hangs."""


class HangError(Exception):
    """It took too long."""


@contextlib.contextmanager
def limited(seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Raise `HangError` when the block takes more processor time than this."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


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
