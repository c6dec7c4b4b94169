"""Solutions known on paper."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import closed_economy, one_sector_two_countries, small_synthetic

from dlopt import (
    Bounds,
    Calibration,
    InstrumentChoice,
    Policy,
    SolveResult,
    solve_equilibrium,
    solve_nash,
    solve_unilateral,
)

TARIFFS = InstrumentChoice(tariff="by_sector")
WIDE = Bounds(tariff=(-0.5, 9.0))


def foreign_home_share(result: SolveResult, foreign: int) -> float:
    """Share of the foreign country's spending that stays at home, net of its own tariff on imports."""
    flows = result.model.flows(result.state, result.wedges)[:, foreign, 0]
    net = flows / (1 + result.policy.tariff[:, foreign, 0])
    return float(net[foreign] / net.sum())


@pytest.mark.parametrize("theta", [1.5, 4.0, 9.0])
@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1.0, 6.0), (5.0, 1.0)])
def test_one_sector_optimal_tariff(theta: float, sizes: tuple[float, float]) -> None:
    """t = 1/(theta l_FF) at the resulting equilibrium: exact, up to the residuals reached (1e-11 and less)."""
    world = one_sector_two_countries(theta=theta, sizes=sizes, imports=0.3, tariffs=(0.0, 0.1))
    result = solve_unilateral(world, "Home", instruments=TARIFFS, bounds=WIDE)
    assert result.status == "converged"
    rate = float(result.policy.tariff[1, 0, 0])
    assert rate == pytest.approx(1 / (theta * foreign_home_share(result, 1)), abs=1e-9)
    assert float(result.policy.tariff[0, 1, 0]) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize("theta", [1.5, 4.0, 9.0])
@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1.0, 6.0)])
def test_one_sector_nash_tariffs(theta: float, sizes: tuple[float, float]) -> None:
    world = one_sector_two_countries(theta=theta, sizes=sizes, imports=0.3, tariffs=(0.05, 0.1))
    result = solve_nash(world, instruments=TARIFFS, bounds=WIDE)
    assert result.status == "converged"
    for home, foreign in ((0, 1), (1, 0)):
        rate = float(result.policy.tariff[foreign, home, 0])
        assert rate == pytest.approx(1 / (theta * foreign_home_share(result, foreign)), abs=1e-9)


def test_one_sector_tariff_is_the_same_in_both_accountings_and_from_any_start() -> None:
    world = one_sector_two_countries(theta=3.0, imports=0.3, tariffs=(0.2, 0.1))
    rates = [
        float(solve_unilateral(world, "Home", instruments=TARIFFS, bounds=WIDE, **options).policy.tariff[1, 0, 0])  # type: ignore[arg-type]
        for options in ({}, {"accounting": "paper"}, {"init": "random", "seed": 4}, {"psi_scale": 0.0})
    ]
    assert rates == pytest.approx([rates[0]] * 4, abs=1e-9)


def test_small_open_economy() -> None:
    """As Home shrinks, Foreign buys everything from itself and the optimal tariff tends to 1/theta: the distance is
    `1/(theta l_FF) - 1/theta`, proportional to the size of Home."""
    theta, distances = 4.0, []
    for size in (1e-2, 1e-3, 1e-4):
        world = one_sector_two_countries(theta=theta, sizes=(size, 1.0), imports=0.3 * size)
        result = solve_unilateral(world, "Home", instruments=TARIFFS, bounds=WIDE)
        assert result.status == "converged"
        distances.append(float(result.policy.tariff[1, 0, 0]) - 1 / theta)
    assert distances == pytest.approx([distances[0], distances[0] / 10, distances[0] / 100], rel=0.01)
    assert 0 < distances[2] < 2e-5


@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_closed_economy_subsidises_returns_to_scale(accounting: str) -> None:
    """With fixed expenditure shares, 1 - s_j is proportional to 1/(1+psi_j) at the optimum.

    Only relative subsidies matter (labour is fixed): one direction is exactly flat, and the proportion is checked.
    """
    psi = (0.3, 0.1, 0.0)
    world = closed_economy(psi=psi)
    result = solve_unilateral(
        world, "Only", instruments=InstrumentChoice(subsidy="by_sector"), bounds=Bounds(subsidy=(-2.0, 0.8)),
        accounting=accounting,
    )  # fmt: skip
    kept = (1 - result.policy.subsidy[0]) * (1 + torch.tensor(psi, dtype=torch.float64))
    assert result.certificate.first_order_residual is not None
    assert result.certificate.first_order_residual <= 1e-8
    # Curvature is of order psi/10: a residual of 1e-8 leaves up to 1e-6 in the rates.
    assert float(kept.max() / kept.min()) - 1 < 1e-6
    assert result.certificate.flat_directions == 1
    assert result.status == "converged"


