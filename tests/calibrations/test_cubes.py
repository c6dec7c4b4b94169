"""Cubes of trade and tariffs from NumPy and MATLAB files: the same world from each, and files at fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlopt.calibrations import load_calibration, read_bundle
from dlopt.calibrations.accounts import Array
from dlopt.calibrations.importers.cubes import CubesError, read
from dlopt.calibrations.importing import install
from dlopt.errors import DloptError
from dlopt.trade.api import solve_unilateral
from dlopt.trade.instruments import Bounds, InstrumentChoice

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
    assert any("CP, FGO: choose one with --set" in line for line in unchosen.adjustments)
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
        ({"Xjik_3D": np.ones((3, 2, 4))}, "no two axes are economies; say the order of axes with --axes"),
        ({"tjik_3D": np.full((3, 3, 4), 0.6)}, "say which with --rates fraction or --rates percent"),
        ({"sigma_S": np.ones(3)}, "sigma holds 3 numbers for 4 sectors"),
        ({"countries": np.array(CODES, dtype=object)}, r"save np.array\(it, dtype=str\)"),
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


def made(economies: int = 20, sectors: int = 16) -> tuple[Array, Array]:
    """Spending and tariffs, the same for most exporters, as importers set them."""
    random = np.random.default_rng(2)
    trade = random.lognormal(size=(economies, economies, sectors)) + 30 * np.eye(economies)[:, :, None]
    tariff = np.broadcast_to(random.uniform(0, 0.2, (economies, sectors)), trade.shape).copy()
    tariff[random.random((economies, economies)) < 0.3] *= 0.3
    return trade, tariff * (1 - np.eye(economies))[:, :, None]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "ods": lambda cube: cube,
    "dos": lambda cube: cube.transpose(1, 0, 2),
    "sod": lambda cube: cube.transpose(2, 0, 1),
    "sdo": lambda cube: cube.transpose(2, 1, 0),
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("unit", ["fraction", "percent", "factor"])
def test_the_same_world_from_every_layout(layout: str, unit: str, tmp_path: Path) -> None:
    """Axes and unit are found; importers before exporters are refused, and read where that is said."""
    trade, tariff = made()
    turn, rates = LAYOUTS[layout], {"fraction": tariff, "percent": 100 * tariff, "factor": 1 + tariff}[unit]
    labels = np.array([f"E{k}" for k in range(20)])
    np.savez(tmp_path / "x.npz", A=turn(trade), B=turn(rates), who=labels, what=np.array([f"G {k}" for k in range(16)]))
    if layout in ("dos", "sdo"):
        with pytest.raises(CubesError, match="say --axes dos where importers come first"):
            read(tmp_path / "x.npz")
    imported = read(tmp_path / "x.npz", axes="auto" if layout in ("ods", "sod") else layout)
    np.testing.assert_allclose(imported.calibration.trade.numpy(), trade, rtol=1e-12)
    np.testing.assert_allclose(imported.calibration.tariff.numpy(), tariff, atol=1e-15)
    assert imported.calibration.economies == tuple(labels)
    assert imported.calibration.sectors[15] == "G 15"
    assert any("Trade is 'A'" in line for line in imported.adjustments)


def test_two_unknown_cubes_are_named(tmp_path: Path) -> None:
    trade, tariff = made()
    np.savez(tmp_path / "x.npz", A=trade, B=2 * trade, C=tariff)
    with pytest.raises(CubesError, match="several cubes could be trade: A, B; name the variables: --variables trade="):
        read(tmp_path / "x.npz")
    world = read(tmp_path / "x.npz", variables="trade=B,tariff=C").calibration
    np.testing.assert_allclose(world.trade.numpy(), 2 * trade, rtol=1e-12)
    with pytest.raises(CubesError, match="there is no variable 'D'; it has A"):
        read(tmp_path / "x.npz", variables="trade=D")
    with pytest.raises(CubesError, match="what may be named: trade, tariff"):
        read(tmp_path / "x.npz", variables="flows=A")


def test_older_matlab_files_and_character_matrices(tmp_path: Path) -> None:
    """MATLAB 5 through scipy: a structure with cells; version 7.3 with a character matrix, one label a row."""
    import scipy.io

    h5py = pytest.importorskip("h5py")
    trade, tariff = made()
    labels = [f"E{k}" for k in range(20)]
    cells = np.empty(20, dtype=object)
    cells[:] = labels
    sets = {"A": {"sigma_S": np.full(16, 3.0)}, "B": {"sigma_S": np.full(16, 4.0)}}
    inside = {"Xjik_3D": trade, "tjik_3D": tariff, "countries": cells, "sigma": sets, "year": 2014.0}
    scipy.io.savemat(tmp_path / "old.mat", {"data": inside}, do_compression=True)
    old = read(tmp_path / "old.mat", set="B").calibration
    assert (old.year, old.economies) == ("2014", tuple(labels))
    assert old.theta.tolist() == [3.0] * 16
    np.testing.assert_allclose(old.trade.numpy(), trade, rtol=1e-12)
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["X"], file["t"] = trade.T, tariff.T
        letters = np.array([[ord(c) for c in label.ljust(3)] for label in labels], dtype=np.uint16)
        file.create_dataset("iso", data=letters.T).attrs["MATLAB_class"] = np.bytes_("char")
    with (tmp_path / "new.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    new = read(tmp_path / "new.mat").calibration
    assert new.economies == tuple(labels)
    assert np.array_equal(new.trade.numpy(), old.trade.numpy())


def test_cells_that_are_no_number_or_negative(tmp_path: Path) -> None:
    trade, tariff = made()
    wrong, below = trade.copy(), trade.copy()
    wrong[0, 1, 2], below[3, 4, 5] = np.nan, -2.0
    np.savez(tmp_path / "nan.npz", X=wrong, t=np.where(np.eye(20, dtype=bool)[:, :, None], np.nan, tariff))
    np.savez(tmp_path / "below.npz", X=below, t=tariff)
    with pytest.raises(
        CubesError, match="the first at C1 to C2, sector 3; correct them, or count them as zero with --m"
    ):
        read(tmp_path / "nan.npz")
    filled = read(tmp_path / "nan.npz", missing="zero")
    assert float(filled.calibration.trade[0, 1, 2]) == 0.0
    assert any("no number: 1, set to zero" in line for line in filled.adjustments)
    with pytest.raises(CubesError, match="such as C4 to C5, sector 6: -2"):
        read(tmp_path / "below.npz")
    assert any("1 cells, 2 in all" in line for line in read(tmp_path / "below.npz", negative="zero").adjustments)


def test_parts_of_an_economy_are_joined(tmp_path: Path) -> None:
    """The extended tables of the OECD: CN1 and CN2 make what China buys, and face and set its tariffs."""
    trade, tariff = made()
    codes = ["CHN", "CN1", "CN2", *(f"E{k}" for k in range(17))]
    trade[0] = 0.0
    tariff[1:3], tariff[:, 1:3] = 0.0, 0.0
    np.savez(tmp_path / "x.npz", X=trade, t=tariff, iso=np.array(codes))
    world = read(tmp_path / "x.npz").calibration
    assert world.economies == ("CHN", *codes[3:])
    np.testing.assert_allclose(world.tariff[0, 1:].numpy(), tariff[0, 3:], atol=1e-15)
    np.testing.assert_allclose(world.tariff[1:, 0].numpy(), tariff[3:, 0], atol=1e-15)
    np.testing.assert_allclose(world.trade.sum().item(), trade.sum(), rtol=0.02)
    assert float(world.tariff[0, 0].abs().max()) == 0.0


def test_a_uniform_tariff_by_hand(tmp_path: Path) -> None:
    """The best uniform tariff of an imported cube is that of wages and shares computed in numpy alone."""
    import scipy.optimize

    trade, _ = made(4, 3)
    sigma = np.array([3.0, 4.0, 5.0])
    before = trade * np.array([1, 3, 2, 1])[:, None, None]
    np.savez(tmp_path / "x.npz", X=before, sigma_S=sigma)
    world = read(tmp_path / "x.npz").calibration
    solved = solve_unilateral(
        world, "C1", instruments=InstrumentChoice(tariff="uniform"), bounds=Bounds(tariff=(0.0, 2.0))
    )
    share, spent = before / before.sum(0), before.sum(0) / before.sum((0, 2))[:, None]
    labour = before.sum((1, 2))

    def economy(wage: Array, tariff: Array) -> tuple[Array, Array, Array]:
        """Spending by cell, income and price changes, given wages and tariffs `[origin, destination]`."""
        cost = (wage[:, None] * (1 + tariff))[:, :, None] ** (1 - sigma) * share
        part, price = cost / cost.sum(0), (spent / (1 - sigma) * np.log(cost.sum(0))).sum(1)
        kept = (part * spent * (tariff / (1 + tariff))[:, :, None]).sum((0, 2))
        income = wage * labour / (1 - kept)
        return part * spent * income[:, None], income, price

    def gain(rate: float) -> float:
        """Log real income of the first economy in balanced trade, relative to balanced trade without tariffs."""
        found = []
        for t in (rate, 0.0):
            tariff = np.zeros((4, 4))
            tariff[1:, 0] = t

            def gap(logs: Array, tariff: Array = tariff) -> Array:
                wage = np.exp([*logs, 0.0])
                flows, _, _ = economy(wage, tariff)
                return (((flows / (1 + tariff)[:, :, None]).sum((1, 2)) - wage * labour) / labour)[:3]

            logs = scipy.optimize.root(gap, np.zeros(3), tol=1e-13).x
            _, income, price = economy(np.exp([*logs, 0.0]), tariff)
            found.append(np.log(income[0]) - price[0])
        return float(found[0] - found[1])

    best = scipy.optimize.minimize_scalar(lambda t: -gain(t), bounds=(0, 2), method="bounded", options={"xatol": 1e-9})
    assert float(solved.policy.tariff[1, 0, 0]) == pytest.approx(best.x, abs=1e-5)
    assert float(solved.real_income_change_pct[0]) == pytest.approx(100 * np.expm1(-best.fun), abs=1e-9)
