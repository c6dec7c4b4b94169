"""The text files of Caliendo and Parro (2015): made up in their layout, and the real ones built from their copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from dlopt.calibrations import BundleError, import_caliendo_parro
from dlopt.calibrations.importers.cp_originals import ECONOMIES, originals_in

RealData = Callable[[str], Path]
N, GOODS, SECTORS = 31, 20, 40


def written(path: Path, matrix: NDArray[np.float64]) -> None:
    path.write_text("".join("\t".join(repr(float(x)) for x in row) + "\n" for row in matrix))


@pytest.fixture(scope="module")
def made() -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(0)
    away = np.tile(1 - np.eye(N), (GOODS, 1))
    shares = random.uniform(0.1, 1, (N, SECTORS, SECTORS))
    return {
        "xbilat1993.txt": random.uniform(1, 5, (GOODS * N, N)) * away,
        "tariffs1993.txt": random.uniform(0, 30, (GOODS * N, N)) * away,
        "tariffs2005.txt": random.uniform(0, 10, (GOODS * N, N)) * away,
        "GO.txt": random.uniform(4e5, 9e5, (SECTORS, N)),
        "B.txt": random.uniform(0.5, 1, (SECTORS, N)),
        "IO.txt": (shares / shares.sum(1, keepdims=True)).reshape(N * SECTORS, SECTORS),
        "T.txt": random.uniform(2, 9, (GOODS, 1)),
    }


@pytest.fixture(scope="module")
def whole(made: dict[str, NDArray[np.float64]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for name, matrix in made.items():
        written(folder / name, matrix)
    return folder


def test_every_number_is_where_the_authors_put_it(whole: Path, made: dict[str, NDArray[np.float64]]) -> None:
    """Rows are importers within goods, or inputs within economies; columns are exporters, or buying sectors."""
    imported = import_caliendo_parro(whole)
    world = imported.calibration
    assert world.economies == ECONOMIES
    usa, mexico, food = ECONOMIES.index("USA"), ECONOMIES.index("MEX"), 2
    row = food * N + usa
    rate = made["tariffs1993.txt"][row, mexico] / 100
    assert float(world.tariff[mexico, usa, food]) == pytest.approx(rate, rel=1e-12)
    assert float(imported.policies["world2005"].tariff[mexico, usa, food]) == pytest.approx(
        made["tariffs2005.txt"][row, mexico] / 100, rel=1e-12
    )
    value = made["xbilat1993.txt"][row, mexico] * 1000 * (1 + rate)
    assert float(world.trade[mexico, usa, food]) == pytest.approx(value, rel=1e-12)
    sold = (world.trade / (1 + world.tariff)).sum(1).numpy()
    np.testing.assert_allclose(sold, made["GO.txt"].T, rtol=1e-12)
    np.testing.assert_allclose(world.value_added_share.numpy(), made["B.txt"].T, rtol=1e-12)
    np.testing.assert_allclose(world.input_share.numpy().reshape(N * SECTORS, SECTORS), made["IO.txt"], rtol=1e-12)
    np.testing.assert_allclose(world.theta.numpy()[:GOODS], made["T.txt"][:, 0])
    assert world.tradable.tolist() == [True] * GOODS + [False] * (SECTORS - GOODS)


def test_a_copy_of_the_repository_is_as_good_as_its_folder(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "original_data").symlink_to(whole)
    assert originals_in(tmp_path) == tmp_path / "data" / "original_data"
    assert originals_in(whole) == whole
    assert originals_in(tmp_path / "data" / "nowhere") is None


def test_the_real_ones_give_the_same_world_as_the_tables(real_data: RealData, tmp_path: Path) -> None:
    """The originals, put together again from the tables made of them."""
    tables = real_data("cp2015")
    flows, shares = pd.read_parquet(tables / "trade_tariffs.parquet"), pd.read_parquet(tables / "io_shares.parquet")
    made, sectors = pd.read_csv(tables / "production.csv"), pd.read_csv(tables / "sectors.csv")
    named, goods, numbers = list(ECONOMIES), range(1, GOODS + 1), range(1, SECTORS + 1)

    def matrix(frame: pd.DataFrame, rows: list[str], column: str, value: str, order: pd.Index) -> NDArray[np.float64]:
        wide = frame.pivot(index=rows, columns=column, values=value).reindex(index=order)
        return wide[named if column in ("exporter", "country") else list(numbers)].fillna(0.0).to_numpy()

    places = pd.MultiIndex.from_product([goods, named])
    for file, column in (("xbilat1993", "imports_1993_kusd"), ("tariffs1993", "tariff_1993_pct"),
                         ("tariffs2005", "tariff_2005_pct")):  # fmt: skip
        written(tmp_path / f"{file}.txt", matrix(flows, ["sector", "importer"], "exporter", column, places))
    for file, column in (("GO", "gross_output_1993_usd"), ("B", "va_share")):
        written(tmp_path / f"{file}.txt", matrix(made, ["sector"], "country", column, pd.Index(numbers)))
    inputs = pd.MultiIndex.from_product([named, numbers])
    written(tmp_path / "IO.txt", matrix(shares, ["country", "input_sector"], "output_sector", "share", inputs))
    written(tmp_path / "T.txt", sectors[["theta"]].to_numpy()[:GOODS])
    ours, theirs = import_caliendo_parro(tmp_path), import_caliendo_parro(tables)
    assert ours.calibration.sha256 == theirs.calibration.sha256
    for name, policy in theirs.policies.items():
        assert bool((ours.policies[name].tariff == policy.tariff).all())


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("T.txt", None, r"T\.txt: there is no such file; add it"),
        ("B.txt", lambda lines: lines[:-1], r"B\.txt: 39 lines: 40 lines are needed"),
        ("GO.txt", lambda lines: ["1\t2", *lines[1:]], r"GO\.txt line 1: 2 words: 31 numbers are needed"),
        ("T.txt", lambda lines: ["many", *lines[1:]], r"T\.txt line 1, column 1: many: this is not a number"),
        ("B.txt", lambda lines: ["1.5" + lines[0][lines[0].index("\t") :], *lines[1:]],
         r"B\.txt line 1, column 1: 1\.5: a value-added share is above 0"),
        ("xbilat1993.txt", lambda lines: ["7" + lines[0][lines[0].index("\t") :], *lines[1:]],
         r"xbilat1993\.txt line 1, column 1: ARG, Agriculture: an economy imports nothing from itself"),
    ],
)  # fmt: skip
def test_faults_name_file_line_and_column(
    whole: Path, tmp_path: Path, file: str, change: Callable[[list[str]], list[str]] | None, message: str
) -> None:
    for path in whole.iterdir():
        if path.name != file:
            (tmp_path / path.name).symlink_to(path)
        elif change is not None:
            (tmp_path / file).write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(BundleError, match=message):
        import_caliendo_parro(tmp_path)
