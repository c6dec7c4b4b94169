"""Finding runs below a folder."""

from __future__ import annotations

import os
from pathlib import Path

from dlopt.runs.record import FILE, RunReadError, RunRecord, read_run


def find_runs(root: Path) -> list[tuple[Path, RunRecord | RunReadError]]:
    """Every run below `root`, oldest first; damaged ones come with the reason instead of the record."""
    found: list[tuple[Path, RunRecord | RunReadError]] = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        if FILE in files:
            try:
                found.append((Path(folder), read_run(Path(folder))))
            except RunReadError as error:
                found.append((Path(folder), error))
    return sorted(found, key=lambda item: item[1].started if isinstance(item[1], RunRecord) else "")
