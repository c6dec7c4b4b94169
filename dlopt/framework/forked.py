"""Independent pieces of work in several processes that begin as copies of this one: nothing large is sent to them.

Each process does every so-manieth piece and sends its results back, so that they do not depend on the number of
processes. What a process did not send back, because it was ended from outside, is done here.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_LENGTH = struct.Struct("<Q")
"""Before every result: how many bytes it has."""

_LOOK = 0.5  # seconds between two looks at whether to stop


def forked(work: Callable[[int], T], count: int, processes: int, breathe: Callable[[], None]) -> list[T]:
    """`work(k)` for all k below `count`, in order.

    Args:
        work: a piece; what it returns can be pickled. It must not depend on the pieces done before it.
        count: of pieces.
        processes: that share them; one where the system cannot copy a process (Windows, macOS).
        breathe: called from time to time; may raise to stop everything.
    """
    processes = min(processes, count)
    if processes < 2 or not sys.platform.startswith("linux"):
        return _here(work, range(count), {}, breathe)
    helpers: dict[int, int] = {}  # the end of a pipe that is read here -> process
    try:
        for first in range(processes):
            read, write = os.pipe()
            process = os.fork()
            if process == 0:
                _help(work, range(first, count, processes), write)
            os.close(write)
            helpers[read] = process
        found = _collected(list(helpers), breathe)
    finally:
        for read, process in helpers.items():
            os.close(read)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return _here(work, range(count), found, breathe)


def _here(work: Callable[[int], T], pieces: range, found: dict[int, T], breathe: Callable[[], None]) -> list[T]:
    """All results, those that are not `found` yet made in this process."""
    for k in pieces:
        if k not in found:
            breathe()
            found[k] = work(k)
    return [found[k] for k in pieces]


def _help(work: Callable[[int], Any], pieces: range, write: int) -> None:
    """The life of a copy: it leaves without cleaning up what belongs to the process it was copied from."""
    try:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)  # the other decides when to stop
        torch.set_num_threads(1)
        with os.fdopen(write, "wb") as pipe:
            for k in pieces:
                result = pickle.dumps((k, work(k)))
                pipe.write(_LENGTH.pack(len(result)) + result)
                pipe.flush()
    finally:
        os._exit(0)


def _collected(reads: list[int], breathe: Callable[[], None]) -> dict[int, Any]:
    """What the helpers send, until all have closed their pipes."""
    heard = {read: bytearray() for read in reads}
    with selectors.DefaultSelector() as selector:
        for read in reads:
            selector.register(read, selectors.EVENT_READ)
        while selector.get_map():
            breathe()
            for key, _ in selector.select(_LOOK):
                part = os.read(key.fd, 1 << 20)
                heard[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    return {k: result for sent in heard.values() for k, result in _whole(bytes(sent))}


def _whole(sent: bytes) -> Iterator[tuple[int, Any]]:
    """The results that arrived whole."""
    at = 0
    while at + _LENGTH.size <= len(sent):
        (length,) = _LENGTH.unpack_from(sent, at)
        at += _LENGTH.size
        if at + length > len(sent):
            return
        yield pickle.loads(sent[at : at + length])
        at += length
