"""Read one table, CSV or Parquet, into labels and numbers, noting every fault with its row."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.store.columns import Rule, Table
from dlopt.store.faults import Faults, row_word

MAX_TABLE_BYTES = 256 * 2**20
MAX_TABLE_ROWS = 5_000_000
MAX_UNPACKED_BYTES = 2**30

Array = np.ndarray[Any, np.dtype[np.float64]]
Index = np.ndarray[Any, np.dtype[np.int64]]


@dataclasses.dataclass(frozen=True)
class RawTable:
    """A table as read.

    Attributes:
        file: file name, for faults.
        rows: line (CSV) or row (Parquet) number of every record.
        texts: label and text columns.
        numbers: value columns; NaN where a fault was noted.
    """

    file: str
    rows: list[int]
    texts: dict[str, list[str]]
    numbers: dict[str, Array]

    def __len__(self) -> int:
        return len(self.rows)


def read_table(
    path: Path, table: Table, faults: Faults, label: str | None = None, ignore_others: bool = False
) -> RawTable | None:
    """Read `path` as `table`.

    Args:
        path: a .csv or .parquet file.
        table: the columns and rules it must follow.
        faults: where faults are noted.
        label: how faults name the file; its name by default.
        ignore_others: skip columns the table does not have, instead of refusing them.

    Returns:
        The records, or None where the file cannot be read as this table at all.
    """
    file = label or path.name
    if not path.exists():
        faults.add(file, "there is no such file", "add it, or give another folder")
        return None
    if not path.is_file():
        faults.add(file, "this must be a regular file", "replace it by the table")
        return None
    try:
        size = path.stat().st_size
        if size > MAX_TABLE_BYTES:
            limit = f"a table may have at most {MAX_TABLE_BYTES // 2**20} MiB"
            faults.add(file, limit, "aggregate economies or sectors", value=f"{size // 2**20} MiB")
            return None
        if size == 0:
            faults.add(
                file,
                "the file is empty",
                f"write the header {','.join(map(table.in_file, table.columns))}, then the rows",
            )
            return None
        if path.suffix == ".parquet":
            columns = _parquet_columns(path, file, table, faults, ignore_others)
        else:
            columns = _csv_columns(path, file, table, faults, ignore_others)
    except OSError as error:
        faults.add(file, f"the file cannot be read ({error.strerror or error})", "check it and its permissions")
        return None
    if columns is None:
        return None
    rows, cells = columns
    if not rows and not table.may_be_empty:
        faults.add(file, "the table has a header but no rows", "add the rows")
        return None
    texts = {c: cells[c] for c in (*table.keys, *table.texts) if c in cells}
    numbers = {c: _numbers(cells[c], file, c, rows, faults) for c in table.numbers if c in cells}
    raw = RawTable(file, rows, texts, numbers)
    for column in numbers:
        check_rule(raw, column, table.numbers[column], faults)
    return raw


def check_rule(raw: RawTable, column: str, rule: Rule, faults: Faults) -> None:
    """Note every value of `column` outside the interval of `rule`."""
    values = raw.numbers[column]
    low = values <= rule.low if rule.low_open else values < rule.low
    high = values >= rule.high if rule.high_open else values > rule.high
    for k in np.flatnonzero(low | high):
        faults.add(raw.file, rule.text, rule.remedy, raw.rows[k], column, f"{values[k]:g}")


@dataclasses.dataclass(frozen=True)
class Axis:
    """The valid labels of a column.

    Attributes:
        labels: all of them, in order.
        word: what one is called.
        source: the table that lists them.
    """

    labels: Sequence[str]
    word: str
    source: str


def cell_index(
    raw: RawTable, keys: Sequence[str], axes: Mapping[str, Axis], faults: Faults
) -> tuple[list[Index], Array]:
    """Where each record belongs.

    Args:
        raw: the records.
        keys: label columns in axis order.
        axes: by column.
        faults: unknown and repeated labels are noted here.

    Returns:
        Positions along each axis, and a boolean mask of the records that are sound.
    """
    sound = np.ones(len(raw), dtype=bool)
    positions = []
    for column in keys:
        index = {label: k for k, label in enumerate(axes[column].labels)}
        labels = raw.texts[column]
        codes = np.fromiter(map(index.get, labels, itertools.repeat(-1)), dtype=np.int64, count=len(labels))
        unknown: dict[str, list[int]] = {}
        for k in np.flatnonzero(codes < 0).tolist():
            if labels[k]:
                unknown.setdefault(labels[k], []).append(k)
            sound[k] = False  # an empty label was noted when read
        for places in unknown.values():
            _unknown_label(raw, places, column, axes[column], faults)
        positions.append(codes)
    sizes = [len(axes[c].labels) + 1 for c in keys]
    flat = np.ravel_multi_index([p + 1 for p in positions], sizes) if keys else np.zeros(len(raw), dtype=np.int64)
    order = np.argsort(flat, kind="stable")
    same = np.zeros(len(raw), dtype=bool)
    same[1:] = flat[order][1:] == flat[order][:-1]
    for place in np.flatnonzero(same):
        k, first = int(order[place]), int(order[place - 1])
        if sound[k]:
            cell = ", ".join(raw.texts[c][k] for c in keys)
            remedy = f"delete one; the other is on {row_word(raw.file)} {raw.rows[first]}"
            faults.add(raw.file, "each cell appears once", remedy, raw.rows[k], None, cell)
    return positions, sound


def _unknown_label(raw: RawTable, places: Sequence[int], column: str, axis: Axis, faults: Faults) -> None:
    """Note that the records at `places` share a label that names nothing known."""
    label = raw.texts[column][places[0]]
    close = difflib.get_close_matches(label, axis.labels[:1000], n=2, cutoff=0.5) if len(faults.kept) < 100 else []
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    times = f" ({len(places)} times)" if len(places) > 1 else ""
    remedy = f"{hint}use the labels given there{times}"
    faults.add(raw.file, f"this {axis.word} is not in {axis.source}", remedy, raw.rows[places[0]], column, label)


def _header_ok(names: Sequence[str], file: str, table: Table, faults: Faults, ignore_others: bool) -> bool:
    wanted = [table.in_file(column) for column in table.columns]
    remedy = f"the header is {','.join(wanted)}"
    before = faults.total
    may_lack = [table.in_file(column) for column in table.may_lack]
    for name in wanted:
        if name not in names and name in may_lack:
            continue
        if name not in names:
            faults.add(file, "this column is missing", remedy, column=name)
        elif list(names).count(name) > 1:
            faults.add(file, "this column appears more than once", remedy, column=name)
    if not ignore_others:
        for name in names:
            if name not in wanted:
                faults.add(file, "this column is unknown", remedy, column=name or "(no name)")
    return faults.total == before


def _present(table: Table, names: Sequence[str]) -> list[str]:
    """The columns of the table that the file has."""
    return [column for column in table.columns if table.in_file(column) in names]


def _csv_columns(
    path: Path, file: str, table: Table, faults: Faults, ignore_others: bool
) -> tuple[list[int], dict[str, list[Any]]] | None:
    rows: list[int] = []
    cells: dict[str, list[Any]] = {}
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            line = reader.line_num
            if not _header_ok(header, file, table, faults, ignore_others):
                return None
            cells = {c: [] for c in _present(table, header)}
            places = [(kept, header.index(table.in_file(c))) for c, kept in cells.items()]
            for record in reader:
                start, line = line + 1, reader.line_num
                if not record:
                    continue
                if len(record) != len(header):
                    rule = f"a row has {len(header)} fields, this one has {len(record)}"
                    faults.add(file, rule, "check commas and quotes; decimals take a point", start)
                    continue
                if len(rows) >= MAX_TABLE_ROWS:
                    faults.add(file, f"a table may have at most {MAX_TABLE_ROWS} rows", "aggregate it")
                    return None
                rows.append(start)
                for kept, place in places:
                    kept.append(sys.intern(record[place].strip()))
    except UnicodeDecodeError:
        faults.add(file, "the file must be UTF-8", "save it as UTF-8")
        return None
    except csv.Error as error:
        faults.add(file, f"this line is not valid CSV ({error})", "check quotes and line ends", line + 1)
        return None
    for column in (c for c in table.keys if c not in table.optional):
        _no_empty_labels(cells[column], file, column, rows, faults)
    return rows, cells


def _no_empty_labels(labels: Iterable[str], file: str, column: str, rows: Sequence[int], faults: Faults) -> None:
    for row, text in zip(rows, labels, strict=True):
        if not text:
            faults.add(file, "a label is missing", "fill it in", row, column)


def _parquet_columns(
    path: Path, file: str, table: Table, faults: Faults, ignore_others: bool
) -> tuple[list[int], dict[str, list[Any]]] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as source:
            if source.metadata.num_rows > MAX_TABLE_ROWS:
                faults.add(file, f"a table may have at most {MAX_TABLE_ROWS} rows", "aggregate it")
                return None
            if not _header_ok(source.schema_arrow.names, file, table, faults, ignore_others):
                return None
            if not _types_ok(source.schema_arrow, file, table, faults):
                return None
            groups = (source.metadata.row_group(k) for k in range(source.metadata.num_row_groups))
            if sum(group.total_byte_size for group in groups) > MAX_UNPACKED_BYTES:
                limit = f"a table may have at most {MAX_UNPACKED_BYTES // 2**20} MiB when unpacked"
                faults.add(file, limit, "aggregate economies or sectors")
                return None
            present = _present(table, source.schema_arrow.names)
            data = source.read(columns=[table.in_file(column) for column in present])
        columns = {name: data.column(table.in_file(name)).combine_chunks() for name in present}
        cells: dict[str, Any] = {name: _labels(column) for name, column in columns.items() if name not in table.numbers}
        for name in table.numbers.keys() & columns.keys():
            cells[name] = _floats(columns[name])
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        faults.add(file, "this is not a readable Parquet file", "write it again", value=reason)
        return None
    rows = list(range(1, data.num_rows + 1))
    for name in table.keys:
        if name not in table.optional:
            _no_empty_labels(cells[name], file, name, rows, faults)
    return rows, cells


def _labels(column: Any) -> list[str]:
    """The texts of an Arrow column of text or whole numbers; empty where null."""
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = ["" if value is None else sys.intern(str(value).strip()) for value in encoded.dictionary.to_pylist()]
    return ["" if k is None else words[k] for k in encoded.indices.to_pylist()]


def _floats(column: Any) -> Array:
    """The numbers of an Arrow column; NaN where null. Not by `to_numpy`, which loads pandas: half a second."""
    import pyarrow as pa

    values = column if pa.types.is_float64(column.type) else column.cast(pa.float64(), safe=False)
    return np.array(values.to_pylist(), dtype=float) if values.null_count else np.asarray(np.from_dlpack(values), float)


def _types_ok(schema: Any, file: str, table: Table, faults: Faults) -> bool:
    """Labels are text or whole numbers, values are numbers."""
    import pyarrow.types as of

    before = faults.total
    for name in _present(table, schema.names):
        kind = schema.field(table.in_file(name)).type
        kind = kind.value_type if of.is_dictionary(kind) else kind
        if name in table.numbers:
            if not (of.is_integer(kind) or of.is_floating(kind)):
                faults.add(file, "this column must hold numbers", "store it as float64", column=name, value=str(kind))
        elif not any(is_it(kind) for is_it in (of.is_string, of.is_large_string, of.is_string_view)) and not (
            of.is_integer(kind) or of.is_null(kind)
        ):
            faults.add(file, "labels are text or whole numbers", "store them as text", column=name, value=str(kind))
    return faults.total == before


def _numbers(cells: Any, file: str, column: str, rows: Sequence[int], faults: Faults) -> Array:
    """The cells as floats; NaN, after noting a fault, where one is not a finite number."""
    values = cells if isinstance(cells, np.ndarray) else np.fromiter(map(_number, cells), dtype=float, count=len(cells))
    wrong = ~np.isfinite(values)
    for k in np.flatnonzero(wrong).tolist():
        rule, remedy = "this must be a finite number", "write it with a decimal point"
        faults.add(file, rule, remedy, rows[k], column, str(cells[k]) or "(empty)")
    return np.where(wrong, np.nan, values)


def _number(text: str) -> float:
    """`text` as a float; NaN where it is none. Underscores, which Python would accept, are not part of a number."""
    try:
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan
