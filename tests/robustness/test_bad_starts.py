"""Equilibria far from the baseline, with theta*psi up to 0.93; and policies that admit none."""

from __future__ import annotations

import pytest
import torch
from economies import small_synthetic
from torch import Tensor

from dlopt import Bounds, Calibration, InstrumentChoice, Policy, solve_equilibrium, solve_nash
from dlopt.framework import Outcome
from dlopt.trade.api import build_model
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.model import TradeModel

ECONOMIES = ("BRA", "CHN", "EU", "IND", "JPN", "ROW", "USA")


@pytest.fixture(scope="module")
def model(stylized: Calibration) -> TradeModel:
    return build_model(stylized)


def abroad(model: TradeModel) -> Tensor:
    """1 where a tariff may be levied."""
    return (1 - torch.eye(model.n, dtype=torch.float64))[:, :, None] * model.calibration.tradable


def under(model: TradeModel, tariff: Tensor | None = None, subsidy: Tensor | None = None) -> Equilibrium:
    c = model.calibration
    policy = Policy(c.tariff if tariff is None else tariff, c.export_tax, c.subsidy if subsidy is None else subsidy)
    return find_equilibrium(model, policy.log_wedges())


def subsidies(model: TradeModel, rate: float, economies: list[int], sectors: list[int] | None = None) -> Tensor:
    """`rate` in some sectors (default: all tradable ones) of some economies."""
    table = torch.zeros(model.n, model.j, dtype=torch.float64)
    chosen = model.calibration.tradable.nonzero().flatten().tolist() if sectors is None else sectors
    for economy in economies:
        table[economy, chosen] = rate
    return table


def assert_solved(model: TradeModel, found: Equilibrium) -> None:
    assert found.outcome is Outcome.CONVERGED
    assert found.residual <= 1e-10
    assert float(model.residual(found.u, found.wedges).abs().max()) == found.residual
    assert model.walras_residual(found.u) < 1e-8


def test_returns_to_scale_are_those_of_the_paper(model: TradeModel) -> None:
    assert float((model.theta * model.psi).max()) == pytest.approx(0.93, abs=1e-12)


