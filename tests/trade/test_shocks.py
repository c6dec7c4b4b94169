"""Trade costs and productivity: closed forms, and changes that multiply."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

from dlopt import Calibration, InstrumentChoice, Policy, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.trade.api import build_model
from dlopt.trade.shocks import Shock, ShockError, shocked


def with_inputs(beta: float, theta: float) -> Calibration:
    """Two countries, one sector that uses itself as an input."""
    world = one_sector_two_countries(theta=theta)
    share = torch.full_like(world.value_added_share, beta)
    return dataclasses.replace(world, value_added_share=share, input_share=torch.ones_like(world.input_share))


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_autarky_costs_what_the_home_share_says(beta: float) -> None:
    """Arkolakis, Costinot and Rodriguez-Clare (2012): the change is the home share to the power 1/(theta beta)."""
    world = with_inputs(beta, theta=4.0)
    model = build_model(world)
    after = shocked(world, Shock.autarky(world))
    home = model.lam[:, :, 0].diagonal()
    assert after.real_income_change_pct == pytest.approx((100 * (home ** (1 / (4.0 * beta)) - 1)).numpy(), abs=1e-9)
    assert not after.world.trade[0, 1].any()


def test_productivity_everywhere_is_worth_more_with_inputs() -> None:
    world = small_synthetic(3, 3)
    world = dataclasses.replace(
        world, value_added_share=torch.full_like(world.value_added_share, 0.5), psi=torch.zeros_like(world.psi)
    )
    after = shocked(world, Shock(productivity=torch.full((3, 3), 1.1, dtype=torch.float64)))
    assert after.real_income_change_pct == pytest.approx([100 * (1.1**2 - 1)] * 3, abs=1e-9)


def test_a_shock_and_its_reverse_lead_back() -> None:
    world = small_synthetic(3, 4)
    generator = torch.Generator().manual_seed(3)
    cost = torch.rand(world.trade.shape, generator=generator, dtype=torch.float64) * 0.4 + 0.8
    there = shocked(world, Shock(cost=cost))
    back = shocked(there.world, Shock(cost=1 / cost))
    product = (1 + there.real_income_change_pct / 100) * (1 + back.real_income_change_pct / 100)
    assert product == pytest.approx([1.0] * 3, abs=1e-10)
    assert back.world.trade == pytest.approx(build_model(world).trade.numpy(), rel=1e-8)


def test_no_shock_changes_nothing_and_the_new_world_is_at_rest() -> None:
    world = small_synthetic(3, 4)
    same = shocked(world, Shock())
    assert not same.real_income_change_pct.any()
    after = shocked(world, Shock.of_costs(world, 1.2, destinations=[world.economies[0]]))
    assert float(solve_equilibrium(after.world).real_income_change_pct.abs().max()) < 1e-9
    assert float(after.real_income_change_pct[0]) < 0


def test_melted_goods_bring_no_revenue_a_tariff_does() -> None:
    """The same wedge as an iceberg cost is worse for the importer than as a tariff."""
    world = one_sector_two_countries(theta=4.0)
    rates = world.tariff.clone()
    rates[1, 0, 0] = 0.2
    tariff = solve_equilibrium(world, Policy(rates, world.export_tax, world.subsidy)).real_income_change_pct
    cost = shocked(world, Shock.of_costs(world, 1.2, origins=["Foreign"])).real_income_change_pct
    assert float(cost[0]) < float(tariff[0])


def test_policies_are_optimal_in_the_new_world() -> None:
    world = one_sector_two_countries(theta=4.0)
    after = shocked(world, Shock.of_costs(world, 1.3))
    war = solve_nash(after.world, instruments=InstrumentChoice(tariff="by_sector"))
    assert war.status == "converged"
    trade = build_model(after.world).flows(war.state, war.wedges)[:, :, 0]
    for home, other in ((0, 1), (1, 0)):
        border = trade / (1 + war.policy.tariff[:, :, 0])
        share = float(border[other, other] / border[other].sum())  # closed form: 1 / (theta x foreign home share)
        assert float(war.policy.tariff[other, home, 0]) == pytest.approx(1 / (4.0 * share), rel=1e-6)


def test_bad_shocks_are_refused() -> None:
    world = one_sector_two_countries()
    with pytest.raises(ShockError, match="shape"):
        shocked(world, Shock(cost=torch.ones(2, 2)))
    with pytest.raises(ShockError, match="above 0"):
        shocked(world, Shock(productivity=torch.zeros(2, 1)))
    with pytest.raises(UnknownNameError, match="Home"):
        Shock.of_costs(world, 1.1, origins=["Hom"])
