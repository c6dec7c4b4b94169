"""One case by one method, in a process of its own: `python -m benchmarks.solve CASE METHOD`; prints one JSON line.

Methods: `ours`; `lbfgsb`, `slsqp` (SciPy on our implicit gradients); `lbfgsb_differences` (SciPy on its own finite
differences of our equilibria); `ipopt` (CasADi and IPOPT on policies and equilibrium at once, exact derivatives; one
optimiser only); `adam` (the published algorithm on our equilibria and gradients); `published`, `published_newton` (the
same with automatic differentiation throughout, as published, equilibria by (5) or (6); timed on some of its steps);
`contraction`, `anderson` (equilibria only); `training` (of the exporter, the published method to the letter). Times are
of the processor.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable

import numpy as np
import torch

import dlopt
from benchmarks.problems import CASES, Case, game_of, given_wedges, judge
from dlopt.choice import PAPER, MethodOptions
from dlopt.framework.game import Interrupted, Monitor, Point
from dlopt.trade.game import TradeGame
from dlopt.trade.inner import towards_solution

TOLERANCE = 1e-8


def main() -> None:
    """Solve, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--calibration", default="stylized2017")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(arguments.threads)
    case = CASES[arguments.case]
    found = METHODS[arguments.method](case, arguments.calibration)
    print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def ours(case: Case, calibration: str) -> dict[str, object]:
    """As `dlopt solve` does it, verification included."""
    if case.exporter:
        return _exporter(case, MethodOptions())
    began = time.process_time()
    world = dlopt.load_calibration(calibration)
    ready = time.process_time()
    if case.instruments is None:
        _, wedges = given_wedges(calibration)
        policy = dlopt.Policy.from_wedges(wedges)
        ready = time.process_time()
        result = dlopt.solve_equilibrium(world, policy)
    elif case.planner:
        result = dlopt.solve_cooperative(world, instruments=case.instruments)
    elif len(case.players) == 1:
        result = dlopt.solve_unilateral(world, case.players[0], instruments=case.instruments)
    else:
        result = dlopt.solve_nash(world, instruments=case.instruments, players=case.players, partners=case.partners)
    done = time.process_time()
    found = {"residual": result.certificate.equilibrium_residual}
    if case.instruments is not None:
        game = game_of(case, calibration)
        found = judge(game, game.instruments.average(result.wedges))
    return {"setup_seconds": ready - began, "solve_seconds": done - ready, "status": result.status, **found}


def scipy_method(method: str, implicit: bool) -> Callable[[Case, str], dict[str, object]]:
    """NFXP: an outer optimiser on welfare at inner equilibria; players in turn until nobody moves."""

    def solve(case: Case, calibration: str) -> dict[str, object]:
        from scipy.optimize import Bounds, minimize

        began = time.process_time()
        game = game_of(case, calibration)
        point = game.point(game.instruments.average(game.fixed))
        assert point is not None
        ready = time.process_time()
        turns = 60 if game.players > 1 else 1
        for _ in range(turns):
            before = point.a
            for player in range(game.players):
                own = (game.owner == player).nonzero().squeeze(1)
                here = _Tracker(game, point, player, own)
                options = {"maxiter": 2000, "ftol": 1e-16, **({"gtol": 1e-10} if method == "L-BFGS-B" else {})}
                minimize(
                    here.loss,
                    point.a[own].numpy(),
                    jac=here.slope if implicit else None,
                    method=method,
                    bounds=Bounds(game.lower[own].numpy(), game.upper[own].numpy()),
                    options=options,
                )
                point = here.best
            if float((point.a - before).abs().max()) <= 1e-7:
                break
        done = time.process_time()
        return {
            "setup_seconds": ready - began, "solve_seconds": done - ready, "status": "finished",
            "evaluations": here.evaluations, **judge(game, point.a),
        }  # fmt: skip

    return solve


class _Tracker:
    """Minus welfare and its derivative for SciPy, warm-started, with the best point seen."""

    def __init__(self, game: TradeGame, point: object, player: int, own: torch.Tensor) -> None:
        self.game, self.best, self.player, self.own = game, point, player, own
        self.at, self.here, self.evaluations = None, point, 0

    def _move(self, x: np.ndarray) -> object:
        if self.at is None or not np.array_equal(x, self.at):
            a = self.here.a.clone()
            a[self.own] = torch.from_numpy(x)
            point = self.game.point(a, near=self.here) or self.game.point(a)
            self.at, self.evaluations = x.copy(), self.evaluations + 1
            if point is None:
                return None
            self.here = point
            if float(point.objectives[self.player]) > float(self.best.objectives[self.player]):
                self.best = point
        return self.here

    def loss(self, x: np.ndarray) -> float:
        point = self._move(x)
        return 1e3 if point is None else -float(point.objectives[self.player])

    def slope(self, x: np.ndarray) -> np.ndarray:
        point = self._move(x)
        return np.zeros_like(x) if point is None else -point.gradient()[self.player, self.own].numpy()


def adam(case: Case, calibration: str) -> dict[str, object]:
    """The published Algorithm 1 with its own budget: 20 rounds of 50 Adam steps per player, learning rate 1e-3."""
    began = time.process_time()
    game = game_of(case, calibration)
    ready = time.process_time()
    from dlopt.framework.best_response import BestResponse, best_response_dynamics

    start = game.point(game.instruments.average(game.fixed))
    assert start is not None
    result = best_response_dynamics(game, start, BestResponse(learning_rate=1e-3), 0, [])
    done = time.process_time()
    return {
        "setup_seconds": ready - began, "solve_seconds": done - ready, "status": "budget spent",
        **judge(game, result.point.a),
    }  # fmt: skip


