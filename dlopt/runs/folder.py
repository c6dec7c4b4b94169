"""Writing a run folder: `run.json` says `running` first, and how it ended last."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.errors import DloptError
from dlopt.kind import Status
from dlopt.runs.environment import git_commit, versions
from dlopt.runs.lock import Lock
from dlopt.runs.record import FILE, RunRecord
from dlopt.store.files import FileWriteError, write_table

if TYPE_CHECKING:
    import pandas as pd

CHECKPOINT = "checkpoint.pt"
"""The steps of a solve that has not finished (`dlopt.runs.checkpoint`)."""


class FolderInUseError(DloptError):
    """The folder already holds a run."""

    def __init__(self, path: Path, alive: bool = False) -> None:
        how = f"{path} holds a run that is still running." if alive else f"{path} already holds a run."
        super().__init__(f"{how} Choose another folder (hydra.run.dir=...){'' if alive else ' or remove it'}.")


class RunFolder:
    """A run being written.

    The order of the files is the guarantee: tables appear while the status is `running`, and only `finish` gives
    another status, so a folder that says `converged` is whole. The lock is held from `start` to `finish`.
    """

    def __init__(self, path: Path, record: RunRecord, lock: Lock, seconds_before: float) -> None:
        self.path, self.record = path, record
        self._lock = lock
        self._clock = time.perf_counter() - seconds_before
        self._tables: list[Path] = []

    @classmethod
    def start(
        cls,
        path: Path,
        *,
        kind: str,
        verb: str,
        command: str,
        scenario: str,
        calibration: Mapping[str, str],
        accounting: str,
        seed: int,
        threads: int,
        dtype: str = "float64",
        settings: Mapping[str, Any] | None = None,
        choices: Mapping[str, str] | None = None,
        overrides: Sequence[str] = (),
        resumed: Path | None = None,
        seconds_before: float = 0.0,
    ) -> RunFolder:
        """Make the folder and say that the run is running.

        Args:
            resumed: the run that this one goes on with. If it is `path` itself, the run there is taken up again.
            seconds_before: what that run had taken.

        Raises:
            FolderInUseError: another run is in it.
            FileWriteError: it cannot be written.
        """
        lock = Lock(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            taken = lock.take()
        except OSError as error:
            raise FileWriteError(f"Cannot write to {path}: {error.strerror}. Choose another folder.") from error
        if not taken:
            raise FolderInUseError(path, alive=True)
        try:
            if (path / FILE).exists():
                if resumed != path:
                    raise FolderInUseError(path)
                _clear(path)
            return cls._started(path, lock, seconds_before, {
                "kind": kind, "verb": verb, "command": command, "scenario": scenario,
                "calibration": dict(calibration), "accounting": accounting, "seed": seed, "threads": threads,
                "dtype": dtype, "settings": dict(settings or {}),
                "choices": dict(choices or {}), "overrides": list(overrides),
                "resumed": None if resumed is None else str(resumed),
            })  # fmt: skip
        except DloptError:
            lock.release()
            raise

    @classmethod
    def _started(cls, path: Path, lock: Lock, seconds_before: float, fields: Mapping[str, Any]) -> RunFolder:
        started = datetime.datetime.now().astimezone().isoformat()
        record = RunRecord(status=Status.RUNNING, versions=versions(), git=git_commit(), started=started, **fields)
        record.write(path)
        return cls(path, record, lock, seconds_before)

    def update(self, **fields: Any) -> None:
        """Replace fields of `run.json` while running."""
        self.record = dataclasses.replace(self.record, **fields)
        self.record.write(self.path)

    def write_tables(self, tables: Mapping[str, pd.DataFrame], metadata: Mapping[str, str]) -> None:
        """Write each table as `NAME.parquet` with units, source and provenance in its metadata."""
        provenance = {
            "calibration": self.record.calibration["name"],
            "calibration_sha256": self.record.calibration["sha256"],
            "dlopt_version": self.record.versions["dlopt"],
            "scenario": self.record.scenario,
            "accounting": self.record.accounting,
        }
        for name, frame in tables.items():
            path = self.path / f"{name}.parquet"
            self._tables.append(path)
            write_table(frame, path, {**metadata, **provenance})

    def finish(
        self, status: str, *, message: str, certificate: Mapping[str, Any] | None = None, answer: str = ""
    ) -> None:
        """Say how it ended. A failed run keeps none of its tables, so that nothing looks finished."""
        status = Status(status)
        if status is Status.FAILED:
            for path in self._tables:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        self.update(
            status=status,
            message=message,
            certificate=certificate,
            answer=answer,
            wall_seconds=round(time.perf_counter() - self._clock, 3),
        )
        if status.finished:
            (self.path / CHECKPOINT).unlink(missing_ok=True)
        self._lock.release()


def _clear(path: Path) -> None:
    """Remove what a run that ended early left, except for what the next one goes on from."""
    for stale in (*path.glob("*.parquet"), *path.glob(".*.tmp")):
        with contextlib.suppress(OSError):
            stale.unlink()
