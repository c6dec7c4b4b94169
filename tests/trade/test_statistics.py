"""Policies by sufficient statistics: where the theorem is exact, what it loses elsewhere, what it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from economies import one_sector_two_countries, small_synthetic

from dlopt import Bounds, Calibration, SolveResult, solve_nash, solve_unilateral
from dlopt.trade.statistics import FormulaError, by_formulas

WIDE = Bounds(tariff=(-0.9, 5.0), export_tax=(-0.9, 20.0), subsidy=(-3.0, 0.9))
ALL = {"tariff": "by_sector", "export_tax": "by_sector", "subsidy": "by_sector", "sectors": "all"}
TRADE_TAXES = {"tariff": "by_sector", "export_tax": "by_sector", "sectors": "all"}


def world(n: int, j: int, **options: Any) -> Calibration:
    """Labour is all there is."""
    c = small_synthetic(n, j, 3, intermediates=False, **options)
    return dataclasses.replace(c, tariff=torch.zeros_like(c.tariff))


def alone(c: Calibration, instruments: dict[str, str]) -> SolveResult:
    found = solve_unilateral(c, c.economies[0], instruments=instruments, bounds=WIDE)
    assert found.status == "converged"
    return found


def test_one_sector_two_countries_is_the_textbook_tariff() -> None:
    """1 / (theta times the share that the other country spends on its own goods): Gros (1987)."""
    c = one_sector_two_countries()
    result = solve_unilateral(c, "Home", instruments={"tariff": "by_sector"})
    found = by_formulas(result)
    assert found.best == "third"
    flows = result.model.flows(result.state, result.wedges)[:, :, 0]
    textbook = 1 / (4.0 * float(flows[1, 1] / flows[:, 1].sum()))
    assert float(found.instruments.rates(found.a)) == pytest.approx(textbook, rel=1e-6)
    assert found.loss_pct == pytest.approx(0, abs=1e-9)


def test_exact_with_two_countries_and_no_wedges() -> None:
    """Foreign relative wages cannot move where there is one foreign country."""
    found = by_formulas(alone(world(2, 3, scale_economies=False), TRADE_TAXES))
    assert found.best == "second"
    assert found.loss_pct == pytest.approx(0, abs=1e-7)
    assert found.optimum_pct > 0.01


def test_close_with_three_countries_and_never_better_than_the_optimum() -> None:
    for instruments in (TRADE_TAXES, {"tariff": "by_sector", "sectors": "all"}):
        found = by_formulas(alone(world(3, 3, scale_economies=False), instruments))
        assert 0 <= found.loss_pct < 0.05 * found.optimum_pct
        table = found.table()
        assert table["difference_pct"].iloc[0] == pytest.approx(-found.loss_pct, abs=1e-12)
        assert len(found.policies()) == found.instruments.count


@pytest.mark.parametrize("wedge", ["scale", "markup"])
def test_first_best_corrects_sectors(wedge: str) -> None:
    """A subsidy of mu / (1 + mu) with scale economies; none beside a markup, which it replaces."""
    c = world(2, 2, scale_economies=wedge == "scale")
    if wedge == "markup":
        c = dataclasses.replace(c, subsidy=-torch.tensor([0.2, 0.4], dtype=torch.float64).expand(2, 2).clone())
    result = alone(c, ALL)
    found = by_formulas(result)
    assert found.best == "first"
    chosen = found.policies().query("instrument == 'subsidy'")["formula_rate"].to_numpy()
    right = (c.psi / (1 + c.psi)).numpy() if wedge == "scale" else 0 * chosen
    assert chosen == pytest.approx(right, abs=1e-9)
    assert 0 <= found.loss_pct < 0.2 * found.optimum_pct
    assert "first best" in found.message


def test_what_it_does_not_know_is_refused_or_said() -> None:
    c = world(2, 2)
    uniform = solve_unilateral(c, c.economies[0], instruments={"tariff": "uniform"})
    with pytest.raises(FormulaError, match="by_sector"):
        by_formulas(uniform)
    with pytest.raises(FormulaError, match="one economy"):
        by_formulas(solve_nash(c, instruments={"tariff": "by_sector"}))
    both = dataclasses.replace(c, subsidy=c.subsidy - 0.1)
    with pytest.raises(FormulaError, match="not both"):
        by_formulas(solve_unilateral(both, c.economies[0], instruments={"tariff": "by_sector"}))
    inputs = small_synthetic(2, 2, 3, scale_economies=False)
    found = by_formulas(solve_unilateral(inputs, inputs.economies[0], instruments={"tariff": "by_sector"}))
    assert "without inputs" in found.message
