"""Attack certified results: `python -m tests.robustness.attack FILE [--worlds 1000] [--seconds 240]`.

Random steep worlds of seven families are solved as a user would. Then every player of a certified result is given
corners and random points of its box and climbs from the best and the worst of them; more random deviations are tried by
the second implementation alone (tests/second.py: numpy, levels, nothing shared). Whatever gains is put to the second
implementation, and only its word counts as a refutation.

World k is of family k mod 7 with seed k div 7, counted from `--first-seed`. Results are lines of FILE, one a world;
those that it holds already are not solved again, so that a thousand worlds can be attacked in pieces. The table for
docs/reliability.md is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from second import Rates, World, world_of

from dlopt import Bounds, Calibration, InstrumentChoice, SolveResult, solve_cooperative, solve_nash, solve_unilateral
from dlopt.calibrations.generator import synthetic
from dlopt.errors import DloptError
from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.tape import Tape
from dlopt.trade.game import TradeGame, TradePoint, own_welfare
from dlopt.trade.run import random_instruments

FAMILIES = {
    "thin": "2-3 economies, value added 5-15 % of cost in one, tariffs and subsidies, Nash",
    "wide": "2-3 economies, all three instruments within [-0.9, 0.9], one player",
    "several": "theta psi 0.9-1.3, subsidies within [-0.5, 0.8], one player",
    "plain": "theta psi 0.5-0.99, tariffs and subsidies, Nash and planner",
    "three": "3 economies, theta psi 0.85-0.99, tariffs and subsidies, Nash",
    "paper": "two economies, theta psi 0.3-0.6, the paper's accounting, deficits, all three instruments, Nash",
    "far": "tariffs and export taxes to 1,000 %, subsidies to 90 %, one player",
}
REFUTED_PCT = 1e-6
"""A larger gain, per cent of the player's objective, refutes a result."""
PATIENCE = 10.0
"""Seconds of processor time after which a solve is given up: it would most likely end without a certificate."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """What came of one world.

    Attributes:
        family, seed: of the world.
        ended: `certified`, `local`, `not converged`, `given up` or `nothing to solve`.
        climbs: deviations of players from which an ascent went up.
        tried: deviations that the second implementation evaluated, the ends of the climbs and random ones.
        gain_pct: the largest gain that it confirms, per cent; zero where there is none.
        differs_pct: its real income at the result less ours, per cent points, largest; None where it finds no
            equilibrium there.
        seconds: of processor time.
    """

    family: str
    seed: int
    ended: str
    climbs: int = 0
    tried: int = 0
    gain_pct: float = 0.0
    differs_pct: float | None = None
    seconds: float = 0.0

    @property
    def refuted(self) -> bool:
        """Whether a deviation beats it."""
        return self.gain_pct > REFUTED_PCT


@dataclasses.dataclass(frozen=True)
class Question:
    """A world and what is asked of it."""

    calibration: Calibration
    instruments: InstrumentChoice
    bounds: Bounds
    verb: str
    accounting: str = "standard"
    deficits: str = "none"


def question(family: str, seed: int) -> Question:
    """A steep world of a family, drawn by `seed`."""
    draw = np.random.default_rng([list(FAMILIES).index(family), seed])
    economies = {"several": (2, 5), "plain": (2, 5), "three": (3, 4), "paper": (2, 3)}.get(family, (2, 4))
    n, j = int(draw.integers(*economies)), int(draw.integers(1, {"several": 6, "paper": 3}.get(family, 4)))
    c = synthetic(n, j, seed, policies="all" if family == "paper" else "tariffs")
    steepness = {"several": (0.9, 1.3), "plain": (0.5, 0.99), "paper": (0.3, 0.6)}
    steep = torch.from_numpy(draw.uniform(*steepness.get(family, (0.85, 0.99)), j))
    c = dataclasses.replace(c, psi=steep / c.theta)
    both = InstrumentChoice(tariff="by_sector", subsidy="by_sector", sectors="all")
    everything = dataclasses.replace(both, export_tax="by_sector")
    match family:
        case "thin":
            share = c.value_added_share.clone()
            share[0] = torch.from_numpy(draw.uniform(0.05, 0.15, j))
            given = c.input_share.sum(1, keepdim=True) > 0
            inputs = torch.where(given, c.input_share, torch.full_like(c.input_share, 1 / j))
            final = torch.full_like(share, 1 / j)
            c = dataclasses.replace(c, value_added_share=share, input_share=inputs, final_share=final)
            return Question(c, both, Bounds(), "nash")
        case "wide":
            span = (-0.9, 0.9)
            return Question(c, everything, Bounds(span, span, span), "unilateral")
        case "several":
            subsidies = InstrumentChoice(subsidy="by_sector", sectors="all")
            return Question(c, subsidies, Bounds(subsidy=(-0.5, 0.8)), "unilateral")
        case "paper":
            noise = torch.rand(c.trade.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            c = dataclasses.replace(c, trade=c.trade * (1 + 0.04 * noise))
            bounds = Bounds((-0.3, 1.5), (-0.2, 1.0), (-0.4, 0.3))
            return Question(c, everything, bounds, "nash", "paper", "constant")
        case "far":
            return Question(c, everything, Bounds((-0.5, 10.0), (-0.5, 10.0), (-2.0, 0.9)), "unilateral")
    return Question(c, both, Bounds(), "nash" if family == "three" else ("nash", "cooperative")[seed % 2])


def solved(asked: Question) -> tuple[SolveResult, TradeGame] | None:
    """The result, and its game; None where there is nothing to solve."""
    c, instruments, bounds = asked.calibration, asked.instruments, asked.bounds
    began = time.process_time()

    def late(_step: Any = None) -> bool:
        return time.process_time() - began > PATIENCE

    setting: dict[str, Any] = {"accounting": asked.accounting, "deficits": asked.deficits}
    setting |= {"tape": Tape(stop=late), "on_iteration": late}
    try:
        if asked.verb == "unilateral":
            result = solve_unilateral(c, c.economies[0], instruments=instruments, bounds=bounds, **setting)
        elif asked.verb == "cooperative":
            result = solve_cooperative(c, instruments=instruments, bounds=bounds, **setting)
        else:
            result = solve_nash(c, instruments=instruments, bounds=bounds, **setting)
    except DloptError:
        return None
    chosen = result.instruments
    assert chosen is not None
    if asked.verb == "cooperative":
        weight = (result.model.income / result.model.income.sum())[None]
        return result, TradeGame(result.model, chosen, lambda log_welfare: weight @ log_welfare.exp())
    return result, TradeGame(result.model, chosen, own_welfare(result.model, chosen.members))


def attack(family: str, seed: int, effort: int = 2) -> Attack:
    """Solve one world and try to do better for each player.

    Args:
        effort: climbs of each player from the most promising deviations, half as many more from the least promising;
            as many random deviations by the second implementation alone.
    """
    began = time.process_time()
    asked = question(family, seed)
    found = solved(asked)
    ended = "nothing to solve"
    if found is not None:
        certified, stopped = (found[0].status == status for status in ("converged", "interrupted"))
        ended = "given up" if stopped else "not converged"
        ended = ("local" if found[0].certificate.local else "certified") if certified else ended
    if found is None or ended in ("not converged", "given up"):
        return Attack(family, seed, ended, seconds=time.process_time() - began)
    result, game = found
    a = game.instruments.average(result.wedges)
    start = game.restore({"a": a, "u": result.u, "residual": 0.0, "jointly": False})
    judge = Judge(asked, game, start)
    differs = None if judge.held is None else float(np.abs(judge.welfare - start.log_welfare.exp().numpy()).max())
    generator = torch.Generator().manual_seed(seed)
    climbs = 0
    for player in range(game.players):
        promising = _deviations(game, start, player, generator, effort)
        ends = []
        promise = REFUTED_PCT / 1000 * abs(float(start.objectives[player]))  # a tenth of what refutes
        options = AscentOptions(tolerance=1e-9, max_iterations=60, promise=promise)
        for point in [*promising[:effort], *promising[effort:][-max(1, effort // 2) :]]:
            climbs += 1
            ends.append(maximise(game, player, point, options).point)
        for end in sorted(ends, key=lambda p: -float(p.objectives[player]))[:2]:
            judge.hear(player, end.a, end)
        for _ in range(effort):
            draw = game.lower + torch.rand(len(a), generator=generator).to(a) * (game.upper - game.lower)
            judge.hear(player, torch.where(game.owner == player, draw, a))
    return Attack(
        family, seed, ended, climbs, judge.heard, judge.gain_pct, None if differs is None else 100 * differs,
        time.process_time() - began,
    )  # fmt: skip


def _deviations(
    game: TradeGame, start: TradePoint, player: int, generator: torch.Generator, effort: int
) -> list[TradePoint]:
    """Corners and random points of a player's box that have an equilibrium, or part of the way; by rank."""
    own = game.owner == player
    box = game.upper - game.lower
    tried = [game.upper, game.lower, torch.zeros_like(box).clamp(game.lower, game.upper)]
    tried += [random_instruments(game.instruments, generator) for _ in range(2 * effort)]
    for _ in range(2 * effort):
        share = torch.rand(len(own), generator=generator).to(box)
        tried += [game.lower + share * box, game.lower + share.round() * box]
    found = []
    for target in tried:
        move = torch.where(own, target, start.a) - start.a
        points = (game.point(start.a + part * move, near=start) for part in (1.0, 0.5, 0.25))
        point = next((p for p in points if p is not None), None)
        if point is not None:
            found.append(point)
    return sorted(found, key=lambda p: -float(p.objectives[player]))


