"""Writing a run folder: `run.json` says `running` first, and how it ended last."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.errors import DloptError
from dlopt.files import write_table
from dlopt.runs.environment import git_commit, versions
from dlopt.runs.record import FILE, RunRecord

if TYPE_CHECKING:
    import pandas as pd


class FolderInUseError(DloptError):
    """The folder already holds a run."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} already holds a run. Choose another folder (hydra.run.dir=...) or remove it.")


class RunFolder:
    """A run being written.

    The order of the files is the guarantee: tables appear while the status is `running`, and only `finish` gives
    another status, so a folder that says `converged` is whole.
    """

    def __init__(self, path: Path, record: RunRecord) -> None:
        self.path, self.record = path, record
        self._clock = time.perf_counter()
        self._tables: list[Path] = []

    @classmethod
    def start(
        cls,
        path: Path,
        *,
        command: str,
        scenario: str,
        calibration: Mapping[str, str],
        accounting: str,
        seed: int,
        threads: int,
        dtype: str = "float64",
    ) -> RunFolder:
        """Make the folder and say that the run is running.

        Raises:
            FolderInUseError: another run is in it.
            FileWriteError: it cannot be written.
        """
        if (path / FILE).exists():
            raise FolderInUseError(path)
        record = RunRecord(
            status="running",
            command=command,
            scenario=scenario,
            calibration=dict(calibration),
            accounting=accounting,
            seed=seed,
            threads=threads,
            dtype=dtype,
            versions=versions(),
            git=git_commit(),
            started=datetime.datetime.now().astimezone().isoformat(),
        )
        record.write(path)
        return cls(path, record)

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

    def finish(self, status: str, *, message: str, certificate: Mapping[str, Any] | None = None) -> None:
        """Say how it ended. A failed run keeps none of its tables, so that nothing looks finished."""
        if status == "failed":
            for path in self._tables:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
        self.update(
            status=status,
            message=message,
            certificate=certificate,
            wall_seconds=round(time.perf_counter() - self._clock, 3),
        )
