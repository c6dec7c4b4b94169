"""Which columns a table has and which numbers they may hold. Free of numpy, so that help and lists stay fast."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Rule:
    """The values a number may take, in words and as an interval; NaN and infinities never pass."""

    text: str
    remedy: str
    low: float = -float("inf")
    high: float = float("inf")
    low_open: bool = False
    high_open: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """One table: its columns and the rule of every number.

    Attributes:
        name: file name without suffix.
        keys: the label columns, in axis order; together they name a cell.
        numbers: value columns and their rules.
        texts: free text columns.
        required: the file must be there.
        complete: every cell must be there; elsewhere a missing cell is zero.
        may_be_empty: a header without rows is fine.
        optional: label columns whose cells may be empty.
        header: what a column is called in the file, where that differs.
        may_lack: columns that the file may do without.
    """

    name: str
    keys: tuple[str, ...]
    numbers: dict[str, Rule]
    texts: tuple[str, ...] = ()
    required: bool = True
    complete: bool = False
    may_be_empty: bool = False
    optional: tuple[str, ...] = ()
    header: Mapping[str, str] = dataclasses.field(default_factory=dict)
    may_lack: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order they are written."""
        return (*self.keys, *self.numbers, *self.texts)

    def in_file(self, column: str) -> str:
        """What `column` is called in the file."""
        return self.header.get(column, column)
