"""`checkpoint.pt`: the steps of a solve so far, written atomically, read without running code.

The steps are those of a `dlopt.framework.Tape`; a solve with the same settings goes on where they end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError
from dlopt.runs.folder import CHECKPOINT
from dlopt.store.tensors import TensorFileError, read_tensors, write_tensors

FORMAT = 4
_SHARE = 10
"""Times as long as writing one takes is waited before the next."""


class CheckpointError(DloptError):
    """A checkpoint that is damaged, or of another format."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a readable checkpoint: {reason}. Start the run again, without resume.")


class Checkpoints:
    """Writes the checkpoints of one run: when asked, but not more often than every so many seconds.

    Args:
        folder: the run's.
        seconds: least time between two; more where writing one takes long.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._path, self._seconds = folder / CHECKPOINT, seconds
        self._last = time.monotonic()
        self._took = 0.0
        self._written = 0

    def due(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write if it is time to."""
        if time.monotonic() - self._last >= max(self._seconds, _SHARE * self._took):
            self.write(entries)

    def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write what has not been written yet.

        Raises:
            FileWriteError: the folder is not writable or the disk is full; the one before is still there.
        """
        if len(entries) > self._written:
            began = time.monotonic()
            write_checkpoint(self._path, entries)
            self._written, self._took = len(entries), time.monotonic() - began
        self._last = time.monotonic()


def write_checkpoint(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write steps, with a digest of them.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    write_tensors(path, FORMAT, {"entries": [dict(entry) for entry in entries]})


def read_checkpoint(path: Path) -> list[dict[str, Any]]:
    """The steps on record.

    Raises:
        CheckpointError: damaged, or of another format.
    """
    try:
        entries = read_tensors(path, FORMAT).get("entries")
    except TensorFileError as error:
        raise CheckpointError(path, str(error)) from error
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("label"), str) and isinstance(entry.get("seconds"), float)
        for entry in entries
    ):
        raise CheckpointError(path, "it holds no steps")
    return entries
