"""Imperfect implementation: what everybody's welfare is when one economy sets its subsidies with error.

Wang, Xu, Yang, Zhu (2024), section 4.4: every subsidy of one player is drawn uniformly between `low` and `high`
times its optimum, independently, while all other policies stay where the solution has them. The paper draws those of
tradable sectors; here all that were chosen are drawn, those of services too with `sectors=all`.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.tape import Tape
from dlopt.trade.batch import BATCH, find_equilibria
from dlopt.trade.rates import SUBSIDY

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult

QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


class DrawError(DloptError):
    """Draws that cannot be made."""


class DrawsInterrupted(Exception):
    """Asked to stop before all draws were solved; those that were are on the tape."""


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """Options of `draw_subsidies`.

    Attributes:
        count: number of draws.
        low: smallest multiple of the optimum.
        high: largest multiple of the optimum.
    """

    count: int = 1000
    low: float = 0.1
    high: float = 1.9

    def __post_init__(self) -> None:
        if self.count < 1:
            raise DrawError(f"draws.count is {self.count}; it must be 1 or more.")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 <= self.low < self.high):
            raise DrawError(f"Draws lie between {self.low:g} and {self.high:g}; it must be 0 <= low < high.")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Draws:
    """Welfare under randomly drawn subsidies.

    Attributes:
        player: the economy whose subsidies were drawn.
        economies: labels of the economies.
        real_income_change_pct: 100 (W^ - 1), `[draw, country]`; NaN in draws without an equilibrium.
        at_optimum: the same at the solution, `[country]`.
        rates: subsidies drawn, fractions, `[draw, instrument of the player]`.
        alone: draws that were solved one by one.
    """

    player: str
    economies: tuple[str, ...]
    real_income_change_pct: Tensor
    at_optimum: Tensor
    rates: Tensor
    alone: int

    def __repr__(self) -> str:
        return f"Draws({self.message})"

    @property
    def failed(self) -> int:
        """Draws for which no equilibrium was found."""
        return int(self.real_income_change_pct[:, 0].isnan().sum())

    @property
    def message(self) -> str:
        """What was drawn, and how many draws have no equilibrium."""
        verb = "has" if self.failed == 1 else "have"
        lost = f"; {self.failed} of them {verb} no equilibrium and no place in the summary" if self.failed else ""
        return f"{len(self.rates)} draws of the subsidies of {self.player}{lost}."

    def table(self) -> pd.DataFrame:
        """One row per draw and economy."""
        import pandas as pd

        count, n = self.real_income_change_pct.shape
        return pd.DataFrame({
            "draw": torch.arange(count).repeat_interleave(n).numpy(),
            "economy": list(self.economies) * count,
            "real_income_change_pct": self.real_income_change_pct.flatten().numpy(),
        })  # fmt: skip

    def summary(self) -> pd.DataFrame:
        """One row per economy: moments, quantiles, share of losses, welfare at the optimum, and draws that failed."""
        import pandas as pd

        values = self.real_income_change_pct[~self.real_income_change_pct[:, 0].isnan()]
        if len(values):
            quantiles = torch.quantile(values, values.new_tensor(list(QUANTILES.values())), dim=0)
        else:
            quantiles = values.new_full((len(QUANTILES), values.shape[1]), float("nan"))
        return pd.DataFrame({
            "economy": list(self.economies),
            "mean": values.mean(0).numpy(),
            "std": values.std(0, correction=0).numpy(),
            **{name: row.numpy() for name, row in zip(QUANTILES, quantiles, strict=True)},
            "share_of_losses": (values < 0).double().mean(0).numpy(),
            "at_optimum": self.at_optimum.numpy(),
            "failed": self.failed,
        })  # fmt: skip


def draw_subsidies(
    result: SolveResult, player: str, options: DrawOptions = DrawOptions(), seed: int = 0, tape: Tape | None = None
) -> Draws:
    """Draw the subsidies of `player` around a solution and solve for every equilibrium.

    Args:
        result: a solution in which `player` chose subsidies.
        player: label of an economy.
        options: see `DrawOptions`.
        seed: of the draws; the same seed gives the same draws.
        tape: records the draws solved so far (see `solve_nash`).

    Raises:
        UnknownNameError: no such economy.
        DrawError: the player chose no subsidies.
        DrawsInterrupted: the tape's owner wants to stop.
    """
    result.without_prices("subsidies are drawn")
    model = result.model
    country = model.calibration.economy_index(player)
    instrument = torch.full((model.j,), -1) if result.instruments is None else result.instruments.sigma[country]
    chosen = instrument >= 0
    if not bool(chosen.any()):
        raise DrawError(f"{player} chose no subsidies in this solution: there is nothing to draw.")
    groups, member = torch.unique(instrument[chosen], return_inverse=True)
    tau, epsilon, sigma = result.wedges
    optimum = SUBSIDY.rate(sigma[country, chosen])
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand((options.count, len(groups)), generator=generator, dtype=torch.float64)
    multiple = options.low + (options.high - options.low) * unit
    rates = multiple[:, member] * optimum
    possible = SUBSIDY.possible(rates).all(1)  # nobody can pay the whole price
    welfare, alone = sigma.new_full((options.count, model.n), float("nan")), 0
    tape = tape or Tape()

    def solve(part: Tensor) -> dict[str, Any]:
        drawn = sigma.expand(len(part), -1, -1).clone()
        drawn[:, country, chosen] = SUBSIDY.wedge(rates[part])
        found = find_equilibria(model, (tau, epsilon, drawn), result.u, result.wedges)
        return {"welfare": 100 * model.log_welfare(found.u).expm1(), "alone": found.alone}

    for part in possible.nonzero().squeeze(1).split(BATCH) if bool(possible.any()) else ():
        if tape.stop():
            raise DrawsInterrupted
        solved = tape.take("draws", partial(solve, part))
        welfare[part] = solved["welfare"]
        alone += solved["alone"]
    first = torch.stack([(member == g).nonzero()[0, 0] for g in range(len(groups))])
    return Draws(
        player, model.calibration.economies, welfare, result.real_income_change_pct, rates[:, first], alone,
    )  # fmt: skip
