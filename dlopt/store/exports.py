"""Tables for other programs, by the suffix of the file: Excel, Stata, LaTeX, Markdown, CSV, Parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlopt.errors import DloptError
from dlopt.store.files import FileWriteError, replacing, write_table

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".parquet", ".csv", ".xlsx", ".tex")
"""What `write_any` writes."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class SuffixError(DloptError):
    """A file name whose suffix says nothing that can be written."""

    def __init__(self, path: Path, suffixes: tuple[str, ...]) -> None:
        ending = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        super().__init__(f"{path} {ending}, so its format is not known. End it in {', '.join(suffixes)}.")


def check_suffix(path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        SuffixError: its suffix is not one of these.
    """
    if path.suffix.lower() not in suffixes:
        raise SuffixError(path, suffixes)


def write_any(frame: pd.DataFrame, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a table atomically in the format its suffix names; only Parquet keeps `metadata`.

    Raises:
        SuffixError: another suffix.
        FileWriteError: the folder is not writable, or the table does not fit the format.
    """
    check_suffix(path)
    if path.suffix.lower() == ".parquet":
        write_table(frame, path, metadata)
        return
    writers: dict[str, Callable[[Path], None]] = {
        ".csv": lambda to: without_formulas(frame).to_csv(to, index=False),
        ".xlsx": lambda to: write_sheets({path.stem: frame}, to),
        ".tex": lambda to: _put(to, latex(frame)),
    }
    with replacing(path) as temporary:
        writers[path.suffix.lower()](temporary)


def write_sheets(frames: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Tables as the sheets of one Excel file, their heads in place while one scrolls.

    Raises:
        FileWriteError: a table has more rows than a sheet holds.
    """
    import pandas as pd

    with path.open("wb") as file, pd.ExcelWriter(file, engine="openpyxl") as book:
        for name, frame in frames.items():
            if len(frame) >= 2**20:
                raise FileWriteError(f"{name} has {len(frame):,} rows; Excel holds 1,048,575. Write CSV or Parquet.")
            frame.to_excel(book, sheet_name=name[:31], index=False, freeze_panes=(1, 0))
            for row in book.sheets[name[:31]].iter_rows():
                for cell in row:
                    if cell.data_type == "f":  # a label that begins like a formula is a label
                        cell.data_type = "s"


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with an apostrophe before every text that a spreadsheet would take for a formula."""

    def plain(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

    return frame.map(plain).rename(columns=plain)


def latex(frame: pd.DataFrame, digits: int = 4) -> str:
    """A table for LaTeX, with the rules of the package booktabs; labels escaped."""
    text: str = frame.to_latex(index=False, escape=True, na_rep="", float_format=f"{{:.{digits}g}}".format)
    return text


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
