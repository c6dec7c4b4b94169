"""Independent pieces of work in several processes that begin as copies of this one: nothing large is sent to them.

Each process does every so-manieth piece and sends its results back, so that they do not depend on the number of
processes. What a process did not send back, because it was ended from outside, is done here.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_LOOK = 0.5  # seconds between two looks at whether to stop


def forked(work: Callable[[int], T], count: int, processes: int, breathe: Callable[[], None]) -> list[T]:
    """`work(k)` for all k below `count`, in order.

    Args:
        work: a piece; what it returns can be pickled. It must not depend on the pieces done before it.
        count: of pieces.
        processes: that share them; one where the system has no safe way to copy a process (Windows, macOS).
        breathe: called from time to time; may raise to stop everything.
    """
    processes = min(processes, count)
    found: dict[int, T] = {}
    if processes > 1 and sys.platform.startswith("linux"):
        copies = multiprocessing.get_context("fork")
        helpers = []
        try:
            for first in range(processes):
                here, there = copies.Pipe(duplex=False)
                helper = copies.Process(target=_help, args=(work, range(first, count, processes), there), daemon=True)
                helpers.append((helper, here))
                helper.start()
                there.close()
            found = _collected([here for _, here in helpers], breathe)
        finally:
            for helper, here in helpers:
                helper.kill()
                helper.join()
                here.close()
    for k in range(count):
        if k not in found:
            breathe()
            found[k] = work(k)
    return [found[k] for k in range(count)]


def _help(work: Callable[[int], Any], pieces: range, there: Connection) -> None:
    """What a copy does."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the process it was copied from decides when to stop
    torch.set_num_threads(1)
    for k in pieces:
        try:
            there.send_bytes(pickle.dumps((k, work(k))))
        except Exception:  # raised again where the piece is done once more
            return


def _collected(pipes: list[Connection], breathe: Callable[[], None]) -> dict[int, Any]:
    """What the helpers send, until all have closed their pipes."""
    found: dict[int, Any] = {}
    while pipes:
        breathe()
        for pipe in wait(pipes, _LOOK):
            assert isinstance(pipe, Connection)
            try:
                k, result = pickle.loads(pipe.recv_bytes())
                found[k] = result
            except (EOFError, OSError):
                pipes.remove(pipe)
    return found
