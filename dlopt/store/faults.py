"""What is wrong with files of others: every fault with its place and its remedy, all of them reported at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dlopt.errors import DloptError

MAX_FAULTS_KEPT = 1000
MAX_FAULTS_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing wrong with a file.

    Attributes:
        file: file name inside its folder.
        row: line of a CSV file as an editor numbers it (the header is line 1); row of a Parquet file, from 1.
        column: the column at fault.
        value: the offending value, or the cells it concerns.
        rule: what is required.
        remedy: what to do.
    """

    file: str
    rule: str
    remedy: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        where = self.file
        if self.row is not None:
            where += f" {row_word(self.file)} {self.row}"
        if self.column is not None:
            where += f", column {self.column}"
        value = "" if self.value is None else f" {self.value}:"
        return f"{where}:{value} {self.rule}; {self.remedy}."


def row_word(file: str) -> str:
    """What a row number counts in this file: lines of a CSV file, rows of a Parquet file."""
    return "row" if file.endswith(".parquet") else "line"


class Faults:
    """Collects faults; keeps the first thousand and counts the rest, so that a hopeless file stays cheap."""

    def __init__(self) -> None:
        self.kept: list[Fault] = []
        self.total = 0

    def add(
        self,
        file: str,
        rule: str,
        remedy: str,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> None:
        """Record one fault; `value` is shortened to something printable."""
        self.total += 1
        if len(self.kept) < MAX_FAULTS_KEPT:
            file, rule, remedy = printable(file), printable(rule), printable(remedy)
            column = None if column is None else shown(column)
            self.kept.append(Fault(file, rule, remedy, row, column, None if value is None else shown(value)))

    def __bool__(self) -> bool:
        return self.total > 0

    def listed(self) -> list[Fault]:
        """The faults kept, and one last entry for those that were not."""
        more = self.total - len(self.kept)
        if not more:
            return list(self.kept)
        return [*self.kept, Fault("all files", f"{more} more faults were found", "correct those listed first")]


def shown(value: object) -> str:
    """A value as it can be printed: on one line, without control characters, at most 60 characters."""
    text = str(value) if isinstance(value, str | int | float) else type(value).__name__
    text = printable(text[:61])
    return text if len(text) <= 60 else text[:57] + "..."


def printable(text: str) -> str:
    """`text` on one line, anything that is not printable replaced."""
    return "".join(c if c.isprintable() else "?" for c in text)


class FaultsError(DloptError):
    """Files are not as they must be; `faults` holds every fault found."""

    def __init__(self, folder: Path | str, faults: Sequence[Fault]) -> None:
        self.folder, self.faults = Path(folder), list(faults)
        count = len(self.faults)
        lines = [f"{self.folder} has {count} fault{'' if count == 1 else 's'}:"]
        lines += [f"  {fault}" for fault in self.faults[:MAX_FAULTS_SHOWN]]
        if count > MAX_FAULTS_SHOWN:
            lines.append(f"  ... and {count - MAX_FAULTS_SHOWN} more; correct these first.")
        super().__init__("\n".join(lines))
