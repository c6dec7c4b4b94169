"""What a solved world depends on: derivatives of policies and welfare with respect to the data.

The equilibrium, its baseline and the policies chosen all move when a number of the calibration moves. Policies follow
by the implicit function theorem on the first-order conditions (`dlopt.framework.response`), whose own change with a
datum is a central difference of exact gradients at unchanged policies; welfare then follows along the policies' path.
Nothing is solved again but equilibria.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.game import own_gradient
from dlopt.framework.linear import LinearSolver
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import responses
from dlopt.trade.balance import balancing_model, closed_baseline
from dlopt.trade.calibration import Calibration
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium
from dlopt.trade.game import Objective, TradeGame, TradePoint
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.parameters import TABLES, Parameter, moved
from dlopt.trade.rates import KINDS
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd

ObjectiveOf = Callable[[TradeModel], Objective]
"""What the players maximise, for a model: weights may depend on it."""


class SensitivityError(DloptError):
    """A result that cannot be differentiated."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives with respect to parameters.

    Attributes:
        result: what was differentiated.
        parameters: with respect to what, in order.
        welfare: of real income (per cent) per unit of each parameter, `[country, parameter]`.
        instruments: of log rates per unit, `[instrument, parameter]`; empty without instruments.
        flat: directions along which policies are not determined, and were held still.
        loose: instruments at a bound that hardly push against it.
    """

    result: SolveResult
    parameters: tuple[Parameter, ...]
    welfare: Tensor
    instruments: Tensor
    flat: int = 0
    loose: int = 0

    def table(self) -> pd.DataFrame:
        """Welfare: a row for each parameter and economy.

        Returns:
            Columns `parameter`, `kind`, `value`, `unit`, `economy`, `derivative` (percentage points of real income per
            unit) and `per_one_percent` (per 1 % of the parameter's value).
        """
        import pandas as pd

        economies = self.result.model.calibration.economies
        rows = []
        for k, parameter in enumerate(self.parameters):
            relative = 0.01 if parameter.kind == "trade" else 0.01 * parameter.value
            for n, economy in enumerate(economies):
                slope = float(self.welfare[n, k])
                rows.append(
                    (parameter.label, parameter.kind, parameter.value, TABLES[parameter.kind].unit, economy, slope,
                     slope * relative)
                )  # fmt: skip
        names = ["parameter", "kind", "value", "unit", "economy", "derivative", "per_one_percent"]
        return pd.DataFrame(rows, columns=names)

    def policies(self) -> pd.DataFrame:
        """Chosen rates: a row for each instrument and parameter whose derivative is not zero.

        Returns:
            Columns `player`, `instrument` (position), `kind`, `parameter`, `derivative` (of the log rate per unit).
        """
        import pandas as pd

        chosen = self.result.instruments
        columns = ["player", "instrument", "kind", "parameter", "derivative"]
        if chosen is None:
            return pd.DataFrame(columns=columns)
        where, which = self.instruments.nonzero(as_tuple=True)
        labels = [parameter.label for parameter in self.parameters]
        owners = [chosen.players[min(k, len(chosen.players) - 1)] for k in chosen.owner[where].tolist()]
        kinds = [KINDS[k] for k in chosen.kind[where].tolist()]
        values = self.instruments[where, which].tolist()
        rows = [where.tolist(), kinds, [labels[k] for k in which.tolist()], values]
        return pd.DataFrame(dict(zip(columns, [owners, *rows], strict=True)))

    def standard_errors(self, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Standard errors by the delta method: of real income (per cent, `[country]`) and log rates (`[instrument]`).

        Args:
            covariance: of the parameters, in their units, `[parameter, parameter]`.
        """
        size = len(self.parameters)
        if covariance.shape != (size, size):
            raise SensitivityError(
                f"The covariance is {tuple(covariance.shape)}; {size} parameters need ({size}, {size})."
            )
        variances = ((slopes @ covariance * slopes).sum(1) for slopes in (self.welfare, self.instruments))
        welfare, instruments = (variance.clamp(min=0).sqrt() for variance in variances)
        return welfare, instruments


def sensitivities(
    result: SolveResult, parameters: Sequence[Parameter], objective: ObjectiveOf | None = None
) -> Sensitivities:
    """Differentiate a converged result.

    Args:
        result: an equilibrium under given policies, a best response, a Nash equilibrium or a planner's optimum.
        parameters: see `dlopt.trade.parameters.parameters_of`; of the calibration as it was given, before balancing.
        objective: what the players maximise where it is not their own welfare: a planner's weighted welfare.

    Raises:
        SensitivityError: the result did not converge, or an equilibrium nearby was not found.
    """
    if result.status != "converged":
        raise SensitivityError(f"The result is {result.status}: only a converged one has derivatives. Solve it first.")
    worlds = _Worlds(result)
    slopes, held, flat, loose = torch.zeros((0, len(parameters)), dtype=result.u.dtype), None, 0, 0
    if result.instruments is not None:
        held = _Players(result, result.instruments, objective)
        point = held.point(result.model, Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None))
        answer = responses(point.game, point)
        pushes = [
            (held.slope(worlds, parameter, +1) - held.slope(worlds, parameter, -1)) / (2 * parameter.step)
            for parameter in parameters
        ]
        slopes = answer.to(torch.stack(pushes, 1)) if pushes else slopes
        flat, loose = answer.flat, answer.loose
    columns = []
    for k, parameter in enumerate(parameters):
        ends = []
        for sign in (+1, -1):
            wedges = None if held is None else held.wedges(slopes[:, k] * (sign * parameter.step))
            model, found = worlds.at(parameter, sign, wedges)
            ends.append(100 * model.log_welfare(found.u).expm1())
        columns.append((ends[0] - ends[1]) / (2 * parameter.step))
    welfare = torch.stack(columns, 1) if columns else torch.zeros((result.model.n, 0), dtype=result.u.dtype)
    return Sensitivities(result, tuple(parameters), welfare, slopes, flat, loose)


