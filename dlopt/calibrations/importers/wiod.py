"""Import the World Input-Output Database: release 2016 (.xlsb, .RData) and release 2013 (.xlsx).

Rows and columns are told by their labels: code, description, country. What is paid besides inputs and value added
(taxes less subsidies, transport margins, purchases abroad, cif/fob adjustments) counts as taxes on products.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.calibrations.accounts import Accounts, Array
from dlopt.calibrations.groups import grouping
from dlopt.calibrations.importers.build import Choices, Detail, build
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import SECTIONS, of_label, of_rev3
from dlopt.calibrations.meta import Meta
from dlopt.errors import DloptError

_SECTIONS_2013: dict[str, Sequence[int]] = {
    "AtB": (1, 2, 5), "C": range(10, 15), "E": (40, 41), "F": (45,), "H": (55,), "J": (65, 66, 67), "L": (75,),
    "M": (80,), "N": (85,), "O": range(90, 94), "P": (95,),
}  # fmt: skip
_CODES = {"ROM": "ROU", "RoW": "ROW"}
MAX_BYTES = 2**30


class WiodError(DloptError):
    """A file that is not a whole WIOD table."""

    def __init__(self, file: str, rule: str, remedy: str, place: str = "") -> None:
        super().__init__(f"{file}{f', {place}' if place else ''}: {rule}; {remedy}.")


def read(source: Path, economies: str | None = None, year: str | None = None, **choices: Any) -> Imported:
    """The calibration of a WIOD table.

    Args:
        source: an .xlsb, .xlsx or .RData file.
        economies: codes, groups and files of groups; the rest becomes ROW.
        year: the sheet, where a workbook has several; the year.
        choices: fields of `Choices`.

    Raises:
        DloptError: the file, or a choice, is at fault.
    """
    accounts, release, found = read_table(source, year)
    codes = accounts.economies
    economy_of, notes = grouping(codes, economies)
    merged, member = grouped(accounts, [economy_of[code] for code in codes])
    isic = {label: divisions(label, release) for label in accounts.sectors}
    meta = Meta("wiod", year or found or "not stated", "million USD", f"WIOD release {release}, {source.name}")
    return build(merged, Detail(codes, accounts.trade(), member), isic, meta, Choices(**choices), notes)


def divisions(label: str, release: str) -> tuple[int, ...]:
    """Divisions of ISIC Rev. 4 of a code of WIOD."""
    if release == "2013":
        own = _SECTIONS_2013.get(label)
        return of_rev3(list(own)) if own else of_label(label.upper(), 3)
    parts = label.split("_")
    if all(part in SECTIONS for part in parts):
        return tuple(sorted({d for part in parts for d in of_label(part)}))
    return of_label(label)


def grouped(accounts: Accounts, groups: Sequence[str]) -> tuple[Accounts, list[int]]:
    """Accounts of groups of economies, and the position of the group of each economy."""
    labels = tuple(dict.fromkeys(sorted(groups, key=lambda label: label == "ROW")))
    member = [labels.index(label) for label in groups]
    g = np.zeros((len(groups), len(labels)))
    g[np.arange(len(groups)), member] = 1.0
    flows = {
        name: np.einsum("isn,ia,nb->asb", getattr(accounts, name), g, g, optimize=True)
        for name in ("final", "inventories", "withdrawals")
    }
    columns = {name: g.T @ getattr(accounts, name) for name in ("value_added", "taxes", "output")}
    use = np.einsum("isnk,ia,nb->asbk", accounts.use, g, g, optimize=True)
    return Accounts(labels, accounts.sectors, use, **flows, **columns), member


def read_table(source: Path, year: str | None = None) -> tuple[Accounts, str, str]:
    """The accounts in a file, by economy; the release; the year of its name.

    Raises:
        WiodError: not a whole table.
    """
    if not source.is_file():
        raise WiodError(str(source), "there is no such file", "give an .xlsb, .xlsx or .RData file of WIOD")
    if source.stat().st_size > MAX_BYTES:
        raise WiodError(source.name, "the file is larger than 1 GiB", "give one table of WIOD")
    found = re.findall(r"(?:19|20)\d\d", source.name)
    rows = _rdata(source) if source.suffix.lower() == ".rdata" else _sheet(source, year)
    accounts = _accounts(rows, source.name)
    return accounts, "2013" if any("t" in s for s in accounts.sectors) else "2016", found[0] if found else ""


def _sheet(source: Path, year: str | None) -> list[list[Any]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise WiodError(
            source.name, "workbooks need python-calamine", "install it: pip install 'dlopt[data]'"
        ) from error
    try:
        book = CalamineWorkbook.from_path(str(source))
        names = [name for name in book.sheet_names if year is None or year in name]
        if len(names) != 1:
            raise WiodError(
                source.name, f"one sheet is read, and there are {', '.join(book.sheet_names)}", "use --year"
            )
        return book.get_sheet_by_name(names[0]).to_python(skip_empty_area=False)
    except (CalamineError, OSError) as error:
        raise WiodError(source.name, f"the workbook cannot be read ({error})", "download it again") from error


def _rdata(source: Path) -> list[list[Any]]:
    """The table of an .RData file in the rows of a workbook."""
    try:
        import rdata
    except ImportError as error:
        raise WiodError(source.name, ".RData files need rdata", "install it: pip install 'dlopt[data]'") from error
    try:
        with warnings.catch_warnings():  # WIOD keeps a data.table, which is read as the data frame that it is, too
            warnings.simplefilter("ignore")
            content = rdata.read_rda(str(source))
    except Exception as error:  # the parser raises whatever a damaged file makes it raise
        raise WiodError(source.name, f"the file cannot be read ({error})", "download it again") from error
    if "wiot" not in content:
        have = ", ".join(map(str, content)) or "nothing"
        raise WiodError(source.name, f"there is no table wiot in the file; it has {have}", "give a file of WIOD")
    frame = content["wiot"]
    try:
        ids = [str(value) for value in frame.iloc[:, 0]]
        words, country = [[str(v) for v in frame.iloc[:, k]] for k in (1, 2)]
        columns = [re.fullmatch(r"([A-Za-z]+)(\d+)|(TOT)", str(name)) for name in frame.columns[5:]]
        values = frame.iloc[:, 5:].to_numpy(dtype=float)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise WiodError(source.name, f"wiot is not a table of WIOD ({error})", "download it again") from error
    industries = list(dict.fromkeys(code for code, place in zip(ids, country, strict=True) if place != "TOT"))
    final = ["final use", "final use", "final use", "final use", "Changes in inventories and valuables"]
    heads: list[tuple[str, str, str]] = []
    for match in columns:
        number = int(match[2]) - 1 if match and match[2] else -1
        if match is None or number < 0:
            heads.append(("", "Total output", ""))
        elif number < len(industries):
            heads.append((industries[number], "", match[1]))
        else:
            heads.append(("", final[min(number - len(industries), 4)], match[1]))
    top = [["", "", "", "", *(head[k] for head in heads)] for k in range(3)]
    body = [[i, w, c, "", *row] for i, w, c, row in zip(ids, words, country, values.tolist(), strict=True)]
    return [[], [], *top, [], *body]


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _accounts(rows: list[list[Any]], file: str) -> Accounts:
    if len(rows) < 10 or len(rows[2]) < 10:
        raise WiodError(file, "this is not a world input-output table", "give a file of WIOD")
    codes, words, places = ([_text(v) for v in rows[k][4:]] for k in (2, 3, 4))
    body = rows[6:]
    producing = [k for k, row in enumerate(body) if _text(row[0]) and _text(row[2]) not in ("", "TOT")]
    labels = [(_CODES.get(_text(body[k][2]), _text(body[k][2])), _text(body[k][0])) for k in producing]
    economies = tuple(dict.fromkeys(code for code, _ in labels))
    sectors = tuple(dict.fromkeys(sector for _, sector in labels))
    n, s = len(economies), len(sectors)
    if len(labels) != n * s or len(set(labels)) != n * s or n < 2:
        raise WiodError(file, f"{len(labels)} industries in {n} economies do not make {n} x {s}", "download it again")
    values = np.array([_numbers(body[k][4:], file, k + 7) for k in range(len(body)) if k <= producing[-1]])
    values = values[producing]
    use, final, stock, taken = np.zeros((n, s, n, s)), *np.zeros((3, n, s, n))
    seen = set()
    columns: dict[int, tuple[int, int]] = {}
    for column, (code, word, place) in enumerate(zip(codes, words, places, strict=True)):
        country = _CODES.get(place, place)
        if country not in economies:
            continue
        to, block = economies.index(country), values[:, column].reshape(n, s)
        if code in sectors:
            columns[column] = (to, sectors.index(code))
            use[:, :, to, columns[column][1]] = block
            seen.add(columns[column])
        elif "inventor" in word.lower():
            stock[:, :, to] += block
            taken[:, :, to] += np.maximum(-block, 0)
        else:
            final[:, :, to] += block
    if len(seen) != n * s:
        raise WiodError(file, f"{n * s - len(seen)} columns of industries are missing", "download it again")
    added, paid, output = np.zeros((3, n, s))
    found = set()
    for k, row in enumerate(body):
        what = _text(row[1]).lower()
        if k in producing or not what or "total intermediate" in what:
            continue
        target: Array = added if "value added" in what else output if what.startswith("output") else paid
        found.add("value added" if target is added else "output" if target is output else "other")
        numbers = _numbers([row[4 + c] for c in columns], file, k + 7)
        for number, (to, sector) in zip(numbers, columns.values(), strict=True):
            target[to, sector] += number
    for needed in ("value added", "output"):
        if needed not in found:
            raise WiodError(file, f"the row of {needed} is missing", "download it again")
    return Accounts(economies, sectors, use, final, stock, taken, added, paid, output)


def _numbers(cells: Sequence[Any], file: str, line: int) -> list[float]:
    found = []
    for k, cell in enumerate(cells):
        try:
            found.append(float(cell) if cell != "" else 0.0)
        except (TypeError, ValueError):
            place = f"row {line}, column {k + 5}"
            raise WiodError(file, f"{str(cell)[:40]!r} is not a number", "correct it", place) from None
        if not np.isfinite(found[-1]):
            raise WiodError(file, f"{cell} is not a finite number", "correct it", f"row {line}, column {k + 5}")
    return found
