"""Trade costs and productivity: closed forms, and changes that multiply."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from economies import closed_economy, one_sector_two_countries, small_synthetic

from dlopt import Calibration, DloptError, InstrumentChoice, Policy, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.policies import shock_from
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import build_instruments
from dlopt.trade.shocks import Shock, ShockError, shocked


def named(world: Calibration) -> Calibration:
    """Its economies are called E1, E2 and so on, whatever they were called."""
    return dataclasses.replace(world, economies=tuple(f"E{k + 1}" for k in range(world.n_economies)))


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


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_dearer_trade_between_equal_countries_with_inputs(beta: float) -> None:
    """Wages stay equal, so the home share is known beforehand, and real income is its power -1/(theta beta)."""
    theta, imports, dearer = 4.0, 0.3, 1.2
    world = one_sector_two_countries(theta=theta, sizes=(1.0, 1.0), imports=imports)
    share = torch.full_like(world.value_added_share, beta)
    world = dataclasses.replace(world, value_added_share=share, input_share=torch.ones_like(world.input_share))
    after = shocked(world, Shock.of_costs(world, dearer))
    home = (1 - imports) / (1 - imports + imports * dearer**-theta)
    gain = 100 * (((1 - imports) / home) ** (1 / (theta * beta)) - 1)
    assert after.real_income_change_pct == pytest.approx([gain] * 2, abs=1e-9)
    shares = after.world.trade[:, :, 0] / after.world.trade[:, :, 0].sum(0)
    assert shares.diagonal() == pytest.approx([home] * 2, abs=1e-9)


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


def test_every_verb_takes_a_shock() -> None:
    """The game after a shock is that of the shocked world; changes are relative to before and multiply."""
    world = small_synthetic(3, 3, 5)
    shock = shock_from("E1-E2: +20% trade costs; E3: +5% productivity; E2: -3% labour", named(world)).shock
    after = shocked(world, shock)
    who, tariffs = world.economies[:1], InstrumentChoice(tariff="by_sector")
    one = solve_nash(world, instruments=tariffs, players=who, shocks=shock)
    two = solve_nash(after.world, instruments=tariffs, players=who)
    assert one.status == two.status == "converged"
    assert torch.allclose(one.policy.tariff, two.policy.tariff, rtol=0, atol=1e-7)
    both = (1 + after.real_income_change_pct / 100) * (1 + two.real_income_change_pct / 100)
    assert (1 + one.real_income_change_pct / 100) == pytest.approx(both.numpy(), abs=1e-9)
    parts = one.table("decomposition").groupby("economy", sort=False)["contribution_log"].sum()
    assert parts.to_numpy() == pytest.approx(one.model.log_welfare(one.u).numpy(), abs=1e-9)


@pytest.mark.parametrize("inputs", [False, True])
def test_derivatives_after_a_shock(inputs: bool) -> None:
    """Through factors, and through the path of large games, which in the world without inputs is one in wages."""
    world = small_synthetic(3, 3, 5, intermediates=inputs, scale_economies=inputs)
    world = dataclasses.replace(world, subsidy=world.subsidy * 0, export_tax=world.export_tax * 0)
    shock = shock_from("E1>E2: autarky; E3: +5% productivity; E2: -3% labour", named(world)).shock
    model = build_model(world, shocks=shock)
    game = TradeGame(model, build_instruments(model, InstrumentChoice(tariff="by_sector")))
    point = game.point(game.instruments.average(game.fixed) + 0.03)
    assert point is not None
    large = game.large.conditions(point.a)
    assert large is not None
    assert large.objectives == pytest.approx(point.objectives.numpy(), abs=1e-11)
    own = point.gradient()[game.owner, torch.arange(len(point.a))]
    assert large.own_gradient() == pytest.approx(own.numpy(), abs=1e-10)
    v = torch.randn(len(point.a), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = 1e-4
    ends = [game.point(point.a + sign * step * v) for sign in (1, -1)]
    assert ends[0] is not None
    assert ends[1] is not None
    slope = (ends[0].gradient() - ends[1].gradient()) / (2 * step)
    assert large.joint_times(v, 1e-13) == pytest.approx(slope[game.owner, torch.arange(len(v))].numpy(), abs=1e-6)
    dense = torch.cat([point.hessian(player, joint=True) @ v for player in range(3)])
    assert dense == pytest.approx(large.joint_times(v, 1e-13).numpy(), abs=1e-9)


def test_an_economy_without_trade_is_alone() -> None:
    """Each of the two blocs has prices of its own: the result does not depend on which of them is the numeraire."""
    world = small_synthetic(4, 3, 2)
    alone = shock_from("E1: autarky", named(world)).shock
    result = solve_equilibrium(world, shocks=alone)
    assert result.status == "converged"
    home = build_model(world)
    assert float(result.real_income_change_pct[0]) < 0
    flows = result.model.flows(result.state, result.wedges)
    assert not flows[0, 1:].any()
    assert not flows[1:, 0].any()
    assert torch.equal(flows > 0, (home.trade > 0) & (flows > 0))
    everybody = solve_equilibrium(world, shocks=Shock.autarky(world))
    assert float(result.real_income_change_pct[0]) == pytest.approx(float(everybody.real_income_change_pct[0]))


@pytest.mark.parametrize(("psi", "beta"), [(0.0, 1.0), (0.2, 1.0), (0.0, 0.5)])
def test_more_labour_in_a_closed_economy(psi: float, beta: float) -> None:
    """Output goes with labour to the power (1 + psi); inputs leave that as it is without scale economies."""
    world = closed_economy((1.0,), theta=(4.0,), psi=(psi,))
    if beta < 1:
        world = dataclasses.replace(
            world,
            value_added_share=torch.full((1, 1), beta, dtype=torch.float64),
            input_share=torch.ones(1, 1, 1).double(),
        )
    result = solve_equilibrium(world, shocks=Shock(labour=torch.tensor([1.1], dtype=torch.float64)))
    assert float(result.real_income_change_pct[0]) == pytest.approx(100 * (1.1 ** (1 + psi) - 1), abs=1e-9)


def test_words_and_tables_say_the_same(tmp_path: Path) -> None:
    world = named(small_synthetic(3, 3, 5))
    words = shock_from("E1-E2: +20% trade costs on 2; all: -5% productivity; E3: +2% labour; E3>E1: no trade", world)
    table = tmp_path / "shocks.csv"
    table.write_text(
        "what,origin,destination,sector,factor\ntrade_cost,E1,E2,2,1.2\ntrade_cost,E2,E1,2,1.2\n"
        "productivity,all,,all,0.95\nlabour,E3,,,1.02\ntrade_cost,E3,E1,all,inf\n"
    )
    file = shock_from(str(table), world)
    assert words.shock.sha256 == file.shock.sha256
    assert words.shock.cost is not None
    assert bool(words.shock.cost[2, 0].isinf().all())
    assert float(words.shock.cost[0, 1, 1]) == 1.2
    assert float(words.shock.cost[0, 1, 0]) == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [("E1: +10% tariffs", "cannot be understood"), ("E1: +10 productivity", "per cent"), ("Q: +1% labour", "E1"),
     ("E1: -100% productivity", "autarky"), ("E1: +1% labour on 1", "leave them out"), (";", "empty"),
     ("nowhere.csv", "cannot be read")],
)  # fmt: skip
def test_words_that_are_no_shock(text: str, said: str) -> None:
    with pytest.raises(DloptError, match=said):
        shock_from(text, named(small_synthetic(3, 3)))


def test_nobody_can_do_without_what_only_others_make() -> None:
    world = small_synthetic(3, 3, 5)
    trade = world.trade.clone()
    trade[0, 0, 1] = 0
    with pytest.raises(ShockError, match="infinite"):
        solve_equilibrium(dataclasses.replace(world, trade=trade), shocks=Shock.autarky(world))


def test_bad_shocks_are_refused() -> None:
    world = one_sector_two_countries()
    with pytest.raises(ShockError, match="shape"):
        shocked(world, Shock(cost=torch.ones(2, 2)))
    with pytest.raises(ShockError, match="above 0"):
        shocked(world, Shock(productivity=torch.zeros(2, 1)))
    with pytest.raises(UnknownNameError, match="Home"):
        Shock.of_costs(world, 1.1, origins=["Hom"])
