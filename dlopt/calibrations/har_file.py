"""Read header-array (HAR) files of GEMPACK: the form in which GTAP distributes its data.

A file is a sequence of Fortran records, each between two copies of its length. A header is a record with its name of
four letters, one with type, storage, description and dimensions, for real arrays with sets one with the sets and one
for the elements of each, and then the data in pieces. Types 1C (texts), RE and RL (reals with and without sets, full or
sparse), 2R and 2I (tables) are read.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.errors import DloptError
from dlopt.store.files import size_of

MAX_BYTES = 2 * 2**30
MAX_CELLS = 200_000_000


class HarError(DloptError):
    """A file that is no HAR file, or a damaged one."""

    def __init__(self, file: str, rule: str, place: str = "") -> None:
        where = f"{file}, {place}" if place else file
        super().__init__(f"{where}: {rule}; write the file again, or download it again.")


@dataclasses.dataclass(frozen=True)
class Header:
    """One header.

    Attributes:
        name: four letters.
        description: as in the file.
        values: a list of texts, or an array.
        sets: the name of the set of each axis, empty where there are none.
        elements: labels by name of set.
    """

    name: str
    description: str
    values: Any
    sets: tuple[str, ...] = ()
    elements: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


def read_har(path: Path) -> dict[str, Header]:
    """All headers of a file by name.

    Raises:
        HarError: names the header and the byte where the file is at fault.
    """
    try:
        if size_of(path) > MAX_BYTES:
            raise HarError(path.name, "the file is larger than 2 GiB")
        content = path.read_bytes()
    except OSError as error:
        raise HarError(str(path), f"the file cannot be read ({error.strerror})") from error
    return _Reader(path.name, content).headers()


class _Reader:
    """Records in order."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file, self.content, self.at, self.header = file, content, 0, ""

    def fault(self, rule: str) -> HarError:
        header = f"header {self.header}, " if self.header else ""
        return HarError(self.file, rule, f"{header}byte {self.at}")

    def record(self) -> bytes:
        """The next record."""
        start = self.at
        if start + 4 > len(self.content):
            raise self.fault("the file ends in the middle of a header")
        (size,) = struct.unpack_from("<i", self.content, start)
        if size < 0 or start + size + 8 > len(self.content):
            raise self.fault(f"a record of {size} bytes does not fit into the file")
        (after,) = struct.unpack_from("<i", self.content, start + 4 + size)
        if after != size:
            raise self.fault(f"a record begins with length {size} and ends with {after}")
        self.at = start + size + 8
        return self.content[start + 4 : start + 4 + size]

    def piece(self, form: str, blank: bool = True) -> tuple[tuple[Any, ...], bytes]:
        """The numbers at the start of the next record, after four blanks, and the rest of it."""
        data = self.record()
        size = struct.calcsize(f"<4s{form}")
        if len(data) < size:
            raise self.fault(f"a record has {len(data)} bytes, {size} are needed")
        first, *numbers = struct.unpack_from(f"<4s{form}", data)
        if blank and first != b"    ":
            raise self.fault("a record of data does not begin with four blanks")
        return tuple(numbers), data[size:]

    def headers(self) -> dict[str, Header]:
        found: dict[str, Header] = {}
        while self.at < len(self.content):
            self.header = ""
            name = self.record()
            if len(name) != 4 or name == b"    ":
                raise self.fault("the name of a header has four letters")
            self.header = name.decode("latin-1").strip()
            if self.header in found:
                raise self.fault("the header is there twice")
            found[self.header] = self._header(self.header)
        if not found:
            raise self.fault("there are no headers")
        return found

    def _header(self, name: str) -> Header:
        (kind, storage, text, rank), rest = self.piece("2s4s70si")
        kind, storage = kind.decode("latin-1"), storage.decode("latin-1")
        description = text.decode("latin-1").strip()
        if not 0 <= rank <= 14 or len(rest) != 4 * rank:
            raise self.fault("the dimensions are damaged")
        dims = struct.unpack(f"<{rank}i", rest)
        if any(d < 0 for d in dims) or np.prod([float(d) for d in dims]) > MAX_CELLS:
            raise self.fault(f"the dimensions are {dims}")
        if kind == "1C" and rank == 2:
            return Header(name, description, self._texts(dims[0], dims[1]))
        if kind in ("2R", "2I") and rank == 2:
            return Header(name, description, self._table(dims, "<f4" if kind == "2R" else "<i4"))
        if kind in ("RE", "RL") and rank <= 7:
            sets, elements = self._sets(dims) if kind == "RE" else ((), {})
            shape = dims[: len(sets)] if kind == "RE" else dims
            values = self._full(shape) if storage == "FULL" else self._sparse(shape)
            return Header(name, description, values, sets, elements)
        raise self.fault(f"type {kind!r} with {rank} dimensions is not read")

    def _texts(self, count: int, width: int) -> list[str]:
        found: list[str] = []
        left = 2
        while left > 1:
            (left, total, here), rest = self.piece("iii")
            if total != count or len(rest) < here * width or here < 0 or len(found) + here > count:
                raise self.fault("texts are missing or too many")
            found += [rest[k * width : (k + 1) * width].decode("latin-1").strip() for k in range(here)]
        if len(found) != count:
            raise self.fault(f"{count} texts are announced and {len(found)} are there")
        return found

    def _table(self, dims: Sequence[int], kind: str) -> Any:
        values = np.zeros(dims, dtype=kind)
        seen = 0
        while seen < values.size:
            (_, rows, columns, r0, r1, c0, c1), rest = self.piece("7i")
            shape = (r1 - r0 + 1, c1 - c0 + 1)
            size = shape[0] * shape[1]
            if (rows, columns) != tuple(dims) or min(shape) < 1 or len(rest) != 4 * size or r1 > rows or c1 > columns:
                raise self.fault("a piece of the table does not fit")
            values[r0 - 1 : r1, c0 - 1 : c1] = np.frombuffer(rest, dtype=kind).reshape(shape, order="F")
            seen += size
        return values

    def _sets(self, dims: Sequence[int]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        (_, _, count, _, _), rest = self.piece("iii12si")
        if not 0 <= count <= len(dims) or len(rest) < 13 * count:
            raise self.fault("the sets are damaged")
        names = tuple(rest[12 * k : 12 * (k + 1)].decode("latin-1").strip() for k in range(count))
        status = rest[12 * count : 13 * count].decode("latin-1")
        elements: dict[str, tuple[str, ...]] = {}
        for k, name in enumerate(names):
            if status[k] == "k" and name not in elements:
                elements[name] = tuple(self._texts(dims[k], 12))
        return names, elements

    def _full(self, shape: Sequence[int]) -> Any:
        (left, rank), rest = self.piece("ii")
        if len(rest) != 4 * rank:
            raise self.fault("the dimensions of the data are damaged")
        pieces: list[Any] = []
        while left > 1:
            self.piece("15i")
            (left,), rest = self.piece("i")
            if len(rest) % 4:
                raise self.fault("a piece of data is cut off")
            pieces.append(np.frombuffer(rest, dtype="<f4"))
        values = np.concatenate(pieces) if pieces else np.zeros(0, dtype="<f4")
        if values.size != int(np.prod(shape)):
            raise self.fault(f"{int(np.prod(shape))} numbers are announced and {values.size} are there")
        return values.reshape(shape, order="F")

    def _sparse(self, shape: Sequence[int]) -> Any:
        (count, integer, real), _ = self.piece("iii")
        if (integer, real) != (4, 4):
            raise self.fault("sparse numbers of other than four bytes are not read")
        values = np.zeros(int(np.prod(shape)), dtype="<f4")
        seen, left = 0, 2
        while left > 1:
            (left, _, here), rest = self.piece("iii")
            if here < 0 or len(rest) != 8 * here:
                raise self.fault("a piece of sparse data is cut off")
            places = np.frombuffer(rest[: 4 * here], dtype="<i4") - 1
            if here and (places.min() < 0 or places.max() >= values.size):
                raise self.fault("sparse data lie outside the array")
            values[places] = np.frombuffer(rest[4 * here :], dtype="<f4")
            seen += here
        if seen != count:
            raise self.fault(f"{count} numbers are announced and {seen} are there")
        return values.reshape(shape, order="F")
