"""Exports of WITS/TRAINS: the same rates under the headers and codes that its queries give."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dlopt.calibrations.tariffs import Rates, TariffError, read_tariffs

CODES = ["USA", "CHN", "DEU", "FRA", "ROW"]
ISIC = {"food": (10, 11), "cars": (29,), "banks": (64,)}
RATES = [("USA", "CHN", "15", 4.0), ("USA", "EUN", "15", 2.0), ("USA", "CHN", "34", 25.0), ("EUN", "CHN", "34", 10.0),
         ("CHN", "USA", "15", 12.0), ("USA", "WLD", "34", 3.0), ("CHN", "WLD", "34", 15.0)]  # fmt: skip
NUMBERS = {"USA": "840", "CHN": "156", "EUN": "918", "WLD": "000"}
NAMES = {"USA": "United States", "CHN": "China", "EUN": "European Union", "WLD": "World"}


def export(
    path: Path, header: str, spell: dict[str, str], fill: str = "", extra: list[list[str]] | None = None
) -> Path:
    """One row for each rate: importer, exporter, product, year and rate where the header has them, else `fill`."""
    columns = header.split(",")

    by_name = "Reporter" not in columns and "Reporter Name" in columns

    def cell(column: str, importer: str, exporter: str, product: str, rate: float) -> str:
        low = column.lower().replace(" ", "").replace("_", "")
        places = {"reporter": spell.get(importer, importer), "partner": spell.get(exporter, exporter)}
        known = {**places, "product": product, "year": "2018", "average": str(rate)}
        if "name" in low and not by_name:
            return fill
        return next((value for word, value in known.items() if low.startswith(word) or low.endswith(word)), fill)

    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([[cell(column, *row) for column in columns] for row in RATES])
        writer.writerows(extra or [])
    return path


def rates(path: Path, column: str | None = None) -> Rates:
    return read_tariffs(path, CODES, ISIC, "2018", column)


def wanted() -> np.ndarray:  # type: ignore[type-arg]
    """By hand: pairs, then MFN, then the importer's mean for the sector, then its mean over goods, then zero."""
    found = np.zeros((5, 5, 3))
    found[1, 0, 0], found[2:4, 0, 0], found[1, 0, 1], found[1, 2:4, 1], found[0, 1, 0] = 0.04, 0.02, 0.25, 0.1, 0.12
    found[2:5, 0, 1] = 0.03
    found[4, 0, 0], found[:4, 4, :2] = 0.02, 0.1  # the rest of the world holds the other members of the Union
    found[[0, 2, 3, 4], 1, 1] = 0.15
    found[2:5, 1, 0] = 0.12
    for union in (2, 3):
        others = [k for k in (0, 2, 3, 4) if k != union]
        found[others, union, 1] = 0.1
        found[[k for k in (0, 1, 2, 3, 4) if k != union], union, 0] = 0.1
    return found


HEADERS = [
    ("Reporter,Partner,Product,Tariff Year,Simple Average,Weighted Average", {}),
    ("Reporter,Partner,Product,TariffYear,SimpleAverage", NUMBERS),
    ("Reporter Name,Partner Name,Product,Year,Simple Average", NAMES),
    ("Reporter_ISO3,Partner_ISO3,Product,Year,Weighted Average", {}),
    ("Selected Nomen,Native Nomen,Reporter,Reporter Name,Product,Product Name,Partner,Partner Name,Tariff Year,"
     "Trade Year,Simple Average", NUMBERS),
]  # fmt: skip


@pytest.mark.parametrize(("header", "spell"), HEADERS)
def test_headers_and_codes_vary_and_rates_do_not(tmp_path: Path, header: str, spell: dict[str, str]) -> None:
    path = export(tmp_path / "wits.csv", header, spell, fill="I3" if "Nomen" in header else "")
    found = rates(path)
    np.testing.assert_allclose(found.rate, wanted(), rtol=1e-12)
    assert "column" in found.notes[0]
    assert "year 2018" in found.notes[0]


def test_duties_are_told_apart(tmp_path: Path) -> None:
    """Bound rates are left out; MFN rates fill what has no applied rate."""
    header = "Reporter,Partner,Product,Tariff Year,Simple Average,DutyType"
    more = [["USA", "CHN", "15", "2018", "90", "BND"], ["USA", "DEU", "34", "2018", "70", "PRF"],
            ["CHN", "DEU", "15", "2018", "8", "MFN"]]  # fmt: skip
    found = rates(export(tmp_path / "wits.csv", header, {}, fill="AHS", extra=more))
    assert "7 rows of effectively applied rates, 1 of MFN rates, 2 of other duties left out" in found.notes[0]
    other = wanted()
    other[[2, 3, 4], 1, 0] = 0.08
    np.testing.assert_allclose(found.rate, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("header", "spell", "fill", "message"),
    [
        ("Reporter,Partner,Product,Nomen Code,Tariff Year,Simple Average", {}, "H5", r"nomenclature 'H5'; export"),
        ("Reporter,Partner,Product,Tariff Year", {}, "", r"no column of rates"),
        ("Reporter,Partner,Product,Tariff Year,Simple Average,DutyType", {}, "BND", r"no rates of type AHS or MFN"),
        ("Reporter,Partner,Product,Year,Simple Average", {"USA": "US", "CHN": "CN", "EUN": "E"}, "",
         r"no importer of the file \(US, E, CN\) is one of USA"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, header: str, spell: dict[str, str], fill: str, message: str) -> None:
    with pytest.raises(TariffError, match=message):
        rates(export(tmp_path / "wits.csv", header, spell, fill=fill))


def test_text_in_numbers_is_named_by_line(tmp_path: Path) -> None:
    path = export(tmp_path / "wits.csv", "Reporter,Partner,Product,Tariff Year,Simple Average", {})
    path.write_text(path.read_text().replace("25.0", "n/a"))
    with pytest.raises(TariffError, match=r"wits\.csv line 4, column Simple Average: 'n/a' is not a number"):
        rates(path)
