"""What one step costs, and where the time of a whole solve goes: `python -m benchmarks.pieces`; prints JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch

import dlopt
from benchmarks.problems import BOTH, CASES, game_of
from dlopt.framework.box import BoxedSystem
from dlopt.framework.joint import JointNewton
from dlopt.framework.linear import Factorisation
from dlopt.trade.factors import EquilibriumFactors
from dlopt.trade.game import TradeGame, TradePoint

PARTS = {
    "equilibria: residuals and steps": [(TradeGame, "point")],
    "Jacobians written down": [(EquilibriumFactors, "__init__")],
    "LU factors of Jacobians": [(Factorisation, "__init__")],
    "solves with them": [(EquilibriumFactors, "solve"), (EquilibriumFactors, "solve_transposed")],
    "gradients": [(TradePoint, "gradient")],
    "second derivatives": [(TradePoint, "hessian")],
    "eigenvalues": [(torch.linalg, "eigh"), (torch.linalg, "eigvalsh")],
    "Newton steps between bounds": [(BoxedSystem, "step")],
}


def fastest(work: Callable[[], object], times: int) -> float:
    """Milliseconds of the fastest run."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return 1e3 * best


def steps(calibration: str) -> dict[str, float]:
    """Milliseconds of the pieces of an iteration of the dual game, a quarter of the way to random rates."""
    game = game_of(CASES["dual"], calibration)
    start = game.instruments.average(game.fixed)
    noise = torch.rand(len(start), generator=torch.Generator().manual_seed(0))
    point = game.point(start + 0.05 * noise)
    assert isinstance(point, TradePoint)
    point.gradient()
    moved = point.a + 0.01 * noise

    def fresh() -> TradePoint:
        return TradePoint(game, point.a, point.equilibrium)

    def joint() -> list[torch.Tensor]:
        at = fresh()
        return [at.hessian(player, joint=True) for player in range(game.players)]

    size = len(start)
    matrix = torch.eye(size) * size + torch.randn(size, size, generator=torch.Generator().manual_seed(1))
    return {
        "equilibrium after a change of rates by up to 0.01": fastest(lambda: game.point(moved, near=point), 10),
        "gradients of all welfares, factors included": fastest(lambda: fresh().gradient(), 10),
        "own second derivatives of one player": fastest(lambda: fresh().hessian(0), 5),
        "second derivatives of all players in everything": fastest(joint, 3),
        "one factorisation in all instruments": fastest(lambda: torch.linalg.lu_factor(matrix), 3),
        "floor of a joint step, by counting operations at the speed of matrix products": _floor(size),
    }


def _floor(size: int) -> float:
    """Milliseconds for the 7.9 GFLOP of a joint step (7 economies, 44 sectors) at the speed of square products."""
    a = torch.randn(size, size)
    return 7.9e9 / (2 * size**3 / fastest(lambda: a @ a, 5))


def profile(case: str, calibration: str) -> dict[str, Any]:
    """Calls and own seconds of each part of a solve."""
    spent: dict[str, list[float]] = {name: [0, 0.0] for name in PARTS}
    inner: list[float] = []

    def watch(owner: Any, name: str, part: str) -> None:
        original = getattr(owner, name)

        def timed(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            inner.append(0.0)
            try:
                return original(*args, **options)
            finally:
                took = time.perf_counter() - began
                spent[part][0] += 1
                spent[part][1] += took - inner.pop()
                if inner:
                    inner[-1] += took

        setattr(owner, name, timed)

    for part, places in PARTS.items():
        for owner, name in places:
            watch(owner, name, part)
    from dlopt.framework import ascent

    watch(ascent, "peak_in_box", "Newton steps between bounds")
    world = dlopt.load_calibration(calibration)
    began = time.perf_counter()
    if CASES[case].planner:
        result = dlopt.solve_cooperative(world, instruments=BOTH)
    else:
        result = dlopt.solve_nash(world, instruments=BOTH, solver=JointNewton())
    whole = time.perf_counter() - began
    spent["everything else"] = [1, whole - sum(seconds for _, seconds in spent.values())]
    return {
        "status": result.status, "seconds": whole,
        "parts": {name: {"calls": int(calls), "seconds": seconds} for name, (calls, seconds) in spent.items()},
    }  # fmt: skip


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibration", default="stylized2017")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(arguments.threads)
    found: dict[str, Any] = {"steps": steps(arguments.calibration)}
    for case in ("dual", "cooperation"):
        found[case] = profile(case, arguments.calibration)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