class _Worlds:
    """The world of a result with one number of its data moved: balanced again, and in equilibrium again."""

    def __init__(self, result: SolveResult) -> None:
        self.result, self.model = result, result.model
        self.calibration: Calibration = self.model.given
        constant = bool((self.model.transfer != 0).any())
        self.deficits = "constant" if constant else "none"
        start = balancing_model(self.calibration, self.model.accounting, self.deficits)
        self._balance = find_equilibrium(start, start.wedges0)
        self._factors: LinearSolver | None = None
        self._untouched = result.wedges
        if result.instruments is not None:  # a cell that somebody chooses is nowhere near its baseline
            chosen = torch.full((result.instruments.count,), torch.inf, dtype=result.u.dtype)
            self._untouched = result.instruments.apply(chosen, result.wedges)

    def at(self, parameter: Parameter, sign: int, wedges: LogWedges | None) -> tuple[TradeModel, Equilibrium]:
        """The model and the equilibrium; `wedges` None: those of the result, or of the data where they set none."""
        data = moved(self.calibration, parameter, sign * parameter.step)
        start = balancing_model(data, self.model.accounting, self.deficits)
        found = find_equilibrium(start, start.wedges0, self._balance.u, factorisation=self._balance.factorisation)
        baseline = closed_baseline(start, found)
        model = TradeModel(baseline, self.model.accounting, self.model.psi_scale, start.transfer, given=data)
        wedges = self._following(model, self.result.wedges if wedges is None else wedges)
        equilibrium = find_equilibrium(model, wedges, self.result.u, factorisation=self._near())
        if equilibrium.outcome is not Outcome.CONVERGED:
            raise SensitivityError(
                f"No equilibrium was found with {parameter.label} moved by {sign * parameter.step:.0e}: "
                f"{equilibrium.outcome.remedy}"
            )
        return model, equilibrium

    def _following(self, model: TradeModel, wedges: LogWedges) -> LogWedges:
        """Cells at their baseline rate, which nobody chose, go with the baseline."""
        before, after = self.model.wedges0, model.wedges0
        return tuple(
            torch.where(w0 == at, w + (w1 - w0), w)
            for w, at, w0, w1 in zip(wedges, self._untouched, before, after, strict=True)
        )  # type: ignore[return-value]

    def _near(self) -> LinearSolver:
        if self._factors is None:
            from dlopt.trade.derivatives import Linearisation

            self._factors = Linearisation(self.model, self.result.u, self.result.wedges).factors()
        return self._factors


class _Players:
    """The players of a result, in the worlds near it."""

    def __init__(self, result: SolveResult, instruments: Instruments, objective: ObjectiveOf | None) -> None:
        if objective is not None:  # one planner owns them all
            instruments = dataclasses.replace(instruments, owner=torch.zeros_like(instruments.owner))
        self.instruments, self.objective, self.fixed = instruments, objective, result.wedges
        self.a = instruments.average(result.wedges)

    def point(self, model: TradeModel, equilibrium: Equilibrium) -> TradePoint:
        """The game of a model at an equilibrium of it."""
        objective = None if self.objective is None else self.objective(model)
        game = TradeGame(model, self.instruments, objective, self.fixed)
        return TradePoint(game, self.a, equilibrium)

    def slope(self, worlds: _Worlds, parameter: Parameter, sign: int) -> Tensor:
        """Own gradients at unchanged policies in a world moved one way, `[instrument]`."""
        model, equilibrium = worlds.at(parameter, sign, self.fixed)
        point = self.point(model, equilibrium)
        return own_gradient(point.game, point)

    def wedges(self, change: Tensor) -> LogWedges:
        """Log wedges after a change of the instruments."""
        return self.instruments.apply(self.a + change, self.fixed)
