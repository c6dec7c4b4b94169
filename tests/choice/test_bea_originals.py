"""The published MATLAB files of the US accounts, made up in their layout, and the real shares put into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.io

from dlopt.choice.folder_files import ModelFolderError
from dlopt.choice.production.bea_originals import NAMES, volatilities
from dlopt.choice.production.importing import import_bea37

N, YEARS = 37, 12


def accounts(random: np.random.Generator) -> dict[str, Any]:
    return {
        "GO47bea": random.uniform(50, 90, (YEARS, N)),
        "IOmat47bea": random.uniform(0, 1, (N, N, YEARS)),
        "Cons47bea": random.uniform(1, 9, (YEARS, N)),
    }


def productivity(random: np.random.Generator, years: int, loading: Any, persistence: float) -> Any:
    """Levels: a trend, and deviations that decay and are hit by two shocks."""
    gap = np.zeros((years, N))
    for year in range(1, years):
        gap[year] = persistence * gap[year - 1] + loading @ random.normal(size=2)
    return np.exp(0.01 * np.arange(years)[:, None] + gap)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path / "data"))
    random = np.random.default_rng(0)
    (tmp_path / "originals").mkdir()
    scipy.io.savemat(tmp_path / "originals" / "calibration_data.mat", {**accounts(random), "other": 1.0})
    levels = productivity(random, 60, random.normal(0.01, 0.01, (N, 2)), 0.8)
    scipy.io.savemat(tmp_path / "originals" / "beadat_37sec.mat", {"TFP_GO": levels})
    return tmp_path / "originals"


def test_shares_are_means_over_years(folder: Path) -> None:
    """Suppliers are the first axis, buyers the second; the loop is an independent reading of the rule."""
    made = accounts(np.random.default_rng(0))
    model, _ = import_bea37(folder)
    for buyer, supplier in ((0, 5), (5, 0), (36, 36)):
        shares = [made["IOmat47bea"][supplier, buyer, t] / made["GO47bea"][t, buyer] for t in range(YEARS)]
        assert model.alpha[buyer, supplier] == pytest.approx(sum(shares) / YEARS, rel=1e-12)
    parts = [made["Cons47bea"][t, 3] / made["Cons47bea"][t].sum() for t in range(YEARS)]
    assert model.beta[3] == pytest.approx(sum(parts) / YEARS, rel=1e-12)
    assert model.names == NAMES


def test_two_shocks_are_found_again() -> None:
    """Orthogonal loadings, productivity moved by nothing else: found up to the error of 3,000 years."""
    random = np.random.default_rng(1)
    first = random.normal(0.02, 0.01, N)
    second = random.normal(0.005, 0.01, N)
    second -= first * (first @ second) / (first @ first)
    loading = np.stack([first, second * np.sign(second.sum())], axis=1)
    sigma, persistence = volatilities(productivity(random, 3000, loading, 0.87))
    np.testing.assert_allclose(persistence, 0.87, atol=0.03)
    np.testing.assert_allclose(sigma, loading, atol=0.05 * float(np.abs(loading).max()))
    assert abs(float(sigma[:, 0] @ sigma[:, 1])) < 1e-12
    assert (sigma.sum(0) > 0).all()


def test_volatilities_by_another_way() -> None:
    """Trends by polynomials, regressions one by one, components by a singular value decomposition."""
    levels = productivity(np.random.default_rng(2), 50, np.random.default_rng(3).normal(0.01, 0.02, (N, 2)), 0.7)
    sigma, persistence = volatilities(levels)
    years, left = np.arange(50), np.zeros((49, N))
    for k in range(N):
        logs = np.log(levels[:, k])
        gap = logs - np.polyval(np.polyfit(years, logs, 1), years)
        (slope,), *_ = np.linalg.lstsq(gap[:-1, None], gap[1:], rcond=None)
        assert persistence[k] == pytest.approx(slope, rel=1e-8)
        left[:, k] = gap[1:] - slope * gap[:-1]
    _, sizes, vectors = np.linalg.svd((left - left.mean(0)) / 48**0.5, full_matrices=False)
    np.testing.assert_allclose(np.abs(sigma), np.abs(sizes[:2, None] * vectors[:2]).T, rtol=1e-6, atol=1e-12)


def test_real_shares_come_back(real_data: Callable[[str], Path], folder: Path) -> None:
    """Purchases and consumption made of the published means, years of different size."""
    tables = real_data("bea37")
    alpha = (
        pd.read_csv(tables / "input_shares.csv").pivot(index="buyer", columns="supplier", values="alpha").fillna(0.0)
    )
    sectors = pd.read_csv(tables / "sectors.csv")
    size = np.random.default_rng(4).uniform(1, 2, (YEARS, N))
    bought = np.einsum("ij,ti->jit", alpha.to_numpy(), size)
    spent = sectors["beta"].to_numpy() * np.arange(1, YEARS + 1)[:, None]
    scipy.io.savemat(folder / "calibration_data.mat", {"GO47bea": size, "IOmat47bea": bought, "Cons47bea": spent})
    ours, _ = import_bea37(folder)
    theirs, _ = import_bea37(tables, "tables")
    np.testing.assert_allclose(ours.alpha, theirs.alpha, rtol=1e-12)
    np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-12)
    assert (ours.sectors, ours.names) == (theirs.sectors, theirs.names)


def test_version_7_3_is_read_alike(folder: Path) -> None:
    h5py = pytest.importorskip("h5py")
    model, _ = import_bea37(folder)
    made = accounts(np.random.default_rng(0))
    path = folder / "calibration_data.mat"
    path.unlink()
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in made.items():
            file[name] = values.T
    head = b"MATLAB 7.3 MAT-file, Platform: none".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head.ljust(512, b"\x00") + path.read_bytes()[512:])
    again, _ = import_bea37(folder, "again")
    np.testing.assert_array_equal(again.alpha, model.alpha)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "GO47bea",
            lambda x: x[:, :36],
            r"calibration_data\.mat, column GO47bea: \(12, 36\): the shape must be \[year",
        ),
        ("IOmat47bea", lambda x: 90 * x, r"IOmat47bea: .*inputs must be worth less than its gross output"),
        ("IOmat47bea", lambda x: x - 0.9, r"IOmat47bea: .*a mean input share is a number >= 0"),
        ("GO47bea", lambda x: 0 * x, r"GO47bea: 444 cells, the first at 1, 1: all numbers must be above 0"),
        ("Cons47bea", lambda x: np.where(x > 8, np.nan, x), r"Cons47bea: .* cells, the first at .*finite"),
        ("Cons47bea", None, r"there is no variable Cons47bea"),
    ],
)
def test_faults_name_file_and_variable(folder: Path, name: str, change: Any, message: str) -> None:
    made = accounts(np.random.default_rng(0))
    made = {**made, name: change(made[name])} if change else {k: v for k, v in made.items() if k != name}
    scipy.io.savemat(folder / "calibration_data.mat", made)
    with pytest.raises(ModelFolderError, match=message):
        import_bea37(folder)
    assert not (folder.parent / "data").exists()


def test_one_file_is_not_enough_and_damage_is_named(folder: Path) -> None:
    whole = (folder / "beadat_37sec.mat").read_bytes()
    (folder / "beadat_37sec.mat").write_bytes(whole[:200])
    with pytest.raises(ModelFolderError, match=r"beadat_37sec\.mat: this is no MATLAB file that can be read"):
        import_bea37(folder)
    (folder / "beadat_37sec.mat").unlink()
    with pytest.raises(ModelFolderError, match=r"beadat_37sec\.mat: there is no such file"):
        import_bea37(folder)
