"""All tables of a run for another program, with a codebook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dlopt.errors import DloptError, UnknownNameError
from dlopt.runs.record import read_run
from dlopt.runs.tables import read_table
from dlopt.store.exports import write_any, write_sheets
from dlopt.store.files import replacing, table_metadata
from dlopt.views.codebook import codebook, describe

FORMATS = ("xlsx", "csv", "dta", "tex")
_LONGEST_TEX = 200
_STATA_NAME, _STATA_LABEL = 32, 80


def export(folder: Path, form: str, target: Path) -> list[Path]:
    """Write every table of a run, and `codebook`.

    Args:
        folder: of the run.
        form: `xlsx`: one file with a sheet for each table; `csv`, `dta` (Stata), `tex`: a folder with a file for each.
        target: the file, or the folder. LaTeX gets tables of up to 200 rows.

    Returns:
        The files that were written.

    Raises:
        UnknownNameError: another format.
        DloptError: the run has no tables.
        FileWriteError: the target cannot be written.
    """
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise DloptError(f"{folder} ({read_run(folder).status}) has no tables to export. Give a run with a result.")
    tables = {path.stem: read_table(folder, path.stem) for path in paths}
    tables["codebook"] = codebook(tables, table_metadata(paths[0]).get("unit", ""))
    if form == "xlsx":
        with replacing(target) as temporary:
            write_sheets({"codebook": tables.pop("codebook"), **tables}, temporary)
        return [target]
    written = []
    for name, frame in tables.items():
        path = target / f"{name}.{form}"
        if form == "dta":
            _stata(frame, path)
        elif form == "csv" or len(frame) <= _LONGEST_TEX:
            write_any(frame, path, {})
        else:
            continue
        written.append(path)
    return written


def _stata(frame: pd.DataFrame, path: Path) -> None:
    """With labels of variables; names are cut to the 32 letters that Stata has."""
    short = {str(column): str(column)[:_STATA_NAME] for column in frame.columns}
    if len(set(short.values())) < len(short):
        raise DloptError(f"{path.stem}: two columns have the same first {_STATA_NAME} letters. Export csv or xlsx.")
    labels = {
        name: ", ".join(word for word in describe(column) if word)[:_STATA_LABEL] for column, name in short.items()
    }
    ready = frame.rename(columns=short)
    for column in ready.columns:
        if ready[column].dtype == bool:
            ready[column] = ready[column].astype("int8")
        elif not pd.api.types.is_numeric_dtype(ready[column]):
            ready[column] = ready[column].astype(object).where(ready[column].notna(), "").map(str)
    with replacing(path) as temporary, temporary.open("wb") as file:
        ready.to_stata(file, write_index=False, variable_labels=labels, version=118)