class Judge:
    """The second implementation, which has the last word."""

    def __init__(self, asked: Question, game: TradeGame, start: TradePoint) -> None:
        self.world: World = world_of(asked.calibration, asked.accounting, asked.deficits)
        self.game, self.heard, self.gain_pct = game, 0, 0.0
        self.at = self._guess(start)
        self.start = start.a
        found = self._welfare(start.a, self.at)
        self.held = None if found is None else self._objectives(found)
        self.welfare = np.full(self.world.n, np.nan) if found is None else found

    def hear(self, player: int, a: torch.Tensor, point: TradePoint | None = None) -> None:
        """Whether the player gains by `a`, or by half or a quarter of it; `point` says which branch is meant."""
        guess = self.at if point is None else self._guess(point)
        for part in (1.0, 0.5, 0.25) if self.held is not None else ():
            found = self._welfare(self.start + part * (a - self.start), guess)
            if found is not None:
                self.heard += 1
                gain = self._objectives(found)[player] / self.held[player] - 1
                self.gain_pct = max(self.gain_pct, 100 * float(gain))
                return

    def _objectives(self, welfare: np.ndarray) -> np.ndarray:
        return self.game.objective(torch.from_numpy(np.log(welfare))).numpy()

    def _guess(self, point: TradePoint) -> np.ndarray:
        u, n, j = point.equilibrium.u.numpy(), self.world.n, self.world.j
        return self.world.start + np.concatenate([u[:n], u[2 * n : 2 * n + n * j]])

    def _welfare(self, a: torch.Tensor, guess: np.ndarray) -> np.ndarray | None:
        tau, epsilon, sigma = (w.numpy() for w in self.game.instruments.apply(a, self.game.fixed))
        rates = Rates(np.expm1(tau), np.expm1(epsilon), -np.expm1(-sigma))
        found = self.world.near(rates, guess)
        return found if found is not None and (found > 0).all() else None


