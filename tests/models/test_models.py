"""Models of one's own: known answers, exact derivatives, resume, and the trade model by the automatic path."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from dlopt_carbon import Parameters
from dlopt_carbon.model import model as carbon
from economies import small_synthetic
from roundabout_model import objectives, residual, roundabout
from torch import Tensor

from dlopt import Bounds, InstrumentChoice
from dlopt import solve_cooperative as solve_trade_planner
from dlopt import solve_nash as solve_trade_nash
from dlopt.errors import UnknownNameError
from dlopt.framework.best_response import BestResponse
from dlopt.framework.tape import Tape
from dlopt.models import (
    EquilibriumModel,
    Instrument,
    solve_cooperative,
    solve_equilibrium,
    solve_nash,
    solve_unilateral,
    verify_derivatives,
)
from dlopt.models.game import ModelGame, equilibrium
from dlopt.trade.api import build_model
from dlopt.trade.as_model import as_model
from dlopt.trade.instruments import build_instruments


def duopoly(slope: float = 1.0) -> EquilibriumModel:
    """Two firms choose quantities; the price clears the market: Cournot, 1/3 each and 1/4 each together."""

    def market(u: Tensor, a: Tensor) -> Tensor:
        return u - (1 - slope * a.sum())[None]

    firms = [Instrument("left", "L", 0.0, 1.0, 0.2), Instrument("right", "R", 0.0, 1.0, 0.2)]
    return EquilibriumModel(
        market, lambda u, a: u * a, ["L", "R"], firms, [0.5], ["price"], lambda u, a: {"price": u[0], "each": a}
    )


def test_roundabout_gives_the_documented_digits() -> None:
    result = solve_unilateral(roundabout(), "1")
    assert result.status == "converged"
    assert list(result.policy.values()) == pytest.approx([0.355755, 0.352414], abs=5e-7)
    # The example measures welfare against tariffs of 5 % everywhere, as this model starts.
    change = result.table("objectives")["change_pct"]
    assert change.tolist() == pytest.approx([1.127772, -2.517336, -1.790631], abs=5e-7)


def test_cournot_alone_together_and_in_answer() -> None:
    nash = solve_nash(duopoly(), starts=2)
    assert nash.status == "converged"
    assert nash.a.tolist() == pytest.approx([1 / 3, 1 / 3], abs=1e-9)
    assert nash.objectives == pytest.approx({"L": 1 / 9, "R": 1 / 9}, abs=1e-9)
    assert solve_unilateral(duopoly(), "L").policy == pytest.approx({"left": 0.4, "right": 0.2}, abs=1e-9)
    answer = solve_unilateral(duopoly(), "R", init={"left": 0.5})
    assert answer.policy == pytest.approx({"left": 0.5, "right": 0.25}, abs=1e-9)
    monopoly = solve_cooperative(duopoly(), instruments=["left"], init={"right": 0.0})
    assert monopoly.policy == pytest.approx({"left": 0.5, "right": 0.0}, abs=1e-9)
    assert solve_equilibrium(duopoly(), {"left": 0.4}).u.tolist() == pytest.approx([0.4], abs=1e-12)


def test_published_dynamics_play_a_users_model() -> None:
    result = solve_nash(duopoly(), solver=BestResponse(rounds=4, learning_rate=0.02, steps=15))
    assert result.a.tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.03)


def test_tables() -> None:
    result = solve_nash(duopoly())
    tables = result.tables()
    assert list(tables) == ["objectives", "policies", "outcomes", "unknowns", "iterations", "equilibria"]
    assert list(tables["policies"]["player"]) == ["L", "R"]
    assert list(tables["outcomes"]["outcome"]) == ["price", "each", "each"]
    assert list(tables["outcomes"]["label"]) == ["", "L", "R"]
    assert tables["unknowns"]["value"].tolist() == pytest.approx([1 / 3], abs=1e-9)
    assert tables["iterations"]["iteration"].tolist() == list(range(1, len(tables["iterations"]) + 1))


def test_a_result_is_looked_at_like_one_of_the_trade_model() -> None:
    result = solve_nash(duopoly())
    assert result.summary().startswith("Converged. Certified: no player gains by deviating alone.")
    assert "best responses" in result.summary()
    assert result._repr_html_().count("<table>") == 4
    side_by_side = repr(result.compare(solve_equilibrium(duopoly(), {"left": 0.4})))
    assert [line.split()[1:] for line in side_by_side.splitlines() if line.startswith("left")] == [["0.333333", "0.4"]]
    with pytest.raises(UnknownNameError, match="Valid: objectives, instruments, outcomes, iterations"):
        result.plot("tariff")
    dots = result.plot("instruments").axes[0].lines
    assert dots[1].get_xdata().tolist() == pytest.approx([1 / 3, 1 / 3], abs=1e-9)


def test_bounds_hold_and_are_told() -> None:
    model = dataclasses.replace(
        duopoly(), instruments=[Instrument("left", "L", 0.0, 0.3, 0.2), duopoly().instruments[1]]
    )
    result = solve_nash(model)
    assert result.status == "converged"
    assert result.a.tolist() == pytest.approx([0.3, 0.35], abs=1e-9)
    assert result.table("policies")["at_bound"].tolist() == [True, False]


def test_derivatives_through_the_equilibrium() -> None:
    """Gradients and Hessians of carbon's objectives against differences of solved equilibria."""
    model = carbon(Parameters())
    count = len(model.instruments)
    start = model.a0 + 0.05 * torch.rand(count, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    game = ModelGame(model, torch.arange(count), torch.arange(count) % 3, torch.eye(3, dtype=torch.float64), start)
    point = game.point(start)
    assert point is not None
    h = 1e-4
    for at in (0, 4, 10, 13):
        step = h * torch.eye(count, dtype=torch.float64)[at]
        up, down = game.point(start + step, near=point), game.point(start - step, near=point)
        assert up is not None
        assert down is not None
        slope = (up.objectives - down.objectives) / (2 * h)
        assert torch.allclose(point.gradient()[:, at], slope, rtol=1e-6, atol=1e-7)
        for player in range(3):
            bend = (up.gradient()[player] - down.gradient()[player]) / (2 * h)
            mine = (game.owner == player).nonzero().squeeze(1)
            assert torch.allclose(point.hessian(player, joint=True)[:, at], bend[mine], rtol=1e-5, atol=1e-6)


def test_a_run_cut_off_goes_on_to_the_last_bit() -> None:
    whole = solve_nash(roundabout())
    count = len(whole.iterations)
    assert count > 3
    tape = Tape()
    cut = solve_nash(roundabout(), tape=tape, on_iteration=lambda step: step.iteration == 2)
    assert cut.status == "interrupted"
    rest = solve_nash(roundabout(), tape=Tape(tape.entries))
    assert torch.equal(rest.a, whole.a)
    assert torch.equal(rest.u, whole.u)
    assert rest.certificate == whole.certificate


def test_the_trade_model_by_the_automatic_path() -> None:
    """Same equations, derivatives from torch instead of by hand: the same Nash equilibrium and the same plan."""
    world = small_synthetic(2, 2, 3, policies="all")
    choice = InstrumentChoice(tariff="uniform", subsidy="by_sector", sectors="all")
    trade = build_model(world)
    bounds = Bounds(tariff=(0.0, 1.0), subsidy=(0.0, 0.4))
    model = as_model(trade, build_instruments(trade, choice, bounds))
    slow, fast = solve_nash(model), solve_trade_nash(world, instruments=choice, bounds=bounds)
    assert slow.status == fast.status == "converged"
    assert torch.allclose(slow.u, fast.u, rtol=0, atol=1e-8)
    weights = {label: float(share) for label, share in zip(world.economies, trade.income, strict=True)}
    plan, fast = (
        solve_cooperative(model, weights=weights),
        solve_trade_planner(world, instruments=choice, bounds=bounds),
    )
    assert plan.status == fast.status == "converged"
    assert torch.allclose(
        100 * (torch.tensor(list(plan.objectives.values()), dtype=torch.float64) - 1),
        fast.real_income_change_pct,
        rtol=0,
        atol=1e-8,
    )


def test_trades_second_derivatives_as_an_accelerator() -> None:
    """The hand-written curvature of the trade half agrees with the automatic one, and gives the same answers."""
    world = small_synthetic(2, 2, 3, policies="all")
    trade = build_model(world)
    instruments = build_instruments(trade, InstrumentChoice("uniform", "uniform", "by_sector", sectors="all"))
    model = as_model(trade, instruments, by_hand=True)
    found = verify_derivatives(model)
    assert found.by_hand["curvature"] < 1e-9
    assert all(gap is not None and gap < 1e-5 for gap in found.automatic.values())


def test_equilibrium_by_continuation() -> None:
    """Newton from the start overshoots; the path from the starting instruments does not."""

    def steep(u: Tensor, a: Tensor) -> Tensor:
        return torch.atan(u - a)

    model = EquilibriumModel(steep, lambda u, a: -(u**2), ["A"], [Instrument("a", "A", -50, 50)], [0.0])
    assert equilibrium(model, torch.tensor([40.0], dtype=torch.float64)).tolist() == pytest.approx([40.0], abs=1e-9)


def test_functions_are_those_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's model and `examples/roundabout.py` describe one world: real incomes agree at the same tariffs."""

    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    import roundabout as example

    u = equilibrium(roundabout(), torch.tensor([0.3, 0.1], dtype=torch.float64))
    logs = torch.tensor([0.3, 0.1], dtype=torch.float64).log1p()
    found = example.PROBLEM.solve(logs, torch.zeros(6, dtype=torch.float64))
    assert torch.allclose(u, found.x, rtol=0, atol=1e-10)
    assert torch.allclose(objectives(u, logs.expm1()), example.objectives(found.x, logs), rtol=1e-10, atol=0)
    assert float(residual(u, logs.expm1()).abs().max()) < 1e-11


def test_the_page_of_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    """The model in ten lines is what it says."""
    page = (Path(__file__).parents[2] / "docs" / "own_models.md").read_text(encoding="utf-8")
    block = page.split("```python\n")[1].split("```")[0]
    scope: dict[str, object] = {}
    exec(block, scope)
    assert "Converged. Certified" in capsys.readouterr().out
    assert list(scope["result"].policy.values()) == pytest.approx([1 / 3, 1 / 3], abs=1e-9)  # type: ignore[attr-defined]
