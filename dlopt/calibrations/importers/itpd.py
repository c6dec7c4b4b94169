"""Import the International Trade and Production Database (ITPD-E, ITPD-S): trade at home and abroad, by industry.

The file is streamed. Names of columns vary by release. It has no inputs: shares are taken from another calibration, or
there are none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt.calibrations.groups import grouping
from dlopt.calibrations.importers.trade_only import divisions_of, trade_world
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.tariffs import read_tariffs
from dlopt.errors import DloptError

_NAMES = {
    "exporter": ("exporter_iso3", "exporter_dynamic_code"), "importer": ("importer_iso3", "importer_dynamic_code"),
    "year": ("year",), "industry": ("industry_id", "itpd_id"), "trade": ("trade",),
}  # fmt: skip
_BROAD = ("broad_sector",)
BLOCK = 32 * 2**20
MAX_CELLS = 20_000_000


class ItpdError(DloptError):
    """A file that is not ITPD, or a choice that it cannot serve."""


def read(
    source: Path,
    economies: str | None = None,
    year: str | None = None,
    industries: str = "industry",
    tariffs: str | None = None,
    tariff_year: str | None = None,
    tariff_column: str | None = None,
    isic: str | None = None,
    **options: Any,
) -> Imported:
    """The calibration of one year of trade.

    Args:
        source: the CSV file.
        economies: codes, groups and files of groups; the rest becomes ROW.
        year: which; the last by default.
        industries: `industry` for the file's own, `broad` for its broad sectors.
        tariffs, tariff_year, tariff_column: as for `icio`; needs `isic`.
        isic: a CSV file (sector,division) with the divisions of the industries.
        options: see `trade_only.trade_world`.

    Raises:
        DloptError: the file, or a choice, is at fault.
    """
    frame, chosen = _rows(source, year, industries)
    codes = sorted(set(frame["exporter"]) | set(frame["importer"]))
    sectors = sorted(set(frame["industry"]), key=lambda label: (len(label), label))
    economy_of, notes = grouping(codes, economies)
    whole = float(frame["trade"].sum())
    labels = list(dict.fromkeys(sorted(economy_of.values(), key=lambda label: label == "ROW")))
    if len(labels) ** 2 * len(sectors) > MAX_CELLS:
        raise ItpdError(f"{source.name}: {len(labels)} economies and {len(sectors)} industries are too many. Name some "
                        "with --economies, or use --industries broad.")  # fmt: skip
    known = divisions_of(isic, sectors)
    place = {label: k for k, label in enumerate(labels)}
    column = {label: k for k, label in enumerate(sectors)}
    origin = frame["exporter"].map(economy_of).map(place).to_numpy()
    destination = frame["importer"].map(economy_of).map(place).to_numpy()
    sector = frame["industry"].map(column).to_numpy()
    trade = np.zeros((len(labels), len(labels), len(sectors)))
    np.add.at(trade, (origin, destination, sector), frame["trade"].to_numpy())
    notes = [f"{len(frame):,} rows of {chosen}, {whole:,.8g} in all; {trade.sum():,.8g} in the cube.", *notes]
    rate = None
    if tariffs is not None:
        if not known:
            raise ItpdError("Tariffs are matched by ISIC divisions: give those of the industries with --isic.")
        rates = read_tariffs(Path(tariffs), labels, known, tariff_year or chosen, tariff_column)
        rate, notes = rates.rate, [*notes, *rates.notes]
    return trade_world(
        source, trade, rate, labels, sectors, None, None, basis="tariff_exclusive", isic=known or None, year=chosen,
        unit="million USD", notes=notes, **options,
    )  # fmt: skip


def _rows(source: Path, year: str | None, industries: str) -> tuple[pd.DataFrame, str]:
    import pyarrow as pa
    from pyarrow import csv

    try:
        with source.open(encoding="utf-8-sig") as stream:
            header = [name.strip().strip('"') for name in stream.readline(2**16).rstrip("\r\n").split(",")]
    except (OSError, UnicodeDecodeError) as error:
        raise ItpdError(f"{source}: the file cannot be read ({error}). Give the CSV file of ITPD.") from error
    wanted = {**_NAMES, "industry": _BROAD} if industries == "broad" else _NAMES
    columns = {}
    for what, names in wanted.items():
        found = next((name for name in names if name in header), None)
        if found is None:
            raise ItpdError(f"{source.name}: there is no column {' or '.join(names)}. It has {', '.join(header[:12])}.")
        columns[what] = found
    types = {name: pa.string() for what, name in columns.items() if what not in ("year", "trade")}
    types |= {columns["year"]: pa.int64(), columns["trade"]: pa.float64()}
    options = csv.ConvertOptions(include_columns=list(columns.values()), column_types=types)
    kept: list[pd.DataFrame] = []
    last = -1
    years: set[int] = set()
    try:
        for batch in csv.open_csv(source, csv.ReadOptions(block_size=BLOCK), convert_options=options):
            part = batch.to_pandas().rename(columns={name: what for what, name in columns.items()})
            years.update(part["year"].unique().tolist())
            aim = int(year) if year else max(last, int(part["year"].max()))
            if aim != last:
                kept, last = [], aim
            kept.append(part[part["year"] == aim].drop(columns="year"))
    except pa.ArrowException as error:
        raise ItpdError(f"{source.name}: {str(error).splitlines()[0][:200]}. Correct the file.") from error
    except ValueError as error:
        raise ItpdError(f"--year {year}: a year has four digits.") from error
    frame = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
    if frame.empty:
        raise ItpdError(f"{source.name}: no trade in {year}. The file has {min(years)} to {max(years)}.")
    if frame.isna().to_numpy().any():
        raise ItpdError(f"{source.name}: {int(frame.isna().any(axis=1).sum())} rows of {last} have an empty cell.")
    twice = frame.duplicated(["exporter", "importer", "industry"]) if industries != "broad" else pd.Series(dtype=bool)
    if twice.any():
        row = frame[twice].iloc[0]
        raise ItpdError(
            f"{source.name}: {int(twice.sum())} rows of {last} repeat exporter, importer and industry, such as "
            f"{row['exporter']} to {row['importer']}, industry {row['industry']}. They would count twice: delete them."
        )
    return frame, str(last)
