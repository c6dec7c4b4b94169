"""Every switch at its neutral value leaves equilibria and optimal policies as they are without it, to 1e-12."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from economies import small_synthetic

from dlopt import Calibration, InstrumentChoice, Policy, solve_equilibrium, solve_unilateral
from dlopt.trade.carbon import Carbon
from dlopt.trade.instruments import Bounds
from dlopt.trade.results import SolveResult
from dlopt.trade.shocks import Shock

TARIFFS = InstrumentChoice(tariff="by_sector")


def balanced() -> Calibration:
    """A world whose trade is balanced already, so that any rule for deficits has nothing to move."""
    return solve_equilibrium(small_synthetic(2, 2)).calibration


WORLD = balanced()
PLAYER = WORLD.economies[0]
ONES = torch.ones(WORLD.n_economies, WORLD.n_sectors, dtype=torch.float64)
NOTHING = torch.zeros(WORLD.n_economies, dtype=torch.float64)
CASES: dict[str, dict[str, Any]] = {
    "constant deficits": {"deficits": "constant"},
    "deficits a share of world income": {"deficits": "share"},
    "deficits proportional to income": {"deficits": "proportional"},
    "labour that does not react": {"labour_supply": 0.0},
    "revenue, where labour is fixed": {"revenue": "income_tax"},
    "no shock": {"shocks": Shock()},
    "costs, productivity and labour times one": {
        "shocks": Shock(cost=torch.ones_like(WORLD.trade), productivity=ONES, labour=ONES[:, 0])
    },
    "political weights of one": {"political_weights": ONES},
    "emissions without damages and without a price": {"carbon": Carbon(ONES, damages=NOTHING, tax=0 * ONES)},
    "elasticities times one": {"psi_scale": 1.0},
}
OF_PLAYERS: dict[str, dict[str, Any]] = {
    "instruments of every player the same": {"instruments": dict.fromkeys(WORLD.economies, TARIFFS)},
    "bounds of every player the same": {"bounds": dict.fromkeys(WORLD.economies, Bounds())},
}


def same(result: SolveResult, plain: SolveResult) -> None:
    assert result.status == plain.status == "converged"
    assert float((result.u - plain.u).abs().max()) <= 1e-12
    assert float((result.policy.tariff - plain.policy.tariff).abs().max()) <= 1e-12
    assert float((result.real_income_change_pct - plain.real_income_change_pct).abs().max()) <= 1e-10  # per cent


@pytest.fixture(scope="module")
def plain() -> tuple[SolveResult, SolveResult]:
    given = Policy(WORLD.tariff * 3, WORLD.export_tax, WORLD.subsidy)
    return solve_equilibrium(WORLD, given), solve_unilateral(WORLD, PLAYER, instruments=TARIFFS)


@pytest.mark.parametrize("case", CASES)
def test_given_and_optimal_policies_do_the_same(case: str, plain: tuple[SolveResult, SolveResult]) -> None:
    given, best = plain
    same(solve_equilibrium(WORLD, given.policy, **CASES[case]), given)
    same(solve_unilateral(WORLD, PLAYER, instruments=TARIFFS, **CASES[case]), best)


@pytest.mark.parametrize("case", OF_PLAYERS)
def test_what_all_players_share_may_be_said_of_each(case: str, plain: tuple[SolveResult, SolveResult]) -> None:
    same(solve_unilateral(WORLD, PLAYER, **{"instruments": TARIFFS, **OF_PLAYERS[case]}), plain[1])


def test_the_checks_here_can_fail(plain: tuple[SolveResult, SolveResult]) -> None:
    given, _ = plain
    more = dataclasses.replace(WORLD, theta=WORLD.theta * (1 + 1e-9))
    with pytest.raises(AssertionError):
        same(solve_equilibrium(more, given.policy), given)
