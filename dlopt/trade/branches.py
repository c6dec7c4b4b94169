"""How many equilibria there are: solutions at some policies traced as elasticities move, and from random starts.

With strong economies of scale (theta psi above one) given policies may have several equilibria. `branches` multiplies
all scale or all trade elasticities by a factor, follows every equilibrium it finds along that factor, with its folds
and bifurcations, and lists the equilibria at a value of interest. It proves none beyond those it lists.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.continuation import (
    Branch,
    ContinuationOptions,
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


class BranchError(DloptError):
    """Branches that cannot be traced."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Branches:
    """Equilibria under the policies of a result.

    Attributes:
        result: whose policies these are.
        along: which elasticities are multiplied, `psi` or `theta`.
        branches: curves of equilibria, in reduced unknowns (`dlopt.trade.sectors`).
        at: the factor at which equilibria are listed.
        welfare: real-income changes of the equilibria there, per cent, `[equilibrium, country]`.
        of_branch: the branch of each.
    """

    result: SolveResult
    along: Along
    branches: tuple[Branch, ...]
    at: float
    welfare: Tensor
    of_branch: tuple[int, ...]

    def __repr__(self) -> str:
        return f"Branches({len(self.branches)} along {self.along}, {len(self.welfare)} equilibria at {self.at:g})"

    def table(self) -> pd.DataFrame:
        """Every point of every branch: `branch`, `point`, `factor`, `economy`, `real_income_change_pct`."""
        import pandas as pd

        frames = []
        economies = list(self.result.calibration.economies)
        for number, branch in enumerate(self.branches):
            income = torch.stack([_welfare(self.result, z) for z in branch.x])
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
            (number, special.kind, special.p, *_welfare(self.result, special.x).tolist())
            for number, branch in enumerate(self.branches)
            for special in branch.specials
        ]
        return pd.DataFrame(rows, columns=["branch", "kind", "factor", *economies])

    def equilibria(self) -> pd.DataFrame:
        """Those at `at`: `equilibrium`, `branch`, and real income of every economy in per cent."""
        import pandas as pd

        economies = self.result.calibration.economies
        rows = [(k, b, *w) for k, (b, w) in enumerate(zip(self.of_branch, self.welfare.tolist(), strict=True))]
        return pd.DataFrame(rows, columns=["equilibrium", "branch", *economies])


def branches(
    result: SolveResult, along: Along = "psi", low: float = 0.5, high: float = 2.0, starts: int = 20, seed: int = 0,
    options: ContinuationOptions = ContinuationOptions(), most: int = 20,
) -> Branches:  # fmt: skip
    """Trace the equilibria under the policies of a result, the baseline held fixed.

    Args:
        result: a converged result; its own equilibrium is the first start, at a factor of 1.
        along: all `psi` or all `theta` are multiplied by the factor that moves.
        low, high: range of the factor, around 1.
        starts: random points from which further equilibria are looked for, at a factor of 1.
        seed: of these.
        options: of the continuation.
        most: branches at most.

    Raises:
        UnknownNameError: neither `psi` nor `theta`.
        BranchError: a range without 1, a result that did not converge, or a world too large for dense factors.
    """
    if along not in get_args(Along):
        raise UnknownNameError("value of along", along, get_args(Along))
    if not 0 <= low < 1 < high < float("inf"):
        raise BranchError(f"The factor runs from {low:g} to {high:g}; the range must have 1 inside and be 0 or more.")
    if result.status != "converged":
        raise BranchError(f"The result is {result.status}: branches begin at a converged one.")
    result.without_prices("branches are traced")
    if starts < 0:
        raise BranchError(f"starts is {starts}; it must be 0 or more.")
    model = result.model
    if model.size > model.dense_up_to:
        raise BranchError(
            f"This world has {model.size:,} unknowns; branches are traced with dense factors, up to "
            f"{model.dense_up_to:,}. Aggregate it (`dlopt data aggregate`)."
        )
    equations = _Scaled(model, result.wedges, along)
    here = equations.world(1.0).reduced(result.u)
    first = solve_at(equations, here, 1.0, options.tolerance)
    generator = torch.Generator().manual_seed(seed)
    found = [(here if first is None else first, 1.0)]
    for _ in range(starts):
        z = 1.5 * torch.randn(len(here), generator=generator, dtype=here.dtype)
        end = solve_at(equations, here + z, 1.0, options.tolerance)
        if end is not None and float(end.abs().max()) <= options.far:
            found.append((end, 1.0))
    curves = trace_all(equations, found, low, high, options, most)
    ends = [(number, z) for number, branch in enumerate(curves) for z in solutions_at(equations, branch, 1.0)]
    welfare = torch.stack([_welfare(result, z) for _, z in ends]) if ends else torch.zeros((0, model.n))
    return Branches(result, along, tuple(curves), 1.0, welfare, tuple(number for number, _ in ends))


class _Scaled:
    """The equations with all elasticities of one kind multiplied: `dlopt.framework.continuation.Equations`."""

    def __init__(self, model: TradeModel, wedges: LogWedges, along: Along) -> None:
        self.model, self.along = model, along
        tau, epsilon, sigma = (by_sector(wedge) for wedge in wedges)
        self.wedges: LogWedges = tau, epsilon, sigma
        self._worlds: dict[float, SectorModel] = {}

    def world(self, factor: float) -> SectorModel:
        """The model at a factor."""
        if factor not in self._worlds:
            if len(self._worlds) > 4:  # those of one difference quotient and the point between
                self._worlds.clear()
            model = copy.copy(self.model)
            setattr(model, self.along, getattr(self.model, self.along) * factor)
            self._worlds[factor] = SectorModel(model)
        return self._worlds[factor]

    def residual(self, x: Tensor, p: float) -> Tensor:
        """Log residuals, `[unknown]`."""
        return SectorPoint(self.world(p), x, self.wedges).residual

    def jacobian(self, x: Tensor, p: float) -> Tensor:
        """Their derivative, `[unknown, unknown]`."""
        return SectorPoint(self.world(p), x, self.wedges).product(torch.eye(len(x), dtype=x.dtype))


def _welfare(result: SolveResult, z: Tensor) -> Tensor:
    """Real-income change in per cent, `[country]`."""
    model = result.model
    world = SectorModel(model)
    return 100 * model.log_welfare(world.stacked(z, torch.zeros_like(world.spending))).expm1()
