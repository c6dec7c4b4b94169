"""Derivatives of solved worlds against solving them again: `python -m benchmarks.derivatives [--calibration icio2017]`.

Equilibrium, best response, trade war, game in tariffs and subsidies, planner; both accountings; all kinds of parameter.
Of each kind three parameters are drawn, flows and shares with chances in proportion to their money, and moved together
along a direction that is drawn as well; the problem is solved again twice on either side, from the old policies, far
below the error that is looked for. One JSON line for each cell: the largest error of any outcome of any country, as a
share of the largest derivative of that outcome, and the same of chosen rates.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import dlopt
from benchmarks.problems import BOTH, TARIFFS
from dlopt.framework.game import free_instruments, own_gradient
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import Responses, responses
from dlopt.trade.api import build_model
from dlopt.trade.calibration import Calibration
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.model import TradeModel
from dlopt.trade.parameters import KINDS_OF_PARAMETERS, Parameter, moved, parameters_of_result, shaken
from dlopt.trade.rates import INSTRUMENTS
from dlopt.trade.results import SolveResult
from dlopt.trade.sensitivity import Players, outcomes_of, sensitivities

VERBS = ("equilibrium", "unilateral", "trade_war", "dual", "planner")
BOUNDS = dlopt.Bounds(tariff=(0.0, 0.7))
"""Where some rates of every problem want to go further."""
STEPS = {"theta": 2e-3, "psi": 1e-4, "bound": 2e-5, "weight": 5e-6}
STEP = 2e-4
DRAWN = 3
CORRECTIONS = 60
SETTLED = 1e-12
"""Largest last correction of a log rate, and largest own derivative of a free one."""
LOOSE = 1e-8
"""Rates at a bound that push against it less stay there, as for derivatives: those are one-sided."""

Change = Sequence[tuple[Parameter, float]]


def main() -> None:
    """Solve, differentiate, solve again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibration", default="icio2017")
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--accountings", default="standard,paper")
    parser.add_argument("--kinds", default=",".join(KINDS_OF_PARAMETERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(given.threads)
    world = dlopt.load_calibration(given.calibration)
    for verb in given.verbs.split(","):
        for accounting in given.accountings.split(","):
            result = solved(world, verb, accounting)
            matrix = matrix_of(result)
            for kind in given.kinds.split(","):
                for row in compared(result, matrix, kind, given.seed):
                    cell = {"calibration": given.calibration, "verb": verb, "accounting": accounting, "kind": kind}
                    print(json.dumps({**cell, **row}), flush=True)


def solved(world: Calibration, verb: str, accounting: Any) -> SolveResult:
    """The problem of a verb, as any user solves it."""
    began = time.process_time()
    same: dict[str, Any] = {"accounting": accounting, "bounds": BOUNDS}
    if verb == "equilibrium":
        tariff = world.tariff.clone()
        tariff[1:, 0] += 0.1
        policy = dlopt.Policy(tariff, world.export_tax, world.subsidy)
        found = dlopt.solve_equilibrium(world, policy, accounting=accounting)
    elif verb == "unilateral":
        found = dlopt.solve_unilateral(world, world.economies[0], instruments=BOTH, **same)
    elif verb == "planner":
        found = dlopt.solve_cooperative(world, instruments=BOTH, **same)
    else:
        found = dlopt.solve_nash(world, instruments=TARIFFS if verb == "trade_war" else BOTH, **same)
    words = f"{verb} {accounting}: {found.status} after {time.process_time() - began:.1f} s"
    print(f"{words}, {found.certificate.at_bound or 0} at a bound", file=sys.stderr)
    return found


def compared(result: SolveResult, matrix: Responses | None, kind: str, seed: int) -> list[dict[str, Any]]:
    """One direction of a kind; nothing where the problem has no such parameters."""
    everything = parameters_of_result(result, [kind])
    if result.instruments is None and kind in ("tariff", "export_tax", "subsidy"):
        everything = [p for p in everything if untouched(result, p)]
    if not everything:
        return []
    generator = torch.Generator().manual_seed(seed)
    money = torch.tensor([importance(result.model.given, p) for p in everything])
    chosen = torch.multinomial(money, min(DRAWN, len(everything)), generator=generator).tolist()
    parameters = [everything[k] for k in sorted(chosen)]
    weights = 1.0 + torch.rand(len(parameters), generator=generator)
    step = STEPS.get(kind, STEP)
    found = sensitivities(result, parameters)
    change = [(p, step * w) for p, w in zip(parameters, weights.tolist(), strict=True)]
    ends = {times: again(result, [(p, times * x) for p, x in change], matrix) for times in (2, 1, -1, -2)}
    slope, rates = (
        (8 * (ends[1][k] - ends[-1][k]) - (ends[2][k] - ends[-2][k])) / (12 * step)  # of fourth order
        for k in (0, 1)
    )
    sizes = slope.abs().amax(1, keepdim=True).clamp(min=1e-3 * float(slope.abs().max()))
    error = float(((found.outcomes @ weights - slope).abs() / sizes).max())
    of_rates = 0.0
    if len(rates) and float(rates.abs().max()) > 0:
        of_rates = float((found.instruments @ weights - rates).abs().max() / rates.abs().max())
    return [
        {
            "parameters": [p.label for p in parameters], "outcomes_error": error, "rates_error": of_rates,
            "flat": found.flat, "loose": found.loose,
        }
    ]  # fmt: skip


def untouched(result: SolveResult, parameter: Parameter) -> bool:
    """Whether the policy leaves the rate where the baseline has it: else it stays where the policy set it."""
    number = ("tariff", "export_tax", "subsidy").index(parameter.kind)
    new, old = result.wedges[number], result.model.wedges0[number]
    return bool(new[parameter.where] == old[parameter.where])


def importance(world: Calibration, parameter: Parameter) -> float:
    """Money behind a parameter, baseline units: parameters are drawn in proportion."""
    where, kind = parameter.where, parameter.kind
    if kind in ("trade", "cost", "tariff", "export_tax"):
        return float(world.trade[where])
    if kind in ("productivity", "value_added_share", "subsidy", "political_weight"):
        return float(world.trade[where[0], :, where[1]].sum())
    if kind == "input_share":
        return parameter.value * float(world.trade[where[0], :, where[2]].sum())
    if kind == "final_share":
        return parameter.value * float(world.trade[:, where[0]].sum())
    return 1.0


def matrix_of(result: SolveResult) -> Responses | None:
    """Derivative of all first-order conditions, by factors: what corrections are made of when solving again."""
    if result.instruments is None:
        return None
    players = Players(result)
    here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
    point = players.point(result.model, here)
    return responses(point.game, point)


def again(result: SolveResult, change: Change, matrix: Responses | None) -> tuple[Tensor, Tensor]:
    """Outcomes and log rates of the whole problem solved again: balanced, in equilibrium, first-order conditions."""
    data = result.model.given
    for parameter, amount in change:
        data = moved(data, parameter, amount)
    model = build_model(data, result.model.accounting)
    for parameter, amount in change:
        model = shaken(model, parameter, amount)
    if matrix is None:
        wedges = [
            torch.where(new == old, w0, new)
            for new, old, w0 in zip(result.wedges, result.model.wedges0, model.wedges0, strict=True)
        ]
        found = find_equilibrium(model, (wedges[0], wedges[1], wedges[2]))
        a = torch.zeros(0)
    else:
        point = _optimum(result, model, change, matrix)
        found, a = point.equilibrium, point.a
    assert found.outcome is Outcome.CONVERGED, found.outcome
    u = found.u
    for _ in range(3):  # Newton to rounding
        u = u - Linearisation(model, u, found.wedges).factors().solve(model.residual(u, found.wedges))
    return outcomes_of(model, u, found.wedges), a


def _optimum(result: SolveResult, model: TradeModel, change: Change, matrix: Responses) -> TradePoint:
    assert result.instruments is not None
    instruments, goal = result.instruments, result.goal
    if goal.weight(result.model) is not None:
        instruments = dataclasses.replace(instruments, owner=torch.zeros_like(instruments.owner))
    a = instruments.average(result.wedges)
    for parameter, amount in change:
        if parameter.kind == "bound":
            number, side = parameter.where
            kind = INSTRUMENTS[number]
            limits = [instruments.lower.clone(), instruments.upper.clone()]
            at = instruments.kind == number
            limits[side][at] = kind.wedge(kind.rate(limits[side]) + amount)[at]
            held = a == (instruments.lower, instruments.upper)[side]
            a = torch.where(held & at, limits[side], a)
            instruments = dataclasses.replace(instruments, lower=limits[0], upper=limits[1])
        if parameter.kind == "weight":
            goal = goal.with_more_weight(model, parameter.where[0], amount)
    game = TradeGame(model, instruments, goal.at(model))
    point = game.point(a)
    for _ in range(CORRECTIONS):
        assert isinstance(point, TradePoint)
        gradient = own_gradient(game, point)
        moves = matrix.to(torch.where(matrix.free, gradient, 0.0)[:, None])[:, 0]
        if float(moves.abs().max()) <= SETTLED and float(gradient[matrix.free].abs().max()) <= SETTLED:
            break
        point = game.point((point.a + moves).clamp(game.lower, game.upper), near=point)
    else:
        raise RuntimeError("The problem was not solved again: its own matrix does not settle the corrections.")
    assert isinstance(point, TradePoint)
    released = ~matrix.free & free_instruments(point.a, gradient, game.lower, game.upper) & (gradient.abs() > LOOSE)
    left = matrix.free & ((point.a == game.lower) | (point.a == game.upper))
    if bool((released | left).any()):
        print("another set of rates is held at the bounds", file=sys.stderr)
    return point


if __name__ == "__main__":
    main()
