"""Policies under uncertainty: closed forms, brute force, and what knowing more would bring."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

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
