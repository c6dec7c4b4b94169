"""The examples: what they print is what they promise."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dlopt.framework import FixedPointOptions, Outcome, maximise

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in ("roundabout", "own_calibration"):
        sys.modules.pop(name, None)


def test_roundabout_reproduces_the_published_optimum() -> None:
    """Six decimals are published: half a unit of the last."""
    import roundabout

    result, tariffs, welfare = roundabout.optimal_tariffs()
    assert result.outcome is Outcome.CONVERGED
    assert tariffs.tolist() == pytest.approx([0.355755, 0.352414], abs=5e-7)
    assert welfare.tolist() == pytest.approx([1.127772, -2.517336, -1.790631], abs=5e-7)


def test_roundabout_equilibrium_clears_markets() -> None:
    """At the fixed point all income is earned: labour income is the value-added share of revenue, in every country."""
    import roundabout

    a = torch.tensor([0.3, 0.1], dtype=torch.float64)
    found = roundabout.PROBLEM.solve(a, torch.zeros(6, dtype=torch.float64))
    _, revenue, price = roundabout.income(found.x, a)
    wages = found.x[:3].exp() * roundabout.LABOUR
    # The fixed-point tolerance is 1e-12, a third of the labour-market gap: 1e-10 leaves room for its condition.
    assert torch.allclose(wages, roundabout.BETA * revenue, rtol=1e-10, atol=0)
    assert torch.allclose(price, found.x[3:], rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", ["contraction", "anderson", "newton"])
def test_all_methods_find_the_roundabout_equilibrium(method: str) -> None:
    import roundabout

    a, start = torch.tensor([0.3, 0.1], dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    chord = roundabout.PROBLEM.solve(a, start)
    other = roundabout.PROBLEM.solve(a, start, FixedPointOptions(method=method))
    assert chord.outcome is other.outcome is Outcome.CONVERGED
    # Both residuals are below 1e-12; a contraction at rate r is off by at most residual/(1-r), here r < 0.95.
    assert torch.allclose(chord.x, other.x, rtol=0, atol=4e-11)


def test_roundabout_with_more_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two thirds of cost in inputs real incomes are near 30 and an equilibrium to 1e-12 blurs them by 1e-10: the
    last steps show only in the gradient. The optimum is certified, and the same from elsewhere."""
    import roundabout

    monkeypatch.setattr(roundabout, "BETA", 1 / 3)
    result, tariffs, _ = roundabout.optimal_tariffs()
    assert result.outcome is Outcome.CONVERGED
    game = roundabout.country_one()
    other = game.point(torch.tensor([0.8, 0.1], dtype=torch.float64))
    assert other is not None
    # A gradient of 1e-10 over a curvature of 4.
    assert torch.allclose(maximise(game, 0, other).point.a.expm1(), tariffs, rtol=0, atol=1e-10)


def test_own_calibration_is_a_certified_game() -> None:
    import own_calibration

    result = own_calibration.tariff_war()
    assert result.status == "converged"
    policies = result.tables()["policies"]
    assert list(policies["sector_name"]) == ["Manufactures", "Manufactures"]
    assert (policies["rate"] > policies["initial_rate"]).all()
    assert not policies["at_bound"].any()
    assert list(result.tables()["welfare"]["economy"]) == ["North", "South"]


@pytest.mark.parametrize("name", ["roundabout", "own_calibration"])
def test_examples_run_as_scripts(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert "converged" in capsys.readouterr().out
