"""How sure an answer is: intervals of real incomes and chosen rates under uncertain parameters, and what narrows them.

The delta method takes the derivatives of the whole solved problem; draws solve it again. Both say how far the answer
moves with the parameters, not whether the model is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.tape import Tape
from dlopt.trade.landscape import name_of
from dlopt.trade.parameters import parameters_of
from dlopt.trade.prior import Prior, PriorError
from dlopt.trade.rates import INSTRUMENTS, KINDS
from dlopt.trade.redraw import Redrawn, redraw
from dlopt.trade.sensitivity import Sensitivities, sensitivities

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult
    from dlopt.trade.sobol import SobolIndices

_NAMED = 5000
"""Instruments up to which each is named by its cells; in larger games by position."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Intervals:
    """Intervals around a result.

    Attributes:
        result: the answer at the parameters' values.
        prior: how the parameters vary.
        slopes: derivatives of the answer.
        level: probability that an interval covers, such as 0.9.
        draws: the problem solved again for draws of the parameters; None for the delta method alone.
        sobol: which share of the variance comes from which parameter; None where that was not asked for.
    """

    result: SolveResult
    prior: Prior
    slopes: Sensitivities
    level: float = 0.9
    draws: Redrawn | None = None
    sobol: SobolIndices | None = None

    def __repr__(self) -> str:
        return f"Intervals({self.message})"

    @property
    def message(self) -> str:
        """What was assumed, and how many draws have no solution."""
        words = (
            f"Intervals hold {100 * self.level:g} %; {len(self.prior.parameters)} parameters vary {self.prior.words}"
        )
        if self.draws is None:
            return f"{words} (delta method)."
        lost = f", {self.draws.failed} of them without a solution and left out" if self.draws.failed else ""
        return f"{words} (delta method, and {len(self.draws.changes)} draws{lost})."

    @property
    def standard_errors(self) -> tuple[Tensor, Tensor]:
        """Delta method: of real income (per cent, `[country]`) and of log rates, `[instrument]`."""
        return self.slopes.standard_errors(self.prior.of_values)

    def table(self) -> pd.DataFrame:
        """A row for each economy and method, `delta` and `draws`.

        Returns:
            Columns `economy`, `method`, `real_income_change_pct` (the answer), `mean`, `standard_error`, `low`, `high`
            (per cent; of draws the quantiles) and `failed` (draws).
        """
        import pandas as pd

        answer, error = self.result.real_income_change_pct, self.standard_errors[0]
        wide = self._normal * error
        parts = [("delta", answer, error, answer - wide, answer + wide, 0)]
        if self.draws is not None:
            welfare = self.draws.outcomes[self.draws.solved, 0]
            low, high = self._quantiles(welfare)
            parts.append(("draws", welfare.mean(0), _spread(welfare), low, high, self.draws.failed))
        frames = [
            pd.DataFrame({
                "economy": list(self.result.calibration.economies), "method": method,
                "real_income_change_pct": answer.numpy(), "mean": mean.numpy(), "standard_error": spread.numpy(),
                "low": low.numpy(), "high": high.numpy(), "failed": failed,
            })
            for method, mean, spread, low, high, failed in parts
        ]  # fmt: skip
        return pd.concat(frames, ignore_index=True)

    def policies(self) -> pd.DataFrame:
        """A row for each chosen rate and method; empty where nobody chose.

        Returns:
            Columns `player`, `instrument` (such as `tariff:USA:18`), `kind`, `method`, `rate`, `low`, `high`
            (fractions), `standard_error` (of the rate).
        """
        import pandas as pd

        chosen = self.result.instruments
        columns = ["player", "instrument", "kind", "method", "rate", "standard_error", "low", "high"]
        if chosen is None:
            return pd.DataFrame(columns=columns)
        a, error = chosen.average(self.result.wedges), self.standard_errors[1]
        rate = chosen.rates(a)
        tax = torch.tensor([kind.tax for kind in INSTRUMENTS])[chosen.kind]
        per_log = torch.where(tax, 1 + rate, 1 - rate)
        ends = [chosen.rates((a + sign * self._normal * error).clamp(chosen.lower, chosen.upper)) for sign in (-1, 1)]
        parts: list[tuple[str, Tensor, Tensor, Tensor]] = [("delta", error * per_log, ends[0], ends[1])]
        if self.draws is not None:
            rates = chosen.rates(self.draws.instruments[self.draws.solved])
            parts.append(("draws", _spread(rates), *self._quantiles(rates)))
        named = chosen.count <= _NAMED
        names = [name_of(self.result, k) if named else str(k) for k in range(chosen.count)]
        players = [chosen.players[min(k, len(chosen.players) - 1)] for k in chosen.owner.tolist()]
        kinds = [KINDS[k] for k in chosen.kind.tolist()]
        frames = []
        for method, spread, low, high in parts:
            content = (players, names, kinds, method, rate.numpy(), spread.numpy(), low.numpy(), high.numpy())
            frames.append(pd.DataFrame(dict(zip(columns, content, strict=True))))
        return pd.concat(frames, ignore_index=True)

    def evidence(self) -> pd.DataFrame:
        """Which parameter it would help most to know: a row for each parameter and economy, the most helpful first.

        Knowing one parameter exactly leaves, to first order, the variance of the rest given it.

        Returns:
            Columns `parameter`, `name` (in words), `economy`, `standard_error` (of real income, per cent, as things
            stand), `known` (the same once the parameter is known), `narrower_pct` (by how much the
            interval shrinks), and `average_pct`, its mean over economies, by which rows are sorted.
        """
        import pandas as pd

        covariance = self.prior.of_values
        shared = self.slopes.welfare @ covariance  # of real income with parameters, [country, parameter]
        total = (shared * self.slopes.welfare).sum(1).clamp(min=0)
        own = covariance.diagonal()
        gone = torch.where(own > 0, shared**2 / own.clamp(min=1e-300), 0.0)
        rest = (total[:, None] - gone).clamp(min=0).sqrt()
        error = total.sqrt()
        narrower = torch.where(error[:, None] > 0, 100 * (1 - rest / error[:, None].clamp(min=1e-300)), 0.0)
        labels = [p.label for p in self.prior.parameters]
        names = [p.named(self.result.calibration) for p in self.prior.parameters]
        economies = list(self.result.calibration.economies)
        frame = pd.DataFrame({
            "parameter": [label for label in labels for _ in economies],
            "name": [name for name in names for _ in economies],
            "economy": economies * len(labels),
            "standard_error": error.repeat(len(labels)).numpy(),
            "known": rest.T.flatten().numpy(),
            "narrower_pct": narrower.T.flatten().numpy(),
            "average_pct": narrower.mean(0).repeat_interleave(len(economies)).numpy(),
        })  # fmt: skip
        return frame.sort_values("average_pct", ascending=False, kind="stable", ignore_index=True)

    @property
    def _normal(self) -> float:
        return NormalDist().inv_cdf((1 + self.level) / 2)

    def _quantiles(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if not len(values):
            nothing = values.new_full(values.shape[1:], float("nan"))
            return nothing, nothing
        tails = values.new_tensor([(1 - self.level) / 2, (1 + self.level) / 2])
        low, high = torch.quantile(values, tails, dim=0)
        return low, high


def _spread(values: Tensor) -> Tensor:
    """Standard deviation over draws; not a number where there are fewer than two."""
    return values.std(0) if len(values) > 1 else values.new_full(values.shape[1:], float("nan"))


def intervals(
    result: SolveResult, prior: Prior | None = None, draws: int = 0, seed: int = 0, level: float = 0.9,
    processes: int = 0, tape: Tape | None = None, on_batch: Callable[[int], None] | None = None,
) -> Intervals:  # fmt: skip
    """Intervals around a converged result.

    Args:
        result: see `dlopt.trade.sensitivity.sensitivities`.
        prior: how parameters vary; by default every theta and psi of the calibration by 10 %, independently.
        draws: how often the problem is solved again with drawn parameters; 0 for the delta method alone.
        seed: of the draws; the same seed gives the same numbers, on any number of processes.
        level: probability that an interval covers.
        processes: that share the draws; 0 is one for every core.
        tape: records batches of draws: a run that was cut off goes on where it was.
        on_batch: told how many draws are done.

    Raises:
        PriorError, SensitivityError: a distribution that is none, or a result that has no derivatives.
        RedrawInterrupted: the tape's owner wants to stop.
    """
    if not 0 < level < 1:
        raise PriorError(f"level is {level:g}; it must be between 0 and 1, such as 0.9.")
    if draws < 0:
        raise PriorError(f"draws is {draws}; it must be 0 (the delta method alone) or more.")
    prior = prior or Prior.independent(parameters_of(result.model.given))
    slopes = sensitivities(result, prior.parameters)
    redrawn = redraw(slopes, prior.draws(draws, seed), processes, tape, on_batch) if draws else None
    return Intervals(result, prior, slopes, level, redrawn)


def in_words(evidence: pd.DataFrame, count: int = 3) -> list[str]:
    """The ranking of `Intervals.evidence` in sentences."""
    ranked = evidence.drop_duplicates("parameter").head(count)
    said = []
    for row in ranked.to_dict("records"):
        name = row.get("name", row["parameter"])
        own = evidence[evidence["parameter"] == row["parameter"]].sort_values("narrower_pct").iloc[-1]
        said.append(
            f"Knowing {name} exactly would narrow intervals of real income by {row['average_pct']:.0f} % "
            f"on average, most for {own['economy']}: from a standard error of {own['standard_error']:.3g} to "
            f"{own['known']:.3g} percentage points."
        )
    return said
