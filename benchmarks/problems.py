"""The problems that everybody solves, and the common judge of what they found."""

from __future__ import annotations

import dataclasses

import torch

import dlopt
from dlopt.framework.game import first_order_residual
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame, own_welfare
from dlopt.trade.instruments import build_instruments
from dlopt.trade.planner import planner_weights, weighted_welfare

BOTH = dlopt.InstrumentChoice(tariff="by_sector", subsidy="by_sector")
TARIFFS = dlopt.InstrumentChoice(tariff="by_sector")
SUBSIDIES = dlopt.InstrumentChoice(tariff="false", subsidy="by_sector")


@dataclasses.dataclass(frozen=True)
class Case:
    """Who chooses what.

    Attributes:
        title: for the table.
        instruments: which rates are chosen; None where policies are given.
        players: labels of economies, or `all`.
        partners: `all`, or `players`.
        planner: whether one planner chooses for all.
        exporter: preset of the exporter's model; nothing of the rest then applies.
    """

    title: str
    instruments: dlopt.InstrumentChoice | None
    players: str | tuple[str, ...] = "all"
    partners: str = "all"
    planner: bool = False
    exporter: str | None = None


CASES = {
    "given_tariffs": Case("equilibrium of given tariffs", None),
    "china_subsidies": Case("China's subsidies", SUBSIDIES, ("CHN",)),
    "china_both": Case("China's tariffs and subsidies", BOTH, ("CHN",)),
    "us_china_dual": Case("US-China dual", BOTH, ("USA", "CHN"), "players"),
    "trade_war": Case("trade war", TARIFFS),
    "dual": Case("dual", BOTH),
    "cooperation": Case("cooperative dual", BOTH, planner=True),
    "exporter": Case("exporter with 100 destinations in blocks of five", None, exporter="blocks"),
}
"""Name -> case. The tariffs given are ten points more on everything from abroad."""


def game_of(case: Case, calibration: str) -> TradeGame:
    """The game of a case, from the baseline."""
    model = build_model(dlopt.load_calibration(calibration), "standard", "none", 1.0)
    assert case.instruments is not None
    chosen = build_instruments(model, case.instruments, dlopt.Bounds(), case.players, case.partners)
    if case.planner:
        chosen = dataclasses.replace(chosen, owner=torch.zeros_like(chosen.owner))
        return TradeGame(model, chosen, weighted_welfare(planner_weights(model, "income")))
    return TradeGame(model, chosen, own_welfare(model, chosen.members))


def given_wedges(calibration: str) -> tuple[object, tuple[torch.Tensor, ...]]:
    """The model, and log wedges with ten points more of every foreign tariff."""
    world = dlopt.load_calibration(calibration)
    model = build_model(world, "standard", "none", 1.0)
    tau, epsilon, sigma = model.wedges0
    abroad = ~torch.eye(model.n, dtype=torch.bool)[:, :, None]
    return model, (tau.expm1().add(0.1 * abroad).log1p(), epsilon, sigma)


def judge(game: TradeGame, a: torch.Tensor) -> dict[str, object]:
    """Objectives and the largest projected own derivative at `a`, with derivatives that are exact."""
    for bound in (game.lower, game.upper):  # an interior-point method stops a hair inside
        a = torch.where((a - bound).abs() <= 1e-7, bound, a)
    point = game.point(a.clamp(game.lower, game.upper))
    if point is None:
        return {"objectives": None, "first_order_residual": None}
    return {"objectives": point.objectives.tolist(), "first_order_residual": first_order_residual(game, point)}
