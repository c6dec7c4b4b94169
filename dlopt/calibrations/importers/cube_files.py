"""What a .npz or .mat file holds: names and arrays, structures as mappings, texts as lists.

A .mat file is version 7.3, which is HDF5 (through h5py, axes turned round as MATLAB stores them), or older (scipy).
Texts are cell arrays, character matrices with one label a row, or arrays of strings.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.errors import DloptError

MAX_BYTES = 2**30
_COMPRESSED = 15  # type of a compressed element of a MATLAB 5 file
_AT_FAULT = (
    OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, RuntimeError, EOFError, OverflowError,
    MemoryError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
_WHAT_IT_COSTS = "keep the cubes and their names in it and nothing else"


class CubesError(DloptError):
    """A file without cubes, or with cubes that do not fit together."""

    def __init__(self, file: str, rule: str, remedy: str) -> None:
        super().__init__(f"{file}: {rule}; {remedy}.")


class Unread:
    """A variable that cannot be read, and why."""

    def __init__(self, why: str) -> None:
        self.why = why


def content_of(source: Path) -> dict[str, Any]:
    """Names and arrays of a file; what is in structures stands under their names.

    Raises:
        CubesError: no such file, one that cannot be read, or one too large.
    """
    if not source.is_file():
        raise CubesError(str(source), "there is no such file", "give a .npz or .mat file")
    if source.stat().st_size > MAX_BYTES:
        raise CubesError(source.name, "the file is larger than 1 GiB", _WHAT_IT_COSTS)
    kinds = {".npz": _numpy, ".mat": _matlab}
    if source.suffix.lower() not in kinds:
        raise CubesError(source.name, "this is neither .npz nor .mat", "save the arrays as one of these")
    try:
        found = kinds[source.suffix.lower()](source)
    except _AT_FAULT as error:
        raise CubesError(source.name, f"the file cannot be read ({error or type(error).__name__})",
                         "save it again, or fetch it again if it was cut off") from error  # fmt: skip
    return {name: value for name, value in found.items() if not name.startswith(("__", "#"))}


def _numpy(source: Path) -> dict[str, Any]:
    with zipfile.ZipFile(source) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
            raise CubesError(source.name, "the arrays take more than 1 GiB", _WHAT_IT_COSTS)
    found: dict[str, Any] = {}
    with np.load(source, allow_pickle=False) as file:
        for name in file.files:
            try:
                found[name] = file[name]
            except ValueError as error:
                if "pickle" not in str(error) and "Object" not in str(error):
                    raise
                found[name] = Unread(
                    "Python objects are not read, since they can run code: save np.array(it, dtype=str)"
                )
    return found


def _matlab(source: Path) -> dict[str, Any]:
    with source.open("rb") as stream:
        head = stream.read(128)
        stream.seek(0)
        modern = (
            b"MATLAB 7.3" in head or head.startswith(b"\x89HDF\r\n\x1a\n") or b"\x89HDF\r\n\x1a\n" in stream.read(4096)
        )
    if modern:
        return _hdf5(source)
    import scipy.io

    if _inflated(source) > MAX_BYTES:
        raise CubesError(source.name, "the arrays take more than 1 GiB", _WHAT_IT_COSTS)
    try:
        found: dict[str, Any] = scipy.io.loadmat(source, simplify_cells=True)
    except scipy.io.matlab.MatReadError as error:
        raise ValueError(str(error)) from error
    return found


def _inflated(source: Path) -> int:
    """Bytes that the compressed elements of a MATLAB 5 file hold; counted no further than what is too much."""
    total = 0
    with source.open("rb") as stream:
        order = "<" if stream.read(128)[126:128] == b"IM" else ">"
        while len(tag := stream.read(8)) == 8 and total <= MAX_BYTES:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != _COMPRESSED:
                total += size
                stream.seek(size + -size % 8, 1)
                continue
            inflater, left = zlib.decompressobj(), size
            while left > 0 and total <= MAX_BYTES and (part := stream.read(min(left, 2**16))):
                left -= len(part)
                while part and total <= MAX_BYTES:
                    total += len(inflater.decompress(part, 2**20))
                    part = inflater.unconsumed_tail
    return total


def _hdf5(source: Path) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        rule = "MATLAB files of version 7.3 need h5py"
        raise CubesError(source.name, rule, "install it: pip install 'dlopt[data]'") from error

    def value(node: Any, file: Any, depth: int = 0) -> Any:
        if isinstance(node, h5py.Group):
            return {k: value(v, file, depth + 1) for k, v in node.items() if not k.startswith("#")} if depth < 5 else {}
        kind = node.attrs.get("MATLAB_class")
        if node.attrs.get("MATLAB_empty", 0) or node.shape is None:
            return np.zeros(0)
        array = node[()]
        if not isinstance(array, np.ndarray):
            return array.decode() if isinstance(array, bytes) else array
        if array.dtype == h5py.ref_dtype:  # a cell array: of texts, most likely
            return [value(file[reference], file, depth + 1) for reference in array.T.reshape(-1)]
        if kind == b"char" or (kind is None and array.dtype == np.uint16):
            rows = ["".join(chr(int(c)) for c in row if c) for row in np.atleast_2d(array.T)]
            return rows[0] if len(rows) == 1 else rows
        if array.dtype.kind in "SO":
            return [v.decode() if isinstance(v, bytes) else str(v) for v in array.T.reshape(-1)]
        return array.T  # MATLAB stores the first axis fastest

    with h5py.File(source, "r") as file:
        sizes: list[int] = []
        file.visititems(lambda _, node: sizes.append(node.nbytes) if isinstance(node, h5py.Dataset) else None)
        if sum(sizes) > MAX_BYTES:
            raise CubesError(source.name, "the arrays take more than 1 GiB", _WHAT_IT_COSTS)
        return {name: value(node, file) for name, node in file.items() if not name.startswith("#")}


def levels(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The content, and the structures in it, from the top down."""
    yield content
    for value in content.values():
        if isinstance(value, Mapping):
            yield from levels(value)


def texts_of(value: Any) -> list[str] | None:
    """Labels: a list of texts, however nested; None where the value holds no texts."""
    if isinstance(value, str | bytes):
        return [value.decode() if isinstance(value, bytes) else value]
    if isinstance(value, np.ndarray) and value.dtype.kind in "US":
        return [text.decode() if isinstance(text, bytes) else str(text) for text in value.reshape(-1)]
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.reshape(-1).tolist()
    if isinstance(value, list) and value:
        parts = [texts_of(item) for item in value]
        if all(part is not None and len(part) == 1 for part in parts):
            return [part[0] for part in parts if part is not None]
    return None