def table(attacks: Iterable[Attack]) -> list[str]:
    """Rows of Markdown, one a family, and one of all."""
    rows = [
        "| worlds | tried | certified | local | not converged | given up | climbs "
        "| tried by the second implementation | beaten, certified | beaten, local |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    everything = list(attacks)
    for name in (*FAMILIES, "all"):
        mine = [one for one in everything if name in (one.family, "all")]
        counts = [len(mine)]
        counts += [sum(one.ended == ended for one in mine) for ended in ("certified", "local")]
        counts += [sum(one.ended in ("not converged", "nothing to solve") for one in mine)]
        counts += [sum(one.ended == "given up" for one in mine)]
        counts += [sum(one.climbs for one in mine), sum(one.tried for one in mine)]
        counts += [sum(one.refuted for one in mine if one.ended == ended) for ended in ("certified", "local")]
        what = f"{name}: {FAMILIES[name]}" if name in FAMILIES else name
        rows.append(f"| {what} | {' | '.join(f'{count:,}' for count in counts)} |")
    return rows


def main(arguments: list[str]) -> int:
    """Attack, write, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--first-seed", type=int, default=0, help="of every family")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    lines = asked.file.read_text().splitlines() if asked.file.exists() else []
    done = {(one.family, one.seed): one for one in (Attack(**json.loads(line)) for line in lines)}
    began, names = time.monotonic(), list(FAMILIES)
    for k in range(asked.worlds):
        family, seed = names[k % len(names)], asked.first_seed + k // len(names)
        if (family, seed) in done:
            continue
        if time.monotonic() - began > asked.seconds:
            break
        done[family, seed] = found = attack(family, seed)
        with asked.file.open("a") as out:
            out.write(json.dumps(dataclasses.asdict(found)) + "\n")
        if found.refuted:
            print(f"{family} {seed}: {found.ended}, yet a player gains {found.gain_pct:.2g} %", flush=True)
    print("\n".join(table(done.values())))
    print(f"{sum(one.seconds for one in done.values()):.0f} s of processor time")
    return int(any(one.refuted and one.ended == "certified" for one in done.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
