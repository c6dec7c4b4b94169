"""Read the OECD Inter-Country Input-Output tables, editions 2016, 2018, 2021, 2023 and 2025, as CSV or in their zip.

The edition is recognised by the labels. The file is streamed, and economies are put together on the way: China and
Mexico, which the extended tables give in two parts each (CN1 and CN2, MX1 and MX2), the groups that are asked for, and
the rest of the world.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlopt.calibrations.accounts import Accounts, Array
from dlopt.calibrations.groups import REST, grouping
from dlopt.calibrations.importers.build import Choices, Detail, build
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import of_label
from dlopt.calibrations.meta import Meta
from dlopt.errors import DloptError

PARTS = {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX"}
"""Parts of an economy in the extended tables."""

FINAL = ("HFCE", "NPISH", "NPS", "GGFC", "GFCF", "INVNT", "INV", "DPABR", "DIRP", "P33", "FD")
_STOCK = ("INVNT", "INV")
_VALUE_ADDED, _VALUE_ADDED_AND_TAXES = ("VA", "VALU"), ("VA+TAXSUB",)
_TAXES, _OUTPUT = ("TLS", "TAXSUB"), ("OUT", "OUTPUT", "TOTAL")
_PASSED_OVER = ("DISC",)
MAX_BYTES, MAX_RATIO, BLOCK = 2 * 2**30, 200, 4 * 2**20
EDITIONS = ("2016", "2018", "2021", "2023", "2025")


class IcioError(DloptError):
    """A file that is not a whole ICIO table."""

    def __init__(self, file: str, rule: str, remedy: str, place: str = "") -> None:
        where = f"{file}, {place}" if place else file
        super().__init__(f"{where}: {rule}; {remedy}.")


@dataclasses.dataclass(frozen=True)
class Table:
    """What a table holds, economies as grouped.

    Attributes:
        edition, year: as recognised; the year is empty where neither file name nor member of the zip gives one.
        accounts: by economy as grouped.
        trade: deliveries to all users by economy of the file (parts joined), `[origin, destination, sector]`.
        codes: economies of the file, parts joined, the axis of `trade`.
        notes: what the file lacks or what was joined.
    """

    edition: str
    year: str
    accounts: Accounts
    trade: Array
    codes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the columns of a file belong.

    Attributes:
        industries: industries in order; codes: economies in order, parts joined.
        economy: position of the economy of each column in `codes`, -1 for columns that are not data.
        industry: position of the industry of an industry's column, -1 elsewhere.
        stock: changes in inventories.
        output: the column of row totals, or -1.
    """

    columns: tuple[str, ...]
    codes: tuple[str, ...]
    industries: tuple[str, ...]
    economy: np.ndarray[Any, np.dtype[np.int64]]
    industry: np.ndarray[Any, np.dtype[np.int64]]
    stock: np.ndarray[Any, np.dtype[np.bool_]]
    output: int


def read_table(path: Path, group: Callable[[Sequence[str]], Mapping[str, str]], year: str | None = None) -> Table:
    """Read the table in `path`.

    Args:
        path: a .csv file, or a .zip of such files.
        group: the economy of the calibration for each code of the file.
        year: which table of a zip.

    Raises:
        IcioError: not a whole table of a known edition.
    """
    with _opened(path, year) as (stream, name):
        return _read(stream, name, group, year)


@contextlib.contextmanager
def _opened(path: Path, year: str | None) -> Iterator[tuple[IO[bytes], str]]:
    if not path.is_file():
        raise IcioError(str(path), "there is no such file", "give a .csv file, or the .zip it comes in")
    try:
        if not zipfile.is_zipfile(path):
            if path.suffix.lower() == ".zip":
                raise IcioError(path.name, "this is not a sound zip file", "download it again")
            with path.open("rb") as stream:
                yield stream, path.name
            return
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, path.name, year)
            with archive.open(member) as packed:
                yield packed, member.filename
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise IcioError(path.name, f"the file cannot be read ({error})", "download it again") from error


def _member(archive: zipfile.ZipFile, file: str, year: str | None) -> zipfile.ZipInfo:
    tables = [info for info in archive.infolist() if info.filename.lower().endswith(".csv")]
    chosen = [info for info in tables if year is None or year in info.filename]
    if len(chosen) != 1:
        names = ", ".join(info.filename for info in tables) or "none"
        remedy = "say which with --year" if tables else "give the zip of an ICIO edition"
        raise IcioError(file, f"one table is imported, and the zip has: {names}", remedy)
    (member,) = chosen
    if member.file_size > MAX_BYTES or member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise IcioError(
            file,
            f"{member.filename} unpacks from {member.compress_size:,} to {member.file_size:,} bytes: no table does",
            "unpack it yourself if you trust it, and import the .csv",
        )
    return member


