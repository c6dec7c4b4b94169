"""A planner with thousands of instruments: products instead of a Hessian, asked of a world where both can be had."""

from __future__ import annotations

import dataclasses
import math

import pytest
from economies import small_synthetic

from dlopt.framework import ascent_by_products, nash
from dlopt.framework.ascent import AscentResult
from dlopt.framework.outcome import Outcome
from dlopt.framework.tape import Tape
from dlopt.trade.api import solve_cooperative
from dlopt.trade.instruments import InstrumentChoice
from dlopt.trade.results import SolveResult

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")


@pytest.fixture(autouse=True)
def one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlopt.trade.run.EFFORT", {math.inf: (0, 0)})


def by_products(monkeypatch: pytest.MonkeyPatch, accounting: str = "standard", tape: Tape | None = None) -> SolveResult:
    monkeypatch.setattr(ascent_by_products, "MANY", 10)
    monkeypatch.setattr(ascent_by_products, "MANY_WHERE_DENSE", 10)
    return solve_cooperative(small_synthetic(4, 3, 2), instruments=DUAL, accounting=accounting, tape=tape)


@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_it_finds_what_the_dense_solver_finds(accounting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = solve_cooperative(small_synthetic(4, 3, 2), instruments=DUAL, accounting=accounting)
    found = by_products(monkeypatch, accounting)
    assert wanted.status == found.status == "converged"
    assert float((found.real_income_change_pct - wanted.real_income_change_pct).abs().max()) <= 1e-6
    assert found.certificate.first_order_residual <= 1e-10
    assert found.certificate.best_response_gain_pct == 0.0


def test_a_run_cut_off_goes_on_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Tape()
    result = by_products(monkeypatch, tape=whole)
    for kept in (2, len(whole.entries) - 2):
        again = by_products(monkeypatch, tape=Tape(whole.entries[:kept]))
        assert bool((again.real_income_change_pct == result.real_income_change_pct).all())
        assert again.certificate == result.certificate


def test_where_it_fails_the_dense_solver_takes_over_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*of: object) -> AscentResult:
        found = ascent_by_products.maximise_by_products(*of)  # type: ignore[arg-type]
        return dataclasses.replace(found, outcome=Outcome.STALLED)

    monkeypatch.setattr(nash, "maximise_by_products", fail)
    result = by_products(monkeypatch)
    assert result.status == "converged"
    assert "Newton by products did not get there" in result.message
    assert "the dense solver took over" in result.message
