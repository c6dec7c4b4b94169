"""The benchmark's equations of a published tariff game are those of the model, and its formula comes near the game."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from dlopt.calibrations.generator import synthetic
from dlopt.trade.api import build_model, solve_nash
from dlopt.trade.game import TradeGame
from dlopt.trade.instruments import InstrumentChoice, build_instruments

ROOT = Path(__file__).resolve().parents[2]


def test_the_equations_give_the_welfare_of_the_model_and_nearly_the_equilibrium() -> None:
    spec = importlib.util.spec_from_file_location("formula", ROOT / "benchmarks" / "formula.py")
    assert spec is not None
    assert spec.loader is not None
    formula = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formula)
    world = synthetic(5, 3, 2, scale_economies=False, intermediates=False)
    choice = InstrumentChoice(tariff="uniform", sectors="all")
    tariff, welfare = formula.by_formula(world)
    model = build_model(world)
    game = TradeGame(model, build_instruments(model, choice))
    point = game.point(torch.from_numpy(tariff).log1p()[game.owner])
    assert point is not None
    assert float((point.log_welfare - torch.from_numpy(welfare)).abs().max()) <= 1e-10
    certified = solve_nash(world, instruments=choice)
    assert certified.status == "converged"
    exact = game.instruments.average(certified.wedges).expm1()
    off = (torch.from_numpy(tariff)[game.owner] - exact).abs()
    assert 1e-6 < float(off.max()) < 0.01  # near, and not the same