def _read(stream: IO[bytes], file: str, group: Callable[[Sequence[str]], Mapping[str, str]], year: str | None) -> Table:
    import pyarrow as pa
    from pyarrow import csv as pacsv

    head = _first_line(stream, file)
    layout = _layout(head, file)
    edition = edition_of(layout.industries, file)
    economy_of = group(layout.codes)
    economies = tuple(dict.fromkeys(economy_of[code] for code in _ordered(layout.codes, economy_of)))
    sums = _Sums(layout, economies, [economies.index(economy_of[code]) for code in layout.codes], file)
    columns = [f"c{k}" for k in range(len(layout.columns) + 1)]
    options = {
        "read_options": pacsv.ReadOptions(column_names=columns, block_size=BLOCK, use_threads=False),
        "convert_options": pacsv.ConvertOptions(
            column_types={name: pa.float64() if k else pa.string() for k, name in enumerate(columns)},
            null_values=[""], strings_can_be_null=False,
        ),
    }  # fmt: skip
    try:
        for batch in pacsv.open_csv(_ReadOnly(stream), **options):
            sums.add(batch.column(0).to_pylist(), batch)
    except pa.ArrowInvalid as error:
        raise _text_in_numbers(str(error), layout, file) from error
    return sums.table(edition, year or _year(file))


