"""Several equilibria: a mirrored world of two countries and two sectors whose branches are known in closed form.

Country 1 makes a share x of its labour's worth in sector A and country 2 the same in sector B; wages are one by
symmetry. With theta psi = k and trade of freeness phi, its sales in both markets give

    x = (r / (r + phi) + phi r / (phi r + 1)) / 2,        log r - log r0 = k (logit x - logit x0),

r the odds of its goods against the other's at home: a quadratic in r for every x, and hence k as a function of x.
"""

from __future__ import annotations

import math

import pytest
import torch
from economies import small_synthetic, without_intermediates
from scipy.optimize import minimize_scalar

from dlopt import Bounds, Calibration, InstrumentChoice, UnknownNameError, solve_equilibrium, solve_nash
from dlopt.framework.continuation import ContinuationOptions, trace
from dlopt.trade.branches import BranchError, branches

PHI, THETA = 0.3, 5.0
COARSE = ContinuationOptions(step=0.05, longest=0.2, points=100, far=5.0)


def odds(x: float) -> float:
    """log r at x."""
    a, b, c = 2 * PHI * (x - 1), (1 + PHI**2) * (2 * x - 1), 2 * PHI * x
    return math.log((-b - math.sqrt(b * b - 4 * a * c)) / (2 * a))


def logit(x: float) -> float:
    return math.log(x / (1 - x))


def strength(x: float, x0: float) -> float:
    """k at which x is an equilibrium, of a baseline x0 that is one for every k."""
    return (odds(x) - odds(x0)) / (logit(x) - logit(x0))


def mirrored(x0: float, k: float = 1.0) -> Calibration:
    r = math.exp(odds(x0))
    home, abroad = r / (r + PHI), PHI * r / (PHI * r + 1)
    trade = torch.zeros((2, 2, 2), dtype=torch.float64)
    trade[0, 0, 0] = trade[1, 1, 1] = home / 2
    trade[1, 0, 0] = trade[0, 1, 1] = (1 - home) / 2
    trade[0, 1, 0] = trade[1, 0, 1] = abroad / 2
    trade[1, 1, 0] = trade[0, 0, 1] = (1 - abroad) / 2
    none = torch.zeros_like(trade)
    return without_intermediates(trade, none, theta=[THETA, THETA], psi=[k / THETA, k / THETA])


def share(z: torch.Tensor, x0: float) -> float:
    """x of country 1 from the reduced unknowns: wages, incomes, labour by sector and country."""
    return x0 * math.exp(float(z[4]))


def test_three_equilibria_are_found_and_are_those_of_the_closed_form() -> None:
    x0 = 0.5
    crossing = (1 + PHI) ** 2 / (4 * PHI)
    k = 0.5 * (1 + crossing)
    result = solve_equilibrium(mirrored(x0, k))
    found = branches(result, "psi", 0.9 / k + 0.1, 1.3 * crossing / k, starts=0, options=COARSE, most=2)
    special = found.specials()
    crossed = special[special["kind"] == "bifurcation"]["factor"] * k
    assert min(abs(crossed - crossing)) < 1e-6
    at_one = found.equilibria()
    expected = [x for x in (_root(k, x0, 1e-6, 0.5 - 1e-3), x0, _root(k, x0, 0.5 + 1e-3, 1 - 1e-6))]
    shares = sorted(
        share(z, x0)
        for branch in found.branches
        for z in _at(found, branch)
        if float((z[:2]).abs().max()) < 1e-6 and abs(float(z[4] - z[7])) < 1e-6
    )
    for x in expected:
        assert min(abs(x - y) for y in shares) < 1e-8
    assert len(at_one) >= 3


def test_a_fold_is_where_the_closed_form_turns() -> None:
    x0 = 0.6
    turn = minimize_scalar(lambda x: -strength(x, x0), bounds=(0.62, 0.999), method="bounded", options={"xatol": 1e-12})
    low = minimize_scalar(lambda x: -strength(x, x0), bounds=(0.01, 0.58), method="bounded", options={"xatol": 1e-12})
    best = max(-turn.fun, -low.fun)
    x_best = turn.x if -turn.fun > -low.fun else low.x
    assert best > strength(x_best + 1e-3, x0)
    assert best > strength(x_best - 1e-3, x0)
    k = 1.02
    result = solve_equilibrium(mirrored(x0, k))
    found = branches(result, "theta", 0.95, 1.2 * best / k, starts=0, options=COARSE, most=2)
    special = found.specials()
    folds = special[special["kind"] == "fold"]["factor"] * k
    assert min(abs(folds - best)) < 1e-6
    crossed = special[special["kind"] == "bifurcation"]["factor"] * k
    assert min(abs(crossed - strength(x0 + 1e-6, x0))) < 1e-5


