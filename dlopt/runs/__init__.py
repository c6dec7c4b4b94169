"""Run folders: what a solve leaves on disk, and how to read it back."""

from dlopt.runs.folder import RunFolder
from dlopt.runs.record import SCHEMA_VERSION, RunReadError, RunRecord, is_killed, read_run
from dlopt.runs.registry import find_runs

__all__ = [
    "SCHEMA_VERSION", "RunFolder", "RunReadError", "RunRecord", "find_runs", "is_killed", "read_run",
]  # fmt: skip
