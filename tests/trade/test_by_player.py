"""Instruments and bounds of single players."""

from __future__ import annotations

import pytest
import torch
from economies import small_synthetic

from dlopt import Bounds, UnknownNameError, solve_nash
from dlopt.trade.api import build_model
from dlopt.trade.instruments import InstrumentChoice, InstrumentError, build_instruments, choices_of

WORLD = small_synthetic(3, 2, 4)
A, B, C = WORLD.economies


def test_each_has_its_own_and_who_is_left_out_does_not_play() -> None:
    model = build_model(WORLD)
    choices = choices_of({A: {"tariff": "by_sector"}, B: {"subsidy": "uniform", "sectors": "all"}})
    made = build_instruments(model, choices, {B: Bounds(subsidy=(0.0, 0.1))})
    assert made.players == (A, B)
    assert set(made.kind[made.owner == 0].tolist()) == {0}
    assert set(made.kind[made.owner == 1].tolist()) == {2}
    assert made.rates(made.upper)[made.owner == 1] == pytest.approx([0.1])
    assert made.rates(made.upper)[made.owner == 0] == pytest.approx([4.0] * 4)
    assert not bool((made.tau[:, 1] >= 0).any())


def test_the_same_for_everybody_is_what_one_choice_gives() -> None:
    model, one = build_model(WORLD), InstrumentChoice(tariff="by_sector", subsidy="uniform")
    same = build_instruments(model, dict.fromkeys(WORLD.economies, one), dict.fromkeys(WORLD.economies, Bounds()))
    assert same == build_instruments(model, one)


def test_a_game_of_different_instruments_is_certified() -> None:
    game = {A: {"tariff": "uniform"}, B: {"export_tax": "uniform"}}
    result = solve_nash(WORLD, instruments=game, bounds={A: Bounds(tariff=(0.0, 0.05))})
    assert result.status == "converged"
    away = torch.arange(3) != 0
    assert result.policy.tariff[away, 0][WORLD.trade[away, 0] > 0] == pytest.approx(0.05)
    assert torch.equal(result.policy.tariff[:, 1:], WORLD.tariff[:, 1:])
    assert bool((result.policy.export_tax[1] > WORLD.export_tax[1]).any())
    assert torch.equal(result.policy.export_tax[0], WORLD.export_tax[0])


def test_what_cannot_be_is_refused() -> None:
    model, one = build_model(WORLD), InstrumentChoice(tariff="by_sector")
    with pytest.raises(UnknownNameError, match="economy"):
        build_instruments(model, {"nowhere": one})
    with pytest.raises(InstrumentError, match="one player"):
        build_instruments(model, {A: one, B: InstrumentChoice(subsidy="uniform")}, unions=[[A, B]])
    with pytest.raises(UnknownNameError, match="instrument"):
        choices_of({A: {"tarif": "by_sector"}})
