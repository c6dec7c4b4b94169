"""OECD ICIO tables: read whole and cell by cell, accounts that add up, groups, tariffs, and files that are at fault."""

from __future__ import annotations

import csv
import importlib.util
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from dlopt.calibrations import read_bundle
from dlopt.calibrations.groups import EconomyError
from dlopt.calibrations.importers.icio import IcioError, edition_of, read, read_table
from dlopt.calibrations.importing import install
from dlopt.calibrations.tariffs import TariffError, read_tariffs
from dlopt.errors import DloptError

ROOT = Path(__file__).parents[2]


def made_up(path: Path, **size: object) -> Path:
    """A table in the layout of the 2025 edition, by the script that also makes full-size ones."""
    spec = importlib.util.spec_from_file_location("icio_file", ROOT / "benchmarks" / "icio_file.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(path, **size)
    return path


def every(codes: Sequence[str]) -> dict[str, str]:
    return {code: code for code in codes}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up(tmp_path_factory.mktemp("icio") / "2019_SML.csv", n=12, s=8)


@pytest.fixture(scope="module")
def lines(table: Path) -> list[list[str]]:
    with table.open(newline="") as stream:
        return list(csv.reader(stream))


def written(lines: list[list[str]], path: Path) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return path


def test_every_cell_is_read(table: Path, lines: list[list[str]]) -> None:
    """Against a plain reading of the file with the csv module."""
    found = read_table(table, every)
    assert (found.edition, found.year) == ("2025", "2019")
    accounts, head = found.accounts, lines[0]
    n, s = len(accounts.economies), len(accounts.sectors)
    assert (n, s) == (12, 8)
    values = np.array([[float(cell) for cell in row[1:]] for row in lines[1 : 1 + n * s]])
    assert np.array_equal(accounts.use.reshape(n * s, n * s), values[:, : n * s])
    final = values[:, n * s : -1].reshape(n, s, n, 6)
    assert head[1 + n * s : 7 + n * s] == [
        f"USA_{what}" for what in ["HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR"]
    ]
    assert np.array_equal(accounts.inventories, final[..., 4])
    np.testing.assert_allclose(accounts.final, final.sum(-1) - final[..., 4], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(found.trade, accounts.trade(), rtol=1e-12, atol=1e-9)


def test_a_zip_and_the_extended_table_give_the_same(table: Path, tmp_path: Path) -> None:
    packed = tmp_path / "2016-2022_SML.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(table, "2019_SML.csv")
        archive.write(table, "2020_SML.csv")
    plain = read_table(table, every).accounts
    assert np.array_equal(read_table(packed, every, "2019").accounts.use, plain.use)
    with pytest.raises(IcioError, match=r"2019_SML.csv, 2020_SML.csv; say which with --year"):
        read_table(packed, every)
    extended = read_table(made_up(tmp_path / "2019.csv", n=12, s=8, extended=True), every)
    assert "CN1 in CHN" in extended.notes[0]
    assert extended.accounts.economies == plain.economies
    np.testing.assert_allclose(extended.accounts.use, plain.use, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(extended.accounts.use.sum(), plain.use.sum(), rtol=1e-6)


def test_the_calibration_adds_up(table: Path) -> None:
    """Sales, purchases, inputs and final use are those of the table; sector markets clear exactly."""
    imported = read(table, inventories="final")
    world, accounts = imported.calibration, read_table(table, every).accounts
    flows = np.maximum(accounts.trade(), 0)
    below = float(-np.minimum(accounts.final + accounts.inventories, 0).sum())
    assert float(world.trade.sum()) == pytest.approx(accounts.trade().sum() + below, rel=1e-12)
    assert float(np.abs(world.trade.numpy() - flows).sum()) <= 2 * below
    inputs = (1 - world.value_added_share) * world.trade.sum(1)
    np.testing.assert_allclose(inputs.numpy(), accounts.use.sum(axis=(0, 1)), rtol=1e-9)
    assert world.final_share is not None
    materials = (world.input_share * inputs[:, None, :]).sum(2)
    final = world.trade.sum(0) - materials
    torch.testing.assert_close(final, world.final_share * final.sum(1, keepdim=True), rtol=1e-9, atol=1e-6)


def test_withdrawals_are_made_in_the_year(table: Path) -> None:
    """The Leontief rule, against a dense solve: output that meets final use without withdrawals."""
    accounts = read_table(table, every).accounts
    n, s = accounts.value_added.shape
    output = accounts.trade().sum(axis=1).reshape(-1)
    final = (accounts.final + np.maximum(accounts.inventories, 0)).sum(axis=2).reshape(-1)
    wanted = np.linalg.solve(np.eye(n * s) - accounts.use.reshape(n * s, n * s) / output, final)
    world = read(table).calibration
    np.testing.assert_allclose(world.trade.sum(1).numpy().reshape(-1), wanted, rtol=1e-9)


def test_groups_and_the_rest(table: Path) -> None:
    world = read(table, economies="USA,CHN,EU27,JPN,ROW").calibration
    assert world.economies == ("USA", "CHN", "EU27", "JPN", "ROW")
    whole = read(table).calibration
    # What is made in the year for stock depends a little on the input coefficients of groups.
    assert float(world.trade.sum()) == pytest.approx(float(whole.trade.sum()), rel=1e-3)
    plain = [read(table, economies=e, inventories="drop").calibration.trade.sum() for e in (None, "USA,EU27")]
    assert float(plain[0]) == pytest.approx(float(plain[1]), rel=1e-12)
    europe = [whole.economies.index(code) for code in ("DEU", "FRA", "ITA")]
    inside = whole.trade[europe][:, europe].sum()
    assert float(world.trade[2, 2].sum()) == pytest.approx(float(inside), rel=0.01)


def test_it_is_a_bundle_and_says_what_was_done(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path))
    imported = read(table, economies="USA,CHN,ROW", elasticities="caliendo_parro2015", default_theta=4.5)
    world = read_bundle(install(imported, "small"))
    assert world.theta[0] == 9.11  # agriculture
    text = (tmp_path / "small" / "meta.yaml").read_text()
    for part in ("Totals in the source", "Inventories (leontief)", "ROW takes in 9", "caliendo_parro2015"):
        assert part in " ".join(text.split())


def test_tariffs_are_weighted_by_trade(table: Path, tmp_path: Path) -> None:
    """Teti's layout: a group's rate is its members' revenue over their imports; gaps are filled by rule, counted."""
    rows = ["iso1,iso2,year,sector,tariff,mfn,tariff95,mfn95"]
    for year, rate in ((2017, 5), (2019, 10)):
        rows += [f"{a},{b},{year},1,99,99,{rate if a != 'USA' else 2 * rate},30" for a in ("USA", "DEU", "FRA")
                 for b in ("CHN", "JPN") if a != "FRA" or b != "JPN"]  # fmt: skip
    path = tmp_path / "tariff_isic33.csv"
    path.write_text("\n".join(rows) + "\n")
    imported = read(table, economies="USA,CHN,EU27,JPN,ROW", tariffs=str(path))
    world = imported.calibration
    agriculture = world.tariff[:, :, world.sectors.index("A01")]
    at = world.economies.index
    assert float(agriculture[at("CHN"), at("USA")]) == pytest.approx(0.20)
    trade = read_table(table, every)
    codes, a01 = trade.codes, trade.trade[:, :, 0]
    paid = {"DEU": 0.10, "FRA": 0.30, "ITA": 0.0}  # France has no rate for Japan: its MFN rate; Italy has none at all
    weights = {code: a01[codes.index("JPN"), codes.index(code)] for code in paid}
    wanted = sum(paid[code] * weights[code] for code in paid) / sum(weights.values())
    assert float(agriculture[at("JPN"), at("EU27")]) == pytest.approx(wanted, rel=1e-9)
    assert any("Pairs without a tariff" in line and "MFN" in line for line in imported.adjustments)
    assert float(world.tariff.diagonal().abs().max()) == 0
    assert any("year 2019." in line for line in imported.adjustments)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TariffError, match=r"no known table of tariffs"):
        read(table, tariffs=str(path))


@pytest.mark.parametrize(
    ("labels", "edition"),
    [
        (["C01T05AGR", "C10T14MIN"], "2016"),
        (["01T03", "05T06"], "2018"),
        (["D01T02", "D03", "D10T12"], "2021"),
        (["A01_02", "A03", "C10T12"], "2023"),
        (["A01", "A02", "C10T12"], "2025"),
    ],
)
def test_editions(labels: list[str], edition: str) -> None:
    assert edition_of(labels, "file") == edition


Change = Callable[[list[list[str]]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[3].__setitem__(7, "many"), r"line 4, column USA_B08: 'many' is not a number"),
        (lambda rows: rows[3].__setitem__(7, ""), r"line 4, column USA_B08: this cell is empty"),
        (lambda rows: rows[3].__setitem__(7, "nan"), r"line 4, column USA_B08: this cell is empty or not"),
        (lambda rows: rows[5].__setitem__(0, "USA_A01"), r"the row USA_A01 appears twice"),
        (lambda rows: rows[0].__setitem__(2, "USA_A01"), r"the column USA_A01 appears twice"),
        (lambda rows: rows[5].__setitem__(0, "XXX_A01"), r"the row 'XXX_A01' has no column"),
        (lambda rows: rows[9].__delitem__(slice(20, None)), r"a row has 170 fields and this one has 20"),
        (lambda rows: rows.__delitem__(slice(50, None)), r"rows are missing.*cut off"),
        (lambda rows: rows.pop(), r"the row of output is missing"),
        (lambda rows: [row.__delitem__(slice(97, 169)) for row in rows], r"final demand is missing"),
        (lambda rows: [row.__delitem__(98) for row in rows], r"final demand of USA lacks NPISH, which others have"),
        (lambda rows: rows[3].__setitem__(7, "9e9"), r"2019_SML\.csv: rows of the table do not add up"),
        (lambda rows: rows.insert(0, ["hello"]), r"the header has 0 labels"),
    ],
)
def test_a_table_at_fault_is_named(lines: list[list[str]], tmp_path: Path, change: Change, message: str) -> None:
    rows = [list(row) for row in lines]
    change(rows)
    with pytest.raises(DloptError, match=message):
        read(written(rows, tmp_path / "2019_SML.csv"))


