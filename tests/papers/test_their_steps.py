"""What Lashkaripour and Lugovskyy's own steps end at: flows before balancing, formulas, equations, search in a box."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from economies import without_intermediates

from dlopt.calibrations.importers import ll2023
from dlopt.papers.ll2023.boxed import their_optimum
from dlopt.papers.ll2023.given_policies import GivenPolicies, their_first_best
from dlopt.papers.ll2023.levenberg import solve
from dlopt.papers.ll2023.raw_flows import FlowsError, raw_flows
from dlopt.papers.ll2023.tables import Worlds, gain
from dlopt.papers.ll2023.their_formulas import led
from dlopt.trade.api import build_model, solve_equilibrium, solve_unilateral
from dlopt.trade.balance import balanced
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.policy import Policy
from dlopt.trade.statistics import by_formulas

RealData = Callable[[str], Path]
MU = (0.15, 0.3, 0.0)


def _flows(n: int, free: bool) -> Calibration:
    """Random flows with deficits, 3 sectors; the last has no markup."""
    random = torch.Generator().manual_seed(n)
    size = torch.rand(n, generator=random, dtype=torch.float64) + 0.5
    trade = size[:, None, None] * size[:, None] * torch.rand(n, n, 3, generator=random, dtype=torch.float64) / 5
    tariff = torch.rand(n, n, 3, generator=random, dtype=torch.float64) / 10
    home = torch.arange(n)
    trade[home, home] += 2 * size[:, None]
    tariff[home, home] = 0.0
    world = without_intermediates(trade, tariff, theta=(4.0, 2.0, 6.0), psi=MU if free else (0.0,) * 3)
    if free:
        return world
    return dataclasses.replace(world, subsidy=-torch.tensor(MU, dtype=torch.float64).expand(n, 3).clone())


def test_flows_are_found_from_two_ways_of_balancing_them() -> None:
    free, restricted = _flows(5, True), _flows(5, False)
    found = raw_flows(balanced(free)[0], balanced(restricted)[0])
    torch.testing.assert_close(found, free.trade, rtol=1e-7, atol=0)
    assert float((balanced(free)[0].trade / free.trade - 1).abs().max()) > 0.01


def test_flows_that_are_not_of_one_source_are_refused() -> None:
    free, restricted = balanced(_flows(5, True))[0], balanced(_flows(5, False))[0]
    other = restricted.trade.clone()
    other[0, 1, 0] *= 1.01
    with pytest.raises(FlowsError, match="Import both"):
        raw_flows(free, dataclasses.replace(restricted, trade=other))


def test_least_squares_of_a_valley() -> None:
    """Rosenbrock's function has its zero at (1, 1); with too few steps the method says so."""

    def valley(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        slopes = torch.tensor([[-20 * float(x[0]), 10.0], [-1.0, 0.0]], dtype=torch.float64)
        return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), slopes

    start = torch.tensor([-1.9, 2.0], dtype=torch.float64)
    end = solve(valley, start, 100, 1e-14, 1e-12)
    torch.testing.assert_close(end.x, torch.ones(2, dtype=torch.float64))
    assert end.stopped in ("slope", "step")
    short = solve(valley, start, 2, 1e-14, 1e-12)
    assert (short.stopped, short.steps) == ("steps", 2)
    assert short.residual > end.residual


def test_their_equations_and_ours_have_one_solution() -> None:
    """Where no industry is gone: an independent implementation of the same equilibrium, and derivatives."""
    world = balanced(_flows(3, True))[0]
    equations, one = GivenPolicies(world, world.economies[1]), torch.ones(3, dtype=torch.float64)
    x = torch.linspace(0.8, 1.3, 15, dtype=torch.float64)
    slopes = equations(x)[1]
    step = 1e-6 * torch.eye(15, dtype=torch.float64)
    differences = torch.stack([(equations(x + h)[0] - equations(x - h)[0]) / 2e-6 for h in step], dim=1)
    torch.testing.assert_close(slopes, differences, rtol=1e-6, atol=1e-6)

    theirs = their_first_best(world, world.economies[1], one, one)
    policy = Policy.of(world)
    export, subsidy = policy.export_tax.clone(), policy.subsidy.clone()
    export[1], subsidy[1] = 1 / world.theta, world.psi / (1 + world.psi)
    export[1, 1] = 0.0
    ours = solve_equilibrium(world, Policy(torch.zeros_like(policy.tariff), export, subsidy))
    assert theirs.gone == ()
    assert theirs.gain_pct == pytest.approx(float(ours.real_income_change_pct[1]), abs=1e-6)


