"""The published algorithm with the inner loops that its paper discusses: the same equilibria, however found."""

from __future__ import annotations

import pytest
import torch
from economies import small_synthetic

from dlopt import BestResponse, InstrumentChoice, SolveResult, solve_nash
from dlopt.errors import UnknownNameError
from dlopt.framework.best_response import INNER
from dlopt.framework.outcome import Outcome
from dlopt.trade.api import build_model
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.inner import by_inner_loop

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")


def play(inner: str) -> SolveResult:
    solver = BestResponse(learning_rate=1e-2, steps=4, rounds=2, inner=inner)
    return solve_nash(small_synthetic(3, 3, 1), instruments=DUAL, solver=solver)


def test_same_path_by_every_inner_loop() -> None:
    given = play("chord")
    for inner in INNER:
        found = play(inner)
        assert found.certificate.equilibrium_residual <= 1e-10
        for one, other in zip(found.wedges, given.wedges, strict=True):
            assert float((one - other).abs().max()) <= 1e-7  # Adam's steps are signs where gradients are small
        assert found.real_income_change_pct.tolist() == pytest.approx(given.real_income_change_pct.tolist(), abs=1e-6)


@pytest.mark.parametrize("inner", INNER[1:])
def test_each_finds_the_equilibrium(inner: str) -> None:
    model = build_model(small_synthetic(3, 3, 1))
    tau, epsilon, sigma = model.wedges0
    raised = (tau + 0.2 * (tau > 0), epsilon, sigma + 0.05)
    wanted = find_equilibrium(model, raised)
    found = by_inner_loop(model, raised, torch.zeros(model.size, dtype=torch.float64), inner)
    assert found.outcome is Outcome.CONVERGED
    assert found.residual <= 1e-10
    assert float((found.u - wanted.u).abs().max()) <= 1e-9


def test_others_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="contraction_newton"):
        BestResponse(inner="secant")
