"""Carbon: derivatives, closed forms, an independent implementation, and switches that change nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from economies import closed_economy, small_synthetic
from second import Rates, world_of
from torch import Tensor

from dlopt import Calibration, InstrumentChoice, Policy, solve_cooperative, solve_equilibrium, solve_nash
from dlopt.trade import carbon_game
from dlopt.trade.api import build_model
from dlopt.trade.carbon import Carbon, CarbonError, emissions
from dlopt.trade.carbon_game import PricedGame
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import InstrumentError, build_instruments
from dlopt.trade.planner import weighted_welfare
from dlopt.trade.results import SolveResult
from dlopt.trade.shocks import Shock

TARIFFS = InstrumentChoice(tariff="by_sector")
DAMAGES = torch.tensor([0.1, 0.05, 0.15], dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def world(n: int = 3, j: int = 3, **options: Any) -> Calibration:
    return dataclasses.replace(small_synthetic(n, j, 2, **options), economies=tuple("ABC"[:n]))


def carbon(c: Calibration, **given: Any) -> Carbon:
    n, j = c.n_economies, c.n_sectors
    return Carbon(draw(n, j) * c.trade.sum(1), **{"damages": DAMAGES[:n], **given})


def undistorted(n: int = 3, j: int = 3) -> Calibration:
    """Without tariffs, subsidies and economies of scale."""
    c = world(n, j, scale_economies=False)
    return dataclasses.replace(c, tariff=torch.zeros_like(c.tariff))


def price_of_consumption(result: SolveResult) -> Tensor:
    return (result.model.alpha * result.state.price).sum(1).exp()


def differences(game: TradeGame, a: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Slopes of objectives and of all players' gradients along v, by central differences."""
    step = 1e-3
    ends = [game.point(a + k * step * v) for k in (2, 1, -1, -2)]

    def slope(value: Any) -> Tensor:
        at = [value(point) for point in ends]
        return torch.as_tensor((8 * (at[1] - at[2]) - (at[0] - at[3])) / (12 * step))

    own = [game.owner == player for player in range(game.players)]
    return slope(lambda p: p.objectives), [
        slope(lambda p, k=k, mine=mine: p.gradient()[k][mine]) for k, mine in enumerate(own)
    ]


