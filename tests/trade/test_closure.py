"""Transfers that move and labour that is supplied elastically: closed forms, derivatives, neutral values."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from economies import closed_economy, one_sector_two_countries, small_synthetic
from torch import Tensor

from dlopt import Calibration, DloptError, InstrumentChoice, Policy, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.trade.api import build_model
from dlopt.trade.closure import Closure, Deficits
from dlopt.trade.decomposition import decompose
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import Bounds, build_instruments
from dlopt.trade.krylov import KrylovFactors
from dlopt.trade.shocks import Shock

EVERYTHING = InstrumentChoice(tariff="by_sector", export_tax="by_sector", subsidy="by_sector", sectors="all")
WIDE = Bounds((-0.5, 1.0), (-0.5, 1.0), (-0.5, 0.5))
CASES: list[dict[str, Any]] = [
    {"deficits": "share"},
    {"deficits": "proportional"},
    {"labour_supply": 0.5},
    {"deficits": "constant", "labour_supply": 0.5, "revenue": "income_tax"},
    {"deficits": "share", "labour_supply": 0.8, "revenue": "income_tax"},
    {"deficits": "proportional", "labour_supply": 0.4, "revenue": "income_tax"},
]


def unbalanced(n: int = 3, j: int = 2, seed: int = 5) -> Calibration:
    world = small_synthetic(n, j, seed, policies="all")
    noise = torch.rand(world.trade.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return dataclasses.replace(world, trade=world.trade * (1 + 0.2 * noise))


def game_of(case: dict[str, Any]) -> TradeGame:
    model = build_model(unbalanced(), **case)
    return TradeGame(model, build_instruments(model, EVERYTHING, WIDE))


def start(game: TradeGame) -> Tensor:
    a = game.instruments.average(game.fixed)
    return a + 0.05 * torch.rand(len(a), generator=torch.Generator().manual_seed(1), dtype=a.dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives_by_every_route(case: dict[str, Any]) -> None:
    """Jacobian, gradient and Hessians: factors, matrix-free, automatic and by differences."""
    game = game_of(case)
    a = start(game)
    point = game.point(a)
    assert point is not None
    model, lin = game.model, point.linearisation
    assert model.walras_residual(point.equilibrium.u) < 1e-10
    residual = model.equations(point.equilibrium.wedges)
    jacobian = torch.autograd.functional.jacobian(residual, point.equilibrium.u)  # type: ignore[no-untyped-call]
    rhs = torch.randn(model.size, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for factors in (lin.factors(), KrylovFactors(lin)):
        assert torch.allclose(jacobian @ factors.solve(rhs), rhs, rtol=0, atol=1e-8)
        assert torch.allclose(jacobian.T @ factors.solve_transposed(rhs), rhs, rtol=0, atol=1e-8)
    own = (game.owner, torch.arange(len(a)))
    large = game.large.of(point)
    assert torch.allclose(large.own_gradient(), point.gradient()[own], rtol=0, atol=1e-10)
    v = torch.randn(len(a), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step = 1e-3  # equilibria are exact to 1e-11, so that differences are to some 1e-8
    at = {k: game.point(a + k * step * v) for k in (-2, -1, 1, 2)}
    values = {k: (p.objectives, p.gradient()[own]) for k, p in at.items() if p is not None}

    def slope(which: int) -> Tensor:
        near, far = (values[k][which] - values[-k][which] for k in (1, 2))
        return (8 * near - far) / (12 * step)

    assert torch.allclose(point.gradient() @ v, slope(0), rtol=0, atol=3e-8)
    assert torch.allclose(large.joint_times(v, 1e-13), slope(1), rtol=0, atol=1e-6)
    together = torch.cat([point.hessian(player, joint=True) @ v for player in range(game.players)])
    assert torch.allclose(together, large.joint_times(v, 1e-13), rtol=0, atol=1e-8)
    alone = torch.cat([point.hessian(player) @ v[game.owner == player] for player in range(game.players)])
    assert torch.allclose(alone, large.own_hessian_times(v, 1e-13), rtol=0, atol=1e-8)


def test_second_derivatives_of_the_rules() -> None:
    """`curved` is the derivative of `pull`, and `pull` the transpose of `push`, by automatic differentiation."""
    draw = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.rand(shape, generator=draw, dtype=torch.float64)

    for deficits, tax_cut in (("share", False), ("proportional", True), ("share", True), ("constant", True)):
        debts = some(4) - 0.5

        closure = Closure(
            Deficits(deficits), 0.5, tax_cut, 0.1 * (debts - debts.mean()), 1 + some(4), 0.9 * some(4), 0.8 + some(4)
        )
        w, y, p = 0.1 * some(4), 0.1 * some(4), 0.1 * some(4)
        at = closure.at(w, y, p)
        a, b, d = some(4), some(4), some(3, 4)

        def weighted(x: Tensor, closure: Closure = closure, a: Tensor = a, b: Tensor = b) -> Tensor:
            return a @ closure.supply(*x) + b @ closure.transfer(x[1])

        x = torch.stack((w, y, p))
        first = torch.autograd.functional.jacobian(weighted, x)  # type: ignore[no-untyped-call]
        second = torch.autograd.functional.hvp(weighted, x, d)[1]  # type: ignore[no-untyped-call]
        assert torch.allclose(torch.stack(at.pull(a[:, None], b[:, None]))[..., 0], first, rtol=0, atol=1e-13)
        supply, transfer = at.push(*(part[:, None] for part in d))
        assert float(a @ supply + b @ transfer) == pytest.approx(float((first * d).sum()), abs=1e-13)
        curved = at.curved(a[:, None], b[:, None], d[1][:, None])[:, 0]
        assert torch.allclose(curved, second[1], rtol=0, atol=1e-13)
        assert not second[0].any()
        assert not second[2].any()


@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_labour_supply_in_a_closed_economy(beta: float) -> None:
    """A real wages up by T^(1/beta) calls forth phi times as much labour in logs; welfare counts what it costs."""
    phi, growth = 0.5, 1.1
    world = closed_economy((1.0,), theta=(4.0,), psi=(0.0,))
    share = torch.full((1, 1), beta, dtype=torch.float64)
    inputs = torch.full((1, 1, 1), float(beta < 1), dtype=torch.float64)
    world = dataclasses.replace(world, value_added_share=share, input_share=inputs)
    shock = Shock(productivity=torch.full((1, 1), growth, dtype=torch.float64))
    result = solve_equilibrium(world, shocks=shock, labour_supply=phi)
    wage = growth ** (1 / beta)
    assert float(result.state.labour[0, 0].exp()) == pytest.approx(wage**phi, abs=1e-11)
    assert float(result.real_income_change_pct[0]) == pytest.approx(100 * (wage ** (1 + phi) - 1), abs=1e-9)
    # Consumption wL/P less phi/(1+phi) of it: the same factor as real income, where nothing else is earned.
    assert float(result.welfare_change_pct[0]) == pytest.approx(100 * (wage ** (1 + phi) - 1), abs=1e-9)


def test_a_tax_on_output_in_a_closed_economy() -> None:
    """Rebated, a tax lowers wages and so labour; used to cut the tax on wages it is none."""
    world = closed_economy((1.0,), theta=(4.0,), psi=(0.0,))
    taxed = Policy(world.tariff, world.export_tax, torch.full((1, 1), -0.25, dtype=torch.float64))
    rebated = solve_equilibrium(world, taxed, labour_supply=0.5)
    # Real wages fall by 1.25, labour by 1.25^0.5, output with it.
    assert float(rebated.real_income_change_pct[0]) == pytest.approx(100 * (1.25**-0.5 - 1), abs=1e-9)
    consumed, worked = 1.25**-0.5, 1.25**-0.5 / 1.25
    welfare = (consumed - worked / 3) / (1 - 1 / 3)
    assert float(rebated.welfare_change_pct[0]) == pytest.approx(100 * (welfare - 1), abs=1e-9)
    cut = solve_equilibrium(world, taxed, labour_supply=0.5, revenue="income_tax")
    assert float(cut.welfare_change_pct[0]) == pytest.approx(0, abs=1e-9)
    assert float(cut.state.labour[0, 0]) == pytest.approx(0, abs=1e-11)


@pytest.mark.parametrize("deficits", ["share", "proportional"])
def test_transfers_add_up_and_follow_incomes(deficits: str) -> None:
    world = unbalanced()
    policy = Policy(world.tariff * 3, world.export_tax, world.subsidy)
    result = solve_equilibrium(world, policy, deficits=deficits)  # type: ignore[arg-type]
    closure = result.model.closure
    assert closure is not None
    transfer, income = closure.transfer(result.state.income), closure.income0 * result.state.income.exp()
    assert float(transfer.sum().abs()) < 1e-12 * float(income.sum())
    old = closure.transfer0
    if deficits == "share":
        assert torch.allclose(transfer / income.sum(), old / closure.income0.sum(), rtol=1e-12, atol=0)
    else:  # the same change of the ratio for everybody
        gap = transfer / income - old / closure.income0
        assert torch.allclose(gap, gap[0].expand_as(gap), rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_parts_of_real_income_add_up(case: dict[str, Any]) -> None:
    world = unbalanced()
    result = solve_equilibrium(world, Policy(world.tariff * 3, world.export_tax, world.subsidy * 0.5), **case)
    parts = decompose(result)
    assert torch.allclose(parts.contribution_log.sum(1), result.model.log_real_income(result.u), rtol=0, atol=1e-10)


def test_what_is_neutral_changes_nothing() -> None:
    world = unbalanced()
    policy = Policy(world.tariff * 3, world.export_tax, world.subsidy)
    plain = solve_equilibrium(world, policy, deficits="constant")
    same = solve_equilibrium(
        world, policy, deficits="constant", labour_supply=0.0, revenue="income_tax", shocks=Shock()
    )
    assert torch.equal(plain.u, same.u)
    model = build_model(world, deficits="constant", labour_supply=1e-13)
    small = solve_equilibrium(world, policy, deficits="constant", labour_supply=1e-13)
    assert model.closure is not None
    assert torch.allclose(small.u, plain.u, rtol=0, atol=1e-11)


def test_optimal_tariffs_count_what_work_costs() -> None:
    """Certified; no other uniform tariff nearby gives more welfare, though one may give more income."""
    world = one_sector_two_countries(theta=4.0)
    result = solve_nash(
        world,
        players=["Home"],
        instruments=InstrumentChoice(tariff="by_sector"),
        labour_supply=0.5,
        revenue="income_tax",
    )
    assert result.status == "converged"
    best = float(result.welfare_change_pct[0])
    for factor in (0.98, 1.02):
        rates = result.policy.tariff * factor
        other = solve_equilibrium(
            world, Policy(rates, world.export_tax, world.subsidy), labour_supply=0.5, revenue="income_tax"
        )
        assert float(other.welfare_change_pct[0]) < best
    assert Linearisation(result.model, result.u, result.wedges).closure is not None


def test_bad_values_are_refused() -> None:
    world = one_sector_two_countries()
    with pytest.raises(DloptError, match="elasticity"):
        solve_equilibrium(world, labour_supply=-1.0)
    with pytest.raises(UnknownNameError, match="income_tax"):
        solve_equilibrium(world, revenue="taxes")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="proportional"):
        solve_equilibrium(world, deficits="shares")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="labour_supply"):
        solve_equilibrium(world, labor_supply=0.5)  # type: ignore[call-arg]
