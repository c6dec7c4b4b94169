"""A pipe or a device where a file should be: it would be read for ever, or never opened; it is refused at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlopt.calibrations.aggregate import from_file
from dlopt.errors import DloptError
from dlopt.runs import read_run
from dlopt.runs.checkpoint import read_checkpoint
from dlopt.runs.sweep import read_sweep
from dlopt.store.files import read_yaml

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "yaml": ("some.yaml", read_yaml),
    "run": ("run.json", lambda path: read_run(path.parent)),
    "sweep": ("sweep.json", lambda path: read_sweep(path.parent)),
    "checkpoint": ("checkpoint.pt", read_checkpoint),
    "concordance": ("some.csv", lambda path: from_file(path, ["A"])),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_is_refused(tmp_path: Path, kind: str, reader: str) -> None:
    name, read = READERS[reader]
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DloptError, match="no regular file"):
        read(path)
