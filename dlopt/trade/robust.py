"""Policies under uncertainty: best on average, best in the worst case, or regretted least.

Each candidate set of numbers makes a world. One policy must serve all of them, and it is judged in all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Unpack, get_args

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.combined import Combine, CombinedGame, CombinedPoint, mean_of, smooth_minimum
from dlopt.framework.game import Monitor, Progress
from dlopt.framework.joint import JointNewton
from dlopt.framework.nash import NashResult, solve_nash
from dlopt.framework.outcome import Outcome
from dlopt.framework.proof import figures_of
from dlopt.framework.tape import Tape
from dlopt.trade.api import Extensions, build_model
from dlopt.trade.calibration import Calibration
from dlopt.trade.carbon import CarbonError
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE, FIRST_ORDER_TOLERANCE, GAIN_TOLERANCE_PCT, Certificate
from dlopt.trade.closure import DeficitsWord
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.instruments import Bounds, InstrumentChoice, Instruments, Partners, build_instruments
from dlopt.trade.model import TradeModel
from dlopt.trade.planner import Goal
from dlopt.trade.policy import Policy
from dlopt.trade.results import SolveResult
from dlopt.trade.run import random_instruments

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["expected", "minimax", "regret"]
SHARPNESS = (1e2, 1e3, 1e4, 1e5, 1e6)
"""Of the smoothed minimum, in turn: the last is within 1e-6 x log(worlds) of the smallest real income."""


class RobustError(DloptError):
    """Worlds that cannot be played together."""


@dataclasses.dataclass(frozen=True, eq=False)
class RobustPolicy:
    """The policy of a government under uncertainty.

    Attributes:
        status: `converged` if the optimum is certified in all worlds together.
        message: how it ended.
        player, criterion: who chose, and how it judged.
        policy: what it chose.
        gains: its real-income change in every world, per cent, `[world]`.
        best: what its best policy would bring it if it knew the world, per cent, `[world]`.
        point_policy: what it would choose in the reference world, the first.
        point_gains: what that policy brings it in every world, per cent, `[world]`.
        probabilities: of the worlds.
        result: the first world under the policy, with the certificate of the optimum in all worlds together.
    """

    status: str
    message: str
    player: str
    criterion: Criterion
    policy: Policy
    gains: Tensor
    best: Tensor
    point_policy: Policy
    point_gains: Tensor
    probabilities: Tensor
    result: SolveResult

    @property
    def loss_from_the_point_estimate(self) -> float:
        """What acting as if the first world were certain costs by the criterion, percentage points."""
        return self._judged(self.gains) - self._judged(self.point_gains)

    @property
    def value_of_information(self) -> float:
        """What knowing the world before choosing would add on average, percentage points of real income."""
        return float(self.probabilities @ (self.best - self.gains))

    def table(self) -> pd.DataFrame:
        """A row for every world.

        Returns:
            Columns `world`, `criterion`, `probability`, `gain_pct`, `best_pct`, `point_gain_pct`, `regret_pct`.
        """
        import pandas as pd

        columns = {
            "world": range(len(self.gains)),
            "criterion": self.criterion,
            "probability": self.probabilities.numpy(),
            "gain_pct": self.gains.numpy(),
            "best_pct": self.best.numpy(),
            "point_gain_pct": self.point_gains.numpy(),
            "regret_pct": (self.best - self.gains).numpy(),
        }
        return pd.DataFrame(columns)

    def _judged(self, gains: Tensor) -> float:
        if self.criterion == "expected":
            return float(self.probabilities @ gains)
        return float((gains if self.criterion == "minimax" else gains - self.best).min())


def solve_robust(
    worlds: Sequence[Calibration], player: str, *, instruments: InstrumentChoice, criterion: Criterion = "expected",
    probabilities: Sequence[float] | None = None, bounds: Bounds = Bounds(),
    accounting: Literal["standard", "paper"] = "standard", deficits: DeficitsWord = "none",
    psi_scale: float = 1.0, starts: int = 1, seed: int = 0, partners: Partners = "all",
    on_progress: Callable[[Progress], bool | None] | None = None, tape: Tape | None = None,
    **extensions: Unpack[Extensions],
) -> RobustPolicy:  # fmt: skip
    """The best policy of one economy when the world is one of several.

    Args:
        worlds: calibrations with the same economies and sectors; the first is the point estimate.
        player: the economy that chooses; all others keep their policies.
        instruments: which rates it chooses.
        criterion: `expected`: mean real income; `minimax`: real income in the worst world; `regret`: the smallest
            loss, in the worst world, against what would have been best there.
        probabilities: of the worlds; equal by default. They matter for `expected` only.
        bounds, accounting, deficits, psi_scale, starts, seed, partners, tape, extensions: as in `solve_nash`.
        on_progress: told about every iteration; answering True stops.

    Raises:
        RobustError: worlds of different economies, sectors or instruments, or probabilities that are none.
        UnknownNameError: an unknown criterion.
    """
    if criterion not in get_args(Criterion):
        raise UnknownNameError("value of criterion", criterion, get_args(Criterion))
    weight = _probabilities(worlds, probabilities)
    models = [build_model(world, accounting, deficits, psi_scale, **extensions) for world in worlds]
    chosen = _shared_instruments(models, instruments, bounds, player, partners)
    if chosen.unit is not None or any(model.carbon is not None and model.carbon.priced for model in models):
        raise CarbonError(
            "A policy for several worlds knows no price of carbon: leave carbon_tax and border_tax false."
        )
    games = [TradeGame(model, chosen) for model in models]
    search = _Search(chosen, starts, seed, Monitor(on_progress, tape))
    alone = [search.solve(CombinedGame([game], mean_of(torch.ones(1, dtype=weight.dtype)))) for game in games]
    best = torch.stack([result.point.objectives[0] for result in alone])
    together = _together(games, criterion, weight, best, search)
    at_point = CombinedGame(games, mean_of(weight)).point(alone[0].point.a)
    if at_point is None:
        raise RobustError(
            "The policy that is best in the first world has no equilibrium in another. Narrow the bounds."
        )
    assert isinstance(together.point, CombinedPoint)
    failed = [k for k, result in enumerate(alone) if not _certified(result)]
    certified = _certified(together) and not failed
    message = "Certified in all worlds together: no better policies were found from other starts."
    if not certified:
        where = f"alone in world {failed[0]}" if failed else "in all worlds together"
        message = f"Not certified {where}: {together.outcome.remedy}"
    status = "converged" if certified else "not_converged"
    if together.outcome is Outcome.INTERRUPTED:
        status, message = "interrupted", Outcome.INTERRUPTED.remedy
    first = together.point.points[0]
    assert isinstance(first, TradePoint)
    equilibrium = first.equilibrium
    walras = models[0].walras_residual(equilibrium.u)
    certificate = Certificate(walras_residual=walras, **figures_of(together, chosen.players, chosen.count))
    result = SolveResult(
        status, message, certificate, models[0], equilibrium.u,
        equilibrium.wedges, chosen, goal=Goal("other"),
    )  # fmt: skip
    return RobustPolicy(
        status, message, player, criterion,
        _policy(chosen, games[0], together.point.a), 100 * (together.point.worlds[:, 0] - 1), 100 * (best - 1),
        _policy(chosen, games[0], alone[0].point.a), 100 * (at_point.worlds[:, 0] - 1), weight,
        result,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Search:
    instruments: Instruments
    starts: int
    seed: int
    monitor: Monitor

    def solve(self, game: CombinedGame, near: Tensor | None = None) -> NashResult:
        """One optimum, verified from random starts."""
        generator = torch.Generator().manual_seed(self.seed)
        others = [random_instruments(self.instruments, generator) for _ in range(self.starts)]
        first = game.games[0]
        assert isinstance(first, TradeGame)
        start = game.point(self.instruments.average(first.fixed) if near is None else near)
        if start is None:
            raise RobustError("A world has no equilibrium at the baseline policies. Check its calibration.")
        return solve_nash(game, start, JointNewton(), others, self.monitor)


def _together(
    games: Sequence[TradeGame], criterion: Criterion, weight: Tensor, best: Tensor, search: _Search
) -> NashResult:
    if criterion == "expected":
        return search.solve(CombinedGame(games, mean_of(weight)))
    shift = best if criterion == "regret" else None
    result, near = search.solve(CombinedGame(games, mean_of(weight))), None
    for sharpness in SHARPNESS:
        combine: Combine = smooth_minimum(sharpness, shift)
        near = result.point.a
        result = search.solve(CombinedGame(games, combine), near)
    return result


def _certified(result: NashResult) -> bool:
    return (
        result.outcome is Outcome.CONVERGED
        and result.optimality is not None
        and result.point.residual <= EQUILIBRIUM_TOLERANCE
        and result.optimality.proven(FIRST_ORDER_TOLERANCE, GAIN_TOLERANCE_PCT / 100)
    )


def _policy(instruments: Instruments, game: TradeGame, a: Tensor) -> Policy:
    tau, epsilon, sigma = instruments.apply(a, game.fixed)
    return Policy(tau.expm1(), epsilon.expm1(), -(-sigma).expm1())


def _shared_instruments(
    models: Sequence[TradeModel], choice: InstrumentChoice, bounds: Bounds, player: str, partners: Partners
) -> Instruments:
    first, *rest = (build_instruments(model, choice, bounds, (player,), partners) for model in models)
    for k, other in enumerate(rest, 1):
        same = all(torch.equal(getattr(first, cell), getattr(other, cell)) for cell in ("tau", "epsilon", "sigma"))
        if models[k].calibration.economies != models[0].calibration.economies or not same:
            raise RobustError(
                f"World {k} differs from the first in its economies, its sectors or in who trades what. Worlds may "
                "differ in numbers only."
            )
    return first


def _probabilities(worlds: Sequence[Calibration], given: Sequence[float] | None) -> Tensor:
    if not worlds:
        raise RobustError("No world is given: give at least one calibration.")
    shapes = {(world.economies, world.sectors) for world in worlds}
    if len(shapes) > 1:
        raise RobustError("The worlds have different economies or sectors. Worlds may differ in numbers only.")
    weight = torch.full((len(worlds),), 1 / len(worlds), dtype=worlds[0].theta.dtype)
    if given is not None:
        weight = torch.tensor(list(given), dtype=weight.dtype)
        if len(weight) != len(worlds) or not bool((weight >= 0).all()) or abs(float(weight.sum()) - 1) > 1e-9:
            raise RobustError(
                f"probabilities is {list(given)}: give one for each of the {len(worlds)} worlds, summing to 1."
            )
    return weight
