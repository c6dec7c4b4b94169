"""Made economies: equilibria to rounding, the facts they are to show, and the committed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from economies import closed_economy, one_sector_two_countries, small_synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlopt.calibrations import named_policies, read_policy, stylized2017, synthetic
from dlopt.calibrations.generator import stylized_policies
from dlopt.trade.calibration import DIGESTED, Calibration

COMMITTED = Path(__file__).parents[2] / "data" / "stylized2017"
GOODS, SERVICES = slice(0, 22), slice(22, 44)


def border(world: Calibration) -> Tensor:
    return world.trade / (1 + world.tariff)


def revenue(world: Calibration) -> Tensor:
    return (border(world) / ((1 + world.export_tax) * (1 - world.subsidy)[:, None, :])).sum(1)


def assert_equilibrium(world: Calibration, tolerance: float = 1e-10) -> None:
    """Trade balances by economy; every sector market clears at the income that taxes and labour give."""
    flows = border(world)
    exports, imports = flows.sum((1, 2)), flows.sum((0, 2))
    assert ((exports - imports).abs() <= tolerance * exports).all()
    received = revenue(world)
    tariffs = (world.trade - flows).sum((0, 2))
    export_taxes = (flows - flows / (1 + world.export_tax)).sum((1, 2))
    outlays = (world.subsidy * received).sum(1)
    income = (world.value_added_share * received).sum(1) + tariffs + export_taxes - outlays
    materials = (1 - world.value_added_share) * received
    assert world.final_share is not None
    demand = world.final_share * income[:, None] + torch.einsum("njs,ns->nj", world.input_share, materials)
    spent = world.trade.sum(0)
    assert ((demand - spent).abs() <= tolerance * spent).all()


@given(
    st.integers(1, 6),
    st.integers(1, 7),
    st.integers(0, 10_000),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["none", "tariffs", "all"]),
)
@settings(deadline=None, max_examples=60)
def test_a_synthetic_world_is_an_equilibrium_of_any_size(
    n: int, j: int, seed: int, scale: bool, intermediates: bool, policies: str
) -> None:
    world = synthetic(n, j, seed, scale_economies=scale, intermediates=intermediates, policies=policies)  # type: ignore[arg-type]
    assert_equilibrium(world)
    assert (world.trade > 0).all()
    assert world.final_share is not None
    assert (world.final_share > 0).all()
    assert (world.theta * world.psi < 1).all()
    assert bool((world.psi > 0).all()) == scale
    assert bool((world.value_added_share == 1).all()) != intermediates
    assert bool((world.tariff > 0).any()) == (policies != "none" and n > 1)
    assert bool((world.subsidy != 0).any()) == (policies == "all")


def test_a_synthetic_world_depends_on_its_seed_only() -> None:
    assert synthetic(3, 4, 5).sha256 == synthetic(3, 4, 5).sha256
    assert synthetic(3, 4, 5).sha256 != synthetic(3, 4, 6).sha256
    assert int(synthetic(3, 4, 5, n_tradable=2).tradable.sum()) == 2
    with pytest.raises(ValueError, match="needs an economy and a sector"):
        synthetic(0, 1)


def test_ready_made_economies_are_equilibria() -> None:
    for world in (
        one_sector_two_countries(),
        one_sector_two_countries(tariffs=(0.1, 0.3)),
        closed_economy(),
        small_synthetic(),
    ):
        assert_equilibrium(world)


def test_the_stylised_world_is_an_equilibrium_without_zero_flows(stylized: Calibration) -> None:
    assert_equilibrium(stylized)
    assert (stylized.trade > 0).all()
    assert stylized.economies == ("BRA", "CHN", "EU", "IND", "JPN", "ROW", "USA")
    assert stylized.n_sectors == 44
    assert stylized.tradable.tolist() == [True] * 22 + [False] * 22


def test_value_added_is_gdp_and_goods_are_their_share_of_it(stylized: Calibration) -> None:
    value_added = stylized.value_added_share * revenue(stylized)
    gdp = value_added.sum(1) / 1e6
    assert gdp.tolist() == pytest.approx([2.1, 12.3, 17.3, 2.7, 4.9, 22.0, 19.5], rel=1e-9)
    goods = value_added[:, GOODS].sum(1) / value_added.sum(1)
    assert goods.tolist() == pytest.approx([0.20, 0.38, 0.18, 0.36, 0.22, 0.31, 0.14], abs=1e-9)


def test_value_added_shares_are_about_a_third_in_goods_and_more_in_services(stylized: Calibration) -> None:
    received = revenue(stylized)
    value_added = stylized.value_added_share * received
    for group, mean in ((GOODS, 0.35), (SERVICES, 0.57)):
        world = float(value_added[:, group].sum() / received[:, group].sum())
        assert world == pytest.approx(mean, abs=0.01)
        by_economy = value_added[:, group].sum(1) / received[:, group].sum(1)
        assert by_economy.tolist() == pytest.approx([mean] * 7, abs=0.035)


def test_home_shares_of_spending(stylized: Calibration) -> None:
    home = stylized.trade.diagonal().T
    goods = home[:, GOODS].sum(1) / stylized.trade[:, :, GOODS].sum((0, 2))
    assert goods.tolist() == pytest.approx([0.87, 0.92, 0.82, 0.82, 0.80, 0.81, 0.75], abs=1e-9)
    services = home[:, SERVICES].sum(1) / stylized.trade[:, :, SERVICES].sum((0, 2))
    assert 0.93 <= float(services.min()) <= float(services.max()) <= 0.97


def test_services_are_a_third_of_cross_border_flows(stylized: Calibration) -> None:
    abroad = stylized.trade * (1 - torch.eye(7, dtype=torch.float64))[:, :, None]
    assert float(abroad[:, :, SERVICES].sum() / abroad.sum()) == pytest.approx(1 / 3, abs=0.005)


def test_simple_mean_goods_tariffs(stylized: Calibration) -> None:
    mean = stylized.tariff[:, :, GOODS].sum((0, 2)) / (6 * 22)
    assert mean.tolist() == pytest.approx([0.11, 0.08, 0.03, 0.10, 0.015, 0.04, 0.02], abs=1e-12)
    assert not stylized.tariff[:, :, SERVICES].any()
    assert not stylized.export_tax.any()
    assert not stylized.subsidy.any()


def test_elasticities_are_those_of_the_paper(stylized: Calibration) -> None:
    assert float((stylized.theta * stylized.psi).max()) == pytest.approx(0.93)
    food, petroleum = stylized.sector_index("Food"), stylized.sector_index("Petroleum")
    assert stylized.psi[[food, petroleum]].tolist() == [0.35, 0.35]
    assert stylized.theta[[food, petroleum]].tolist() == [2.30, 0.64]
    assert set(stylized.theta[SERVICES].tolist()) == {10.0}
    assert set(stylized.psi[SERVICES].tolist()) == {0.0}


def test_sectors_use_their_own_kind_most(stylized: Calibration) -> None:
    mean = stylized.input_share.mean(0)
    assert float(mean.diagonal().mean()) > 3 * float(mean.mean())
    goods_in_goods = float(mean[GOODS, GOODS].sum(0).mean())
    goods_in_services = float(mean[GOODS, SERVICES].sum(0).mean())
    assert goods_in_goods > 0.5 > goods_in_services


def test_the_committed_files_are_what_the_generator_makes(stylized: Calibration) -> None:
    made = stylized2017()
    assert (made.name, made.economies, made.sectors, made.sector_names, made.source) == (
        stylized.name,
        stylized.economies,
        stylized.sectors,
        stylized.sector_names,
        stylized.source,
    )
    for field in DIGESTED:
        torch.testing.assert_close(getattr(stylized, field), getattr(made, field), rtol=1e-9, atol=1e-12)
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*.*")) < 500_000


def test_the_stylised_policies_of_2018(stylized: Calibration) -> None:
    files = named_policies(COMMITTED)
    assert set(files) == {"us_tariffs_2018", "us_china_2018"}
    china, america = stylized.economy_index("CHN"), stylized.economy_index("USA")
    rise = {name: read_policy(path, stylized).tariff - stylized.tariff for name, path in files.items()}
    assert float(rise["us_tariffs_2018"][china, america, GOODS].mean()) == pytest.approx(0.20)
    assert float(rise["us_china_2018"][america, china, GOODS].mean()) == pytest.approx(0.12)
    assert np.count_nonzero(rise["us_tariffs_2018"].numpy()) == 22
    assert np.count_nonzero(rise["us_china_2018"].numpy()) == 44
    for name, policy in stylized_policies(stylized).items():
        torch.testing.assert_close(read_policy(files[name], stylized).tariff, policy.tariff, rtol=1e-12, atol=0)
