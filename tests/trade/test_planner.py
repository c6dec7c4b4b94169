"""The planner: better than every game, without losers when asked, and fair bargains."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from economies import small_synthetic

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.nash import NashResult
from dlopt.framework.outcome import Outcome
from dlopt.trade.api import build_model, solve_cooperative, solve_equilibrium, solve_nash
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds, InstrumentChoice
from dlopt.trade.planner import NoBargainError, ruined_in_words
from dlopt.trade.policy import Policy
from dlopt.trade.results import SolveResult
from dlopt.trade.run import starts_in_words

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector", sectors="all")
TARIFF = InstrumentChoice(tariff="by_sector", sectors="all")


@pytest.fixture(scope="module")
def world() -> Calibration:
    return small_synthetic(policies="tariffs")


def weighted(result: SolveResult, weight: torch.Tensor) -> float:
    return float((weight * result.real_income_change_pct).sum())


def test_the_planner_does_better_than_games_and_free_trade(world: Calibration) -> None:
    planner = solve_cooperative(world, instruments=DUAL)
    weight = planner.model.income / planner.model.income.sum()
    free = Policy(torch.zeros_like(world.tariff), world.export_tax, world.subsidy)
    others = [
        solve_nash(world, instruments=DUAL),
        solve_nash(world, instruments=TARIFF),
        solve_cooperative(world, instruments=TARIFF),
        solve_equilibrium(world, free),
        solve_equilibrium(world),
    ]
    assert planner.status == "converged"
    assert all(result.status == "converged" for result in others)
    assert all(weighted(planner, weight) > weighted(result, weight) + 1e-6 for result in others)


@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_nobody_loses_when_asked(world: Calibration, accounting: str) -> None:
    # A planner who counts one economy three times ruins the others to its profit.
    partial = dict(zip(world.economies, (3.0, 1.0, 1.0), strict=True))
    fair = solve_cooperative(world, instruments=DUAL, weights=partial, no_losers=True, accounting=accounting)
    assert fair.status == "converged"
    gains = fair.real_income_change_pct
    assert float(gains.min()) >= -1e-6
    # The protected ones are held at their baseline, and the favourite has all there is to gain.
    assert float(gains[1:].abs().max()) <= 1e-6
    assert float(gains[0]) > float(solve_cooperative(world, instruments=DUAL).real_income_change_pct[0]) > 0


def test_an_objective_may_be_linear_in_log_welfare(world: Calibration) -> None:
    uniform = InstrumentChoice(tariff="uniform", sectors="all")
    found = solve_cooperative(world, instruments=uniform, objective=lambda log_welfare: log_welfare.sum()[None])
    assert found.status == "converged"


@pytest.mark.parametrize("weights", ["equal", "income"])
def test_equal_weights_say_whom_they_ruin(world: Calibration, weights: str) -> None:
    model = build_model(world)
    u = torch.zeros(model.size, dtype=torch.float64)
    u[model.n + 1] = float(torch.tensor(0.9).log())  # income
    warned = ruined_in_words(model, weights, u)
    assert ("E2 is made to lose 10.0 %" in warned) == (weights == "equal")
    u[model.n + 1] = -0.001
    assert ruined_in_words(model, weights, u) == ""
    uniform = InstrumentChoice(tariff="uniform", sectors="all")
    found = solve_cooperative(world, instruments=uniform, weights=weights)
    ruined = weights == "equal" and float(found.real_income_change_pct.min()) < -1
    assert ("made to lose" in found.message) == ruined


def test_the_best_of_several_starts_is_the_result_and_it_is_said_how_many_agree(world: Calibration) -> None:
    found = solve_cooperative(world, instruments=InstrumentChoice(tariff="uniform", sectors="all"), starts=2)
    assert found.status == "converged"
    assert "2 of 2 starts of the whole search end here." in found.message
    ends = [
        NashResult(Outcome.CONVERGED, cast(Any, SimpleNamespace(objectives=torch.tensor([value]))), None, 1)
        for value in (1.0, 1.05, 1.05 + 1e-9)
    ]
    assert starts_in_words(ends) == "2 of 3 starts of the whole search end here; the first one ended 4.8 % lower."


def test_protection_that_is_not_needed_changes_nothing(world: Calibration) -> None:
    plain = solve_cooperative(world, instruments=DUAL)
    assert float(plain.real_income_change_pct.min()) > 0
    protected = solve_cooperative(world, instruments=DUAL, no_losers=True)
    assert protected.real_income_change_pct.tolist() == pytest.approx(plain.real_income_change_pct.tolist(), abs=1e-7)


def test_a_bargain_maximises_the_product_of_gains(world: Calibration) -> None:
    bargain = solve_cooperative(world, instruments=DUAL, objective="bargain", weights="equal")
    assert bargain.status == "converged"
    gains = bargain.real_income_change_pct
    assert float(gains.min()) > 0
    rivals = [solve_cooperative(world, instruments=DUAL, weights=w) for w in ("income", "equal")]
    for rival in rivals:
        assert float(rival.real_income_change_pct.clamp(min=0).prod()) <= float(gains.prod()) * (1 + 1e-9)


def test_a_bargain_needs_gains_for_all(world: Calibration) -> None:
    # Bounds pin the only instrument where it is: there is nothing to share.
    pinned = Bounds(subsidy=(0.0, 0.0))
    with pytest.raises(NoBargainError, match="every economy gains"):
        solve_cooperative(
            world, instruments=InstrumentChoice(subsidy="uniform"), bounds=pinned, objective="bargain", starts=0
        )


def test_weights_are_checked(world: Calibration) -> None:
    with pytest.raises(UnknownNameError, match="incme"):
        solve_cooperative(world, instruments=TARIFF, weights="incme")
    with pytest.raises(UnknownNameError, match="Atlantis"):
        solve_cooperative(world, instruments=TARIFF, weights={"Atlantis": 1.0})
    with pytest.raises(DloptError, match="negative"):
        solve_cooperative(world, instruments=TARIFF, weights={world.economies[0]: -1.0})
    with pytest.raises(UnknownNameError, match="bargian"):
        solve_cooperative(world, instruments=TARIFF, objective="bargian")


def test_relabelling_permutes_the_plan(world: Calibration) -> None:
    order = [2, 0, 1]
    plan = solve_cooperative(world, instruments=DUAL, starts=0)
    other = solve_cooperative(world.relabelled(order, range(world.n_sectors)), instruments=DUAL, starts=0)
    assert other.real_income_change_pct.tolist() == pytest.approx(plan.real_income_change_pct[order].tolist(), abs=1e-7)