@pytest.mark.parametrize("more", [{}, {"labour_supply": 0.5, "political_weights": 0.5 + draw(3, 3)}])
def test_derivatives_with_damages_by_every_route(more: dict[str, Any]) -> None:
    c = world(scale_economies=True)
    shock = Shock(productivity=0.8 + 0.4 * draw(3, 3, seed=4))
    model = build_model(c, carbon=carbon(c), shocks=shock, **more)
    game = TradeGame(model, build_instruments(model, TARIFFS))
    assert game.forms.rows() @ model.start == pytest.approx(game.forms.of(model.start).numpy(), abs=1e-13)
    a = game.instruments.average(game.fixed) + 0.05
    v = torch.randn(len(a), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    point, large = game.point(a), game.large.conditions(a)
    assert point is not None
    assert large is not None
    first, second = differences(game, a, v)
    own = (game.owner, torch.arange(len(a)))
    assert point.gradient() @ v == pytest.approx(first.numpy(), abs=3e-8)
    assert large.own_gradient() == pytest.approx(point.gradient()[own].numpy(), abs=1e-9)
    joint = torch.cat([point.hessian(player, joint=True) @ v for player in range(3)])
    assert joint == pytest.approx(torch.cat(second).numpy(), abs=1e-6)
    assert large.joint_times(v, 1e-13) == pytest.approx(joint.numpy(), abs=1e-8)


@pytest.mark.parametrize("supply", [0.0, 0.5])
def test_derivatives_with_prices(supply: float) -> None:
    """All kinds of instruments together, given prices where nobody chooses, and what is embodied at the border."""
    c = world(policies="all")
    given = carbon(c, tax=0.1 * draw(3, 3, seed=1), border_tax=0.2 * draw(3, 3, 3, seed=2), basis="embodied")
    model = build_model(c, carbon=given, labour_supply=supply)
    choice = {
        "A": InstrumentChoice(tariff="by_sector", subsidy="by_sector", carbon_tax="uniform", border_tax="mfn"),
        "B": InstrumentChoice(export_tax="uniform", carbon_tax="by_sector", border_tax="by_sector"),
        "C": InstrumentChoice(carbon_tax="uniform", border_tax="uniform", sectors=("1", "2")),
    }
    game = PricedGame(model, build_instruments(model, choice))
    a = game.instruments.average(game.fixed, (given.tax, given.border_tax)) + 0.05  # type: ignore[arg-type]
    point = game.point(a)
    assert point is not None
    assert model.residual(point.equilibrium.u, point.equilibrium.wedges).abs().max() <= 1e-11
    v = torch.randn(len(a), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    first, second = differences(game, a, v)
    assert point.gradient() @ v == pytest.approx(first.numpy(), abs=1e-7)
    for player in range(3):
        joint = point.hessian(player, joint=True)
        assert joint @ v == pytest.approx(second[player].numpy(), abs=1e-6)
        alone = game.point(a)
        assert alone is not None
        mine = game.owner == player
        assert alone.hessian(player) == pytest.approx(joint[:, mine].numpy(), abs=1e-12)


def test_a_second_implementation_agrees() -> None:
    """Real income, tonnes and prices under specific taxes in levels, with scale economies and all other policies."""
    c = world(policies="all")
    theirs = world_of(c)
    tax, border = 0.3 * draw(3, 3, seed=1), 0.5 * draw(3, 3, 3, seed=2) * ~torch.eye(3, dtype=torch.bool)[:, :, None]
    given = carbon(c, tax=tax, border_tax=border)
    ours = solve_equilibrium(c, carbon=given)
    assert ours.status == "converged"
    rates = Rates(c.tariff.numpy(), c.export_tax.numpy(), c.subsidy.numpy())
    real, index, tonnes, flows = theirs.with_carbon(rates, given.emissions.numpy(), tax.numpy(), border.numpy())
    assert real == pytest.approx(1 + ours.real_income_change_pct.numpy() / 100, abs=1e-9)
    assert tonnes == pytest.approx(emissions(ours.model, ours.state).numpy(), rel=1e-9)
    assert flows == pytest.approx(ours.model.flows(ours.state, ours.wedges).numpy(), rel=1e-8)
    before = theirs.with_carbon(rates, given.emissions.numpy(), 0 * tax.numpy(), 0 * border.numpy())[1]
    assert index / before == pytest.approx(price_of_consumption(ours).numpy(), rel=1e-9)
    harm = DAMAGES.numpy() * (tonnes.sum() - float(given.emissions.sum())) / ours.model.income.numpy()
    assert real - harm == pytest.approx(1 + ours.welfare_change_pct.numpy() / 100, abs=1e-9)


def test_revenue_is_price_times_tonnes() -> None:
    c = undistorted()
    tax, border = 0.3 * draw(3, 3, seed=1), 0.5 * draw(3, 3, 3, seed=2)
    result = solve_equilibrium(c, carbon=carbon(c, tax=tax))
    _, _, revenue = result.model.incomes(result.state, result.wedges)
    assert (tax * emissions(result.model, result.state)).sum(1) == pytest.approx(revenue.numpy(), rel=1e-11)
    # At the border: a tonne is a tonne wherever the good is sold, and iceberg costs did not change.
    given = carbon(c, border_tax=border)
    result = solve_equilibrium(c, carbon=given)
    flows = result.model.flows(result.state, result.wedges)
    paid = flows * -(-result.wedges[0]).expm1()
    sold = flows / result.wedges[0].exp()
    share = sold / sold.sum(1, keepdim=True)
    abroad = ~torch.eye(3, dtype=torch.bool)[:, :, None]
    tonnes = emissions(result.model, result.state)[:, None] * share * abroad
    assert (border * tonnes).numpy() == pytest.approx((paid * abroad).numpy(), rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("mode", ["uniform", "by_sector"])
def test_a_closed_economy_taxes_its_marginal_damage(mode: str) -> None:
    """d per tonne at the baseline's price of consumption, which is d P in money of the numeraire."""
    c = undistorted(1, 4) if mode == "by_sector" else closed_economy(psi=(0.0, 0.0, 0.0))
    given = Carbon(draw(1, c.n_sectors) * c.trade.sum(1) / 2, torch.tensor([0.3], dtype=torch.float64))
    result = solve_nash(c, instruments={"carbon_tax": mode}, carbon=given)
    assert result.status == "converged"
    assert result.priced is not None
    marginal = 0.3 * price_of_consumption(result)
    assert result.priced.tax.flatten() == pytest.approx(float(marginal), rel=1e-6)
    assert float(result.welfare_change_pct) > 0 > float(result.real_income_change_pct)


def test_the_planners_price_is_uniform_and_the_sum_of_marginal_damages() -> None:
    """Without other distortions, for weights that leave no reason to redistribute: C0 P, at the optimum."""
    c = undistorted()
    tax = torch.zeros(3, 3, dtype=torch.float64)
    for _ in range(60):  # the efficient equilibrium: everybody pays the sum of marginal damages
        given = carbon(c, tax=tax)
        efficient = solve_equilibrium(c, carbon=given)
        tax = torch.full_like(tax, float(DAMAGES @ price_of_consumption(efficient)))
    worth = efficient.model.income * price_of_consumption(efficient)
    weights = dict(zip(c.economies, worth.tolist(), strict=True))
    result = solve_cooperative(c, instruments={"carbon_tax": "by_sector"}, weights=weights, carbon=carbon(c))
    assert result.status == "converged"
    assert result.priced is not None
    assert result.priced.tax.numpy() == pytest.approx(tax.numpy(), rel=1e-6)
    # Neither tariffs nor subsidies would improve on it.
    model = build_model(c, carbon=carbon(c, tax=tax))
    both = build_instruments(model, InstrumentChoice(tariff="by_sector", subsidy="by_sector", sectors="all"))
    game = PricedGame(model, dataclasses.replace(both, owner=torch.zeros_like(both.owner)))
    game.objective = weighted_welfare(worth / worth.sum())
    point = game.point(both.average(game.fixed))
    assert point is not None
    assert point.gradient().abs().max() <= 1e-9


def test_countries_alone_tax_less_than_a_club_and_a_club_less_than_the_world() -> None:
    c = undistorted(3, 2)
    given, taxes = carbon(c), {"instruments": {"carbon_tax": "uniform"}}
    alone = solve_nash(c, carbon=given, **taxes)
    club = solve_nash(c, carbon=given, unions=[["A", "B"]], **taxes)
    everybody = solve_cooperative(c, carbon=given, **taxes)
    assert alone.status == club.status == everybody.status == "converged"
    tonnes = [float(emissions(r.model, r.state).sum()) for r in (alone, club, everybody)]
    assert tonnes[0] > tonnes[1] > tonnes[2]
    total = [float((r.model.income * r.welfare_change_pct).sum()) for r in (alone, club, everybody)]
    assert total[0] < total[1] < total[2]


def test_switches_at_their_neutral_values_change_no_bit() -> None:
    c, zero = world(), torch.zeros(3, dtype=torch.float64)
    plain = solve_nash(c, instruments=TARIFFS)
    none = solve_nash(c, instruments=TARIFFS, carbon=carbon(c, damages=zero, tax=torch.zeros(3, 3), basis="embodied"))
    assert torch.equal(plain.u, none.u)
    assert torch.equal(plain.policy.tariff, none.policy.tariff)
    assert none.priced is None
    assert torch.equal(none.welfare_change_pct, none.real_income_change_pct)


def test_a_price_of_zero_is_no_price() -> None:
    """The same numbers by the way of prices, where that way is taken: bounds hold the price at zero."""
    c = world()
    policy = Policy(c.tariff * 1.5, c.export_tax, c.subsidy)
    plain = solve_equilibrium(c, policy)
    model = build_model(c, carbon=carbon(c))
    game = PricedGame(
        model, build_instruments(model, InstrumentChoice(carbon_tax="uniform")), fixed=policy.log_wedges()
    )
    point = game.point(torch.zeros(3, dtype=torch.float64))
    assert point is not None
    assert float((point.equilibrium.u - plain.u).abs().max()) <= 1e-12


def test_the_best_price_for_one_is_best_in_the_second_implementation() -> None:
    c = undistorted(2, 2)
    c = dataclasses.replace(c, economies=("A", "B"))
    given = carbon(c, damages=torch.tensor([0.3, 0.1], dtype=torch.float64))
    choice = {"carbon_tax": "uniform", "border_tax": "uniform"}
    result = solve_nash(c, players=["A"], instruments=choice, carbon=given)
    assert result.status == "converged"
    assert result.priced is not None
    theirs, zero = world_of(c), Rates(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), np.zeros((2, 2)))
    chosen = [float(result.priced.tax[0, 0]), float(result.priced.border_tax[1, 0, 0])]

    def welfare(tax: float, border: float) -> float:
        taxes, borders = np.zeros((2, 2)), np.zeros((2, 2, 2))
        taxes[0], borders[1, 0] = tax, border
        real, _, tonnes, _ = theirs.with_carbon(zero, given.emissions.numpy(), taxes, borders)
        return float(real[0] - 0.3 * (tonnes.sum() - float(given.emissions.sum())) / float(result.model.income[0]))

    best = welfare(*chosen)
    assert best == pytest.approx(1 + float(result.welfare_change_pct[0]) / 100, abs=1e-9)
    assert min(chosen) > 0.01
    for tax, border in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert welfare(chosen[0] * (1 + tax), chosen[1] * (1 + border)) < best


def test_a_sequence_of_moves_keeps_what_was_chosen() -> None:
    from dlopt import solve_moves

    c = undistorted(2, 2)
    c = dataclasses.replace(c, economies=("A", "B"))
    given = carbon(c)
    moved = solve_moves(c, ["A", "B"], instruments={"carbon_tax": "uniform"}, carbon=given)
    assert moved.status == "converged"
    assert moved.priced is not None
    first = solve_nash(c, players=["A"], instruments={"carbon_tax": "uniform"}, carbon=given)
    assert first.priced is not None
    assert moved.priced.tax[0].tolist() == first.priced.tax[0].tolist()
    assert float(moved.priced.tax[1].min()) > 0


def test_what_cannot_be_is_refused() -> None:
    c = world()
    good = carbon(c)
    with pytest.raises(CarbonError, match="finite numbers"):
        build_model(c, carbon=dataclasses.replace(good, emissions=-good.emissions))
    with pytest.raises(CarbonError, match=r"carbon\.damages"):
        build_model(c, carbon=dataclasses.replace(good, damages=DAMAGES[:2]))
    with pytest.raises(CarbonError, match="accounting=standard"):
        build_model(c, "paper", carbon=dataclasses.replace(good, tax=torch.ones(3, 3)))
    with pytest.raises(CarbonError, match="basis"):
        build_model(c, carbon=dataclasses.replace(good, basis="all"))  # type: ignore[arg-type]
    with pytest.raises(InstrumentError, match="needs emissions"):
        solve_nash(c, instruments={"carbon_tax": "uniform"})
    result = solve_equilibrium(c, carbon=dataclasses.replace(good, tax=torch.ones(3, 3)))
    with pytest.raises(CarbonError, match="price"):
        result.sensitivity("theta")


def test_worlds_too_large_for_a_price_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """12,000 unknowns; here the limit is set just below a small world, then at it."""
    assert carbon_game.LARGEST == 12_000
    c = world()
    priced, size = carbon(c, tax=torch.ones(3, 3)), build_model(c).size
    monkeypatch.setattr(carbon_game, "LARGEST", size - 1)
    said = f"up to {size - 1:,} unknowns, and this one has {size:,}: put economies or sectors together"
    with pytest.raises(CarbonError, match=said):
        solve_equilibrium(c, carbon=priced)
    with pytest.raises(CarbonError, match=said):
        solve_nash(c, instruments={"carbon_tax": "uniform"}, carbon=carbon(c))
    assert solve_equilibrium(c, carbon=carbon(c)).status == "converged"  # damages alone have no limit
    monkeypatch.setattr(carbon_game, "LARGEST", size)
    assert solve_equilibrium(c, carbon=priced).status == "converged"
