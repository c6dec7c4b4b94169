"""One optimisation of a model, from where play begins to a certified result."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.framework.best_response import BestResponse, best_response_dynamics
from dlopt.framework.game import Monitor, Progress
from dlopt.framework.joint import JointNewton
from dlopt.framework.nash import NashResult, solve_nash
from dlopt.framework.outcome import Outcome
from dlopt.framework.proof import GAIN_TOLERANCE_PCT, certified, figures_of, nobody_gains, tried_in_words, verdict
from dlopt.framework.tape import Tape
from dlopt.models.check import check_model
from dlopt.models.game import ModelGame, ModelPoint, NoEquilibriumError
from dlopt.models.model import EquilibriumModel, ModelError
from dlopt.models.results import Certificate, Iteration, ModelResult, Solution, named

OnIteration = Callable[[Iteration], bool | None]
"""Called after every iteration; answering True stops the solver, which then returns what it has."""


@dataclasses.dataclass
class Run:
    """One optimisation from its arguments to a result."""

    model: EquilibriumModel
    chosen: Tensor
    owner: Tensor
    weight: Tensor
    labels: tuple[str, ...]
    starts: int
    seed: int
    init: str | Mapping[str, float]
    tolerance: float | None
    on_iteration: OnIteration | None
    tape: Tape
    iterations: list[Iteration] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.init, str) and self.init not in ("start", "random"):
            raise UnknownNameError("value of init", self.init, ("start", "random"))
        if self.starts < 0:
            raise ModelError(f"starts is {self.starts}: give a number that is not negative.")
        begin = self.model.a0 if isinstance(self.init, str) else self.model.values(self.init)
        self.initial = check_model(self.model)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.monitor = Monitor(self._record, self.tape)
        self.game = ModelGame(self.model, self.chosen, self.owner, self.weight, begin)

    def solve(self, solver: JointNewton | BestResponse) -> ModelResult:
        """Play from `init`, and from `starts` - 1 random points besides."""
        found = [self._play(self._start(self.init == "random"), solver)]
        while len(found) < self.starts and found[-1].outcome is not Outcome.INTERRUPTED:
            found.append(self._play(self._start(True), solver))
        return self._result(found)

    def _play(self, start: ModelPoint, solver: JointNewton | BestResponse) -> NashResult:
        others = [point.a for _ in range(self.starts) if (point := self._random())]
        if isinstance(solver, BestResponse):
            return best_response_dynamics(self.game, start, solver, self.seed, others, self.monitor)
        options = solver if self.tolerance is None else dataclasses.replace(solver, tolerance=self.tolerance)
        return solve_nash(self.game, start, options, others, self.monitor)

    def _draw(self) -> Tensor:
        """Random choices, `[chosen]`: between the bounds, or near the start where there are none."""
        begin = self.game.fixed[self.chosen]
        reach = 1 + begin.abs()
        low = torch.where(self.game.lower.isfinite(), self.game.lower, begin - reach)
        high = torch.where(self.game.upper.isfinite(), self.game.upper, begin + reach)
        low, high = torch.minimum(low, self.game.upper), torch.maximum(high, self.game.lower)
        return low + torch.rand(len(begin), generator=self.generator, dtype=begin.dtype) * (high - low)

    def _random(self) -> ModelPoint | None:
        """A random point; one without an equilibrium moves towards the start until it has one."""
        begin, draw = self.game.fixed[self.chosen], self._draw()
        shares = (1.0, 0.5, 0.25, 0.125)
        return next((p for share in shares if (p := self.game.point(begin + share * (draw - begin)))), None)

    def _start(self, random: bool) -> ModelPoint:
        """Where play begins."""
        point = self._random() if random else self.game.point(self.game.fixed[self.chosen])
        if point is None:
            raise NoEquilibriumError(
                f"Model {self.model.name!r}: no equilibrium was found where play begins. Begin at init=start, or "
                "tighten the bounds."
            )
        return point

    def _record(self, progress: Progress) -> bool:
        point = progress.point
        assert isinstance(point, ModelPoint)
        alone = progress.player is None or len(self.labels) == 1
        step = Iteration(
            len(self.iterations) + 1, progress.phase, self.tape.seconds,
            None if alone or progress.player is None else self.labels[progress.player],
            progress.first_order_residual, named(self.model.players, point.values), point.instruments,
        )  # fmt: skip
        self.iterations.append(step)
        return bool(self.on_iteration and self.on_iteration(step))

    def _result(self, found: list[NashResult]) -> ModelResult:
        point = found[0].point
        assert isinstance(point, ModelPoint)
        proof = Certificate(**figures_of(found[0], self.labels, len(self.chosen)))
        players = len(self.labels)
        best = "no better choices were found" if players == 1 else nobody_gains(proof, players)
        status, message = verdict(found[0], proof, lambda: f"{best}. {tried_in_words(proof)}")
        solutions = _distinct(found)
        count = sum(solution.certified for solution in solutions)
        if status == "converged" and count > 1:
            message += f" {count} distinct equilibria were found: see equilibria.parquet."
        moved = torch.zeros(len(self.model.instruments), dtype=torch.bool)
        moved[self.chosen] = True
        return ModelResult(
            status, message, proof, self.model, point.u, point.instruments, self.initial, moved,
            tuple(self.iterations), tuple(solutions),
        )  # fmt: skip


def _distinct(found: list[NashResult]) -> list[Solution]:
    """The solutions that differ from those before by more than a gain that counts."""
    out: list[Solution] = []
    for result in found:
        point = result.point
        if result.optimality is None:
            continue
        assert isinstance(point, ModelPoint)
        size = GAIN_TOLERANCE_PCT / 100 * point.values.abs()
        if all(bool(((point.values - other.objectives).abs() > size).any()) for other in out):
            out.append(
                Solution(
                    point.values, point.instruments, point.residual, result.optimality.first_order_residual,
                    certified(result),
                )
            )  # fmt: skip
    return out
