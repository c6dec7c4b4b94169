"""Reading the files of a model folder strictly: every fault is found and reported at once."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError
from dlopt.store.files import FileReadError, read_yaml

SHOWN = 30
SHOWN_CHARACTERS = 100
MAX_TABLE_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing wrong in a model folder."""

    file: str
    row: int | None
    column: str | None
    value: str
    rule: str

    def __str__(self) -> str:
        place = self.file + (f", row {self.row}" if self.row else "") + (f", {self.column}" if self.column else "")
        return f"{place}: {self.value} {self.rule}"


class ModelFolderError(DloptError):
    """A model folder that cannot be read as a model; `faults` lists everything that is wrong with it."""

    def __init__(self, folder: Path, faults: list[Fault]) -> None:
        self.faults = faults
        lines = [f"  {fault}" for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"  and {len(faults) - SHOWN} more")
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{folder} is not a valid model ({count}):\n" + "\n".join(lines))


def quoted(name: str) -> str:
    """A name as a cell of a CSV file."""
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n') else name


def read_table(
    folder: Path, file: str, required: tuple[str, ...], optional: tuple[str, ...], faults: list[Fault]
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers; none where its header is wrong."""
    try:
        if (folder / file).stat().st_size > MAX_TABLE_BYTES:
            faults.append(
                Fault(file, None, None, "this file", f"has over {MAX_TABLE_BYTES // 2**20} MiB, the most read")
            )
            return []
        with (folder / file).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else f"is not UTF-8 CSV ({error})"
        faults.append(Fault(file, None, None, "this file", f"cannot be read: {reason}"))
        return []
    header = [column.strip() for column in lines[0][1]] if lines else []
    missing = [c for c in required if c not in header]
    extra = [c for c in header if c not in (*required, *optional)]
    twice = sorted({c for c in header if header.count(c) > 1})
    for columns, rule in (
        (missing, "is missing; add this column"),
        (extra, f"is not a column of this file; the columns are {', '.join((*required, *optional))}"),
        (twice, "appears more than once in the header"),
    ):
        faults.extend(Fault(file, 1, None, repr(column), rule) for column in columns)
    if missing or extra or twice:
        return []
    out = []
    for number, row in lines[1:]:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            faults.append(Fault(file, number, None, f"{len(row)} cells", f"where the header has {len(header)}"))
            continue
        out.append((number, {column: cell.strip() for column, cell in zip(header, row, strict=True)}))
    if not out and file == "destinations.csv":
        faults.append(Fault(file, None, None, "this file", "has no rows; a model needs at least one destination"))
    return out


def read_number(file: str, row: int | None, column: str, text: Any, faults: list[Fault]) -> float:
    """A finite number, or NaN and a fault."""
    try:
        if isinstance(text, bool):
            raise ValueError
        value = float(text)
    except (TypeError, ValueError, OverflowError):
        faults.append(Fault(file, row, column, _short(text), "is not a number"))
        return math.nan
    if not math.isfinite(value):
        faults.append(Fault(file, row, column, _short(text), "is not finite"))
        return math.nan
    return value


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "this"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def read_process(
    folder: Path, keys: Sequence[str], positive: Sequence[str], faults: list[Fault], hint: str = ""
) -> dict[str, float]:
    """The numbers in process.yaml, all of them 0 or more and some positive; `hint` goes with unknown keys."""
    file = "process.yaml"
    try:
        content: Any = read_yaml(folder / file)
    except FileReadError as error:
        faults.append(Fault(file, None, None, "this file", str(error).removeprefix(f"{folder / file} ")))
        return {}
    if not isinstance(content, dict):
        faults.append(Fault(file, None, None, "this file", f"must hold the keys {', '.join(keys)}"))
        return {}
    for key in content:
        if key not in keys:
            faults.append(Fault(file, None, None, repr(key), f"is not a key; the keys are {', '.join(keys)}{hint}"))
    out = {}
    for key in keys:
        if key not in content:
            faults.append(Fault(file, None, None, repr(key), "is missing; add this key"))
            continue
        out[key] = read_number(file, None, key, content[key], faults)
        if out[key] < 0 or (key in positive and out[key] == 0):
            rule = "must be positive" if key in positive else "must not be negative"
            faults.append(Fault(file, None, key, str(content[key]), rule))
    return out
