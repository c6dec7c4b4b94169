"""Policies under uncertainty: closed forms, brute force, and what knowing more would bring."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic
from scipy.optimize import brentq

from dlopt import Calibration, InstrumentChoice, Policy, UnknownNameError, solve_equilibrium, solve_unilateral
from dlopt.trade.robust import SHARPNESS, RobustError, RobustPolicy, solve_robust

TARIFF = InstrumentChoice(tariff="by_sector")


def two_worlds() -> list[Calibration]:
    world = one_sector_two_countries(theta=4.0)
    return [world, dataclasses.replace(world, theta=torch.tensor([2.0], dtype=torch.float64))]


def rate(found: RobustPolicy) -> float:
    return float(found.policy.tariff[1, 0, 0])


def gain(world: Calibration, tariff: float) -> float:
    """Real income of Home under a tariff, from solving the equilibrium alone."""
    rates = world.tariff.clone()
    rates[1, 0, 0] = tariff
    return float(solve_equilibrium(world, Policy(rates, world.export_tax, world.subsidy)).real_income_change_pct[0])


def test_expected_welfare_lies_between_the_two_best_tariffs_and_beats_every_grid_point() -> None:
    worlds = two_worlds()
    best = [solve_unilateral(world, "Home", instruments=TARIFF) for world in worlds]
    low, high = (float(result.policy.tariff[1, 0, 0]) for result in best)
    found = solve_robust(worlds, "Home", instruments=TARIFF, probabilities=(0.3, 0.7))
    assert found.status == "converged"
    assert low < rate(found) < high
    mean = 0.3 * gain(worlds[0], rate(found)) + 0.7 * gain(worlds[1], rate(found))
    assert mean == pytest.approx(float(found.probabilities @ found.gains), abs=1e-8)
    for step in (-0.01, -0.001, 0.001, 0.01):
        assert 0.3 * gain(worlds[0], rate(found) + step) + 0.7 * gain(worlds[1], rate(found) + step) < mean
    assert found.best == pytest.approx(
        torch.tensor([float(r.real_income_change_pct[0]) for r in best]).numpy(), abs=1e-6
    )
    assert found.value_of_information > 0
    assert found.loss_from_the_point_estimate > 0


def test_a_small_economy_and_two_worlds_in_closed_form() -> None:
    """Its expected-welfare tariff is a mean of the two optimal tariffs, 1 / theta.

    Foreign prices are given and exports are `x w^-theta`, so that `P dW = (t - 1/theta) dM` (terms of trade and tariff
    revenue): the first-order condition `sum pi (t - 1/theta) M' / P = 0` weighs both by how much imports react.
    """
    share, thetas, chances = 0.3, (4.0, 2.0), (0.4, 0.6)
    world = one_sector_two_countries(theta=thetas[0], sizes=(1e-5, 1.0), imports=share * 1e-5)
    other = dataclasses.replace(world, theta=torch.tensor([thetas[1]], dtype=torch.float64))
    found = solve_robust([world, other], "Home", instruments=TARIFF, probabilities=chances)

    def trade(tariff: float, theta: float) -> tuple[float, float]:
        """Imports at the border, and the price of consumption."""

        def spent(wage: float) -> tuple[float, float, float]:
            exports = share * wage**-theta
            index = (1 - share) * wage**-theta + share * (1 + tariff) ** -theta
            wanted = share * (1 + tariff) ** -theta / index * (wage + tariff * exports) / (1 + tariff)
            return wanted - exports, exports, index ** (-1 / theta)

        wage = brentq(lambda w: spent(w)[0], 0.5, 2.0, xtol=1e-15)
        return spent(wage)[1:]

    def wanted(tariff: float) -> float:
        weights = []
        for chance, theta in zip(chances, thetas, strict=True):
            slope = (trade(tariff + 1e-5, theta)[0] - trade(tariff - 1e-5, theta)[0]) / 2e-5
            weights.append(-chance * slope / trade(tariff, theta)[1])
        return sum(w / theta for w, theta in zip(weights, thetas, strict=True)) / sum(weights)

    closed = brentq(lambda t: t - wanted(t), 1 / thetas[0], 1 / thetas[1], xtol=1e-12)
    assert found.status == "converged"
    assert 1 / thetas[0] < closed < 1 / thetas[1]
    assert rate(found) == pytest.approx(closed, rel=1e-4)


def test_one_certain_world_is_the_unilateral_optimum() -> None:
    world = small_synthetic(3, 2)
    alone = solve_unilateral(world, world.economies[0], instruments=TARIFF)
    found = solve_robust([world, world], world.economies[0], instruments=TARIFF)
    assert found.policy.tariff == pytest.approx(alone.policy.tariff.numpy(), abs=1e-7)
    assert found.value_of_information == pytest.approx(0.0, abs=1e-8)
    assert found.loss_from_the_point_estimate == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("criterion", ["minimax", "regret"])
def test_the_worst_case_equals_brute_force_on_a_grid(criterion: str) -> None:
    worlds = two_worlds()
    found = solve_robust(worlds, "Home", instruments=TARIFF, criterion=criterion)  # type: ignore[arg-type]
    shift = found.best if criterion == "regret" else torch.zeros(2, dtype=torch.float64)

    def worst(tariff: float) -> float:
        return min(gain(world, tariff) - float(level) for world, level in zip(worlds, shift, strict=True))

    here = worst(rate(found))
    grid = [0.05 * k for k in range(1, 17)] + [rate(found) + step for step in (-2e-3, -5e-4, 5e-4, 2e-3)]
    assert max(worst(tariff) for tariff in grid) <= here + 100 * math.log(2) / SHARPNESS[-1] + 1e-6


def test_bad_questions_are_refused() -> None:
    worlds = two_worlds()
    with pytest.raises(UnknownNameError, match="expected"):
        solve_robust(worlds, "Home", instruments=TARIFF, criterion="mean")  # type: ignore[arg-type]
    with pytest.raises(RobustError, match="summing to 1"):
        solve_robust(worlds, "Home", instruments=TARIFF, probabilities=(0.3, 0.3))
    with pytest.raises(RobustError, match="at least one"):
        solve_robust([], "Home", instruments=TARIFF)
    with pytest.raises(RobustError, match="different economies"):
        solve_robust([worlds[0], small_synthetic(3, 2)], "Home", instruments=TARIFF)
