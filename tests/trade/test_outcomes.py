"""Outcomes that people quote agree with the accounts they come from, whatever the policies and the accounting."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import small_synthetic

import dlopt
from dlopt.trade.outcomes import WORLD


@pytest.fixture(scope="module", params=["standard", "paper"])
def result(request: pytest.FixtureRequest) -> dlopt.SolveResult:
    world = small_synthetic(policies="all")
    charged = dlopt.Policy.of(world)
    tariff = charged.tariff.clone()
    tariff[0, 1] += 0.2
    policy = dataclasses.replace(charged, tariff=tariff)
    return dlopt.solve_equilibrium(world, policy, accounting=request.param)


def test_income_is_pay_and_public_revenue(result: dlopt.SolveResult) -> None:
    frame = result.table("outcomes").set_index("economy").drop(index=WORLD)
    pay, tariffs, rest = result.model.incomes(result.state, result.wedges)
    assert frame["gdp"].tolist() == pytest.approx((pay + tariffs + rest).tolist(), rel=1e-12)
    assert frame["gdp"].tolist() == pytest.approx((result.model.income * result.state.income.exp()).tolist(), rel=1e-9)
    assert frame["gdp_initial"].tolist() == pytest.approx(result.model.income.tolist(), rel=1e-12)
    assert frame["tariff_revenue"].tolist() == pytest.approx(tariffs.tolist(), rel=1e-12)
    assert frame["public_revenue"].tolist() == pytest.approx((tariffs + rest).tolist(), rel=1e-12)


def test_trade_is_balanced_at_the_border(result: dlopt.SolveResult) -> None:
    frame = result.table("outcomes")
    for end in ("_initial", ""):
        assert frame[f"exports{end}"].tolist() == pytest.approx(frame[f"imports{end}"].tolist(), rel=1e-8)


def test_changes_agree_with_the_table_of_welfare(result: dlopt.SolveResult) -> None:
    frame = result.table("outcomes").set_index("economy")
    welfare = result.table("welfare").set_index("economy")
    own = frame.drop(index=WORLD)
    real = (1 + welfare["wage_change_pct"] / 100) / (1 + welfare["price_index_change_pct"] / 100)
    assert own["real_wage_change_pct"].tolist() == pytest.approx((100 * (real - 1)).tolist(), abs=1e-10)
    money = own["gdp_initial"] * welfare["real_income_change_pct"] / 100
    assert own["real_income_change"].tolist() == pytest.approx(money.tolist(), rel=1e-12)
    assert frame.loc[WORLD, "real_income_change"] == pytest.approx(money.sum(), rel=1e-12)
    assert frame.loc[WORLD, "real_income_change_pct"] == pytest.approx(100 * money.sum() / own["gdp_initial"].sum())


def test_partners_add_up(result: dlopt.SolveResult) -> None:
    frame = result.table("outcomes").set_index("economy").drop(index=WORLD)
    sums = result.table("partners").groupby("economy", sort=False).sum(numeric_only=True)
    for end in ("_initial", ""):
        for name in ("exports", "imports", "tariff_revenue"):
            column = f"{name}{end}"
            assert sums.loc[frame.index, column].tolist() == pytest.approx(frame[column].tolist(), rel=1e-12)


def test_a_uniform_tariff_is_its_own_effective_rate() -> None:
    world = small_synthetic()
    off = ~torch.eye(3, dtype=torch.bool)[:, :, None]
    policy = dataclasses.replace(dlopt.Policy.of(world), tariff=0.1 * off.expand_as(world.tariff).double())
    result = dlopt.solve_equilibrium(world, policy)
    assert result.table("outcomes")["effective_tariff_pct"].tolist() == pytest.approx([10.0] * 4, rel=1e-12)
    assert result.table("partners")["tariff_pct"].tolist() == pytest.approx([10.0] * 6, rel=1e-12)


def test_nothing_changes_at_the_baseline() -> None:
    result = dlopt.solve_equilibrium(small_synthetic(policies="all"))
    frame, sectors = result.table("outcomes"), result.table("sectors")
    for name in [name for name in map(str, frame) if f"{name}_initial" in frame]:
        assert frame[name].tolist() == pytest.approx(frame[f"{name}_initial"].tolist(), rel=1e-9), name
    assert sectors["output_change_pct"].abs().max() < 1e-8


def test_volumes_are_values_over_prices(result: dlopt.SolveResult) -> None:
    sectors = result.table("sectors")
    cost = result.model.unit_cost(result.state).exp().flatten().numpy()
    volume = sectors["output"] / sectors["output_initial"] / cost
    assert sectors["output_change_pct"].tolist() == pytest.approx((100 * (volume - 1)).tolist(), abs=1e-9)
    assert sectors.groupby("economy")["employment_share"].sum().tolist() == pytest.approx([1.0] * 3, rel=1e-9)
