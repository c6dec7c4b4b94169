"""Cubes of trade and tariffs from NumPy and MATLAB files: the same world from each, and files at fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlopt.calibrations import load_calibration, read_bundle
from dlopt.calibrations.importers.cubes import CubesError, read
from dlopt.calibrations.importing import install
from dlopt.errors import DloptError

CODES, SECTORS = ["USA", "CHN", "ROW"], ["C10T12", "C29", "K", "S"]


@pytest.fixture
def cubes() -> dict[str, object]:
    random = np.random.default_rng(1)
    tariff = random.uniform(0, 0.2, (3, 3, 4)) * (1 - np.eye(3))[:, :, None]
    return {
        "Xjik_3D": random.lognormal(size=(3, 3, 4)) + 5 * np.eye(3)[:, :, None],
        "tjik_3D": tariff,
        "countries": np.array(CODES),
        "sectors": np.array(SECTORS),
        "sigma_S": np.array([3.0, 4.0, 5.0, 6.0]),
    }


def as_mat73(path: Path, cubes: dict[str, object]) -> Path:
    """What MATLAB writes with -v7.3: a structure `data`, axes reversed, texts behind references."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        data, store = file.create_group("data"), file.create_group("#refs#")
        for name in ("Xjik_3D", "tjik_3D"):
            data[name] = np.asarray(cubes[name]).T
        for name in ("countries", "sectors"):
            references = []
            for k, text in enumerate(np.asarray(cubes[name]).tolist()):
                item = store.create_dataset(f"{name}{k}", data=np.array([[ord(c)] for c in text], dtype=np.uint16))
                item.attrs["MATLAB_class"] = np.bytes_("char")
                references.append(item.ref)
            data.create_dataset(name, data=np.array([references], dtype=h5py.ref_dtype).T, dtype=h5py.ref_dtype)
        for name, shift in (("CP", 0.0), ("FGO", 1.0)):
            data.create_group(f"sigma/{name}")["sigma_S"] = np.asarray(cubes["sigma_S"])[None] + shift
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    return path


def test_a_world_from_numpy(cubes: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLOPT_DATA", str(tmp_path))
    np.savez(tmp_path / "x2017.npz", **cubes)
    imported = read(tmp_path / "x2017.npz")
    world = read_bundle(install(imported, "x"))
    assert world.economies == tuple(CODES)
    assert world.sectors == tuple(SECTORS)
    assert world.year == "2017"
    np.testing.assert_allclose(world.trade.numpy(), cubes["Xjik_3D"], rtol=1e-12)
    np.testing.assert_allclose(world.tariff.numpy(), cubes["tjik_3D"], rtol=1e-12)
    assert world.theta.tolist() == [2, 3, 4, 5]
    assert world.tradable.tolist() == [True, True, False, False]
    assert any("No intermediate inputs" in line for line in imported.adjustments)


def test_matlab_gives_the_same_and_a_choice_of_elasticities(cubes: dict[str, object], tmp_path: Path) -> None:
    path = as_mat73(tmp_path / "ICIO2022.mat", cubes)
    np.savez(tmp_path / "x.npz", **cubes)
    plain, other = read(tmp_path / "x.npz").calibration, read(path, set="FGO").calibration
    assert other.economies == plain.economies
    assert np.array_equal(other.trade.numpy(), plain.trade.numpy())
    assert other.theta.tolist() == [3, 4, 5, 6]
    unchosen = read(path)
    assert "CP, FGO: choose one with --set" in unchosen.adjustments[0]
    with pytest.raises(CubesError, match=r"no set of elasticities 'LL'; it has CP, FGO"):
        read(path, set="LL")


def test_axes_basis_groups_and_inputs(cubes: dict[str, object], tmp_path: Path) -> None:
    turned = {**cubes, **{name: np.asarray(cubes[name]).transpose(2, 1, 0) for name in ("Xjik_3D", "tjik_3D")}}
    np.savez(tmp_path / "x.npz", **turned)
    world = read(tmp_path / "x.npz", axes="sdo", basis="tariff_exclusive", economies="USA").calibration
    assert world.economies == ("USA", "ROW")
    flows = np.asarray(cubes["Xjik_3D"]) * (1 + np.asarray(cubes["tjik_3D"]))
    np.testing.assert_allclose(world.trade[1, 0].numpy(), flows[1:, 0].sum(0), rtol=1e-12)
    with_inputs = read(tmp_path / "x.npz", axes="sdo", inputs="stylized2017").calibration
    other = load_calibration("stylized2017")
    food = float(other.value_added_share[other.economy_index("USA"), 5])
    assert float(with_inputs.value_added_share[0, 0]) == pytest.approx(food, rel=1e-6)
    assert float((with_inputs.input_share.sum(1) - 1).abs().max()) < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Xjik_3D": np.full((3, 3, 4), np.nan)}, "trade has 36 cells that are not finite"),
        ({"Xjik_3D": -np.ones((3, 3, 4))}, "a flow is at least 0"),
        ({"Xjik_3D": np.ones((3, 2, 4))}, "say the order of axes"),
        ({"tjik_3D": np.ones((3, 3, 5))}, "tariffs have shape"),
        ({"countries": np.array(["USA", "USA", "ROW"])}, "'USA' is there twice"),
        ({"countries": np.array(["USA", "ROW"])}, "2 labels, the cube 3"),
        ({"sigma_S": np.ones(4)}, "theta must be above 0"),
    ],
)
def test_cubes_at_fault(cubes: dict[str, object], tmp_path: Path, change: dict[str, object], message: str) -> None:
    np.savez(tmp_path / "x.npz", **{**cubes, **change})
    with pytest.raises(DloptError, match=message):
        read(tmp_path / "x.npz")


def test_files_at_fault(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", other=np.ones(3))
    with pytest.raises(CubesError, match=r"no cube of trade among other"):
        read(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"no zip")
    with pytest.raises(CubesError, match=r"cannot be read"):
        read(tmp_path / "y.npz")
    with pytest.raises(CubesError, match=r"no such file"):
        read(tmp_path / "z.mat")
