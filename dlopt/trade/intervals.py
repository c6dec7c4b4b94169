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
from dlopt.trade.average_rates import AverageRates, setters
from dlopt.trade.interval_words import OPENING
from dlopt.trade.landscape import name_of
from dlopt.trade.parameters import parameters_of
from dlopt.trade.prior import Prior, PriorError
from dlopt.trade.rates import KINDS
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
        count = len(self.prior.parameters)
        vary = "1 parameter varies" if count == 1 else f"{count} parameters vary"
        words = f"{OPENING} {100 * self.level:g} %; {vary} {self.prior.words}"
        if self.draws is None:
            return f"{words} (delta method)."
        failed, steep = self.draws.failed, self.steep
        said = f"{words} (delta method, and {len(self.draws.changes)} draws)."
        if failed:
            said += f" {failed} {'draw has' if failed == 1 else 'draws have'} no solution near the answer: left out."
        if steep:
            said += (
                f" In {steep} {'draw' if steep == 1 else 'draws'} theta times psi is above one in a sector; the same "
                "policies may then have several equilibria, and the one that continues the answer is taken."
            )
        return said

    @property
    def steep(self) -> int:
        """Draws with theta times psi above one in some sector: given policies may have several equilibria there."""
        if self.draws is None:
            return 0
        data = self.result.model.given
        values = {name: getattr(data, name).expand(len(self.draws.changes), -1).clone() for name in ("theta", "psi")}
        for k, parameter in enumerate(self.prior.parameters):
            if parameter.kind in values:
                values[parameter.kind][:, parameter.where[0]] += self.draws.changes[:, k]
        product = self.result.model.psi_scale * values["theta"] * values["psi"]
        return int((product > 1).any(1).sum())

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
        averages = AverageRates.of(self.result)
        assert averages is not None
        a, error = chosen.average(self.result.wedges), self.standard_errors[1]
        rate, per_log = averages.rates, averages.rate_per_log
        ends = [chosen.rates((a + sign * self._normal * error).clamp(chosen.lower, chosen.upper)) for sign in (-1, 1)]
        parts: list[tuple[str, Tensor, Tensor, Tensor]] = [("delta", error * per_log, ends[0], ends[1])]
        if self.draws is not None:
            rates = chosen.rates(self.draws.instruments[self.draws.solved])
            parts.append(("draws", _spread(rates), *self._quantiles(rates)))
        named = chosen.count <= _NAMED
        names = [name_of(self.result, k) if named else str(k) for k in range(chosen.count)]
        who, labels = setters(self.result)
        players = [labels[k] for k in who.tolist()]
        kinds = [KINDS[k] for k in chosen.kind.tolist()]
        frames = []
        for method, spread, low, high in parts:
            content = (players, names, kinds, method, rate.numpy(), spread.numpy(), low.numpy(), high.numpy())
            frames.append(pd.DataFrame(dict(zip(columns, content, strict=True))))
        return pd.concat(frames, ignore_index=True)

    def averages(self) -> pd.DataFrame:
        """Simple averages of the rates that each player chose: a row for each player, kind and method.

        Returns:
            Columns `player`, `kind`, `method`, `rate`, `standard_error`, `low`, `high` (per cent; `rate` is the
            answer's, `low` and `high` of draws are quantiles of the average); empty where nobody chose.
        """
        import pandas as pd

        columns = ["player", "kind", "method", "rate", "standard_error", "low", "high"]
        averages = AverageRates.of(self.result)
        if averages is None:
            return pd.DataFrame(columns=columns)
        chosen = averages.chosen
        slopes = averages.slopes(self.slopes.instruments)
        error = (slopes @ self.prior.of_values * slopes).sum(1).clamp(min=0).sqrt()
        ends = (averages.rates, chosen.rates(chosen.lower), chosen.rates(chosen.upper))
        rate, least, most = (averages.of_rates(end) for end in ends)
        wide = self._normal * error
        parts = [("delta", error, (rate - wide).clamp(min=least), (rate + wide).clamp(max=most))]
        if self.draws is not None:
            drawn = averages.of_rates(chosen.rates(self.draws.instruments[self.draws.solved]))
            parts.append(("draws", _spread(drawn), *self._quantiles(drawn)))
        frames = []
        for method, spread, low, high in parts:
            figures = (rate.numpy(), spread.numpy(), low.numpy(), high.numpy())
            content = (averages.players, averages.kinds, method, *figures)
            frames.append(pd.DataFrame(dict(zip(columns, content, strict=True))))
        return pd.concat(frames, ignore_index=True)

    def drawn(self) -> pd.DataFrame:
        """Every draw: a row for each draw and economy; empty for the delta method alone.

        Returns:
            Columns `draw` (from 0), `economy`, `real_income_change_pct` (not a number where the draw has no solution).
        """
        import pandas as pd

        economies = list(self.result.calibration.economies)
        welfare = torch.zeros((0, len(economies))) if self.draws is None else self.draws.outcomes[:, 0]
        return pd.DataFrame({
            "draw": [k for k in range(len(welfare)) for _ in economies],
            "economy": economies * len(welfare),
            "real_income_change_pct": welfare.flatten().numpy(),
        })  # fmt: skip

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
