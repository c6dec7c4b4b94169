"""Files of solved problems, named by a digest of everything their numbers depend on."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt import __version__
from dlopt.store.files import replacing


def key(*content: Any) -> str:
    """Digest of a version of dlopt and of anything that JSON can say."""
    return hashlib.sha256(json.dumps([__version__, *content], sort_keys=True).encode()).hexdigest()[:32]


@functools.cache
def code_digest(package: str) -> str:
    """Of the sources of a package and of all packages inside it: their names and their contents."""
    return hashlib.sha256(b"".join(_sources(importlib.resources.files(package), ""))).hexdigest()


def _sources(root: Traversable, prefix: str) -> Iterator[bytes]:
    for entry in sorted(root.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{name}/")
        elif entry.name.endswith(".py"):
            yield name.encode() + b"\0" + entry.read_bytes() + b"\0"


def save(path: Path, about: Mapping[str, Any], **arrays: np.ndarray) -> None:
    """Write arrays and what JSON can say about them.

    Raises:
        FileWriteError: no permission or no space.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)


def load(path: Path) -> dict[str, Any] | None:
    """The arrays and what was said about them, under their names; a missing or damaged file is None."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        return {**content, **json.loads(str(content.pop("about")))}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def packed(table: pd.DataFrame) -> np.ndarray:
    """A table as bytes, to be saved as an array."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def unpacked(array: np.ndarray) -> pd.DataFrame:
    """The table that was `packed`."""
    return pd.read_parquet(io.BytesIO(array.tobytes()))