def test_tariffs_at_fault(table: Path, tmp_path: Path) -> None:
    """Rows that are no division are counted, strange economies named, and no row counts in silence."""
    path = tmp_path / "tariffs.csv"
    head = "iso1,iso2,year,sector,tariff95,mfn95\n"
    path.write_text(head + "USA,CHN,2019,xx,5,5\n")
    with pytest.raises(TariffError, match=r"tariffs\.csv: the products \('xx'\) are not divisions"):
        read(table, tariffs=str(path))
    path.write_text(head + "USA,CHN,2019,10,5,5\nUSA,CHN,2019,xx,7,7\n")
    assert any("1 rows left out, such as 'xx'" in line for line in read(table, tariffs=str(path)).adjustments)
    path.write_text("origin,destination,sector,rate\nUSB,CHN,A01,0.1\n")
    assert any("count in ROW: USB" in line for line in read(table, tariffs=str(path)).adjustments)
    with pytest.raises(TariffError, match=r"no economy 'USB' in this world, which has USA, CHN\. Did you mean USA"):
        read_tariffs(path, ["USA", "CHN"], {"A01": (1,)})


def test_other_faults(table: Path, lines: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(EconomyError, match=r"no economy or group 'US'.*did you mean USA"):
        read(table, economies="US,CHN")
    with pytest.raises(EconomyError, match=r"USA is asked for twice"):
        read(table, economies="USA,NAFTA")
    strange = [[cell.replace("A01", "X1").replace("A02", "X2").replace("B0", "Y") for cell in row] for row in lines]
    with pytest.raises(IcioError, match=r"no known edition; editions 2016, 2018"):
        read(written([[c.replace("A03", "X3") for c in row] for row in strange], tmp_path / "x.csv"))
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2019_SML.csv", b"0" * 50_000_000)
    with pytest.raises(IcioError, match=r"unpacks from .* no table does"):
        read(bomb)
    (tmp_path / "cut.zip").write_bytes(bomb.read_bytes()[:100])
    with pytest.raises(IcioError, match=r"not a sound zip"):
        read(tmp_path / "cut.zip")
    with pytest.raises(IcioError, match=r"no such file"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize(("file", "year"), [("ICIO2016_2003.csv", 2003), ("ICIO2018_2010.CSV", 2010)])
def test_pymrio_reads_the_same(real_data: Callable[[str], Path], file: str, year: int) -> None:
    """An independent reader, cell by cell, on its own mock files (CN1, CN2 and MX1 joined by both)."""
    pymrio = pytest.importorskip("pymrio")
    folder = real_data("pymrio_mocks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = pymrio.parse_oecd(folder, year=year)
    accounts = read_table(folder / file, every).accounts
    codes, sectors = list(accounts.economies), list(accounts.sectors)
    assert sorted(codes) == sorted(other.get_regions())
    index = [(code, sector) for code in codes for sector in sectors]
    use = other.Z.loc[index, index].to_numpy().reshape(accounts.use.shape)
    np.testing.assert_allclose(accounts.use, use, rtol=1e-12, atol=1e-6)
    for k, code in enumerate(codes):
        block = other.Y.loc[index, code]
        stock = [name for name in block.columns if name.startswith("INV")]
        changes = block[stock].sum(axis=1).to_numpy().reshape(len(codes), -1)
        rest = block.drop(columns=stock).sum(axis=1).to_numpy().reshape(len(codes), -1)
        np.testing.assert_allclose(accounts.inventories[:, :, k], changes, rtol=1e-12)
        np.testing.assert_allclose(accounts.final[:, :, k], rest, rtol=1e-12)
