"""A solver cut off anywhere and begun again on its record ends with the same numbers, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from economies import small_synthetic
from games import cournot, vector

from dlopt import BestResponse, InstrumentChoice, solve_cooperative, solve_nash
from dlopt.framework import JointNewton as GameNewton
from dlopt.framework import Monitor, Outcome, Tape, TapeMismatchError, best_response_dynamics
from dlopt.framework import solve_nash as solve_game
from dlopt.trade.api import solve_moves
from dlopt.trade.draws import DrawOptions, DrawsInterrupted, draw_subsidies
from dlopt.trade.results import SolveResult

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")
WORLD = small_synthetic()
PROBLEMS: dict[str, Any] = {
    "nash": lambda **given: solve_nash(WORLD, instruments=DUAL, **given),
    "paper": lambda **given: solve_nash(
        WORLD, instruments=DUAL, solver=BestResponse(rounds=2, steps=3, eta=0.5, compare=True), **given
    ),
    "unilateral": lambda **given: solve_moves(WORLD, ("E1", "E2"), instruments=DUAL, **given),
    "planner": lambda **given: solve_cooperative(WORLD, instruments=DUAL, init="random", **given),
    "no losers": lambda **given: solve_cooperative(WORLD, instruments=DUAL, no_losers=True, **given),
    "bargain": lambda **given: solve_cooperative(WORLD, instruments=DUAL, objective="bargain", **given),
}


def same(one: SolveResult, two: SolveResult) -> None:
    assert (one.status, one.message, one.certificate) == (two.status, two.message, two.certificate)
    assert torch.equal(one.u, two.u)
    assert all(torch.equal(a, b) for a, b in zip(one.wedges, two.wedges, strict=True))
    assert len(one.iterations) == len(two.iterations)
    for a, b in zip(one.iterations, two.iterations, strict=True):
        assert (a.iteration, a.phase, a.player, a.first_order_residual, a.welfare) == (
            b.iteration, b.phase, b.player, b.first_order_residual, b.welfare,
        )  # fmt: skip


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_cut_off_and_resumed(name: str) -> None:
    tape = Tape()
    whole = PROBLEMS[name](tape=tape)
    count = len(tape.entries)
    assert count >= 3
    for cut in (count // 4, (2 * count) // 3):
        again = Tape(tape.entries[:cut])
        same(whole, PROBLEMS[name](tape=again))
        assert len(again.entries) == count


def test_a_whole_record_is_read_without_a_step() -> None:
    tape = Tape()
    game, start = cournot(), vector(0.5, 3.0, 1.0)
    point = game.point(start)
    assert point is not None
    whole = solve_game(game, point, GameNewton(), [vector(4.0, 4.0, 4.0)], Monitor(tape=tape))
    reports: list[float] = []
    again = Monitor(lambda progress: reports.append(progress.first_order_residual), Tape(tape.entries))
    same_end = solve_game(game, point, GameNewton(), [vector(4.0, 4.0, 4.0)], again)
    assert torch.equal(whole.point.a, same_end.point.a)
    assert same_end.optimality == whole.optimality
    assert reports == [entry["residual"] for entry in tape.entries]


def test_draws_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlopt.trade.draws.BATCH", 4)
    result = solve_nash(WORLD, instruments=InstrumentChoice(subsidy="by_sector"))
    options, tape = DrawOptions(count=10), Tape()
    whole = draw_subsidies(result, "E1", options, tape=tape)
    assert len(tape.entries) == 3
    again = draw_subsidies(result, "E1", options, tape=Tape(tape.entries[:2]))
    assert torch.equal(whole.real_income_change_pct, again.real_income_change_pct)
    with pytest.raises(DrawsInterrupted):
        draw_subsidies(result, "E1", options, tape=Tape(stop=lambda: True))


def test_a_record_of_something_else_is_refused() -> None:
    tape = Tape([{"label": "joint newton", "seconds": 1.0}])
    with pytest.raises(TapeMismatchError, match="best response of 0"):
        tape.take("best response of 0", dict)


def test_time_goes_on_where_it_stood() -> None:
    tape = Tape([{"label": "a", "seconds": 5.0}, {"label": "b", "seconds": 7.0}])
    tape.take("a", dict)
    assert tape.seconds == 5.0
    tape.take("b", dict)
    assert 7.0 <= tape.seconds < 60.0


def test_a_request_to_stop_is_heard_inside_a_turn() -> None:
    """Within a step of the optimiser, not at the end of the turn; nothing half done is recorded."""
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) >= 3

    game, start = cournot(), vector(0.5, 3.0, 1.0)
    point = game.point(start)
    assert point is not None
    tape = Tape(stop=stop)
    result = best_response_dynamics(game, point, BestResponse(steps=1_000_000), monitor=Monitor(tape=tape))
    assert result.outcome is Outcome.INTERRUPTED
    assert len(asked) == 3
    assert tape.entries == []