def test_in_a_box_that_does_not_bind_the_search_ends_at_the_certified_optimum() -> None:
    world = balanced(_flows(2, True))[0]
    bounds = Bounds(tariff=(-0.25, 1.0), export_tax=(-0.25, 3.0))
    for best, exports in (("second", "by_sector"), ("third", "false")):
        choice = InstrumentChoice(tariff="by_sector", export_tax=exports)
        ours = solve_unilateral(world, world.economies[1], instruments=choice, bounds=bounds)
        theirs = their_optimum(world, best)
        assert theirs.ended
        assert theirs.held == ()
        assert theirs.gain_pct == pytest.approx(float(ours.real_income_change_pct[1]), abs=1e-7)


def test_third_best_by_their_files_is_the_formula_without_supply() -> None:
    world = balanced(_flows(3, False))[0]
    optimum = solve_unilateral(world, world.economies[0], instruments=InstrumentChoice(tariff="by_sector"))
    theirs = led(build_model(world), world.economies[0], "third")
    assert theirs.gain_pct == pytest.approx(by_formulas(optimum, supply=False).formula_pct, abs=1e-7)


@pytest.fixture(scope="module")
def theirs(real_data: RealData) -> tuple[Worlds, dict[str, dict[str, float]]]:
    """The authors' data, and Table 4 in full digits."""
    source = real_data("ll2023")
    with (source / "published_table4.csv").open() as file:
        printed = {row.pop("economy"): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}
    return Worlds(lambda name: ll2023.read(source, name.removeprefix("ll2023_")).calibration), printed


def test_flows_that_are_zero_in_the_data_are_found_as_the_added_million(
    theirs: tuple[Worlds, dict[str, dict[str, float]]],
) -> None:
    flows = theirs[0].raw.trade
    assert float(flows.min()) == pytest.approx(1.0, abs=1e-9)
    assert int(((flows - 1).abs() < 1e-6).sum()) == 156


@pytest.mark.parametrize(("economy", "gone"), [("AUS", False), ("MLT", True)])
def test_their_first_best_in_all_digits(
    theirs: tuple[Worlds, dict[str, dict[str, float]]], economy: str, gone: bool
) -> None:
    """Malta's published number is of a point where it makes nothing in industry 12, though entry pays there."""
    worlds, printed = theirs
    begun = led(build_model(worlds.restricted), economy, "first")
    assert begun.gain_pct == pytest.approx(printed[economy]["restricted_first_best"], abs=1e-10)
    found = their_first_best(worlds.free, economy, begun.wage, begun.income)
    assert found.gain_pct == pytest.approx(printed[economy]["free_first_best"], abs=1e-8)
    assert ((economy, "12") in found.gone) == gone


def test_their_search_and_ours_of_switzerland(theirs: tuple[Worlds, dict[str, dict[str, float]]]) -> None:
    """Second best: the optimum is published. Third best: published is the best with shares of labour in their box."""
    worlds, printed = theirs
    second = gain(worlds, "free_second", "CHE")
    assert second.certified
    assert second.computed == pytest.approx(printed["CHE"]["free_second_best"], abs=1e-7)
    third = their_optimum(balanced(worlds.two("CHE"))[0], "third")
    assert third.ended
    assert third.held == ("15",)
    assert third.gain_pct == pytest.approx(printed["CHE"]["free_third_best"], abs=1e-7)


def test_cyprus_is_printed_before_their_method_was_done(theirs: tuple[Worlds, dict[str, dict[str, float]]]) -> None:
    """In a world of two, from wages of four other economies, 50 steps: 5.832 where the equilibrium brings 5.819."""
    found = gain(theirs[0], "free_first", "CYP")
    assert found.certified
    assert found.theirs == pytest.approx(theirs[1]["CYP"]["free_first_best"], abs=1e-6)
    assert found.computed == pytest.approx(5.8186, abs=1e-4)