def test_a_circle_closes_and_folds_twice() -> None:
    class Circle:
        def residual(self, x: torch.Tensor, p: float) -> torch.Tensor:
            return x**2 + p**2 - 1

        def jacobian(self, x: torch.Tensor, p: float) -> torch.Tensor:
            return 2 * x[None]

    found = trace(Circle(), torch.tensor([1.0], dtype=torch.float64), 0.0, -2.0, 2.0)
    assert found.ends[1] == "closed"
    folds = sorted(special.p for special in found.specials if special.kind == "fold")
    assert folds == pytest.approx([-1.0, 1.0], abs=1e-9)
    assert float((found.x[:, 0] ** 2 + found.p**2 - 1).abs().max()) < 1e-10


def test_bad_ranges_are_refused() -> None:
    result = solve_equilibrium(mirrored(0.5, 0.5))
    with pytest.raises(BranchError, match="1 inside"):
        branches(result, "psi", 1.2, 2.0)
    with pytest.raises(UnknownNameError, match="psi"):
        branches(result, "sigma")  # type: ignore[arg-type]
    only = branches(result, "psi", 0.5, 1.5, starts=3, options=COARSE)
    assert len(only.equilibria()) == 1


@pytest.mark.parametrize("along", ["psi", "theta"])
def test_branches_of_a_game_end_where_the_game_is_solved_again(along: str) -> None:
    """Two players, some rates at a bound: real income at both ends of the range is that of a game of its own."""
    world = small_synthetic(2, 3)
    tariffs, bounds = InstrumentChoice(tariff="by_sector"), Bounds(tariff=(0.0, 0.25))
    result = solve_nash(world, instruments=tariffs, bounds=bounds)
    assert result.certificate.at_bound
    found = branches(result, along, 0.9, 1.1, starts=2, policies="chosen")  # type: ignore[arg-type]
    assert found.best == (True,)
    assert found.welfare[0] == pytest.approx(result.real_income_change_pct.numpy(), abs=1e-8)
    table = found.table()
    assert set(table["branch"]) == {0}
    for factor in (0.9, 1.1):
        scaled = world.with_elasticities(**{along: factor * getattr(world, along)})
        again = solve_nash(scaled, instruments=tariffs, bounds=bounds)
        here = table[(table["factor"] - factor).abs() < 1e-12]["real_income_change_pct"].to_numpy()
        assert here == pytest.approx(again.real_income_change_pct.numpy(), abs=1e-7)


def test_games_without_branches_are_refused() -> None:
    with pytest.raises(BranchError, match="Nobody chose"):
        branches(solve_equilibrium(mirrored(0.5, 0.5)), policies="chosen")


def test_three_equilibria_of_a_game_are_found() -> None:
    """Tariffs of at most 5 %, which everybody wants: one equilibrium of the game at each of given policies."""
    result = solve_nash(
        mirrored(0.5, 1.2), instruments=InstrumentChoice(tariff="by_sector"), bounds=Bounds(tariff=(0.0, 0.05))
    )
    held = branches(result, "psi", 0.98, 1.02, starts=20, options=COARSE)
    found = branches(result, "psi", 0.98, 1.02, starts=4, options=COARSE, policies="chosen")
    assert len(held.welfare) == len(found.welfare) == 3
    assert all(found.best)
    assert sorted(found.welfare[:, 0].tolist()) == pytest.approx(sorted(held.welfare[:, 0].tolist()), abs=1e-7)
    assert all(income.isfinite().all() for income in (*found.incomes, *found.turns))


def _at(found: object, branch: object) -> list[torch.Tensor]:
    from dlopt.framework.continuation import solutions_at
    from dlopt.trade.branches import _Scaled

    result = found.result  # type: ignore[attr-defined]
    return solutions_at(_Scaled(result.model, result, found.along), branch, 1.0)  # type: ignore[attr-defined,arg-type]


def _root(k: float, x0: float, low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: strength(x, x0) - k, low, high, xtol=1e-14))
