"""The seven economies and 44 sectors of 2017: certified games on the real data, and what is known of their answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dlopt import Calibration, InstrumentChoice, SolveResult, solve_equilibrium, solve_nash
from dlopt.calibrations import import_econ7115, load_calibration, write_bundle
from dlopt.calibrations.importing import Imported

TARIFFS = InstrumentChoice(tariff="by_sector")
DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
SUBSIDIES = InstrumentChoice(subsidy="by_sector")


@pytest.fixture(scope="module")
def imported(real_data: Callable[[str], Path]) -> Imported:
    return import_econ7115(real_data("icio2017_7x44"))


@pytest.fixture(scope="module")
def world(imported: Imported, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """Through files, as users have it."""
    folder = tmp_path_factory.mktemp("data") / "icio2017"
    return load_calibration(write_bundle(imported.calibration, folder, imported.policies))


@pytest.fixture(scope="module")
def trade_war(world: Calibration) -> SolveResult:
    return solve_nash(world, instruments=TARIFFS)


def assert_certified(result: SolveResult) -> None:
    """The limits of a certificate, one by one."""
    c = result.certificate
    assert result.status == "converged", result.message
    assert c.equilibrium_residual <= 1e-10
    assert c.first_order_residual is not None
    assert c.first_order_residual <= 1e-8
    assert c.max_own_curvature is not None
    assert c.max_own_curvature < 0
    assert c.best_response_gain_pct is not None
    assert c.best_response_gain_pct <= 1e-6
    assert c.walras_residual <= 1e-9


@pytest.mark.parametrize("accounting", ["standard", "paper"])
@pytest.mark.parametrize("deficits", ["none", "constant"])
def test_tariffs_of_2018(imported: Imported, world: Calibration, accounting: str, deficits: str) -> None:
    """Both waves are equilibria; the sides are worse off when the other retaliates."""
    results = [
        solve_equilibrium(world, imported.policies[name], accounting=accounting, deficits=deficits)
        for name in ("us_tariffs_2018", "us_china_2018")
    ]
    assert all(result.status == "converged" for result in results)
    assert all(result.certificate.equilibrium_residual <= 1e-10 for result in results)
    usa, china = (world.economy_index(label) for label in ("USA", "CHN"))
    first, both = (result.real_income_change_pct for result in results)
    assert float(first[china]) < 0
    assert float(both[usa]) < float(first[usa])


def test_trade_war(trade_war: SolveResult) -> None:
    """924 tariffs. Their simple average is 0.390 only where it has truly converged: at a first-order residual of 1e-6
    it still reads anything from 0.391 to 0.403. Three digits, half a unit."""
    assert_certified(trade_war)
    assert trade_war.instruments is not None
    assert trade_war.instruments.count == 924
    assert float(trade_war.tables()["policies"]["rate"].mean()) == pytest.approx(0.390, abs=0.0005)
    assert bool((trade_war.real_income_change_pct < 0).all())


def test_trade_war_is_the_same_in_both_accountings(world: Calibration, trade_war: SolveResult) -> None:
    """No subsidies, no export taxes: the same taxes on the same bases, found by the same steps."""
    paper = solve_nash(world, instruments=TARIFFS, accounting="paper")
    assert_certified(paper)
    assert torch.allclose(paper.real_income_change_pct, trade_war.real_income_change_pct, rtol=0, atol=1e-6)


@pytest.mark.parametrize("choice", [TARIFFS, DUAL, SUBSIDIES], ids=["trade_war", "dual", "subsidy"])
def test_games_of_two(world: Calibration, choice: InstrumentChoice) -> None:
    """The United States and China, tariffs only on each other."""
    result = solve_nash(world, instruments=choice, players=("USA", "CHN"), partners="players")
    assert_certified(result)
    table = result.tables()["policies"]
    assert set(table["economy"]) == {"USA", "CHN"}
    tariffs = table[table["instrument"] == "tariff"]
    assert set(tariffs["origin"]) <= {"USA", "CHN"}
    assert len(table) == {TARIFFS: 44, DUAL: 88, SUBSIDIES: 44}[choice]
