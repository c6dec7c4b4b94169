"""Removing runs that came to nothing: only what dlopt wrote, only below the folder given."""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
from collections.abc import Sequence
from pathlib import Path

from dlopt.runs.lock import is_held
from dlopt.runs.record import RunRecord, is_killed
from dlopt.runs.registry import find_runs

PRUNABLE = ("failed", "killed", "interrupted", "not_converged", "converged")
DEFAULT = ("failed", "killed")

_OURS = (
    "run.json", "dlopt.log", "checkpoint.pt", "model.pt", ".lock", ".hydra", "model", "landscape", "*.parquet", "*.png",
    "*.pdf", "report.html", ".*.tmp",
)  # fmt: skip
"""Everything a run leaves in its folder."""


def prunable(root: Path, statuses: Sequence[str]) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
    """Runs below `root` with one of the statuses, and those among them that are left alone.

    Returns:
        Folders that can go with their status, and folders that must stay with the reason.
    """
    go, stay = [], []
    for folder, record in find_runs(root):
        if not isinstance(record, RunRecord):
            stay.append((folder, "its run.json is damaged, so nobody knows what it is"))
            continue
        status = "killed" if is_killed(folder, record) else record.status
        if status not in statuses:
            continue
        reason = _reason_to_stay(folder, root)
        if reason:
            stay.append((folder, reason))
        else:
            go.append((folder, status))
    return go, stay


def remove(folder: Path, root: Path) -> None:
    """Remove a run that `prunable` named, and the folders above it that become empty, up to `root`.

    Raises:
        ValueError: it must stay after all.
        OSError: it cannot be removed.
    """
    reason = _reason_to_stay(folder, root)
    if reason:
        raise ValueError(f"{folder} stays: {reason}")
    shutil.rmtree(folder)
    for parent in folder.parents:
        if parent == root or root not in parent.parents:
            break
        with contextlib.suppress(OSError):
            parent.rmdir()


def _reason_to_stay(folder: Path, root: Path) -> str:
    if folder.is_symlink() or root.resolve() not in folder.resolve().parents:
        return "it is not below the folder given"
    if is_held(folder):
        return "it is still running"
    foreign = [path.name for path in folder.iterdir() if not any(fnmatch.fnmatch(path.name, own) for own in _OURS)]
    return f"it holds what is not dlopt's: {', '.join(sorted(foreign)[:3])}" if foreign else ""
