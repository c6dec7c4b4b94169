"""Customs unions, sequences of moves, and play from any policies."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from economies import small_synthetic

from dlopt.errors import DloptError
from dlopt.trade.api import solve_cooperative, solve_moves, solve_nash, solve_unilateral
from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import InstrumentChoice, InstrumentError
from dlopt.trade.policy import Policy

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector", sectors="all")
TARIFF = InstrumentChoice(tariff="by_sector", sectors="all")


@pytest.fixture(scope="module")
def world() -> Calibration:
    return small_synthetic(policies="tariffs")


def halved(world: Calibration) -> Calibration:
    """The first economy cut into two identical halves that trade freely with each other."""
    source = torch.tensor([0, *range(world.n_economies)])
    weight = torch.ones(world.n_economies + 1, dtype=world.trade.dtype)
    weight[:2] = 0.5
    tables = ("subsidy", "value_added_share", "input_share", "final_share")
    return dataclasses.replace(
        world,
        economies=("H1", "H2", *world.economies[1:]),
        trade=world.trade[source][:, source] * weight[:, None, None] * weight[None, :, None],
        **{name: getattr(world, name)[source][:, source] for name in ("tariff", "export_tax")},
        **{name: getattr(world, name)[source] for name in tables},
    )


def test_a_union_of_two_halves_is_the_country(world: Calibration) -> None:
    whole = solve_nash(world, instruments=DUAL)
    union = solve_nash(halved(world), instruments=DUAL, unions=[("H1", "H2")])
    assert whole.status == union.status == "converged"
    first, *rest = whole.real_income_change_pct.tolist()
    assert union.real_income_change_pct.tolist() == pytest.approx([first, first, *rest], abs=1e-7)
    # One external tariff, none inside.
    tariff = union.policy.tariff
    assert bool((tariff[:2, :2] == 0).all())
    assert torch.equal(tariff[2:, 0], tariff[2:, 1])
    assert tariff[2:, 0].flatten().tolist() == pytest.approx(whole.policy.tariff[1:, 0].flatten().tolist(), abs=1e-6)


def test_halves_apart_do_worse_than_together(world: Calibration) -> None:
    apart = solve_nash(halved(world), instruments=TARIFF)
    union = solve_nash(halved(world), instruments=TARIFF, unions=[("H1", "H2")])
    assert apart.status == union.status == "converged"
    assert float(union.real_income_change_pct[0]) > float(apart.real_income_change_pct[0])


def test_unions_are_checked(world: Calibration) -> None:
    a, b, c = world.economies
    with pytest.raises(InstrumentError, match="one union only"):
        solve_nash(world, instruments=TARIFF, unions=[(a, b), (b, c)])
    with pytest.raises(InstrumentError, match="among the players"):
        solve_nash(world, instruments=TARIFF, players=(a, c), unions=[(a, b)])


def test_moves_are_best_responses_in_turn(world: Calibration) -> None:
    a, b, _ = world.economies
    moves = solve_moves(world, [a, b, a], instruments=TARIFF)
    first = solve_unilateral(world, a, instruments=TARIFF)
    second = solve_unilateral(world, b, instruments=TARIFF, init=first.policy)
    assert moves.status == "converged"
    assert [move.player for move in moves.moves] == [a, b, a]
    assert moves.moves[0].welfare.tolist() == pytest.approx(first.real_income_change_pct.tolist(), abs=1e-9)
    assert moves.moves[1].welfare.tolist() == pytest.approx(second.real_income_change_pct.tolist(), abs=1e-9)
    # The second mover keeps the first one's tariffs; the answer can only help the one who gives it.
    assert torch.equal(second.policy.tariff[:, 0], first.policy.tariff[:, 0])
    assert float(moves.moves[2].welfare[0]) >= float(moves.moves[1].welfare[0])
    table = moves.tables()["moves"]
    assert list(table.columns) == ["move", "player", "status", "economy", "real_income_change_pct"]
    assert len(table) == 3 * world.n_economies


def test_leaving_a_cooperation_pays_the_leaver(world: Calibration) -> None:
    together = solve_cooperative(world, instruments=TARIFF)
    leaver = world.economies[1]
    alone = solve_unilateral(world, leaver, instruments=TARIFF, init=together.policy)
    assert alone.status == "converged"
    assert float(alone.real_income_change_pct[1]) > float(together.real_income_change_pct[1])
    assert torch.equal(alone.policy.tariff[:, [0, 2]], together.policy.tariff[:, [0, 2]])


def test_play_from_an_equilibrium_stays_there(world: Calibration) -> None:
    nash = solve_nash(world, instruments=DUAL)
    again = solve_nash(world, instruments=DUAL, init=nash.policy)
    assert again.status == "converged"
    assert again.real_income_change_pct.tolist() == pytest.approx(nash.real_income_change_pct.tolist(), abs=1e-9)
    assert len(again.iterations) < len(nash.iterations)


def test_a_sequence_needs_a_mover(world: Calibration) -> None:
    with pytest.raises(DloptError, match="moves is empty"):
        solve_moves(world, [], instruments=TARIFF, init=Policy.of(world))