class _ReadOnly(io.RawIOBase):
    """What is left of a stream, for pyarrow; BOM and header are read before."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


def _first_line(stream: IO[bytes], file: str) -> list[str]:
    line = stream.readline(2**20)
    if not line.endswith(b"\n"):
        raise IcioError(file, "the first line is not a header", "give a CSV table of the OECD, or the zip it comes in")
    try:
        return next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise IcioError(file, "the first line is not text in UTF-8", "give a CSV table of the OECD") from error


def _layout(head: list[str], file: str) -> Layout:
    columns = tuple(label.strip() for label in head[1:])
    if len(columns) < 4:
        raise IcioError(file, f"the header has {len(columns)} labels", "give a CSV table of the OECD")
    twice = sorted({label for label in columns if columns.count(label) > 1}) if len(set(columns)) < len(columns) else []
    if twice:
        raise IcioError(
            file, f"the column {twice[0]} appears twice", "every label appears once: download the file again"
        )
    economy, industry, stock = [], [], []
    codes: dict[str, int] = {}
    industries: dict[str, int] = {}
    output = -1
    for k, label in enumerate(columns):
        left, _, right = label.partition("_")
        place, what, goods = -1, -1, False
        if label in _OUTPUT:
            output = k
        elif label in _PASSED_OVER:
            pass
        elif not right:
            raise IcioError(file, f"the column {label!r} names no economy", "give a CSV table of the OECD", "line 1")
        else:
            code, item = (right, left) if left in FINAL else (left, right)
            place = codes.setdefault(PARTS.get(code, code), len(codes))
            if item in FINAL:
                goods = item in _STOCK
            else:
                what = industries.setdefault(item, len(industries))
        economy.append(place)
        industry.append(what)
        stock.append(goods)
    if not industries:
        raise IcioError(file, "the header names no industries", "give a CSV table of the OECD", "line 1")
    if all(k >= 0 for k, place in zip(industry, economy, strict=True) if place >= 0):
        raise IcioError(file, "the block of final demand is missing", "download the file again", "line 1")
    _check_final_demand(codes, columns, economy, industry, file)
    return Layout(
        columns, tuple(codes), tuple(industries), np.array(economy), np.array(industry), np.array(stock), output
    )


def _check_final_demand(
    codes: Mapping[str, int], columns: Sequence[str], economy: Sequence[int], industry: Sequence[int], file: str
) -> None:
    """Every economy has the same columns of final demand.

    Raises:
        IcioError: one lacks some.
    """
    items: dict[int, set[str]] = {place: set() for place in codes.values()}
    for label, place, what in zip(columns, economy, industry, strict=True):
        if place >= 0 and what < 0:
            items[place].update(part for part in label.split("_", 1) if part in FINAL)
    every = set().union(*items.values())
    for code, place in codes.items():
        lost = sorted(every - items[place])
        if lost:
            rule = f"the final demand of {code} lacks {', '.join(lost)}, which others have"
            raise IcioError(file, rule, "download the file again", "line 1")


def edition_of(industries: Sequence[str], file: str) -> str:
    """The edition whose industries these are.

    Raises:
        IcioError: none is.
    """
    labels = set(industries)
    if any(re.fullmatch(r"C\d\dT?\d*[A-Z]{3}", label) for label in labels):
        return "2016"
    if labels & {"A01", "A02", "C301", "C302T309", "C24A", "C30X301", "B05"}:
        return "2025"
    if labels & {"A01_02", "B05_06", "C10T12", "C13T15"}:
        return "2023"
    plain = {label.removeprefix("D") for label in labels if re.fullmatch(r"D?\d\d[T\d]*", label)}
    if plain & {"01T03"}:
        return "2018"
    if plain & {"01T02", "03", "20", "21", "24", "10T12"}:
        return "2018" if plain & {"05T06", "10T12"} and not plain & {"01T02", "03", "20", "21"} else "2021"
    raise IcioError(
        file,
        f"the industries ({', '.join(list(industries)[:6])}, ...) are those of no known edition",
        f"editions {', '.join(EDITIONS)} are read",
        "line 1",
    )


def _year(file: str) -> str:
    found = re.findall(r"(?:19|20)\d\d", Path(file).name)
    return found[-1] if found else ""


def _ordered(codes: Sequence[str], economy_of: Mapping[str, str]) -> list[str]:
    """Codes so that the rest of the world comes last."""
    return sorted(codes, key=lambda code: economy_of[code] == "ROW")


def _text_in_numbers(message: str, layout: Layout, file: str) -> IcioError:
    found = re.search(r"CSV column #(\d+).*?(?:Row #(\d+))?.*?invalid value '(.*?)'", message, re.S)
    if found:
        column = layout.columns[int(found[1]) - 1] if int(found[1]) else "label"
        line = re.search(r"Row #(\d+)", message)
        place = f"{f'line {int(line[1]) + 1}, ' if line else ''}column {column}"
        return IcioError(file, f"{found[3][:40]!r} is not a number", "correct it, decimals take a point", place)
    counted = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message)
    if counted:
        return IcioError(
            file,
            f"a row has {counted[2]} fields and this one has {counted[3]}",
            "the file seems to be cut off: download it again",
            f"line {int(counted[1]) + 1}",
        )
    return IcioError(file, f"this is not a CSV table ({message.splitlines()[0][:150]})", "download it again")


def _of_totals(label: str) -> bool:
    """Whether this is a row of value added, taxes or output."""
    known = (*_VALUE_ADDED, *_VALUE_ADDED_AND_TAXES, *_TAXES, *_OUTPUT)
    return label in known or label.partition("_")[2] in _TAXES


class _Sums:
    """The accounts, added up row by row."""

    def __init__(self, layout: Layout, economies: tuple[str, ...], group: list[int], file: str) -> None:
        from scipy import sparse

        self.layout, self.economies, self.group, self.file = layout, economies, group, file
        self.n, self.s = len(economies), len(layout.industries)
        self.use = np.zeros((self.n, self.s, self.n * self.s))
        self.final, self.stock, self.taken = np.zeros((3, self.n, self.s, self.n))
        self.trade = np.zeros((len(layout.codes), self.s, len(layout.codes)))
        self.value_added, self.taxes = np.zeros((2, self.n * self.s))
        self.output = np.zeros(self.n * self.s)
        self.stated = {"row": 0.0, "all": 0.0}
        self.seen: dict[str, int] = {}
        self.found: set[str] = set()
        self.line = 1
        where, kind = layout.economy, layout.industry
        data = where >= 0
        member = np.where(data, np.array([*group, 0])[where], 0)
        self.columns = {
            "use": self._matrix(sparse, (kind >= 0) & data, member * self.s + kind, self.n * self.s),
            "final": self._matrix(sparse, (kind < 0) & data & ~layout.stock, member, self.n),
            "stock": self._matrix(sparse, data & layout.stock, member, self.n),
            "trade": self._matrix(sparse, data, where, len(layout.codes)),
        }

    @staticmethod
    def _matrix(sparse: Any, chosen: Any, target: Any, size: int) -> Any:
        """Adds columns up: `[column, target]`."""
        places = np.flatnonzero(chosen)
        return sparse.csr_matrix((np.ones(len(places)), (places, target[places])), shape=(len(chosen), size))

    def add(self, labels: list[str], batch: Any) -> None:
        """A batch of rows."""
        values = np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns[1:]], axis=1)
        wrong = ~np.isfinite(values)
        if wrong.any():
            # Rows of totals have nothing to say about final demand in some editions.
            told = np.array([not _of_totals(label.strip()) for label in labels])
            wrong &= told[:, None] | (self.layout.industry >= 0)
            values = np.where(np.isfinite(values) | wrong, values, 0.0)
        if wrong.any():
            row, column = (int(k) for k in np.argwhere(wrong)[0])
            place = f"line {self.line + 1 + row}, column {self.layout.columns[column]}"
            raise IcioError(self.file, "this cell is empty or not a finite number", "correct it", place)
        sums = {name: values @ matrix for name, matrix in self.columns.items()}
        sums["taken"] = np.maximum(-values, 0) @ self.columns["stock"]
        for row, label in enumerate(map(str.strip, labels)):
            self.line += 1
            if label in self.seen:
                rule = f"the row {label} appears twice (first in line {self.seen[label]})"
                raise IcioError(self.file, rule, "every label appears once", f"line {self.line}")
            self.seen[label] = self.line
            self._row(label, row, values[row], {name: array[row] for name, array in sums.items()})

    def _row(self, label: str, k: int, values: Array, sums: dict[str, Array]) -> None:
        del k
        if label in _OUTPUT:
            self.found.add("output")
            self.output += sums["use"]
        elif label in _VALUE_ADDED or label in _VALUE_ADDED_AND_TAXES:
            self.found.add("value added")
            self.value_added += sums["use"]
        elif label in _TAXES or label.partition("_")[2] in _TAXES:
            self.taxes += sums["use"]
        else:
            left, _, item = label.partition("_")
            code = PARTS.get(left, left)
            if code not in self.layout.codes or item not in self.layout.industries:
                raise IcioError(
                    self.file, f"the row {label!r} has no column of that name", "download the file again",
                    f"line {self.line}",
                )  # fmt: skip
            origin, industry = self.layout.codes.index(code), self.layout.industries.index(item)
            place = self.group[origin]
            self.use[place, industry] += sums["use"]
            self.final[place, industry] += sums["final"]
            self.stock[place, industry] += sums["stock"]
            self.taken[place, industry] += sums["taken"]
            self.trade[origin, industry] += sums["trade"]
            if self.layout.output >= 0:
                self.stated["row"] += float(values[self.layout.output])

    def table(self, edition: str, year: str) -> Table:
        """What was added up, once every row that the header announces was there."""
        layout = self.layout
        missing = [
            label
            for label, kind in zip(layout.columns, layout.industry, strict=True)
            if kind >= 0 and label not in self.seen
        ]
        if missing:
            rule = f"{len(missing)} rows are missing, such as {missing[0]}"
            raise IcioError(
                self.file, rule, "the file seems to be cut off: download it again", f"after line {self.line}"
            )
        for block in ("value added", "output"):
            if block not in self.found:
                remedy = "the file seems to be cut off: download it again"
                raise IcioError(self.file, f"the row of {block} is missing", remedy, f"after line {self.line}")
        n, s = self.n, self.s
        parts = sorted({label.split("_")[0] for label in self.seen} & set(PARTS))
        notes = []
        if parts:
            notes.append(f"Parts of one economy are joined: {', '.join(f'{p} in {PARTS[p]}' for p in parts)}.")
        accounts = Accounts(
            self.economies, layout.industries, self.use.reshape(n, s, n, s), self.final, self.stock, self.taken,
            self.value_added.reshape(n, s), self.taxes.reshape(n, s), self.output.reshape(n, s),
        )  # fmt: skip
        trade = np.ascontiguousarray(self.trade.transpose(0, 2, 1))
        return Table(edition, year, accounts, trade, layout.codes, tuple(notes))


def read(source: Path, economies: str | None = None, year: str | None = None, **choices: Any) -> Imported:
    """The calibration of an ICIO table.

    Args:
        source: a .csv file, or a .zip of such files.
        economies: codes, groups and files of groups, comma-separated; the rest becomes ROW. All by default.
        year: which table of a zip, and the year of a file whose name has none.
        choices: tariffs, elasticities, adjustments: fields of `Choices`.

    Raises:
        DloptError: the file, or a choice, is at fault.
    """
    path = source
    notes: list[str] = []
    member: dict[str, str] = {}

    def group(codes: Sequence[str]) -> Mapping[str, str]:
        found, said = grouping(codes, economies)
        notes.extend(said)
        member.update(found)
        return found

    table = read_table(path, group, year)
    isic = {
        label: of_label(_isic_label(label), 3 if table.edition == "2016" else 4) for label in table.accounts.sectors
    }
    unknown = [label for label, divisions in isic.items() if not divisions]
    if unknown:
        raise IcioError(path.name, f"industry {unknown[0]} names no ISIC division", "use a known edition", "line 1")
    positions = [table.accounts.economies.index(member[code]) for code in table.codes]
    rest = [code for code in table.codes if member[code] == REST and code != REST]
    if rest:
        notes.append(f"{REST} takes in {len(rest)} more economies: {', '.join(rest)}.")
    meta = Meta("icio", table.year or "not stated", "million USD", f"OECD ICIO, {table.edition} edition, {path.name}")
    detail = Detail(table.codes, table.trade, positions)
    return build(table.accounts, detail, isic, meta, Choices(**choices), [*table.notes, *notes])


def _isic_label(label: str) -> str:
    """`D01T03` of the 2018 and 2021 editions: the D is no section there."""
    return label.removeprefix("D") if re.fullmatch(r"D\d\d[T\d]*", label) else label
