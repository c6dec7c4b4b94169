"""How many equilibria there are: solutions traced as elasticities move, and from random starts.

With strong economies of scale (theta psi above one) given policies may have several equilibria, and so may a game.
`branches` multiplies all scale or all trade elasticities by a factor, follows every equilibrium it finds along that
factor, with its folds and bifurcations, and lists the equilibria at a value of interest. Policies are held, or chosen
again at every factor (`dlopt.trade.game_branches`). It proves none beyond those it lists.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.continuation import (
    Branch,
    ContinuationOptions,
    Equations,
    solutions_at,
    solve_at,
    trace_all,
)
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.sectors import SectorModel, SectorPoint, by_sector

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult

Along = Literal["psi", "theta"]
_SAME = 1e-6  # of unknowns, within which two equilibria are one
Policies = Literal["held", "chosen"]


class BranchError(DloptError):
    """Branches that cannot be traced."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Branches:
    """Equilibria under the policies of a result, or of its game.

    Attributes:
        result: whose policies, or whose game.
        along: which elasticities are multiplied, `psi` or `theta`.
        branches: curves of equilibria, in reduced unknowns (`dlopt.trade.sectors`), or in chosen log rates.
        at: the factor at which equilibria are listed.
        welfare: real-income changes of the equilibria there, per cent, `[equilibrium, country]`.
        of_branch: the branch of each.
        incomes: real-income changes at every point of every branch, per cent, `[point, country]` each.
        turns: the same at its folds and bifurcations, `[special, country]` each.
        policies: `held`, or `chosen` again at every factor.
        best: of a game, whether nobody's own curvature is positive at each equilibrium listed: where it is, first-order
            conditions hold at what is no best response. All True where policies are held.
    """

    result: SolveResult
    along: Along
    branches: tuple[Branch, ...]
    at: float
    welfare: Tensor
    of_branch: tuple[int, ...]
    incomes: tuple[Tensor, ...]
    turns: tuple[Tensor, ...]
    policies: Policies = "held"
    best: tuple[bool, ...] = ()

    def __repr__(self) -> str:
        return f"Branches({len(self.branches)} along {self.along}, {len(self.welfare)} equilibria at {self.at:g})"

    def table(self) -> pd.DataFrame:
        """Every point of every branch: `branch`, `point`, `factor`, `economy`, `real_income_change_pct`."""
        import pandas as pd

        frames = []
        economies = list(self.result.calibration.economies)
        for number, (branch, income) in enumerate(zip(self.branches, self.incomes, strict=True)):
            frames.append(pd.DataFrame({
                "branch": number, "point": torch.arange(len(income)).repeat_interleave(len(economies)).numpy(),
                "factor": branch.p.repeat_interleave(len(economies)).numpy(),
                "economy": economies * len(income), "real_income_change_pct": income.flatten().numpy(),
            }))  # fmt: skip
        return pd.concat(frames, ignore_index=True)

    def specials(self) -> pd.DataFrame:
        """Folds and bifurcations: `branch`, `kind`, `factor`, and real income of every economy in per cent."""
        import pandas as pd

        economies = self.result.calibration.economies
        rows = [
            (number, special.kind, special.p, *income)
            for number, (branch, incomes) in enumerate(zip(self.branches, self.turns, strict=True))
            for special, income in zip(branch.specials, incomes.tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=["branch", "kind", "factor", *economies])

    def equilibria(self) -> pd.DataFrame:
        """Those at `at`: `equilibrium`, `branch`, `best` (see above), and real income of every economy in per cent."""
        import pandas as pd

        economies = self.result.calibration.economies
        rows = [
            (k, b, best, *w)
            for k, (b, best, w) in enumerate(zip(self.of_branch, self.best, self.welfare.tolist(), strict=True))
        ]
        return pd.DataFrame(rows, columns=["equilibrium", "branch", "best", *economies])


class Traced(Equations, Protocol):
    """Equations whose solutions are equilibria."""

    def income(self, x: Tensor, p: float) -> Tensor:
        """Real-income change in per cent, `[country]`."""

    def best(self, x: Tensor, p: float) -> bool:
        """Whether a solution is a best response of everybody who chooses, as far as curvature says."""


def branches(
    result: SolveResult, along: Along = "psi", low: float = 0.5, high: float = 2.0, starts: int | None = None,
    seed: int = 0, options: ContinuationOptions = ContinuationOptions(), most: int = 20, policies: Policies = "held",
) -> Branches:  # fmt: skip
    """Trace the equilibria under the policies of a result, or of its game, the baseline held fixed.

    Args:
        result: a converged result; its own equilibrium is the first start, at a factor of 1.
        along: all `psi` or all `theta` are multiplied by the factor that moves.
        low, high: range of the factor, around 1.
        starts: random points from which further equilibria are looked for, at a factor of 1; default 20. Of games:
            random policies from which they are played, default 3, and from five times as many random states.
        seed: of these.
        options: of the continuation.
        most: branches at most.
        policies: `held` where the result has them, or `chosen` again by its players at every factor.

    Raises:
        UnknownNameError: neither `psi` nor `theta`; neither `held` nor `chosen`.
        BranchError: a range without 1, a result that did not converge, or a world too large for dense factors.
    """
    for name, word, known in (("along", along, Along), ("policies", policies, Policies)):
        if word not in get_args(known):
            raise UnknownNameError(f"value of {name}", word, get_args(known))
    if not 0 <= low < 1 < high < float("inf"):
        raise BranchError(f"The factor runs from {low:g} to {high:g}; the range must have 1 inside and be 0 or more.")
    if result.status != "converged":
        raise BranchError(f"The result is {result.status}: branches begin at a converged one.")
    result.without_prices("branches are traced")
    if starts is not None and starts < 0:
        raise BranchError(f"starts is {starts}; it must be 0 or more.")
    model = result.model
    if model.size > model.dense_up_to:
        raise BranchError(
            f"This world has {model.size:,} unknowns; branches are traced with dense factors, up to "
            f"{model.dense_up_to:,}. Aggregate it (`dlopt data aggregate`)."
        )
    held = _Scaled(model, result, along)
    equations: Traced = held
    count = (20 if policies == "held" else 3) if starts is None else starts
    states = _starts(held, count if policies == "held" else 5 * count, seed, options)
    found = states
    if policies == "chosen":
        from dlopt.trade.game_branches import GameEquations, game_starts

        equations = game = GameEquations(result, along)
        options = dataclasses.replace(options, tolerance=max(options.tolerance, game.tolerance))
        others = [z for k, z in enumerate(states) if all(float((z - y).abs().max()) > _SAME for y in states[:k])]
        found = game_starts(game, others[1:], count, seed)
    curves = trace_all(equations, [(x, 1.0) for x in found], low, high, options, most)
    ends: list[tuple[int, Tensor]] = []
    for number, branch in enumerate(curves):
        for x in solutions_at(equations, branch, 1.0, options.tolerance):
            if all(float((x - y).abs().max()) > _SAME for _, y in ends):
                ends.append((number, x))

    def incomes(points: Iterable[tuple[Tensor, float]]) -> Tensor:
        rows = [equations.income(x, p) for x, p in points]
        return torch.stack(rows) if rows else torch.zeros((0, model.n), dtype=result.u.dtype)

    return Branches(
        result, along, tuple(curves), 1.0, incomes((x, 1.0) for _, x in ends), tuple(number for number, _ in ends),
        tuple(incomes(zip(branch.x, branch.p.tolist(), strict=True)) for branch in curves),
        tuple(incomes((special.x, special.p) for special in branch.specials) for branch in curves),
        policies, tuple(equations.best(x, 1.0) for _, x in ends),
    )  # fmt: skip


def _starts(equations: _Scaled, count: int, seed: int, options: ContinuationOptions) -> list[Tensor]:
    """The result's own equilibrium, and those found from random points."""
    here = equations.world(1.0).reduced(equations.result.u)
    first = solve_at(equations, here, 1.0, options.tolerance)
    generator = torch.Generator().manual_seed(seed)
    found = [here if first is None else first]
    for _ in range(count):
        z = 1.5 * torch.randn(len(here), generator=generator, dtype=here.dtype)
        end = solve_at(equations, here + z, 1.0, options.tolerance)
        if end is not None and float(end.abs().max()) <= options.far:
            found.append(end)
    return found


class _Scaled:
    """The equations with all elasticities of one kind multiplied: `Traced`."""

    def __init__(self, model: TradeModel, result: SolveResult, along: Along) -> None:
        self.model, self.result, self.along = model, result, along
        tau, epsilon, sigma = (by_sector(wedge) for wedge in result.wedges)
        self.wedges: LogWedges = tau, epsilon, sigma
        self._worlds: dict[float, SectorModel] = {}

    def world(self, factor: float) -> SectorModel:
        """The model at a factor."""
        if factor not in self._worlds:
            if len(self._worlds) > 4:  # those of one difference quotient and the point between
                self._worlds.clear()
            self._worlds[factor] = SectorModel(scaled(self.model, self.along, factor))
        return self._worlds[factor]

    def residual(self, x: Tensor, p: float) -> Tensor:
        """Log residuals, `[unknown]`."""
        return SectorPoint(self.world(p), x, self.wedges).residual

    def jacobian(self, x: Tensor, p: float) -> Tensor:
        """Their derivative, `[unknown, unknown]`."""
        return SectorPoint(self.world(p), x, self.wedges).product(torch.eye(len(x), dtype=x.dtype))

    def income(self, x: Tensor, p: float) -> Tensor:
        """Real-income change in per cent, `[country]`."""
        world = self.world(p)
        return 100 * world.model.log_welfare(world.stacked(x, torch.zeros_like(world.spending))).expm1()

    def best(self, x: Tensor, p: float) -> bool:
        """Nobody chooses."""
        return True


def scaled(model: TradeModel, along: Along, factor: float) -> TradeModel:
    """The model with all elasticities of one kind multiplied, its baseline as it is."""
    model = copy.copy(model)
    setattr(model, along, getattr(model, along) * factor)
    return model
