"""Games in which welfare is convex in a player's own tariff: the formula has no fixed point, the bound is the answer.

Transfers that stay constant in money weigh less and less on a debtor whose tariffs raise its own prices.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dlopt import Calibration, InstrumentChoice, solve_equilibrium, solve_nash
from dlopt.calibrations import synthetic
from dlopt.framework import newton_krylov


def labour_alone(seed: int) -> Calibration:
    """Six economies that sell far more than they buy, or far less."""
    world, draw = synthetic(6, 2, seed), torch.Generator().manual_seed(seed)
    more = torch.exp(0.7 * torch.randn(6, 1, 1, generator=draw, dtype=torch.float64))
    trade = torch.where(torch.eye(6, dtype=torch.bool)[:, :, None], world.trade, world.trade * more)
    bought = trade.sum(0)
    return dataclasses.replace(
        world, trade=trade, final_share=bought / bought.sum(1, keepdim=True),
        value_added_share=torch.ones_like(world.value_added_share), input_share=torch.zeros_like(world.input_share),
        psi=torch.zeros_like(world.psi),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [6, 8])
def test_the_bound_is_found_where_the_formula_stalls(seed: int) -> None:
    world = labour_alone(seed)
    result = solve_nash(world, instruments=InstrumentChoice("uniform"), deficits="constant")
    assert result.status == "converged"
    assert newton_krylov.NEWTON in {one.phase for one in result.iterations}
    assert "dense" not in result.message
    tariff = result.policy.tariff
    others = ~torch.eye(6, dtype=torch.bool)
    assert float(tariff[others].max()) == pytest.approx(4.0, abs=1e-12)
    for player in range(6):
        for rate in torch.linspace(0, 4, 9).tolist():
            other = tariff.clone()
            other[:player, player] = other[player + 1 :, player] = rate
            found = solve_equilibrium(world, dataclasses.replace(result.policy, tariff=other), deficits="constant")
            gain = found.real_income_change_pct[player] - result.real_income_change_pct[player]
            assert float(gain) <= 1e-7
