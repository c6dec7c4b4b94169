"""The solvers for many players against the dense ones: `python -m benchmarks.agreement [GAME ...]`.

Every game is played from the baseline by the solver that moves all players at once and by the dense solver; what they
found is compared, and at the point found own derivatives and products of second derivatives with random directions.
Both solve to their own tolerance and neither is verified: this compares numbers, not certificates. Prints one line a
game. The 7 x 44 games need the data of 2017 (`dlopt data import econ7115 DIR --name icio2017`), or another world of
7 economies (`--calibration`); the rest are worlds of `dlopt.calibrations.synthetic`, seed 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from typing import Any

import torch
from torch import Tensor

import dlopt
from dlopt.calibrations import synthetic
from dlopt.framework import nash
from dlopt.framework.conditions import LargeGame
from dlopt.framework.game import Monitor
from dlopt.framework.joint import JointNewton
from dlopt.framework.newton_krylov import play_by_newton_krylov
from dlopt.framework.simultaneous import play_at_once
from dlopt.trade.api import build_model
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.instruments import build_instruments, free_trade_inside


@dataclasses.dataclass(frozen=True)
class Game:
    """A game, and in which world: None is the one of 7 economies.

    Attributes:
        chosen: rates that players choose.
        of: who chooses, and for which flows.
        size: economies and sectors of a synthetic world.
    """

    chosen: dlopt.InstrumentChoice
    of: dict[str, Any] = dataclasses.field(default_factory=dict)
    size: tuple[int, int] | None = None


BOTH = dlopt.InstrumentChoice(tariff="by_sector", subsidy="by_sector")
TARIFFS = dlopt.InstrumentChoice(tariff="by_sector")
SUBSIDIES = dlopt.InstrumentChoice(tariff="false", subsidy="by_sector")
PAIR = {"players": ("USA", "CHN"), "partners": "players"}
SECTORS = [str(number) for number in range(6, 23)]
GAMES = {
    "us_china_trade_war": Game(TARIFFS, PAIR),
    "us_china_subsidy": Game(SUBSIDIES, PAIR),
    "us_china_dual": Game(BOTH, PAIR),
    "trade_war": Game(TARIFFS),
    "subsidy": Game(SUBSIDIES),
    "uniform_subsidy": Game(dlopt.InstrumentChoice(tariff="false", subsidy="uniform", sectors=SECTORS)),
    "dual": Game(BOTH),
    "customs_union": Game(TARIFFS, {"unions": [("USA", "EU", "JPN")]}),
    "mfn 14x44": Game(dlopt.InstrumentChoice(tariff="mfn"), size=(14, 44)),
    "mfn 30x30": Game(dlopt.InstrumentChoice(tariff="mfn"), size=(30, 30)),
}
"""Nash scenarios of `conf/scenario` as they are there, and two synthetic worlds."""


def compare(game: Game, calibration: str, accounting: str) -> dict[str, Any]:
    """Play by both solvers; largest differences."""
    world = dlopt.load_calibration(calibration) if game.size is None else synthetic(*game.size)
    model = build_model(world, accounting)  # type: ignore[arg-type]
    instruments = build_instruments(model, game.chosen, **game.of)
    fixed = free_trade_inside(instruments, world.economies, model.wedges0)
    trade = TradeGame(model, instruments, fixed=fixed)
    start = trade.point(instruments.average(fixed))
    assert start is not None
    large: LargeGame = trade.large
    play = play_at_once if bool(large.has_formula.all()) else play_by_newton_krylov
    began = time.process_time()
    outcome, found = play(trade, large, start, Monitor())
    taken = time.process_time() - began
    began = time.process_time()
    dense, wanted = nash._play_densely(trade, start, JointNewton(), Monitor())
    assert isinstance(found, TradePoint)
    assert isinstance(wanted, TradePoint)
    return {
        "outcome": outcome.value, "dense": dense.value, "seconds": taken, "dense_seconds": time.process_time() - began,
        "instruments": instruments.count,
        "welfare_pct": 100 * float((found.log_welfare - wanted.log_welfare).abs().max()),
        "rates": float((found.a - wanted.a).abs().max()), **derivatives(trade, start),
    }  # fmt: skip


def derivatives(game: TradeGame, point: TradePoint) -> dict[str, float]:
    """Largest relative differences between the two ways, from a point at random rates: 0 to 0.2 in logs, and 0.05."""
    largest = torch.where(game.instruments.kind < 2, 0.2, 0.05)
    draw = torch.rand(len(point.a), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    conditions = game.large.conditions(game.lower + largest * draw)
    assert conditions is not None
    here = game.large.point(conditions)
    own = here.gradient().gather(0, game.owner[None])[0]
    v = torch.randn(len(own), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    of_own, jointly = torch.zeros_like(v), torch.zeros_like(v)
    for player in range(game.players):
        mine = game.owner == player
        of_own[mine] = here.hessian(player) @ v[mine]
        if len(v) <= 1100:
            jointly[mine] = here.hessian(player, joint=True) @ v
    found = {
        "residual": here.residual, "gradient": relative(conditions.own_gradient(), own),
        "own_hessian": relative(conditions.own_hessian_times(v, 1e-13), of_own),
    }  # fmt: skip
    if len(v) <= 1100:
        found["joint_hessian"] = relative(conditions.joint_times(v, 1e-13), jointly)
    return found


def relative(actual: Tensor, wanted: Tensor) -> float:
    """Largest difference over the largest entry."""
    return float((actual - wanted).abs().max() / wanted.abs().max())


def main() -> None:
    """Compare what is asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("games", nargs="*", metavar="GAME", help=f"of {', '.join(GAMES)}; default all")
    parser.add_argument("--calibration", default="icio2017")
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for name in arguments.games or GAMES:
        for accounting in ("standard", "paper") if GAMES[name].size is None else ("standard",):
            print(name, accounting, json.dumps(compare(GAMES[name], arguments.calibration, accounting)), flush=True)


if __name__ == "__main__":
    main()