def test_closed_economy_with_the_flat_direction_held() -> None:
    """The sector without returns to scale held at no subsidy: s_j = psi_j/(1+psi_j), and employment L_j in proportion
    to alpha_j (1+psi_j)."""
    world = dataclasses.replace(closed_economy(psi=(0.3, 0.1, 0.0)), tradable=torch.tensor([True, True, False]))
    result = solve_unilateral(world, "Only", instruments=InstrumentChoice(subsidy="by_sector"))
    assert result.status == "converged"
    assert result.policy.subsidy[0].tolist() == pytest.approx([0.3 / 1.3, 0.1 / 1.1, 0.0], abs=1e-8)
    labour = result.model.labour_share[0] * result.state.labour[0].exp()
    assert world.final_share is not None
    wanted = world.final_share[0] * (1 + world.psi)
    assert torch.allclose(labour, wanted / wanted.sum(), rtol=0, atol=1e-8)


def nearly_closed(world: Calibration, imports: float) -> SolveResult:
    """The world under one tariff, so high that what is imported is about the share `imports` of spending.

    (At no trade at all relative wages are undetermined.)
    """
    rate = imports ** (-1 / float(world.theta.min()))
    abroad = (1 - torch.eye(world.n_economies, dtype=torch.float64))[:, :, None]
    result = solve_equilibrium(world, Policy(rate * abroad + world.tariff * 0, world.export_tax, world.subsidy))
    assert result.status == "converged"
    return result


def import_share(result: SolveResult) -> float:
    """Largest share of spending that goes abroad, over countries and sectors."""
    flows = result.model.flows(result.state, result.wedges)
    return float((1 - flows.diagonal().T / flows.sum(0)).max())


def with_inputs(world: Calibration, beta: float) -> Calibration:
    """The one-sector world with its good as input."""
    return dataclasses.replace(
        world,
        value_added_share=torch.full_like(world.value_added_share, beta),
        input_share=torch.ones_like(world.input_share),
    )


@pytest.mark.parametrize(("theta", "beta"), [(1.5, 1.0), (4.0, 1.0), (9.0, 1.0), (4.0, 0.4)])
def test_gains_from_trade_one_sector(theta: float, beta: float) -> None:
    """Autarky multiplies real income by lambda_nn^(1/(theta beta)).

    With imports of the share m left, tariff revenue and their gains are at most of order m each: twice m covers both.
    """
    world = with_inputs(one_sector_two_countries(theta=theta, sizes=(1.0, 2.5), imports=0.3), beta)
    result = nearly_closed(world, 1e-6)
    wanted = torch.diagonal(result.model.lam[:, :, 0]) ** (1 / (theta * beta))
    left = import_share(result)
    assert left < 1e-5
    assert torch.allclose(result.model.log_welfare(result.u).exp(), wanted, rtol=2 * left / beta, atol=0)


def test_gains_from_trade_many_sectors() -> None:
    """Without intermediates: the product over sectors of lambda_nn^(alpha/theta)."""
    world = small_synthetic(3, 3, 5, scale_economies=False, intermediates=False, policies="none")
    result = nearly_closed(world, 1e-6)
    model, left = result.model, import_share(result)
    wanted = (torch.diagonal(model.lam).T ** (model.alpha / model.theta)).prod(1)
    assert left < 1e-5
    assert torch.allclose(model.log_welfare(result.u).exp(), wanted, rtol=2 * left, atol=0)


def test_welfare_is_home_share_and_revenue_at_any_tariff() -> None:
    """One sector, exact far from autarky too: W^ = (lambda'/lambda)^(-1/theta) times the change of income over wage."""
    theta = 4.0
    world = one_sector_two_countries(theta=theta, sizes=(1.0, 2.5), imports=0.3, tariffs=(0.1, 0.05))
    tariff = torch.tensor([[0.0, 0.6], [0.3, 0.0]], dtype=torch.float64)[:, :, None]
    result = solve_equilibrium(world, Policy(tariff, world.export_tax, world.subsidy))
    flows = result.model.flows(result.state, result.wedges)[:, :, 0]
    home = flows.diagonal() / flows.sum(0) / torch.diagonal(result.model.lam[:, :, 0])
    earned = (result.state.income - result.state.wage).exp()
    # Logs solved to 1e-11.
    assert torch.allclose(result.model.log_welfare(result.u).exp(), home ** (-1 / theta) * earned, rtol=1e-10, atol=0)
