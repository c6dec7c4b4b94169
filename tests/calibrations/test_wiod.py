"""WIOD of release 2016, written here in its two layouts: a binary workbook record by record, and R's serialisation."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.wiod_file import record, wide
from dlopt.calibrations.importers.wiod import WiodError, read, read_table

COUNTRIES = ("AUS", "DEU", "ROW")
INDUSTRIES = ("A01", "C10-C12", "G47", "R_S")
FINAL = ("CONS_h", "CONS_np", "CONS_g", "GFCF", "INVEN")
WORDS = (
    "Final consumption expenditure by households",
    "Final consumption expenditure by non-profit organisations serving households (NPISH)",
    "Final consumption expenditure by government",
    "Gross fixed capital formation",
    "Changes in inventories and valuables",
)
BELOW = {
    "II_fob": "Total intermediate consumption",
    "TXSP": "taxes less subsidies on products",
    "EXP_adj": "Cif/ fob adjustments on exports",
    "PURR": "Direct purchases abroad by residents",
    "PURNR": "Purchases on the domestic territory by non-residents",
    "VA": "Value added at basic prices",
    "IntTTM": "International Transport Margins",
    "GO": "Output at basic prices",
}
N, S = len(COUNTRIES), len(INDUSTRIES)


def write_xlsb(path: Path, sheet: str, rows: list[list[Any]]) -> None:
    """A workbook of one sheet: texts and numbers, empty cells left out."""
    cells = b""
    for k, row in enumerate(rows):
        cells += record(0, struct.pack("<IIHHBI", k, 0, 300, 0, 0, 0))
        for c, value in enumerate(row):
            if value != "":
                place = struct.pack("<II", c, 0)
                text = isinstance(value, str)
                cells += record(6, place + wide(value)) if text else record(5, place + struct.pack("<d", value))
    size = record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1))
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "xl/_rels/workbook.bin.rels": (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            '<Relationship Id="rId1" '
            'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
            'Target="worksheets/sheet1.bin"/></Relationships>'
        ),
        "xl/workbook.bin": record(131) + record(143)
        + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide(sheet)) + record(144) + record(132),
        "xl/worksheets/sheet1.bin": record(129) + size + record(145) + cells + record(146) + record(130),
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def numbers() -> np.ndarray[Any, np.dtype[np.float64]]:
    """All numbers of the table, its last column the sums: industries first, then what is below them."""
    random = np.random.default_rng(0)
    use, final = random.uniform(1, 5, (N * S, N * S)), random.uniform(5, 9, (N * S, N * 5))
    final[:, 4::5] = random.uniform(-1, 1, (N * S, N))
    output = use.sum(1) + final.sum(1)
    paid = random.uniform(0, 0.5, (5, N * S))
    below = np.zeros((8, N * S))
    below[0], below[1:5], below[6], below[7] = use.sum(0), paid[:4], paid[4], output
    below[5] = output - use.sum(0) - paid.sum(0)
    top = np.concatenate([use, final], axis=1)
    bottom = np.concatenate([below, random.uniform(0, 1, (8, N * 5))], axis=1)
    whole = np.concatenate([top, bottom])
    return np.concatenate([whole, whole.sum(1, keepdims=True)], axis=1)


def labels() -> list[list[str]]:
    """Code, description and country of every row."""
    own = [[code, f"Industry {code}", country] for country in COUNTRIES for code in INDUSTRIES]
    return own + [[code, word, "TOT"] for code, word in BELOW.items()]


def workbook(numbers: Any) -> list[list[Any]]:
    codes = [*INDUSTRIES * N, *FINAL * N, "GO"]
    words = [*(f"Industry {code}" for code in INDUSTRIES * N), *WORDS * N, "Total output"]
    places = [c for c in COUNTRIES for _ in INDUSTRIES] + [c for c in COUNTRIES for _ in FINAL] + ["TOT"]
    heads = [["", "", "", "", *row] for row in (codes, words, places, [f"c{k + 1}" for k in range(len(codes))])]
    title = ["Intercountry Input-Output Table", *[""] * 3]
    rows = [[*label, f"r{k + 1}", *row] for k, (label, row) in enumerate(zip(labels(), numbers.tolist(), strict=True))]
    return [title, ["(millions of US$)"], *heads, *rows]


def frame(numbers: Any) -> pd.DataFrame:
    columns = [f"{c}{k + 1}" for c in COUNTRIES for k in range(S)]
    columns += [f"{c}{S + k + 1}" for c in COUNTRIES for k in range(5)]
    found = pd.DataFrame(labels(), columns=["IndustryCode", "IndustryDescription", "Country"], dtype=object)
    found["RNr"], found["Year"] = np.arange(len(found), dtype=float) + 1, 2014.0
    return pd.concat([found, pd.DataFrame(numbers, columns=[*columns, "TOT"])], axis=1)


def write_rdata(path: Path, table: pd.DataFrame, name: str = "wiot") -> None:
    """As R saves a data.table: two classes, and a pointer of its own, which the writer cannot write and is put in."""
    rdata = pytest.importorskip("rdata")
    from rdata.conversion import to_r
    from rdata.parser import RObjectType

    def as_data_table(value: pd.DataFrame, converter: Any) -> Any:
        columns = [converter.convert_to_r_object(value[name].to_numpy()) for name in value]
        attributes = {
            "names": np.array(value.columns, dtype=object),
            "class": np.array(["data.table", "data.frame"], dtype=object),
            "row.names": np.arange(len(value), dtype=np.int32) + 1,
            ".internal.selfref": np.array([7], dtype=np.int32),
        }
        kept = converter.convert_to_r_attributes(attributes)
        return to_r.build_r_object(RObjectType.VEC, value=columns, is_object=True, attributes=kept)

    constructors = {**to_r.DEFAULT_CLASS_MAP, pd.DataFrame: as_data_table}
    rdata.write_rda(path, {name: table}, constructor_dict=constructors, compression=None)
    seven, pointer = struct.pack(">3i", 13, 1, 7), struct.pack(">3i", 22, 254, 254)
    before, after = path.read_bytes().split(b".internal.selfref" + seven)
    path.write_bytes(gzip.compress(before + b".internal.selfref" + pointer + after))


@pytest.fixture(params=["xlsb", "RData"])
def table(request: pytest.FixtureRequest, numbers: Any, tmp_path: Path) -> Path:
    pytest.importorskip("python_calamine")
    if request.param == "xlsb":
        write_xlsb(tmp_path / "WIOT2014_Nov16_ROW.xlsb", "2014", workbook(numbers))
        return tmp_path / "WIOT2014_Nov16_ROW.xlsb"
    write_rdata(tmp_path / "WIOT2014_October16_ROW.RData", frame(numbers))
    return tmp_path / "WIOT2014_October16_ROW.RData"


def test_every_cell_is_read(table: Path, numbers: Any) -> None:
    accounts, release, year = read_table(table)
    assert (release, year) == ("2016", "2014")
    assert (accounts.economies, accounts.sectors) == (COUNTRIES, INDUSTRIES)
    top, below = numbers[: N * S], numbers[N * S :]
    np.testing.assert_array_equal(accounts.use.reshape(N * S, N * S), top[:, : N * S])
    final = top[:, N * S : -1].reshape(N, S, N, 5)
    np.testing.assert_allclose(accounts.final, final[..., :4].sum(-1), rtol=1e-15)
    np.testing.assert_array_equal(accounts.inventories, final[..., 4])
    np.testing.assert_array_equal(accounts.withdrawals, np.maximum(-final[..., 4], 0))
    np.testing.assert_array_equal(accounts.value_added.ravel(), below[5, : N * S])
    np.testing.assert_array_equal(accounts.output.ravel(), below[7, : N * S])
    np.testing.assert_allclose(accounts.taxes.ravel(), below[[1, 2, 3, 4, 6], : N * S].sum(0), rtol=1e-15)


def test_both_forms_give_the_same_world(numbers: Any, tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    write_xlsb(tmp_path / "WIOT2014.xlsb", "2014", workbook(numbers))
    write_rdata(tmp_path / "WIOT2014.RData", frame(numbers))
    one, two = (read(tmp_path / f"WIOT2014.{end}", inventories="final", taxes="drop") for end in ("xlsb", "RData"))
    assert one.calibration.year == "2014"
    assert one.isic["C10-C12"] == (10, 11, 12)
    for name in ("trade", "value_added_share", "input_share", "theta"):
        assert bool((getattr(one.calibration, name) == getattr(two.calibration, name)).all()), name
    assert float(one.calibration.trade.sum()) > 0.9 * float(numbers[: N * S, -1].sum())


def test_workbooks_at_fault_are_named(numbers: Any, tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    path = tmp_path / "WIOT2014.xlsb"
    rows = workbook(numbers)
    rows[8][6] = "n.a."
    write_xlsb(path, "2014", rows)
    with pytest.raises(WiodError, match=r"WIOT2014\.xlsb, row 9, column 7: 'n\.a\.' is not a number; correct it"):
        read(path)
    write_xlsb(path, "2014", [row for k, row in enumerate(workbook(numbers)) if k != 9])
    with pytest.raises(WiodError, match=r"11 industries in 3 economies do not make 3 x 4"):
        read(path)
    write_xlsb(path, "2014", workbook(numbers)[:18])
    with pytest.raises(WiodError, match="the row of value added is missing"):
        read(path)
    write_xlsb(path, "2014", workbook(numbers))
    with pytest.raises(WiodError, match=r"one sheet is read, and there are 2014; use --year"):
        read(path, year="2009")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WiodError, match=r"WIOT2014\.xlsb: the workbook cannot be read"):
        read(path)


def test_rdata_at_fault_are_named(numbers: Any, tmp_path: Path) -> None:
    path = tmp_path / "WIOT2014.RData"
    write_rdata(path, frame(numbers), "other")
    with pytest.raises(WiodError, match=r"there is no table wiot in the file; it has other"):
        read(path)
    write_rdata(path, frame(numbers).drop(columns="DEU2"))
    with pytest.raises(WiodError, match="1 columns of industries are missing"):
        read(path)
    write_rdata(path, frame(numbers))
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(WiodError, match=r"WIOT2014\.RData: the file cannot be read"):
        read(path)
