"""The carbon example: what economics says of its taxes, exactly."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from dlopt_carbon import Parameters
from dlopt_carbon.model import model as carbon

from dlopt.models import ModelResult, solve_cooperative, solve_equilibrium, solve_nash, solve_unilateral
from dlopt.models.game import ModelGame

HARMLESS = Parameters(damage=(0.0, 0.0, 0.0))


def taxes(result: ModelResult) -> list[float]:
    return [value for name, value in result.policy.items() if name.startswith("carbon_tax")]


def outcome(result: ModelResult, name: str) -> list[float]:
    table = result.table("outcomes")
    values: list[float] = table[table["outcome"] == name]["value"].tolist()
    return values


@pytest.mark.parametrize("solve", [solve_nash, solve_cooperative], ids=["nash", "cooperative"])
def test_no_damage_no_tax(solve: object) -> None:
    """Trade taxes do all that a country can want of its partners; none is left to a tax on inputs."""
    result = solve(carbon(HARMLESS))  # type: ignore[operator]
    assert result.status == "converged"
    assert taxes(result) == pytest.approx([0, 0, 0], abs=1e-9)


def test_one_closed_country_taxes_its_marginal_damage() -> None:
    result = solve_nash(carbon(Parameters((2.0,), (3.0,), (4.0,))))
    assert result.status == "converged"
    assert taxes(result) == pytest.approx(outcome(result, "marginal_damage"), abs=1e-9)
    assert taxes(result)[0] > 0.01


def test_a_country_alone_taxes_its_own_marginal_damage() -> None:
    result = solve_unilateral(carbon(Parameters()), "3")
    assert result.status == "converged"
    assert taxes(result)[2] == pytest.approx(outcome(result, "marginal_damage")[2], abs=1e-9)


@pytest.mark.parametrize("weights", ["equal", {"1": 1.0, "2": 2.0, "3": 5.0}], ids=["equal", "by workers"])
def test_the_planners_tax_is_uniform_and_the_sum_of_marginal_damages(weights: object) -> None:
    """Whatever the weights: transfers make money worth the same to the planner everywhere."""
    model = carbon(Parameters())
    result = solve_cooperative(model, weights=weights)  # type: ignore[arg-type]
    assert result.status == "converged"
    assert result.certificate.at_bound == 0
    total = outcome(result, "world_marginal_damage")[0]
    assert total == pytest.approx(sum(outcome(result, "marginal_damage")), abs=1e-12)
    assert taxes(result) == pytest.approx([total] * 3, abs=1e-6)
    assert total > 0.1
    # Nor would any tariff or export tax help: with transfers this is the best there is.
    weight = torch.tensor([[1 / 3] * 3 if weights == "equal" else [1 / 8, 2 / 8, 5 / 8]], dtype=torch.float64)
    everything = torch.arange(len(model.instruments))
    point = ModelGame(model, everything, torch.zeros_like(everything), weight, result.a).point(result.a)
    assert point is not None
    assert float(point.gradient().abs().max()) < 1e-8


def test_alone_countries_tax_too_little_and_trade_too_little() -> None:
    nash, plan = (solve(carbon(Parameters())) for solve in (solve_nash, solve_cooperative))
    assert nash.status == "converged"
    assert all(own < joint for own, joint in zip(taxes(nash), taxes(plan), strict=True))
    assert outcome(plan, "world_emissions")[0] < outcome(nash, "world_emissions")[0]
    assert all(rate > 0.2 for name, rate in nash.policy.items() if name.startswith("tariff"))


def test_markets_clear_and_budgets_hold() -> None:
    """Walras: the labour market that the unit of money replaces clears too; spending is income plus inputs."""
    model = carbon(dataclasses.replace(Parameters(), theta=5.0, iceberg=1.5))
    given = {"carbon_tax_1": 0.3, "tariff_2_1": 0.2, "export_tax_2_3": 0.1, "transfer_3": -0.4}
    found = solve_equilibrium(model, given)
    assert found.status == "converged"
    wage, price, spending = (part.exp() for part in torch.split(found.u, 3))
    inputs = torch.tensor(outcome(found, "emissions"), dtype=torch.float64)
    revenue = inputs * (price + found.a[:3]) / (1 - 2 / 3)
    labour = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    assert torch.allclose(2 / 3 * revenue, wage * labour, rtol=1e-10, atol=0)
    consumption = torch.tensor(outcome(found, "consumption"), dtype=torch.float64)
    assert torch.allclose(price * (consumption + inputs), spending, rtol=1e-10, atol=0)
