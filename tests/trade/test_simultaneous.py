"""All players at once against the dense solver; interrupted and resumed; where it cannot work."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, InstrumentChoice
from dlopt.calibrations.generator import synthetic
from dlopt.framework import nash
from dlopt.framework.game import Monitor
from dlopt.framework.joint import JointNewton
from dlopt.framework.newton_krylov import play_by_newton_krylov
from dlopt.framework.outcome import Outcome
from dlopt.framework.simultaneous import PHASE, Simultaneous, play_at_once
from dlopt.framework.tape import Tape
from dlopt.trade.api import build_model, solve_nash
from dlopt.trade.calibration import Calibration
from dlopt.trade.game import TradeGame, TradePoint, own_welfare
from dlopt.trade.instruments import Instruments, build_instruments
from dlopt.trade.model import TradeModel
from dlopt.trade.results import Iteration, SolveResult
from dlopt.trade.run import Run

GAMES: dict[str, tuple[InstrumentChoice, dict[str, Any]]] = {
    "by sector": (InstrumentChoice("by_sector"), {}),
    "mfn": (InstrumentChoice("mfn"), {}),
    "uniform": (InstrumentChoice("uniform"), {}),
    "union": (InstrumentChoice("by_sector"), {"unions": [("E2", "E3")]}),
    "some players": (InstrumentChoice("mfn"), {"players": ("E3", "E1")}),
    "between players": (InstrumentChoice("by_sector"), {"players": ("E3", "E1"), "partners": "players"}),
    "bounds that bind": (InstrumentChoice("by_sector"), {"bounds": Bounds(tariff=(0.0, 0.2))}),
}


@pytest.fixture(autouse=True)
def one_start_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every player re-optimises from one random start; how widely deviations are looked for is tested elsewhere."""
    monkeypatch.setattr("dlopt.trade.run.EFFORT", {math.inf: (0, 0)})


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("accounting", ["standard", "paper"])
def test_equilibria_are_those_of_the_dense_solver(name: str, accounting: str) -> None:
    choice, options = GAMES[name]
    model = build_model(small_synthetic(5, 4, 2), accounting)
    game = TradeGame(model, build_instruments(model, choice, **options))
    start = game.point(game.instruments.average(game.fixed))
    assert start is not None
    outcome, found = play_at_once(game, game.large, start, Monitor())
    dense, wanted = nash._play_densely(game, start, JointNewton(), Monitor())
    assert outcome is dense is Outcome.CONVERGED
    assert isinstance(found, TradePoint)
    assert isinstance(wanted, TradePoint)
    assert float((found.log_welfare - wanted.log_welfare).abs().max()) <= 1e-11
    assert float((found.a - wanted.a).abs().max()) <= 1e-7


def play(tape: Tape) -> SolveResult:
    model = build_model(small_synthetic(5, 4, 2))
    chosen = build_instruments(model, InstrumentChoice("by_sector"))
    return Run(model, chosen, 1, 0, "baseline", None, None, tape).solve(
        own_welfare(model, chosen.members), JointNewton()
    )


def test_a_run_cut_off_anywhere_goes_on_to_the_same_result() -> None:
    """In the iteration, at its end and in verification; multipliers are on record for the last step only."""
    whole = Tape()
    result = play(whole)
    assert result.status == "converged"
    labels = [entry["label"] for entry in whole.entries]
    played = labels.count(PHASE)
    assert played < len(labels)
    for kept in (3, played, played + 2):
        cut = Tape()
        stopped = _until(cut, kept)
        assert stopped.status == "interrupted"
        assert [entry["carry"] is not None for entry in cut.entries[:-1]] == [False] * (kept - 1)
        resumed = play(Tape(cut.entries))
        assert torch.equal(resumed.u, result.u)
        assert resumed.certificate == result.certificate
        assert [_row(row) for row in resumed.iterations] == [_row(row) for row in result.iterations]


def _row(row: Iteration) -> tuple[Any, ...]:
    return row.iteration, row.phase, row.player, row.first_order_residual, row.welfare


