"""Attack certified results: `python -m tests.robustness.attack [WORLDS] [SEED]`; prints counts for docs/reliability.md.

Random steep worlds of four families are solved as a user would; then every player of a certified result is given
random instruments of its whole box, and the corners of it, and climbs from the best and the worst of them. It counts as
a refutation only if the second implementation (tests/second.py, numpy, nothing shared) also says that it gains.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from second import NoEquilibriumError, Rates, World, world_of

from dlopt import Bounds, Calibration, InstrumentChoice, SolveResult, solve_cooperative, solve_nash, solve_unilateral
from dlopt.calibrations.generator import synthetic
from dlopt.errors import DloptError
from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.trade.game import TradeGame, TradePoint, own_welfare
from dlopt.trade.run import random_instruments

FAMILIES = ("thin", "wide", "several", "plain")
REFUTED_PCT = 1e-6


@dataclasses.dataclass(frozen=True)
class Attack:
    """What came of one world.

    Attributes:
        family: of the world.
        ended: `certified`, `local`, `not_converged` or `no equilibrium`.
        gain_pct: largest gain found, per cent of real income; None where nothing was attacked.
        tried: deviations that climbed.
    """

    family: str
    ended: str
    gain_pct: float | None = None
    tried: int = 0


def world(family: str, seed: int) -> tuple[Calibration, InstrumentChoice, Bounds, str]:
    """A steep world, what players may choose, and the verb."""
    draw = np.random.default_rng([FAMILIES.index(family), seed])
    n, j = int(draw.integers(2, 4 if family in ("thin", "wide") else 5)), int(draw.integers(1, 6))
    c = synthetic(n, j, seed, policies="tariffs")
    low, high = {"thin": (0.85, 0.99), "wide": (0.85, 0.99), "several": (0.9, 1.3), "plain": (0.5, 0.99)}[family]
    steep = torch.from_numpy(draw.uniform(low, high, j))
    c = dataclasses.replace(c, psi=steep / c.theta)
    both = InstrumentChoice(tariff="by_sector", subsidy="by_sector", sectors="all")
    if family == "thin":
        share = c.value_added_share.clone()
        share[0] = torch.from_numpy(draw.uniform(0.05, 0.15, j))
        given = c.input_share.sum(1, keepdim=True) > 0
        inputs = torch.where(given, c.input_share, torch.full_like(c.input_share, 1 / j))
        final = torch.full((n, j), 1 / j).to(share)
        c = dataclasses.replace(c, value_added_share=share, input_share=inputs, final_share=final)
        return c, both, Bounds(), "nash"
    if family == "wide":
        everything = dataclasses.replace(both, export_tax="by_sector")
        span = (-0.9, 0.9)
        return c, everything, Bounds(span, span, span), "unilateral"
    if family == "several":
        return c, InstrumentChoice(subsidy="by_sector", sectors="all"), Bounds(subsidy=(-0.5, 0.8)), "unilateral"
    return c, both, Bounds(), ("nash", "cooperative")[seed % 2]


def solved(family: str, seed: int) -> tuple[Calibration, SolveResult, TradeGame] | None:
    """The result, and its game; None where there is nothing to solve."""
    c, instruments, bounds, verb = world(family, seed)
    try:
        if verb == "unilateral":
            result = solve_unilateral(c, c.economies[0], instruments=instruments, bounds=bounds)
        elif verb == "cooperative":
            result = solve_cooperative(c, instruments=instruments, bounds=bounds)
        else:
            result = solve_nash(c, instruments=instruments, bounds=bounds)
    except DloptError:
        return None
    chosen = result.instruments
    assert chosen is not None
    objective = own_welfare(result.model, chosen.members)
    if verb == "cooperative":
        weight = (result.model.income / result.model.income.sum())[None]
        return c, result, TradeGame(result.model, chosen, lambda log_welfare: weight @ log_welfare.exp())
    return c, result, TradeGame(result.model, chosen, objective)


def attack(family: str, seed: int, climbs: int = 8) -> Attack:
    """Solve one world and try to do better for each player."""
    found = solved(family, seed)
    if found is None:
        return Attack(family, "no equilibrium")
    c, result, game = found
    if result.status != "converged":
        return Attack(family, "not_converged")
    ended = "local" if result.certificate.local else "certified"
    start = game.point(game.instruments.average(result.wedges))
    if start is None:
        return Attack(family, ended, None)
    generator = torch.Generator().manual_seed(seed)
    worst, tried = 0.0, 0
    second = world_of(c)
    for player in range(game.players):
        own = game.owner == player
        points = [game.upper, game.lower, torch.zeros_like(game.lower).clamp(game.lower, game.upper)]
        points += [random_instruments(game.instruments, generator) for _ in range(climbs)]
        points += [
            game.lower + torch.rand(len(own), generator=generator).to(game.lower) * (game.upper - game.lower)
            for _ in range(4 * climbs)
        ]
        there = []
        for a in points:
            move = torch.where(own, a, start.a) - start.a
            there.append(game.point(start.a + move, near=start) or game.point(start.a + 0.5 * move, near=start))
        ranked = sorted((p for p in there if p is not None), key=lambda p: -float(p.objectives[player]))
        for point in [*ranked[: climbs // 2], *ranked[-climbs // 2 :]]:
            tried += 1
            best = maximise(game, player, point, AscentOptions(tolerance=1e-9, max_iterations=80)).point
            gain = 100 * (float(best.objectives[player]) / float(start.objectives[player]) - 1)
            if gain > max(worst, REFUTED_PCT) and confirmed(second, game, start, best, player):
                worst = gain
    return Attack(family, ended, worst, tried)


def confirmed(second: World, game: TradeGame, start: TradePoint, best: TradePoint, player: int) -> bool:
    """Whether the second implementation agrees that `best` is better for the player than `start`."""
    value = []
    for point in (start, best):
        tau, epsilon, sigma = (w.numpy() for w in point.equilibrium.wedges)
        u, n, j = point.equilibrium.u.numpy(), second.n, second.j
        guess = second.start + np.concatenate([u[:n], u[2 * n : 2 * n + n * j]])  # the branch it is on
        try:
            welfare = second.welfare(Rates(np.expm1(tau), np.expm1(epsilon), -np.expm1(-sigma)), guess)
        except NoEquilibriumError:
            return False
        value.append(float(game.objective(torch.from_numpy(np.log(welfare)))[player]))
    return value[1] > value[0]


def main(arguments: list[str]) -> int:
    """Attack and count."""
    worlds, first = int(arguments[0]) if arguments else 100, int(arguments[1]) if len(arguments) > 1 else 0
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    began = time.process_time()
    counts: dict[str, collections.Counter[str]] = {family: collections.Counter() for family in FAMILIES}
    for k in range(worlds):
        family, seed = FAMILIES[k % len(FAMILIES)], first + k // len(FAMILIES)
        found = attack(family, seed)
        count = counts[family]
        count["worlds"] += 1
        count[found.ended] += 1
        count["climbs"] += found.tried
        if found.gain_pct is not None and found.gain_pct > REFUTED_PCT:
            count[f"refuted ({found.ended})"] += 1
            print(f"{family} {seed}: {found.ended}, yet a player gains {found.gain_pct:.2g} %", flush=True)
    for family, count in counts.items():
        print(family, dict(count))
    print(f"{time.process_time() - began:.0f} s of processor time")
    return int(any(key == "refuted (certified)" and value for count in counts.values() for key, value in count.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
