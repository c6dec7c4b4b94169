"""A second implementation, in numpy and levels, agrees: on welfare, on gradients, on balancing, on what is optimal.

See tests/second.py; only the numbers of the calibration and of the policies are handed over.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
import torch
from economies import small_synthetic
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from second import NoEquilibriumError, Rates, World, world_of

from dlopt import Bounds, Calibration, InstrumentChoice, Policy, SolveResult, solve_equilibrium, solve_nash
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import build_instruments
from dlopt.trade.shocks import Shock

Array = NDArray[np.float64]
EXAMPLES = int(os.environ.get("DLOPT_EXAMPLES", "12"))
"""Random worlds in each property; `DLOPT_EXAMPLES=100` tries a hundred."""
DEVIATIONS = 12
"""Of each player in each random game; a third of them are corners of its box."""
EVERYTHING = InstrumentChoice(tariff="by_sector", export_tax="by_sector", subsidy="by_sector", sectors="all")
worlds = st.fixed_dictionaries(
    {
        "n": st.integers(2, 4),
        "j": st.integers(1, 5),
        "seed": st.integers(0, 10_000),
        "accounting": st.sampled_from(["standard", "paper"]),
        "deficits": st.sampled_from(["none", "constant"]),
        "inputs": st.booleans(),
    }
)

games = st.fixed_dictionaries(
    {
        "n": st.integers(2, 3),
        "j": st.integers(1, 3),
        "seed": st.integers(0, 10_000),
        "accounting": st.sampled_from(["standard", "paper"]),
        "deficits": st.sampled_from(["none", "constant"]),
        "inputs": st.booleans(),
        "steep": st.floats(0.1, 0.9),
        "kinds": st.sampled_from(
            [("tariff",), ("subsidy",), ("tariff", "subsidy"), ("tariff", "export_tax", "subsidy")]
        ),
    }
)


def calibration_of(n: int, j: int, seed: int, deficits: str, inputs: bool) -> Calibration:
    """A random world with tariffs, export taxes and subsidies; out of balance where deficits are asked for."""
    c = small_synthetic(n, j, seed, policies="all", intermediates=inputs)
    if deficits == "constant":
        noise = torch.rand(c.trade.shape, generator=torch.Generator().manual_seed(seed))
        c = dataclasses.replace(c, trade=c.trade * (1 + 0.04 * noise))
    return c


def random_rates(c: Calibration, seed: int) -> Policy:
    """Tariffs to 60 %, export taxes to 20 %, subsidies from -10 to 25 %."""
    generator = torch.Generator().manual_seed(seed)
    abroad = (~torch.eye(c.n_economies, dtype=torch.bool))[:, :, None]

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    n, j = c.n_economies, c.n_sectors
    return Policy(0.6 * draw(n, n, j) * abroad, 0.2 * draw(n, n, j) * abroad, 0.35 * draw(n, j) - 0.1)


def rates_of(policy: Policy) -> Rates:
    return Rates(policy.tariff.numpy(), policy.export_tax.numpy(), policy.subsidy.numpy())


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
@given(worlds)
def test_welfare_at_given_policies(drawn: dict[str, object]) -> None:
    n, j, seed = (int(str(drawn[key])) for key in ("n", "j", "seed"))
    accounting, deficits = str(drawn["accounting"]), str(drawn["deficits"])
    c = calibration_of(n, j, seed, deficits, bool(drawn["inputs"]))
    policy = random_rates(c, seed)
    ours = solve_equilibrium(c, policy, accounting=accounting, deficits=deficits)
    assert ours.status == "converged"
    theirs = world_of(c, accounting, deficits).welfare(rates_of(policy))
    assert theirs == pytest.approx(1 + ours.real_income_change_pct.numpy() / 100, abs=1e-10)


@settings(max_examples=max(3, EXAMPLES // 4), derandomize=True, deadline=None)
@given(worlds)
def test_gradients_by_differences(drawn: dict[str, object]) -> None:
    n, j, seed = (int(str(drawn[key])) for key in ("n", "j", "seed"))
    accounting, deficits = str(drawn["accounting"]), str(drawn["deficits"])
    c = calibration_of(n, j, seed, deficits, bool(drawn["inputs"]))
    model = build_model(c, accounting, deficits)
    chosen = build_instruments(model, EVERYTHING, Bounds((-0.5, 1.0), (-0.5, 1.0), (-0.5, 0.5)))
    game = TradeGame(model, chosen)
    a = chosen.average(random_rates(c, seed).log_wedges())
    point = game.point(a)
    assert point is not None
    second, step = world_of(c, accounting, deficits), 1e-4

    def welfare(at: torch.Tensor) -> Array:
        tau, epsilon, sigma = (w.numpy() for w in chosen.apply(at, game.fixed))
        return second.welfare(Rates(np.expm1(tau), np.expm1(epsilon), -np.expm1(-sigma)))

    for k in {0, chosen.count // 3, chosen.count // 2, chosen.count - 1}:
        along = torch.zeros_like(a)
        along[k] = step
        one = (welfare(a + along) - welfare(a - along)) / (2 * step)
        two = (welfare(a + 2 * along) - welfare(a - 2 * along)) / (4 * step)
        assert point.gradient()[:, k].numpy() == pytest.approx((4 * one - two) / 3, abs=1e-8)


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None)
@given(worlds)
def test_welfare_after_a_shock(drawn: dict[str, object]) -> None:
    n, j, seed = (int(str(drawn[key])) for key in ("n", "j", "seed"))
    accounting, deficits = str(drawn["accounting"]), str(drawn["deficits"])
    c = calibration_of(n, j, seed, deficits, bool(drawn["inputs"]))
    policy, draw = random_rates(c, seed), torch.Generator().manual_seed(seed)

    def factor(*shape: int) -> torch.Tensor:
        return 0.8 + 0.5 * torch.rand(shape, generator=draw, dtype=torch.float64)

    shock = Shock(factor(n, n, j), factor(n, j), factor(n))
    ours = solve_equilibrium(c, policy, accounting=accounting, deficits=deficits, shocks=shock)
    assert ours.status == "converged"
    assert shock.cost is not None
    assert shock.productivity is not None
    assert shock.labour is not None
    world = world_of(c, accounting, deficits).shocked(
        shock.cost.numpy(), shock.productivity.numpy(), shock.labour.numpy()
    )
    theirs = world.welfare(rates_of(policy))
    assert theirs == pytest.approx(1 + ours.real_income_change_pct.numpy() / 100, abs=1e-10)


@pytest.mark.parametrize("deficits", ["none", "share", "proportional"])
@pytest.mark.parametrize(("phi", "revenue"), [(0.0, "lump_sum"), (0.5, "lump_sum"), (0.5, "income_tax")])
def test_welfare_where_transfers_and_labour_move(deficits: Any, phi: float, revenue: Any) -> None:
    c = calibration_of(2, 2, 3, "none" if deficits == "none" else "constant", True)
    policy = random_rates(c, 3)
    ours = solve_equilibrium(c, policy, deficits=deficits, labour_supply=phi, revenue=revenue)
    assert ours.status == "converged"
    world = world_of(c, "standard", "none" if deficits == "none" else "constant")
    real, welfare = world.closed(rates_of(policy), deficits, phi, revenue == "income_tax")
    assert real == pytest.approx(1 + ours.real_income_change_pct.numpy() / 100, abs=1e-9)
    assert welfare == pytest.approx(1 + ours.welfare_change_pct.numpy() / 100, abs=1e-9)


def _solved(accounting: str) -> tuple[SolveResult, World, Rates]:
    c = small_synthetic(2, 2, 4, policies="all")
    result = solve_nash(c, instruments=EVERYTHING, bounds=Bounds((-0.3, 1.0), (-0.3, 1.0), (-0.3, 0.5)),
                        accounting=accounting)  # fmt: skip
    assert result.status == "converged"
    return result, world_of(c, accounting), rates_of(result.policy)


@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_no_deviation_beats_a_certified_result(accounting: str) -> None:
    """All three instruments, inputs, scale: large random deviations of each player, and an ascent of SciPy's own."""
    result, second, at = _solved(accounting)
    held = second.welfare(at)
    assert 100 * (held - 1) == pytest.approx(result.real_income_change_pct.numpy(), abs=1e-8)
    draw = np.random.default_rng(0)
    for player in range(2):
        best, other = 0.0, 1 - player

        def changed(x: Array, player: int = player, other: int = other) -> Rates:
            rates = Rates(at.tariff.copy(), at.export_tax.copy(), at.subsidy.copy())
            rates.tariff[other, player], rates.export_tax[player, other], rates.subsidy[player] = x.reshape(3, 2)
            return rates

        box = [(-0.3, 1.0)] * 4 + [(-0.3, 0.5)] * 2
        low, high = np.array(box).T
        for _ in range(25):
            try:
                best = max(best, second.welfare(changed(draw.uniform(low, high)))[player])
            except NoEquilibriumError:
                continue
        assert best > 0.5
        assert best <= held[player] * (1 + 1e-8)

        def loss(x: Array, player: int = player) -> float:
            return float(1 - second.welfare(changed(x))[player])

        start = np.full(6, 0.1)
        found = minimize(loss, start, method="L-BFGS-B", bounds=box, options={"ftol": 1e-14, "maxiter": 12})
        assert 1 - found.fun <= held[player] * (1 + 1e-8)
        assert 1 - found.fun > best  # it climbs above all of these


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, phases=[Phase.generate])
@given(games)
def test_no_random_deviation_beats_a_certified_result(drawn: dict[str, Any]) -> None:
    """Theta psi up to 0.9: random points and corners of every player's box, judged by the second implementation."""
    c = calibration_of(drawn["n"], drawn["j"], drawn["seed"], drawn["deficits"], drawn["inputs"])
    c = c.with_elasticities(psi=drawn["steep"] / c.theta)
    choice = InstrumentChoice(sectors="all", **dict.fromkeys(drawn["kinds"], "by_sector"))
    result = solve_nash(c, instruments=choice, bounds=Bounds((-0.3, 1.0), (-0.3, 1.0), (-0.3, 0.5)),
                        accounting=drawn["accounting"], deficits=drawn["deficits"])  # fmt: skip
    assume(result.status == "converged" and not result.certificate.local)
    chosen = result.instruments
    assert chosen is not None
    game = TradeGame(result.model, chosen)
    a, second = chosen.average(result.wedges), world_of(c, drawn["accounting"], drawn["deficits"])

    def rates(at: torch.Tensor) -> Rates:
        tau, epsilon, sigma = (w.numpy() for w in chosen.apply(at, game.fixed))
        return Rates(np.expm1(tau), np.expm1(epsilon), -np.expm1(-sigma))

    here = second.solve(rates(a))
    held = second.near(rates(a), here)
    assert held is not None
    assert 100 * (held - 1) == pytest.approx(result.real_income_change_pct.numpy(), abs=1e-8)
    draw, heard = torch.Generator().manual_seed(drawn["seed"]), 0
    for player in range(game.players):
        for k in range(DEVIATIONS):
            share = torch.rand(chosen.count, generator=draw, dtype=torch.float64)
            share = share.round() if k % 3 == 2 else share
            far = torch.where(game.owner == player, game.lower + share * (game.upper - game.lower), a)
            for part in (1.0, 0.5, 0.25):  # nearer where Newton finds no equilibrium
                found = second.near(rates(a + part * (far - a)), here)
                if found is not None and bool((found > 0).all()):
                    heard += 1
                    assert found[player] <= held[player] * (1 + 1e-8)
                    break
    assert heard >= game.players * DEVIATIONS // 2
