"""Bundles as CSV files that tests can edit."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from dlopt.calibrations import write_bundle
from dlopt.trade.calibration import Calibration


def csv_bundle(calibration: Calibration, folder: Path) -> Path:
    """The bundle that `write_bundle` makes, its Parquet tables turned into CSV."""
    write_bundle(calibration, folder)
    for path in folder.glob("*.parquet"):
        pd.read_parquet(path).to_csv(path.with_suffix(".csv"), index=False)
        path.unlink()
    return folder


def edit(folder: Path, table: str, change: Callable[[list[list[str]]], None]) -> None:
    """Let `change` alter the rows (header first) of a CSV table in place."""
    path = folder / f"{table}.csv"
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def put(folder: Path, table: str, line: int, column: str, value: str) -> None:
    """Write `value` into one cell; `line` as an editor counts, the header being line 1."""

    def change(rows: list[list[str]]) -> None:
        rows[line - 1][rows[0].index(column)] = value

    edit(folder, table, change)
