"""The bundle format: which tables a calibration folder holds, their columns, and the rule of every number.

Free of pandas and torch, so that listing calibrations and printing help stay fast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlopt.errors import DloptError

MAX_TABLE_BYTES = 256 * 2**20
MAX_TABLE_ROWS = 5_000_000
MAX_UNPACKED_BYTES = 2**30
MAX_CELLS = 50_000_000
MAX_META_BYTES = 64 * 2**10
MAX_FAULTS_KEPT = 1000
MAX_FAULTS_SHOWN = 20
SHARE_TOLERANCE = 1e-6
SCHEMA_VERSION = "1"

TABLE_SUFFIXES = (".csv", ".parquet")
TABLE_LIKE_SUFFIXES = (*TABLE_SUFFIXES, ".tsv", ".xlsx", ".xls", ".feather", ".dta", ".gz", ".zip")
META_FILE = "meta.yaml"
META_KEYS = ("name", "year", "unit", "source", "price_basis")
ADJUSTMENTS = "adjustments"
"""Optional key of meta.yaml: what an importer did to the data, one plain sentence each."""

MAX_ADJUSTMENTS = 200
ISIC_FILE = "isic"
PRICE_BASES = ("tariff_inclusive", "tariff_exclusive")
POLICY_FOLDER = "policies"
INSTRUMENTS = ("tariff", "export_tax", "subsidy")


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
    """One table of a bundle.

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

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order they are written."""
        return (*self.keys, *self.numbers, *self.texts)

    def in_file(self, column: str) -> str:
        """What `column` is called in the file."""
        return self.header.get(column, column)


TAX = Rule(
    "a tax rate is a fraction above -1",
    "give 0.05 for 5 %; -1 or less would be a subsidy of the whole price",
    low=-1,
    low_open=True,
)
SUBSIDY = Rule(
    "a subsidy rate is a fraction below 1", "give 0.1 for 10 %; a tax on output is negative", high=1, high_open=True
)
# A share computed as a quotient can be one and a last digit.
SHARE = Rule("a share lies in [0, 1]", "give a fraction, not per cent", low=0, high=1 + 1e-12)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "trade",
            ("origin", "destination", "sector"),
            {"value": Rule("a flow is a finite number >= 0", "correct the flow, or leave the row out for zero", low=0)},
        ),
        Table("tariff", ("origin", "destination", "sector"), {"rate": TAX}, may_be_empty=True),
        Table("export_tax", ("origin", "destination", "sector"), {"rate": TAX}, required=False, may_be_empty=True),
        Table("subsidy", ("origin", "sector"), {"rate": SUBSIDY}, required=False, may_be_empty=True),
        Table(
            "value_added_share",
            ("country", "sector"),
            {
                "share": Rule(
                    "a value-added share lies in (0, 1]",
                    "give value added over output, a fraction above 0",
                    low=0,
                    high=1,
                    low_open=True,
                )
            },
            complete=True,
        ),
        Table(
            "input_share",
            ("country", "input_sector", "output_sector"),
            {"share": SHARE},
            required=False,
            may_be_empty=True,
        ),
        Table("final_share", ("country", "sector"), {"share": SHARE}, required=False),
        Table(
            "elasticity",
            ("sector",),
            {
                "theta": Rule("theta is a number > 0", "give the trade elasticity of the sector", low=0, low_open=True),
                "psi": Rule("psi is a number >= 0", "give the scale elasticity; 0 is constant returns", low=0),
                "tradable": Rule("tradable is 0 or 1", "1 where tariffs and subsidies may be chosen", low=0, high=1),
            },
            texts=("name",),
        ),
    )
}

POLICY_TABLE = Table(
    "policy",
    ("origin", "destination", "sector"),
    {"rate": Rule("a rate is a number", "give 0.05 for 5 %")},
    texts=("instrument",),
    may_be_empty=True,
    optional=("destination",),
)
ISIC_TABLE = Table(ISIC_FILE, ("sector", "division"), {}, required=False)
"""Optional: the ISIC Rev. 4 divisions of every sector, one row a pair (see `isic`)."""

POLICY_COLUMNS = ("instrument", *POLICY_TABLE.keys, "rate")
POLICY_RATES = {"tariff": TAX, "export_tax": TAX, "subsidy": SUBSIDY}


def axis_of(column: str) -> str:
    """`economy` or `sector`: what the labels of a key column name."""
    return "sector" if "sector" in column else "economy"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing wrong with a bundle.

    Attributes:
        file: file name inside the bundle.
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
        return [*self.kept, Fault("bundle", f"{more} more faults were found", "correct those listed first")]


def shown(value: object) -> str:
    """A value as it can be printed: on one line, without control characters, at most 60 characters."""
    text = str(value) if isinstance(value, str | int | float) else type(value).__name__
    text = printable(text[:61])
    return text if len(text) <= 60 else text[:57] + "..."


def printable(text: str) -> str:
    """`text` on one line, anything that is not printable replaced."""
    return "".join(c if c.isprintable() else "?" for c in text)


class BundleError(DloptError):
    """A calibration or policy file is not as it must be; `faults` holds every fault found."""

    def __init__(self, folder: Path | str, faults: Sequence[Fault]) -> None:
        self.folder, self.faults = Path(folder), list(faults)
        count = len(self.faults)
        lines = [f"{self.folder} has {count} fault{'' if count == 1 else 's'}:"]
        lines += [f"  {fault}" for fault in self.faults[:MAX_FAULTS_SHOWN]]
        if count > MAX_FAULTS_SHOWN:
            lines.append(f"  ... and {count - MAX_FAULTS_SHOWN} more; correct these first.")
        super().__init__("\n".join(lines))


class BundleExistsError(DloptError):
    """A calibration would overwrite another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} exists. Choose another name, or replace it with --force.")
