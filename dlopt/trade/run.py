"""One optimisation, from its starting points to a certified result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.best_response import BestResponse, best_response_dynamics
from dlopt.framework.deviations import Search
from dlopt.framework.game import Interrupted, Monitor, Progress
from dlopt.framework.nash import JointNewton, NashResult
from dlopt.framework.nash import solve_nash as solve_game
from dlopt.framework.outcome import Outcome
from dlopt.framework.proof import GAIN_TOLERANCE_PCT, certified, figures_of, nobody_gains, verdict
from dlopt.framework.tape import Tape
from dlopt.trade.carbon_game import PricedGame, PricedPoint
from dlopt.trade.carbon_wedges import prices
from dlopt.trade.certificate import Certificate, tried_in_words
from dlopt.trade.distance import compared
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.game import Objective, TradeGame, TradePoint
from dlopt.trade.instruments import Instruments, free_trade_inside
from dlopt.trade.model import TradeModel
from dlopt.trade.planner import bargain, everybody_gains, protect, weighted_welfare
from dlopt.trade.policy import Policy
from dlopt.trade.rates import CHOICES
from dlopt.trade.results import Iteration, Priced, Solution, SolveResult

OnIteration = Callable[[Iteration], bool | None]
"""Called after every iteration; answering True stops the solver, which then returns what it has."""


EFFORT: dict[float, tuple[int, int]] = {200: (24, 3), 600: (12, 2), 4000: (4, 1), math.inf: (0, 0)}
"""Unknowns up to which each player tries so many deviations and follows so many of them by a best response."""


class NoEquilibriumError(DloptError):
    """The starting policies admit no equilibrium that could be found."""


def random_instruments(instruments: Instruments, generator: torch.Generator) -> Tensor:
    """A random start, uniform in logs between lower bounds and `InstrumentKind.random_rate`, `[instrument]`."""
    factors = [math.expm1(k.random_rate) if k.per_tonne else k.factor(k.random_rate) for k in CHOICES]
    cap = torch.tensor(factors, dtype=instruments.lower.dtype).log1p()[instruments.kind]
    high = torch.minimum(torch.maximum(cap, instruments.lower), instruments.upper)
    draw = torch.rand(instruments.count, generator=generator, dtype=instruments.lower.dtype)
    return instruments.lower + draw * (high - instruments.lower)


def families(instruments: Instruments) -> tuple[Tensor, ...]:
    """Masks of the instruments of one kind, and of one kind in one sector, `[instrument]` each."""
    kinds = [instruments.kind == kind for kind in range(len(CHOICES))]
    maps = [*instruments.maps(), *(m for m in (instruments.carbon, instruments.border) if m is not None)]
    sectors = []
    for index in range(instruments.sigma.shape[1]):
        here = torch.zeros(instruments.count, dtype=torch.bool)
        for cells in (m[..., index] for m in maps):
            here[cells[cells >= 0]] = True
        sectors += [kind & here for kind in kinds]
    return tuple(mask for mask in (*kinds, *sectors) if bool(mask.any()))


@dataclasses.dataclass
class Run:
    """One optimisation from its arguments to a result."""

    model: TradeModel
    instruments: Instruments
    starts: int
    seed: int
    init: str | Policy
    tolerance: float | None
    on_iteration: OnIteration | None
    tape: Tape
    iterations: list[Iteration] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        self.monitor = Monitor(self._record, self.tape)
        standing = self.init.log_wedges() if isinstance(self.init, Policy) else self.model.wedges0
        self.fixed = free_trade_inside(self.instruments, self.model.calibration.economies, standing)

    def game(self, objective: Objective, inner: str = "chord") -> TradeGame:
        """The game with some objective, and its inner loop (see `BestResponse`)."""
        terms = self.model.carbon
        priced = self.instruments.unit is not None or (terms is not None and terms.priced)
        made = PricedGame if priced else TradeGame
        return made(self.model, self.instruments, objective, self.fixed, inner)

    def solve(self, objective: Objective, solver: JointNewton | BestResponse) -> SolveResult:
        """Play from `init`, and from `starts` - 1 random points besides."""
        game = self.game(objective, solver.inner if isinstance(solver, BestResponse) else "chord")
        found = [self._play(game, _start(game, self.init, self.generator), self._others(), solver)]
        while len(found) < self.starts and found[-1].outcome is not Outcome.INTERRUPTED:
            found.append(self._play(game, _start(game, "random", self.generator), self._others(), solver))
        best = found if game.players > 1 else sorted(found, key=lambda one: -float(one.point.objectives[0]))
        result = _result(self.model, self.instruments, best, self.iterations)
        if result.status == "converged" and game.players == 1 and len(found) > 1:
            result = dataclasses.replace(result, message=f"{result.message} {starts_in_words(found)}")
        if isinstance(solver, BestResponse) and solver.compare and result.status != "interrupted":
            again = dataclasses.replace(self, starts=min(self.starts, 1), iterations=[])
            result = compared(result, again.solve(objective, JointNewton()))
        return result

    def bargain(self, weight: Tensor) -> SolveResult:
        """Maximise the product of gains, from points where everybody gains."""
        game = self.game(bargain(weight))
        start = _start(game, self.init, self.generator)
        try:
            point = everybody_gains(self.game, start, self.monitor)
            others = []
            for _ in range(self.starts):
                other = _start(game, "random", self.generator)
                others.append(everybody_gains(self.game, other, self.monitor).a)
        except Interrupted:
            found = NashResult(Outcome.INTERRUPTED, start, None, len(self.iterations))
        else:
            found = self._play(game, game.adopt(point), others, JointNewton())
        return _result(self.model, self.instruments, [found], self.iterations)

    def protect(self, weight: Tensor) -> SolveResult:
        """Maximise weighted welfare with no economy below its baseline."""
        start = _start(self.game(weighted_welfare(weight)), self.init, self.generator)
        try:
            game, point = protect(self.game, weight, start, self.monitor)
        except Interrupted:
            found = NashResult(Outcome.INTERRUPTED, start, None, len(self.iterations))
            return _result(self.model, self.instruments, [found], self.iterations)
        result = _result(
            self.model, self.instruments, [self._play(game, point, self._others(), JointNewton())], self.iterations
        )
        loss = float(-result.real_income_change_pct.min())
        if result.status == "converged" and loss > GAIN_TOLERANCE_PCT:
            label = self.model.calibration.economies[int(result.real_income_change_pct.argmin())]
            message = f"{label} still loses {loss:.1e} %: no policies without losers were found. Give more instruments."
            result = dataclasses.replace(result, status="not_converged", message=message)
        return result

    def _others(self) -> list[Tensor]:
        return [random_instruments(self.instruments, self.generator) for _ in range(self.starts)]

    def _play(
        self, game: TradeGame, start: TradePoint, others: list[Tensor], solver: JointNewton | BestResponse
    ) -> NashResult:
        if isinstance(solver, BestResponse):
            return best_response_dynamics(game, start, solver, self.seed, others, self.monitor, self._search())
        options = solver if self.tolerance is None else dataclasses.replace(solver, tolerance=self.tolerance)
        return solve_game(game, start, options, others, self.monitor, self._search())

    def _search(self) -> Search:
        """How hard deviations are looked for: less in large models, where each costs more; more with more starts."""
        screened, followed = next(effort for size, effort in EFFORT.items() if self.model.size <= size)
        more = max(self.starts, 1)
        return Search(more * screened, more * followed, families(self.instruments), self.seed)

    def _record(self, progress: Progress) -> bool:
        assert isinstance(progress.point, TradePoint)
        alone = progress.player is None or int(self.instruments.owner.max()) == 0
        player = None if alone or progress.player is None else self.instruments.players[progress.player]
        step = iteration(
            self.model, len(self.iterations) + 1, progress.phase, self.tape.seconds, player,
            progress.first_order_residual, progress.point.log_welfare,
        )  # fmt: skip
        step = dataclasses.replace(step, instruments=progress.point.a)
        self.iterations.append(step)
        return bool(self.on_iteration and self.on_iteration(step))


def _start(game: TradeGame, init: str | Policy, generator: torch.Generator) -> TradePoint:
    """The point where play begins; a random one moves towards the baseline until it has an equilibrium."""
    terms = game.model.carbon
    baseline = game.instruments.average(game.fixed, None if terms is None else (terms.tax, terms.border_tax))
    if isinstance(init, Policy) or init == "baseline":
        point = game.point(baseline)
    elif init == "random":
        draw = random_instruments(game.instruments, generator)
        shares = (1.0, 0.5, 0.25, 0.125)
        point = next((p for share in shares if (p := game.point(baseline + share * (draw - baseline)))), None)
    else:
        raise UnknownNameError("value of init", init, ("baseline", "random"))
    if point is None:
        raise NoEquilibriumError(
            "No equilibrium was found at the starting policies: start from the baseline (init=baseline), "
            "or keep subsidies smaller."
        )
    return point


def _result(
    model: TradeModel, instruments: Instruments, found: list[NashResult], iterations: list[Iteration]
) -> SolveResult:
    first = found[0]
    point = first.point
    assert isinstance(point, TradePoint)
    alone = int(instruments.owner.max()) == 0
    players = instruments.players[:1] if alone else instruments.players
    certificate = Certificate(
        walras_residual=model.walras_residual(point.equilibrium.u), **figures_of(first, players, instruments.count)
    )
    if certified(first):
        again = _found_again(model, point)
        steep = bool((model.theta * model.psi > 1).any())
        certificate = dataclasses.replace(certificate, found_again=again, local=steep or not again)
    best = "no better policies were found from other starts" if alone else nobody_gains(certificate, len(players))
    status, message = verdict(first, certificate, lambda: f"{best}. {tried_in_words(certificate)}")
    solutions: list[Solution] = []
    for result in found:
        if result.optimality is None:
            continue
        assert isinstance(result.point, TradePoint)
        solution = Solution(
            100 * result.point.log_welfare.expm1(), result.point.residual,
            result.optimality.first_order_residual, certified(result),
        )  # fmt: skip
        if all(float((solution.welfare - other.welfare).abs().max()) > GAIN_TOLERANCE_PCT for other in solutions):
            solutions.append(solution)
    distinct = sum(solution.certified for solution in solutions)
    if status == "converged" and distinct > 1:
        message += f" {distinct} distinct equilibria were found: see equilibria.parquet."
    return SolveResult(
        status, message, certificate, model, point.equilibrium.u, point.equilibrium.wedges, instruments,
        tuple(iterations), tuple(solutions), priced=_priced(point),
    )  # fmt: skip


def _priced(point: TradePoint) -> Priced | None:
    """Rates and prices of carbon apart."""
    if not isinstance(point, PricedPoint):
        return None
    game = point.game
    assert game.model.carbon is not None
    tax, border = prices(game.model.carbon, point.a, game.instruments)
    return Priced(game.instruments.apply(point.a, game.fixed), tax, border, point.a)


def starts_in_words(found: Sequence[NashResult]) -> str:
    """Where the searches of one player from several starts ended; the best of them is the result."""
    values = [float(one.point.objectives[0]) for one in found]
    best = max(values)
    size = abs(best) or 1.0
    agree = sum(best - value <= GAIN_TOLERANCE_PCT / 100 * size for value in values)
    words = f"{agree} of {len(found)} starts of the whole search end here"
    if best - values[0] > GAIN_TOLERANCE_PCT / 100 * size:
        words += f"; the first one ended {100 * (best - values[0]) / size:.2g} % lower"
    return f"{words}."


def _found_again(model: TradeModel, point: TradePoint) -> bool:
    """Whether who asks what these policies do, from the baseline, is told this equilibrium and not another, or none."""
    again = find_equilibrium(model, point.equilibrium.wedges)
    difference = model.log_welfare(again.u) - point.log_welfare
    return again.outcome is Outcome.CONVERGED and float(difference.abs().max()) <= GAIN_TOLERANCE_PCT / 100


def trouble(model: TradeModel, u: Tensor) -> str:
    """Where an equilibrium search broke off: an economy whose income vanishes has subsidies it cannot pay."""
    income = u[model.n : 2 * model.n]
    lowest = int(income.argmin())
    if float(income[lowest]) > -2:
        return "No equilibrium was found under these policies."
    return (
        f"No equilibrium was found: the income of {model.calibration.economies[lowest]} goes to zero on the way to "
        "these policies, its subsidies cost more than it earns. Lower them."
    )


def iteration(
    model: TradeModel, number: int, phase: str, seconds: float, player: str | None, residual: float | None,
    log_welfare: Tensor,
) -> Iteration:  # fmt: skip
    change: dict[str, Any] = dict(zip(model.calibration.economies, (100 * log_welfare.expm1()).tolist(), strict=True))
    return Iteration(number, phase, seconds, player, residual, change)