class TestTariffs:
    """0 to 300 %: there always is an equilibrium, and it is found."""

    @pytest.mark.parametrize("rate", [0.0, 0.5, 1.0, 2.0, 3.0])
    def test_of_everybody(self, model: TradeModel, rate: float) -> None:
        assert_solved(model, under(model, tariff=rate * abroad(model)))

    @pytest.mark.parametrize("economy", ECONOMIES)
    def test_of_one(self, model: TradeModel, economy: str) -> None:
        n = model.calibration.economy_index(economy)
        tariff = model.calibration.tariff.clone()
        tariff[:, n] = 3.0 * abroad(model)[:, n]
        assert_solved(model, under(model, tariff=tariff))

    @pytest.mark.parametrize("seed", range(4))
    def test_random(self, model: TradeModel, seed: int) -> None:
        """Every cell its own rate between 0 and 300 %."""
        draw = torch.rand(model.trade.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert_solved(model, under(model, tariff=3.0 * draw * abroad(model)))

    @pytest.mark.parametrize("sector", [0, 9, 18])
    def test_on_one_sector(self, model: TradeModel, sector: int) -> None:
        """The tenth has a trade elasticity of 0.64, the nineteenth the largest returns to scale."""
        tariff = model.calibration.tariff.clone()
        tariff[:, :, sector] = 3.0 * abroad(model)[:, :, sector]
        assert_solved(model, under(model, tariff=tariff))


class TestSubsidies:
    """Up to 60 %: a large economy can pay for one sector; nobody for everything."""

    @pytest.mark.parametrize("economy", ECONOMIES)
    def test_of_one_economy_on_all_goods(self, model: TradeModel, economy: str) -> None:
        n = model.calibration.economy_index(economy)
        assert_solved(model, under(model, subsidy=subsidies(model, 0.2, [n])))

    @pytest.mark.parametrize("rate", [0.2, 0.4])
    def test_of_everybody_on_all_goods(self, model: TradeModel, rate: float) -> None:
        assert_solved(model, under(model, subsidy=subsidies(model, rate, list(range(7)))))

    @pytest.mark.parametrize("sector", [3, 9, 11, 18, 21])
    def test_of_everybody_on_one_sector(self, model: TradeModel, sector: int) -> None:
        assert_solved(model, under(model, subsidy=subsidies(model, 0.6, list(range(7)), [sector])))

    @pytest.mark.parametrize("economy", ["CHN", "EU", "ROW", "USA"])
    def test_of_a_large_economy_on_one_sector(self, model: TradeModel, economy: str) -> None:
        """The sector with the largest returns to scale: the whole world comes to buy."""
        n = model.calibration.economy_index(economy)
        found = under(model, subsidy=subsidies(model, 0.6, [n], [18]))
        assert_solved(model, found)

    @pytest.mark.parametrize("seed", range(3))
    def test_random(self, model: TradeModel, seed: int) -> None:
        """Each sector of each economy its own rate between 0 and 30 %, with tariffs from 0 to 300 %."""
        draw = torch.Generator().manual_seed(seed)
        rates = 0.3 * torch.rand(model.n, model.j, generator=draw, dtype=torch.float64) * model.calibration.tradable
        tariff = 3.0 * torch.rand(model.trade.shape, generator=draw, dtype=torch.float64) * abroad(model)
        assert_solved(model, under(model, tariff, rates))


class TestNoEquilibrium:
    """Subsidies that cost more than an economy earns."""

    @pytest.mark.parametrize(("economy", "sectors"), [("CHN", None), ("BRA", [18])])
    def test_income_vanishes_on_the_way(self, model: TradeModel, economy: str, sectors: list[int] | None) -> None:
        """60 % on all goods of China; 60 % on one sector of Brazil, which would serve the whole world with it.

        Bisection finds the last rate with an equilibrium. There the economy's income has all but vanished and goes on
        falling: the search did not merely fail, there is nothing beyond.
        """
        n = model.calibration.economy_index(economy)
        low, high = 0.0, 0.6
        assert under(model, subsidy=subsidies(model, 0.6, [n], sectors)).outcome is not Outcome.CONVERGED
        incomes = []
        for _ in range(9):
            middle = (low + high) / 2
            found = under(model, subsidy=subsidies(model, middle, [n], sectors))
            if found.outcome is Outcome.CONVERGED:
                low = middle
                incomes.append(float(found.u[model.n + n].exp()))
            else:
                high = middle
        assert incomes == sorted(incomes, reverse=True)
        assert incomes[-1] < 0.1

    @pytest.mark.parametrize("psi_scale", [1.0, 0.0])
    def test_is_reported_with_the_economy_that_cannot_pay(self, stylized: Calibration, psi_scale: float) -> None:
        """China, 60 % on all goods: with and without economies of scale more than it earns."""
        subsidy = torch.zeros(7, 44, dtype=torch.float64)
        subsidy[1, :22] = 0.6
        policy = Policy(stylized.tariff, stylized.export_tax, subsidy)
        result = solve_equilibrium(stylized, policy, psi_scale=psi_scale)
        assert result.status == "not_converged"
        assert "income of CHN goes to zero" in result.message
        assert "subsidies cost more than it earns" in result.message
        assert "Lower them" in result.message


class TestStarts:
    """The answer does not depend on where the search begins."""

    @pytest.mark.parametrize("seed", range(3))
    def test_newton_from_nowhere(self, model: TradeModel, seed: int) -> None:
        """Unknowns drawn with standard deviation 0.5 in logs, under tariffs of 100 %."""
        policy = Policy(abroad(model), model.calibration.export_tax, model.calibration.subsidy)
        reference = find_equilibrium(model, policy.log_wedges())
        start = 0.5 * torch.randn(model.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        found = find_equilibrium(model, policy.log_wedges(), start=start)
        assert_solved(model, found)
        # Two solutions to 1e-11, of a system whose condition number is near 1e3 at theta*psi = 0.93.
        assert torch.allclose(found.u, reference.u, rtol=0, atol=1e-8)

    def test_there_and_back(self, model: TradeModel) -> None:
        """From the equilibrium under tariffs of 300 % back to the baseline's policies: the baseline."""
        far = under(model, tariff=3.0 * abroad(model))
        back = find_equilibrium(model, model.wedges0, start=far.u)
        assert_solved(model, back)
        assert float(back.u.abs().max()) < 1e-8

    @pytest.mark.parametrize("rate", [0.0, 3.9])
    def test_a_game_from_its_bounds(self, rate: float) -> None:
        """Free trade and near-prohibitive tariffs lead to the same certified equilibrium as the baseline."""
        world = small_synthetic(3, 2, 4)
        away = (1 - torch.eye(3, dtype=torch.float64))[:, :, None]
        start = Policy(rate * away.expand(3, 3, 2), world.export_tax, world.subsidy)
        choice, bounds = InstrumentChoice(tariff="by_sector"), Bounds()
        base = solve_nash(world, instruments=choice, bounds=bounds)
        other = solve_nash(world, instruments=choice, bounds=bounds, init=start)
        assert base.status == other.status == "converged"
        assert torch.allclose(base.real_income_change_pct, other.real_income_change_pct, rtol=0, atol=1e-6)
