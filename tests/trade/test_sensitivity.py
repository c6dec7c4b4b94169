"""Derivatives of solved worlds with respect to all they depend on equal those of solving them again."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic
from torch import Tensor

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
from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.game import Monitor
from dlopt.framework.joint import JointNewton, joint_newton
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import responses
from dlopt.framework.response_by_products import responses_by_products
from dlopt.trade.api import build_model
from dlopt.trade.average_rates import average_slopes
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.model import State
from dlopt.trade.parameters import KINDS_OF_PARAMETERS, Parameter, moved, parameters_of, parameters_of_result, shaken
from dlopt.trade.rates import INSTRUMENTS, KINDS
from dlopt.trade.sensitivity import OUTCOMES, Players, SensitivityError, sensitivities
from dlopt.trade.shocks import Shock, shocked

TARIFFS = InstrumentChoice(tariff="by_sector")
DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
TIGHT = Bounds(tariff=(-0.5, 0.2), subsidy=(-0.1, 0.1))
"""Some rates want to go further."""


def higher(world: Calibration) -> Policy:
    """A policy that leaves some rates at the baseline."""
    tariff = world.tariff.clone()
    tariff[1:, 0] += 0.2
    return Policy(tariff, world.export_tax, world.subsidy)


@cache
def solved(verb: str, accounting: Any) -> SolveResult:
    world = small_synthetic(2, 3)
    given: dict[str, Any] = {"accounting": accounting, "bounds": TIGHT}
    if verb == "equilibrium":
        return solve_equilibrium(world, higher(world), accounting=accounting)
    if verb == "unilateral":
        return solve_unilateral(world, world.economies[0], instruments=DUAL, **given)
    if verb == "planner":
        return solve_cooperative(world, instruments=DUAL, **given)
    return solve_nash(world, instruments=TARIFFS if verb == "trade_war" else DUAL, **given)


def again(result: SolveResult, parameter: Parameter, amount: float) -> tuple[Tensor, Tensor, bool]:
    """Outcomes and log rates of the whole problem solved again, and whether a new set of instruments is held."""
    model = build_model(moved(result.model.given, parameter, amount), result.model.accounting)
    model = shaken(model, parameter, amount)
    if result.instruments is None:
        wedges = tuple(
            torch.where(new == old, w0, new)
            for new, old, w0 in zip(result.wedges, result.model.wedges0, model.wedges0, strict=True)
        )
        found = find_equilibrium(model, wedges, result.u)  # type: ignore[arg-type]
        return outcomes(model, found.u, found.wedges), torch.zeros(0), False
    instruments, goal = result.instruments, result.goal
    a = instruments.average(result.wedges)
    if parameter.kind == "bound":
        number, side = parameter.where
        kind = INSTRUMENTS[number]
        limits = [instruments.lower.clone(), instruments.upper.clone()]
        at = instruments.kind == number
        limits[side][at] = kind.wedge(kind.rate(limits[side]) + amount)[at]
        held = a == (instruments.lower, instruments.upper)[side]
        a = torch.where(held & at, limits[side], a)
        instruments = dataclasses.replace(instruments, lower=limits[0], upper=limits[1])
    if parameter.kind == "weight":
        goal = goal.with_more_weight(model, parameter.where[0], amount)
    game = TradeGame(model, instruments, goal.at(model))
    start = game.point(a)
    assert start is not None
    if game.players == 1:
        answer = maximise(game, 0, start, AscentOptions(tolerance=1e-12, step_tolerance=1e-10))
        outcome, found_at = answer.outcome, answer.point
    else:
        step = joint_newton(game, start, JointNewton(tolerance=1e-10, step_tolerance=1e-10), Monitor())
        assert step.outcome is not None
        outcome, found_at = step.outcome, step.point
    assert outcome is Outcome.CONVERGED
    assert isinstance(found_at, TradePoint)
    point_at = found_at.equilibrium
    bound = (found_at.a <= instruments.lower) | (found_at.a >= instruments.upper)
    before = result.instruments.average(result.wedges)
    held = (before <= result.instruments.lower) | (before >= result.instruments.upper)
    return outcomes(model, point_at.u, point_at.wedges), found_at.a, bool((bound != held).any())


def outcomes(model: Any, u: Tensor, wedges: Any) -> Tensor:
    """Written down again: real income, wage, income, prices, exports and imports before tariffs, in per cent."""
    state = State.of(u, model.n, model.j)
    prices = (model.alpha * state.price).sum(1)
    rows = [state.income - prices, state.wage, state.income, prices]
    flows, before = (
        (x / t.exp()).sum(2)
        for x, t in ((model.flows(state, wedges), wedges[0]), (model.calibration.trade, model.wedges0[0]))
    )
    flows, before = flows - flows.diag().diag(), before - before.diag().diag()
    trade = [(flows.sum(k) / before.sum(k)).log() for k in (1, 0)]
    return 100 * torch.stack([*rows, *trade]).expm1()


@pytest.mark.parametrize("accounting", ["standard", "paper"])
@pytest.mark.parametrize("verb", ["equilibrium", "unilateral", "trade_war", "dual", "planner"])
def test_derivatives_equal_differences_of_solving_again(verb: str, accounting: str) -> None:
    """Every kind of parameter there is, one or two of each."""
    result = solved(verb, accounting)
    assert result.status == "converged"
    parameters: list[Parameter] = []
    for kind in KINDS_OF_PARAMETERS:
        own = parameters_of_result(result, [kind])
        assert own or kind in ("weight", "bound", "political_weight")
        parameters += own[1:2] + own[-1:]
    kinds = {p.kind for p in parameters}
    assert ("weight" in kinds) == (verb == "planner")
    assert ("bound" in kinds) == ("political_weight" in kinds) == (verb != "equilibrium")
    found = sensitivities(result, parameters)
    for k, parameter in enumerate(parameters):
        if verb == "equilibrium" and parameter.kind == "tariff" and parameter.where[1] == 0:
            continue  # of a cell the policy sets: see below
        step = parameter.step
        ends = {times: again(result, parameter, times * step) for times in (2, 1, -1, -2)}
        assert not any(left for _, _, left in ends.values())
        slope, rates = (
            (8 * (ends[1][k] - ends[-1][k]) - (ends[2][k] - ends[-2][k])) / (12 * step)  # of fourth order
            for k in (0, 1)
        )
        limit = 1e-5 * float(slope.abs().max()) + 1e-9
        assert found.outcomes[:, :, k] == pytest.approx(slope.numpy(), rel=1e-5, abs=limit), parameter.label
        if len(rates):
            limit = 1e-5 * float(rates.abs().max()) + 1e-9
            assert found.instruments[:, k] == pytest.approx(rates.numpy(), rel=1e-5, abs=limit), parameter.label


def test_a_whole_nash_game_solved_again_with_its_certificate() -> None:
    world = small_synthetic(2, 3)
    result = solve_nash(world, instruments=DUAL)
    parameter = parameters_of(world, ["theta"])[1]
    ends = [solve_nash(moved(world, parameter, s * 3 * parameter.step), instruments=DUAL) for s in (1, -1)]
    assert {end.status for end in ends} == {"converged"}
    slope = (ends[0].real_income_change_pct - ends[1].real_income_change_pct) / (6 * parameter.step)
    found = sensitivities(result, [parameter]).welfare[:, 0]
    assert found == pytest.approx(slope.numpy(), rel=1e-5)


@pytest.mark.parametrize("kind", ["cost", "productivity"])
def test_a_shock_as_a_parameter_is_a_world_after_a_shock(kind: str) -> None:
    """Real incomes multiply: what the shock does, and what the game in the world after it does."""
    world, size = small_synthetic(2, 3), 0.02
    parameter = parameters_of(world, [kind])[1]
    table = torch.ones_like(world.trade if kind == "cost" else world.trade.sum(1))
    table[parameter.where] = math.exp(size)
    after = shocked(world, Shock(**{kind: table}))
    game = solve_equilibrium(after.world, higher(after.world))
    by_parts = (1 + after.real_income_change_pct / 100) * (1 + game.real_income_change_pct / 100)
    at_once, _, _ = again(solve_equilibrium(world, higher(world)), parameter, size)
    assert 1 + at_once[0] / 100 == pytest.approx(by_parts.numpy(), abs=1e-9)


def test_rates_nobody_chose_go_with_the_baseline_and_set_ones_stay() -> None:
    result = solved("equilibrium", "standard")
    everything = {p.where: p for p in parameters_of(result.model.given, ["tariff"])}
    kept, set_ = everything[0, 1, 0], everything[1, 0, 0]
    found = sensitivities(result, [kept, set_]).welfare

    def welfare(parameter: Parameter, amount: float) -> Tensor:
        """The policy of `higher` before the change: rates it sets stay where it set them."""
        world = moved(result.model.given, parameter, amount)
        before = higher(result.model.given).tariff
        tariff = torch.where(before == result.model.given.tariff, world.tariff, before)
        return solve_equilibrium(world, Policy(tariff, world.export_tax, world.subsidy)).real_income_change_pct

    for k, parameter in enumerate((kept, set_)):
        slope = (welfare(parameter, 2e-5) - welfare(parameter, -2e-5)) / 4e-5
        assert found[:, k] == pytest.approx(slope.numpy(), abs=1e-5 * float(slope.abs().max()))


def test_what_a_bound_holds_stays_and_moves_with_the_bound_alone() -> None:
    result = solved("dual", "standard")
    assert result.certificate.at_bound
    assert result.instruments is not None
    found = result.sensitivity(["theta", "bound"])
    a = result.instruments.average(result.wedges)
    held = (a >= result.instruments.upper) | (a <= result.instruments.lower)
    assert bool(held.any())
    of_data = torch.tensor([p.kind == "theta" for p in found.parameters])
    assert not found.instruments[held][:, of_data].any()
    assert bool((found.instruments[held][:, ~of_data].abs().amax(1) > 0.5).all())


def test_flat_directions_are_counted_and_held_still() -> None:
    """Where every sector of a country without intermediates may be subsidised, the level of its subsidies is a wage."""
    none = torch.zeros((2, 2, 2), dtype=torch.float64)
    world = dataclasses.replace(small_synthetic(2, 2), value_added_share=none[0] + 1, input_share=none)
    result = solve_unilateral(
        world, world.economies[0], instruments=InstrumentChoice("by_sector", "by_sector", "by_sector")
    )
    assert result.status == "converged"
    found = result.sensitivity("theta")
    assert found.flat == result.certificate.flat_directions
    assert found.flat
    assert bool(found.instruments.isfinite().all())
    assert float(found.instruments.abs().max()) < 10


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


def test_tables_hold_every_outcome() -> None:
    found = solved("trade_war", "standard").sensitivity("theta")
    table = found.outcome_table()
    assert list(table["outcome"].unique()) == list(OUTCOMES)
    assert len(table) == len(OUTCOMES) * 2 * len(found.parameters)
    assert found.table()["derivative"].to_numpy() == pytest.approx(found.welfare.T.flatten().numpy())


def test_only_converged_results_of_one_objective_each_have_derivatives() -> None:
    world = small_synthetic(2, 3)
    result = solve_nash(world, instruments=TARIFFS, on_iteration=lambda step: True)
    with pytest.raises(SensitivityError, match="interrupted"):
        sensitivities(result, parameters_of(world))
    guarded = dataclasses.replace(
        solved("planner", "standard"), goal=dataclasses.replace(solved("planner", "standard").goal, name="other")
    )
    with pytest.raises(SensitivityError, match="without losers"):
        guarded.sensitivity()


@pytest.mark.parametrize("verb", ["trade_war", "dual", "planner"])
def test_responses_by_products_equal_those_by_factors(verb: str) -> None:
    """Also where instruments are held, and move with their bound."""
    result = solved(verb, "standard")
    players = Players(result)
    here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
    point = players.point(result.model, here)
    by_factors = responses(point.game, point)
    by_products = responses_by_products(point.game.large, point.game.large.of(point))
    assert torch.equal(by_factors.free, by_products.free)
    slopes = torch.randn((len(point.a), 3), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bounds = parameters_of_result(result, ["bound", "bound", "bound"])[:3]
    held = players.held(by_factors, bounds)
    for move in (None, held):
        wanted = by_factors.to(slopes, move)
        assert by_products.to(slopes, move) == pytest.approx(wanted.numpy(), abs=1e-6 * float(wanted.abs().max()))


def test_average_rates_move_as_their_rates_do() -> None:
    found = solved("dual", "standard").sensitivity("theta")
    averages = average_slopes(found)
    result = found.result
    assert result.instruments is not None
    per_log = {"tariff": 1.0, "subsidy": -1.0}
    rates = result.instruments.rates(result.instruments.average(result.wedges))
    for row in averages.to_dict("records"):
        player = list(result.calibration.economies).index(row["player"])
        mine = (result.instruments.owner == player) & (result.instruments.kind == KINDS.index(row["instrument"]))
        k = [p.label for p in found.parameters].index(row["parameter"])
        slopes = found.instruments[mine, k] * (1 + per_log[row["instrument"]] * rates[mine])
        assert row["derivative"] == pytest.approx(100 * float(slopes.mean()))
        assert row["rate_pct"] == pytest.approx(100 * float(rates[mine].mean()))


def test_parameters_have_names_in_words() -> None:
    world = small_synthetic(2, 3)
    kinds = ["theta", "cost", "input_share", "tariff", "subsidy", "trade", "final_share", "productivity"]
    names = {p.label: p.named(world) for p in parameters_of(world, kinds)}
    assert names["theta[2]"] == "theta of Sector 2"
    assert names["cost[E1,E2,3]"] == "cost of Sector 3 from E1 to E2"
    assert names["tariff[E1,E2,3]"] == "baseline tariff of E2 on Sector 3 from E1"
    assert len(set(names.values())) == len(names)
