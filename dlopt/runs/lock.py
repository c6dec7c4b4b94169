"""A lock that a run holds while it lives: the system lets go of it when the process ends, however it ends."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: a run there cannot be told from one that was killed
    fcntl = None  # type: ignore[assignment]

FILE = ".lock"

_ahead: dict[Path, int] = {}
"""Locks this process has taken for runs that have not started: path -> descriptor."""


class Lock:
    """The lock of one run folder, held from `take` until `release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take it; False if another process has it. Where a file system cannot lock, everybody gets it.

        Raises:
            OSError: the file cannot be made.
        """
        ahead = _ahead.pop(self._path.absolute(), None)
        if ahead is not None:
            self._descriptor = ahead
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            pass
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of it; nothing happens if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def take_ahead(folder: Path) -> bool:
    """Take the lock of a folder for the run that this process is about to start there; False if another has it.

    Raises:
        OSError: the file cannot be made.
    """
    lock = Lock(folder)
    taken = lock.take()
    if lock._descriptor is not None:
        _ahead[(folder / FILE).absolute()] = lock._descriptor
    return taken


def is_held(folder: Path) -> bool:
    """Whether a living process holds the lock of a folder, other than ahead of a run of its own here."""
    if (folder / FILE).absolute() in _ahead:
        return False
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
