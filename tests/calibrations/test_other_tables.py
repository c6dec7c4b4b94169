"""WIOD, pymrio and ITPD: small files in their layouts, against independent readings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlopt.calibrations.importers import itpd, ll2023, ossa2014, pymrio, wiod
from dlopt.errors import DloptError

RealData = Callable[[str], Path]


def test_wiod_2013_is_read_as_pymrio_reads_it(real_data: RealData) -> None:
    """Cell by cell, on its mock file."""
    other = pytest.importorskip("pymrio")
    pytest.importorskip("python_calamine")
    folder = real_data("pymrio_mocks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = other.parse_wiod(folder, year=2009)
    accounts, release, year = wiod.read_table(folder / "wiot09_row_sep12.xlsx")
    assert release == "2013"
    assert year == ""
    back = {"ROW": "RoW"}
    index = [(back.get(code, code), sector) for code in accounts.economies for sector in accounts.sectors]
    use = system.Z.loc[index, index].to_numpy().reshape(accounts.use.shape)
    np.testing.assert_allclose(accounts.use, use, rtol=1e-12, atol=1e-9)
    for k, code in enumerate(accounts.economies):
        block = system.Y.loc[index, back.get(code, code)]
        shape = accounts.final.shape[:2]
        np.testing.assert_allclose(accounts.inventories[:, :, k], block["c42"].to_numpy().reshape(shape), rtol=1e-12)
        rest = block.drop(columns="c42").sum(axis=1).to_numpy().reshape(shape)
        np.testing.assert_allclose(accounts.final[:, :, k], rest, rtol=1e-9, atol=1e-9)


def test_wiod_codes() -> None:
    assert wiod.divisions("C10-C12", "2016") == (10, 11, 12)
    assert wiod.divisions("R_S", "2016") == (90, 91, 92, 93, 94, 95, 96)
    assert wiod.divisions("J59_J60", "2016") == (59, 60)
    assert wiod.divisions("15t16", "2013") == (10, 11, 12)
    assert wiod.divisions("AtB", "2013") == (1, 2, 3)


def test_a_pymrio_folder(tmp_path: Path) -> None:
    """pymrio's own small example, saved and imported: purchases and sales are those of its tables."""
    other = pytest.importorskip("pymrio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = other.load_test().calc_all()
        system.save_all(str(tmp_path / "mrio"))
    with pytest.raises(DloptError, match=r"no ISIC divisions|ISIC"):
        pymrio.read(tmp_path / "mrio")
    sectors = list(dict.fromkeys(sector for _, sector in system.Z.index))
    file = tmp_path / "isic.csv"
    file.write_text(
        "sector,division\n" + "".join(f"{sector},{d}\n" for d, sector in zip(range(10, 33), sectors, strict=False))
    )
    world = pymrio.read(tmp_path / "mrio", isic=str(file), inventories="final").calibration
    whole = float(system.Z.to_numpy().sum() + system.Y.to_numpy().sum())
    assert float(world.trade.sum()) == pytest.approx(whole, rel=1e-3)


def test_itpd(tmp_path: Path) -> None:
    rows = [
        (a, b, year, industry, 100.0 if a == b else 10.0 + industry)
        for a in ("USA", "CHN", "DEU") for b in ("USA", "CHN", "DEU") for year in (2018, 2019) for industry in (1, 2)
    ]  # fmt: skip
    names = ["exporter_iso3", "importer_iso3", "year", "industry_id", "trade"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "itpd.csv", index=False)
    imported = itpd.read(tmp_path / "itpd.csv", economies="USA,ROW", year="2018")
    world = imported.calibration
    assert world.economies == ("USA", "ROW")
    assert world.year == "2018"
    assert float(world.trade[1, 0, 0]) == 22.0
    assert float(world.trade.sum()) == 6 * 100 + 6 * 11 + 6 * 12
    assert "18 rows of 2018" in imported.adjustments[0]
    with pytest.raises(DloptError, match=r"no trade in 2001. The file has 2018 to 2019"):
        itpd.read(tmp_path / "itpd.csv", year="2001")
    pd.DataFrame([*rows, rows[-1]], columns=names).to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(itpd.ItpdError, match=r"rows of 20\d\d repeat exporter, importer and industry, such as"):
        itpd.read(tmp_path / "twice.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DloptError, match=r"no column exporter_iso3"):
        itpd.read(tmp_path / "other.csv")


def test_ossa_and_lashkaripour_lugovskyy(real_data: RealData) -> None:
    ossa = ossa2014.read(real_data("ossa2014")).calibration
    assert (ossa.n_economies, ossa.n_sectors) == (7, 33)
    assert float((ossa.subsidy + 1 / ossa.theta).abs().max()) < 1e-12
    for market in ("free", "restricted"):
        world = ll2023.read(real_data("ll2023"), market).calibration
        assert (world.n_economies, world.n_sectors) == (44, 16)
        assert bool((world.psi > 0).any()) == (market == "free")
        assert bool((world.subsidy < 0).any()) == (market == "restricted")