def published(inner: str) -> Callable[[Case, str], dict[str, object]]:
    """Algorithm 1 as published, its equilibria by `contraction` (5) or `newton` (6), gradients by (7, 8).

    Both use automatic differentiation. Timed are the second and the third step of every player, and nothing of what is
    looked at between turns and after a round; they are multiplied up to the whole.
    The inner loop stops at 1e-10; the paper names no tolerance.
    """

    def solve(case: Case, calibration: str) -> dict[str, object]:
        began = time.process_time()
        game = game_of(case, calibration)
        model, chosen = game.model, game.instruments
        from dlopt.framework import FixedPointGame, FixedPointOptions, FixedPointProblem
        from dlopt.framework.best_response import BestResponse, best_response_dynamics

        sign = towards_solution(model)
        problem = FixedPointProblem(
            lambda u, a: u + sign * model.residual(u, chosen.apply(a, game.fixed)),
            lambda u, a: game.objective(model.log_welfare(u)),
        )
        options = FixedPointOptions(method=inner, tolerance=1e-10)
        literal = FixedPointGame(problem, game.owner, torch.zeros(model.size), game.lower, game.upper, options)
        start = literal.point(chosen.average(game.fixed))
        assert start is not None
        start.gradient()  # the first takes longer: torch prepares what the others use
        ready = time.process_time()
        clock = _Clock(turns=game.players)
        play = BestResponse(learning_rate=1e-3, rounds=1, steps=_Clock.STEPS)
        done = best_response_dynamics(literal, start, play, 0, [], clock)
        timed, whole = 2 * game.players, 20 * 50 * game.players
        return {
            "setup_seconds": ready - began, "solve_seconds": clock.seconds * whole / timed,
            "evaluations": timed, "status": f"estimated from {timed} of its {whole} steps", "objectives": None,
            "first_order_residual": None, "residual": done.point.residual,
        }  # fmt: skip

    return solve


class _Clock(Monitor):
    """Processor time of the second and the third step of every turn; play ends when it has them."""

    STEPS = 4

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.turns, self.begun, self.seconds = turns, 0, 0.0

    def breathe(self, point: Point) -> None:
        """A step begins."""
        now, step = time.process_time(), self.begun % self.STEPS
        if step > 1:
            self.seconds += now - self.last
        self.last, self.begun = now, self.begun + 1
        if self.begun == self.turns * self.STEPS:
            raise Interrupted(point)


def training(case: Case, _: str) -> dict[str, object]:
    """The second paper's method to the letter, for the steps it gets by default."""
    return _exporter(case, PAPER)


def _exporter(case: Case, method: MethodOptions) -> dict[str, object]:
    """Train, certify, and compare with the exact solution."""
    from dlopt.choice import AnalysisOptions, preset, solve_bsde

    began = time.process_time()
    model = preset(str(case.exporter))
    ready = time.process_time()
    few = AnalysisOptions(out_of_sample=500, paths=64, years=10, response_paths=16, response_years=1)
    result = solve_bsde(model, method, analysis=few, device="cpu")
    done = time.process_time()
    errors = result.tables()["validation"].set_index("states").loc["long_run"]
    return {
        "setup_seconds": ready - began, "solve_seconds": result.train_seconds, "with_checks_seconds": done - ready,
        "status": result.status, "evaluations": result.steps, "residual": result.certificate.hjb_residual_rel,
        "relative_error": float(errors["relative_error"]), "decisions": float(errors["decision_accuracy"]),
    }  # fmt: skip


def fixed_point(method: str) -> Callable[[Case, str], dict[str, object]]:
    """Plain iteration, or Anderson's: each unknown is set to what its own equation says."""

    def solve(_: Case, calibration: str) -> dict[str, object]:
        from dlopt.framework.fixed_point import FixedPointOptions, FixedPointProblem

        began = time.process_time()
        model, wedges = given_wedges(calibration)
        sign = towards_solution(model)
        problem = FixedPointProblem(lambda u, _a: u + sign * model.residual(u, wedges), lambda u, _a: u)
        ready = time.process_time()
        options = FixedPointOptions(method=method, tolerance=1e-11, max_iterations=200_000)
        found = problem.solve(torch.zeros(0), torch.zeros(model.size), options)
        done = time.process_time()
        residual = float(model.residual(found.x, wedges).abs().max())
        return {
            "setup_seconds": ready - began, "solve_seconds": done - ready, "status": found.outcome.name.lower(),
            "evaluations": found.iterations, "residual": residual,
        }  # fmt: skip

    return solve


def ipopt(case: Case, calibration: str) -> dict[str, object]:
    """Everything at once (MPEC): see `benchmarks.mpec`."""
    from benchmarks.mpec import solve

    return solve(case, calibration)


METHODS: dict[str, Callable[[Case, str], dict[str, object]]] = {
    "ours": ours,
    "lbfgsb": scipy_method("L-BFGS-B", True),
    "slsqp": scipy_method("SLSQP", True),
    "lbfgsb_differences": scipy_method("L-BFGS-B", False),
    "ipopt": ipopt,
    "adam": adam,
    "published": published("contraction"),
    "published_newton": published("newton"),
    "training": training,
    "contraction": fixed_point("contraction"),
    "anderson": fixed_point("anderson"),
}

if __name__ == "__main__":
    main()
