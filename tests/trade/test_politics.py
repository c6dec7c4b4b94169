"""Political weights: what governments maximise, its derivatives, and where it leads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from economies import small_synthetic

from dlopt import Calibration, DloptError, InstrumentChoice, Policy, solve_equilibrium, solve_nash
from dlopt.policies import weights_from
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import build_instruments

TARIFFS = InstrumentChoice(tariff="by_sector")


def world(n: int = 3, j: int = 3) -> Calibration:
    made = small_synthetic(n, j, 2, scale_economies=False)
    return dataclasses.replace(made, economies=tuple("ABC"[:n]), subsidy=made.subsidy - 0.2)


def test_the_goal_is_the_weighted_sum_of_sector_incomes() -> None:
    """Computed from levels: wage bills, markups on them, the rest by employment; over prices."""
    c, weights = world(), 0.5 + torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = solve_equilibrium(c, Policy(c.tariff * 2 + 0.1 * (c.tariff > 0), c.export_tax, c.subsidy))
    model = build_model(c, political_weights=weights)
    game = TradeGame(model, build_instruments(model, TARIFFS))
    assert model.politics is not None

    def goal(labour_income: torch.Tensor, income: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
        producers = labour_income * 1.2
        other = income - producers.sum(1)
        sector = producers + labour_income / labour_income.sum(1, keepdim=True) * other[:, None]
        return (weights * sector).sum(1) / price

    s = result.state
    after = goal(
        model.payroll * (s.wage[:, None] + s.labour).exp(),
        model.income * s.income.exp(),
        (model.alpha * s.price).sum(1).exp(),
    )
    before = goal(model.payroll, model.income, torch.ones(3, dtype=torch.float64))
    ours = game.forms.goals(game.forms.of(result.u)).exp()
    assert ours == pytest.approx((after / before).numpy(), rel=1e-12)


@pytest.mark.parametrize("supply", [0.0, 0.5])
def test_derivatives_by_every_route(supply: float) -> None:
    c, weights = world(), 0.5 + torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = build_model(c, political_weights=weights, labour_supply=supply)
    game = TradeGame(model, build_instruments(model, TARIFFS))
    a = game.instruments.average(game.fixed) + 0.05
    point = game.point(a)
    assert point is not None
    own = (game.owner, torch.arange(len(a)))
    large = game.large.conditions(a)
    assert large is not None
    assert large.objectives == pytest.approx(point.objectives.numpy(), abs=1e-11)
    assert large.own_gradient() == pytest.approx(point.gradient()[own].numpy(), abs=1e-10)
    v = torch.randn(len(a), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    step = 1e-3
    ends = [game.point(a + k * step * v) for k in (2, 1, -1, -2)]
    objectives, gradients = (
        [value(p) for p in ends if p is not None] for value in (lambda p: p.objectives, lambda p: p.gradient()[own])
    )
    slopes = [(8 * (at[1] - at[2]) - (at[0] - at[3])) / (12 * step) for at in (objectives, gradients)]
    assert (point.gradient() @ v) == pytest.approx(slopes[0].numpy(), abs=3e-8)
    second = torch.cat([point.hessian(player, joint=True) @ v for player in range(3)])
    assert second == pytest.approx(slopes[1].numpy(), abs=1e-6)
    assert large.joint_times(v, 1e-13) == pytest.approx(second.numpy(), abs=1e-9)


def test_weights_of_one_and_equal_weights_change_nothing() -> None:
    c = world(2, 2)
    plain = solve_nash(c, players=["A"], instruments=TARIFFS)
    ones = solve_nash(c, players=["A"], instruments=TARIFFS, political_weights=torch.ones(2, 2).double())
    assert torch.equal(plain.u, ones.u)
    twice = solve_nash(c, players=["A"], instruments=TARIFFS, political_weights=2 * torch.ones(2, 2).double())
    assert twice.status == plain.status == "converged"
    assert torch.allclose(twice.policy.tariff, plain.policy.tariff, rtol=0, atol=1e-6)


def test_a_favoured_sector_is_protected() -> None:
    c = world(2, 2)
    weights, notes = weights_from("A: 1.5 on 2", c)
    assert not notes
    plain = solve_nash(c, players=["A"], instruments=TARIFFS)
    favoured = solve_nash(c, players=["A"], instruments=TARIFFS, political_weights=weights)
    assert favoured.status == "converged"
    assert bool((favoured.policy.tariff[1:, 0, 1] > plain.policy.tariff[1:, 0, 1] + 0.05).all())
    assert float(favoured.welfare_change_pct[0]) < float(plain.welfare_change_pct[0])
    assert float(favoured.state.labour[0, 1]) > float(plain.state.labour[0, 1])


def test_words_tables_and_what_is_refused(tmp_path: Path) -> None:
    c = world()
    words, _ = weights_from("A: 1.5 on 1,2; all: 0.9 on 3", c)
    table = tmp_path / "weights.csv"
    table.write_text("economy,sector,weight\nA,1,1.5\nA,2,1.5\nall,3,0.9\n")
    assert torch.equal(words, weights_from(str(table), c)[0])
    assert words[0].tolist() == [1.5, 1.5, 0.9]
    for text, said in (
        ("A: much on 1", "how much"),
        ("A: 1.5 on 9", "9"),
        (";", "empty"),
        ("no.csv", "cannot be read"),
    ):
        with pytest.raises(DloptError, match=said):
            weights_from(text, c)
    with pytest.raises(DloptError, match="finite numbers"):
        solve_equilibrium(c, political_weights=-words)
    with pytest.raises(DloptError, match="nothing to maximise"):
        solve_equilibrium(c, political_weights=0 * words)
