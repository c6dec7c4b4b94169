"""Derivatives of solved worlds with respect to their data equal those of solving them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

from dlopt import (
    Bounds,
    Calibration,
    InstrumentChoice,
    Policy,
    SolveResult,
    solve_cooperative,
    solve_equilibrium,
    solve_nash,
    solve_unilateral,
)
from dlopt.trade.game import Objective
from dlopt.trade.model import TradeModel
from dlopt.trade.parameters import TABLES, Parameter, moved, parameters_of
from dlopt.trade.planner import planner_weights, weighted_welfare
from dlopt.trade.sensitivity import SensitivityError, sensitivities

CHOICE = InstrumentChoice(tariff="by_sector", subsidy="by_sector")


def planned(model: TradeModel) -> Objective:
    return weighted_welfare(planner_weights(model, "income"))


def higher(world: Calibration) -> Policy:
    """A policy that leaves some rates at the baseline."""
    tariff = world.tariff.clone()
    tariff[1:, 0] += 0.2
    return Policy(tariff, world.export_tax, world.subsidy)


SOLVES: dict[str, Callable[..., SolveResult]] = {
    "equilibrium": lambda world, **given: solve_equilibrium(world, higher(world), **given),
    "unilateral": lambda world, **given: solve_unilateral(world, world.economies[0], instruments=CHOICE, **given),
    "nash": lambda world, **given: solve_nash(world, instruments=CHOICE, **given),
    "cooperative": lambda world, **given: solve_cooperative(world, instruments=CHOICE, **given),
}


def one_of_each(world: Calibration) -> list[Parameter]:
    everything = parameters_of(world, list(TABLES))
    return [[p for p in everything if p.kind == kind][2] for kind in TABLES]


def again(solve: Callable[..., SolveResult], world: Calibration, p: Parameter, **given: Any) -> tuple[Any, Any]:
    """Central differences of real incomes and log rates."""
    ends = [solve(moved(world, p, sign * 3 * p.step), **given) for sign in (1, -1)]
    assert {end.status for end in ends} == {"converged"}
    welfare = (ends[0].real_income_change_pct - ends[1].real_income_change_pct) / (6 * p.step)
    instruments = ends[0].instruments
    if instruments is None:
        return welfare, None
    return welfare, (instruments.average(ends[0].wedges) - instruments.average(ends[1].wedges)) / (6 * p.step)


@pytest.mark.parametrize("accounting", ["standard", "paper"])
@pytest.mark.parametrize("verb", ["equilibrium", "unilateral", "nash"])
def test_derivatives_equal_differences_of_solving_again(verb: str, accounting: str) -> None:
    world = small_synthetic(3, 3)
    result = SOLVES[verb](world, accounting=accounting)
    parameters = one_of_each(world)
    found = sensitivities(result, parameters)
    for k, parameter in enumerate(parameters):
        if verb == "equilibrium" and parameter.kind == "tariff":
            continue  # of a cell the policy sets: see below
        welfare, rates = again(SOLVES[verb], world, parameter, accounting=accounting)
        assert found.welfare[:, k] == pytest.approx(welfare.numpy(), rel=1e-5, abs=1e-5 * float(welfare.abs().max()))
        if rates is not None:
            limit = 1e-5 * float(rates.abs().max())
            assert found.instruments[:, k] == pytest.approx(rates.numpy(), rel=1e-5, abs=limit)


def test_a_planner_weighs_by_the_incomes_that_move_too() -> None:
    world = small_synthetic(3, 3)
    result = SOLVES["cooperative"](world)
    parameters = [p for p in one_of_each(world) if p.kind in ("theta", "psi", "trade")]
    found = sensitivities(result, parameters, planned)
    for k, parameter in enumerate(parameters):
        welfare, rates = again(SOLVES["cooperative"], world, parameter)
        assert found.welfare[:, k] == pytest.approx(welfare.numpy(), abs=1e-5 * float(welfare.abs().max()))
        assert found.instruments[:, k] == pytest.approx(rates.numpy(), abs=1e-5 * float(rates.abs().max()))


def test_rates_nobody_chose_go_with_the_baseline_and_set_ones_stay() -> None:
    world = small_synthetic(3, 3)
    result = SOLVES["equilibrium"](world)
    everything = {p.where: p for p in parameters_of(world, ["tariff"])}
    parameter = everything[0, 1, 0]  # a rate the policy leaves at the baseline
    welfare, _ = again(SOLVES["equilibrium"], world, parameter)
    found = sensitivities(result, [parameter]).welfare[:, 0]
    assert found == pytest.approx(welfare.numpy(), abs=1e-5 * float(welfare.abs().max()))


def test_what_a_bound_holds_stays() -> None:
    world, bounds = small_synthetic(3, 3), Bounds(tariff=(0.0, 0.05))
    result = solve_nash(world, instruments=CHOICE, bounds=bounds)
    assert result.certificate.at_bound
    theta = parameters_of(world, ["theta"])
    found = sensitivities(result, theta)
    assert result.instruments is not None
    held = result.instruments.average(result.wedges) >= result.instruments.upper
    assert bool(held.any())
    assert not found.instruments[held].any()
    welfare, _ = again(lambda w, **given: solve_nash(w, instruments=CHOICE, bounds=bounds, **given), world, theta[0])
    assert found.welfare[:, 0] == pytest.approx(welfare.numpy(), abs=1e-5 * float(welfare.abs().max()))


def test_a_small_open_economy_and_the_delta_method() -> None:
    """Its optimal tariff is one over the trade elasticity: the derivative, and the standard error, in closed form."""
    theta = 4.0
    world = one_sector_two_countries(theta=theta, sizes=(1e-4, 1.0), imports=3e-5)
    result = solve_unilateral(world, "Home", instruments=InstrumentChoice(tariff="by_sector"))
    found = sensitivities(result, parameters_of(world, ["theta"]))
    rate = float(result.policy.tariff[1, 0, 0])
    slope = float(found.instruments[0, 0]) * (1 + rate)
    assert rate == pytest.approx(1 / theta, rel=1e-3)
    assert slope == pytest.approx(-1 / theta**2, rel=1e-3)
    _, error = found.standard_errors(torch.tensor([[0.5**2]], dtype=torch.float64))
    assert float(error[0]) * (1 + rate) == pytest.approx(0.5 / theta**2, rel=1e-3)


def test_only_converged_results_have_derivatives() -> None:
    world = small_synthetic(3, 3)
    result = solve_nash(world, instruments=CHOICE, on_iteration=lambda step: True)
    with pytest.raises(SensitivityError, match="interrupted"):
        sensitivities(result, parameters_of(world))
