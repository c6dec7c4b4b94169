"""`checkpoint.pt`: the steps of a solve so far, written atomically, read without running code.

The steps are those of a `dlopt.framework.Tape`; a solve with the same settings goes on where they end.
"""

from __future__ import annotations

import hashlib
import pickle
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dlopt.errors import DloptError
from dlopt.files import replacing
from dlopt.runs.folder import CHECKPOINT

FORMAT = 2


class CheckpointError(DloptError):
    """A checkpoint that is damaged, or of another format."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is not a readable checkpoint: {reason}. Start the run again, without resume.")


class Checkpoints:
    """Writes the checkpoints of one run: when asked, but not more often than every so many seconds.

    Args:
        folder: the run's.
        seconds: least time between two.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._path, self._seconds = folder / CHECKPOINT, seconds
        self._last = time.monotonic()
        self._written = 0

    def due(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write if it is time to."""
        if time.monotonic() - self._last >= self._seconds:
            self.write(entries)

    def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write what has not been written yet.

        Raises:
            FileWriteError: the folder is not writable or the disk is full; the one before is still there.
        """
        if len(entries) > self._written:
            write_checkpoint(self._path, entries)
            self._written = len(entries)
        self._last = time.monotonic()


def write_checkpoint(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write steps, with a digest of them.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    kept = [dict(entry) for entry in entries]
    with replacing(path) as temporary:
        try:
            torch.save({"format": FORMAT, "entries": kept, "digest": _digest(kept)}, temporary)
        except RuntimeError as error:  # what torch makes of a full disk
            raise OSError(str(error).splitlines()[0]) from error


def read_checkpoint(path: Path) -> list[dict[str, Any]]:
    """The steps on record.

    Raises:
        CheckpointError: damaged, or of another format.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is about to be refused
            content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise CheckpointError(path, f"it has format {content['format']!r}, this version reads {FORMAT}")
        entries = content["entries"]
        if _digest(entries) != content["digest"] or not all(
            isinstance(entry["label"], str) and isinstance(entry["seconds"], float) for entry in entries
        ):
            raise CheckpointError(path, "its content does not have the digest it was written with")
    except CheckpointError:
        raise
    except (OSError, RuntimeError, ArithmeticError, LookupError, TypeError, ValueError, EOFError) as error:
        raise CheckpointError(path, _first_line(error)) from error
    except (pickle.UnpicklingError, AttributeError, AssertionError, MemoryError) as error:
        raise CheckpointError(path, _first_line(error)) from error
    return list(entries)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _digest(value: Any) -> str:
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        sha.update(f"{value.dtype}{list(value.shape)}".encode())
        sha.update(value.detach().contiguous().numpy().tobytes())
    elif isinstance(value, dict):
        for key in value:
            sha.update(str(key).encode())
            _feed(sha, value[key])
    elif isinstance(value, list | tuple):
        sha.update(b"[")
        for item in value:
            _feed(sha, item)
        sha.update(b"]")
    else:
        sha.update(repr(value).encode())