def _until(tape: Tape, steps: int) -> SolveResult:
    model = build_model(small_synthetic(5, 4, 2))
    chosen = build_instruments(model, InstrumentChoice("by_sector"))
    run = Run(model, chosen, 1, 0, "baseline", None, lambda row: row.iteration == steps, tape)
    return run.solve(own_welfare(model, chosen.members), JointNewton())


def test_many_instruments_are_certified_by_lanczos(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same game taken for a large one: same equilibrium, none flat, and what may be missed is said."""
    world = small_synthetic(5, 4, 2)
    wanted = solve_nash(world, instruments=InstrumentChoice("by_sector"))
    monkeypatch.setattr("dlopt.framework.concavity.DENSE_INSTRUMENTS", 0)
    found = solve_nash(world, instruments=InstrumentChoice("by_sector"), solver=JointNewton(verify_players=2))
    assert found.status == wanted.status == "converged"
    assert torch.equal(found.u, wanted.u)
    assert found.certificate.flat_directions == wanted.certificate.flat_directions == 0
    assert found.certificate.max_own_curvature is not None
    assert found.certificate.max_own_curvature < 0
    assert found.certificate.curvature_missed is not None
    assert found.certificate.curvature_missed <= 1e-6
    assert (found.certificate.players_verified, wanted.certificate.players_verified) == (2, 5)
    assert "the 2 players drawn at random from 5 gain nothing by deviating alone" in found.message
    assert "no player gains by deviating alone" in wanted.message


def test_players_of_a_large_world_look_for_deviations_in_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small world taken for a large one: the same numbers, to the last bit."""
    monkeypatch.setattr("dlopt.trade.large_game._FLOWS_TOGETHER", 1)
    world, chosen = small_synthetic(5, 4, 2), InstrumentChoice("by_sector")
    alone = solve_nash(world, instruments=chosen)
    shared = solve_nash(world, instruments=chosen, solver=JointNewton(processes=2))
    assert alone.status == "converged"
    assert torch.equal(shared.u, alone.u)
    assert shared.certificate == alone.certificate
    assert shared.message == alone.message


def test_where_it_does_not_converge_the_dense_solver_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(*arguments: Any) -> Any:
        return play_at_once(*arguments, options=Simultaneous(max_iterations=3))

    world, wanted = small_synthetic(3, 3, 1), InstrumentChoice("by_sector")
    expected = solve_nash(world, instruments=wanted)
    monkeypatch.setattr(nash, "play_at_once", hasty)
    result = solve_nash(world, instruments=wanted)
    assert result.status == "converged"
    assert "dense" not in result.message, "Newton on all conditions goes on"
    monkeypatch.setattr(nash, "play_by_newton_krylov", lambda game, large, at, monitor: (Outcome.STALLED, at))
    result = solve_nash(world, instruments=wanted)
    assert result.status == "converged"
    assert "dense solver took over" in result.message
    assert float((result.u - expected.u).abs().max()) <= 1e-9
    monkeypatch.setattr(nash, "DENSE_GAME", 5)
    refused = solve_nash(world, instruments=wanted)
    assert refused.status == "not_converged"
    assert "too many for the dense one" in refused.message


def harsh_world(seed: int) -> Calibration:
    """Flows over ten orders of magnitude, a fifth missing, an economy of a millionth of the world, tariffs of 100 %."""
    world = synthetic(5, 4, seed=seed, policies="tariffs")
    draw = torch.Generator().manual_seed(seed)
    n = world.n_economies
    abroad = ~torch.eye(n, dtype=torch.bool)[:, :, None]
    size = 10 ** (-10 * torch.rand(world.trade.shape, generator=draw, dtype=torch.float64))
    there = torch.rand(world.trade.shape, generator=draw, dtype=torch.float64) > 0.2
    trade = torch.where(abroad, world.trade * size * there, world.trade)
    trade[n - 1] *= 1e-6
    trade[:, n - 1] *= 1e-6
    tariff = torch.where(abroad, 1.0, 0.0) * torch.ones_like(world.tariff)
    return dataclasses.replace(world, trade=trade, tariff=tariff)


SUBSIDIES_TOO = InstrumentChoice("mfn", subsidy="by_sector")


@pytest.mark.parametrize(
    ("seed", "chosen"),
    [(4, InstrumentChoice("by_sector")), (5, InstrumentChoice("by_sector")), (6, InstrumentChoice("mfn")),
     (5, SUBSIDIES_TOO)],
)  # fmt: skip
def test_a_harsh_world_is_solved_as_the_dense_solver_solves_it_or_not_called_converged(
    seed: int, chosen: InstrumentChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Welfare is that of the dense solver, first-order conditions hold, a third of the instruments at a bound."""
    bounds = Bounds(tariff=(0.0, 0.15), subsidy=(0.0, 0.1))
    monkeypatch.setattr("dlopt.framework.nash.DENSE_FASTER", 0)
    monkeypatch.setattr("dlopt.framework.answer.DENSE_SEARCH", 0)
    result = solve_nash(harsh_world(seed), instruments=chosen, bounds=bounds)
    assert result.status in ("converged", "not_converged")
    assert isinstance(result.model, TradeModel)
    assert isinstance(result.instruments, Instruments)
    game = TradeGame(result.model, result.instruments)
    point = game.point(result.instruments.average(result.wedges))
    assert point is not None
    if result.status == "converged":
        assert result.certificate.at_bound >= result.instruments.count / 3
        assert nash.first_order_residual(game, point) <= 1e-8
        start = game.point(game.instruments.average(game.fixed))
        assert start is not None
        outcome, wanted = nash._play_densely(game, start, JointNewton(), Monitor())
        assert isinstance(wanted, TradePoint)
        if outcome is Outcome.CONVERGED:
            assert float((point.log_welfare - wanted.log_welfare).abs().max()) <= 1e-9


DUAL = InstrumentChoice("by_sector", subsidy="by_sector")


@pytest.mark.parametrize("options", [{}, {"unions": [("E2", "E3")]}, {"bounds": Bounds(subsidy=(0.0, 0.1))}])
def test_games_with_subsidies_are_solved_by_newton_krylov(options: dict[str, Any]) -> None:
    model = build_model(small_synthetic(5, 4, 2), "paper")
    game = TradeGame(model, build_instruments(model, DUAL, **options))
    start = game.point(game.instruments.average(game.fixed))
    assert start is not None
    outcome, found = play_by_newton_krylov(game, game.large, start, Monitor())
    dense, wanted = nash._play_densely(game, start, JointNewton(), Monitor())
    assert outcome is dense is Outcome.CONVERGED
    assert isinstance(found, TradePoint)
    assert isinstance(wanted, TradePoint)
    assert float((found.log_welfare - wanted.log_welfare).abs().max()) <= 1e-11


def test_a_large_game_with_subsidies_is_certified_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Best responses by formula and block, curvature by Lanczos; cut off in every phase, the same to the last bit."""
    monkeypatch.setattr("dlopt.framework.nash.DENSE_FASTER", 0)
    monkeypatch.setattr("dlopt.framework.answer.DENSE_SEARCH", 0)
    monkeypatch.setattr("dlopt.framework.concavity.DENSE_INSTRUMENTS", 0)

    def solve(tape: Tape, stop: int = 0) -> SolveResult:
        return solve_nash(
            small_synthetic(4, 3, 2), instruments=DUAL, tape=tape, on_iteration=lambda row: row.iteration == stop
        )

    whole = Tape()
    result = solve(whole)
    assert result.status == "converged"
    phases = [row.phase for row in result.iterations]
    assert {"simultaneous", "newton-krylov", "verification"} <= set(phases)
    for phase in ("simultaneous", "newton-krylov", "verification"):
        cut = Tape()
        assert solve(cut, phases.index(phase) + 1).status == "interrupted"
        resumed = solve(Tape(cut.entries))
        assert torch.equal(resumed.u, result.u)
        assert resumed.certificate == result.certificate
