"""What a solved world depends on: derivatives of policies, welfare, prices and trade with respect to the data.

The equilibrium, its baseline and the policies chosen all move when a number of the calibration moves. Policies follow
by the implicit function theorem on the first-order conditions (`dlopt.framework.response`), whose own change with a
datum is a central difference of exact gradients at unchanged policies; everything else then follows along the path of
policies, by the implicit function theorem on the equilibrium. Nothing is solved again but equilibria.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.framework.game import own_gradient
from dlopt.framework.outcome import Outcome
from dlopt.framework.response import Responses
from dlopt.framework.response_by_products import ResponsesByProducts, responses_of
from dlopt.trade.average_rates import setters
from dlopt.trade.equilibrium import Equilibrium
from dlopt.trade.game import TradeGame, TradePoint
from dlopt.trade.model import LogWedges, State, TradeModel
from dlopt.trade.nearby import Nearby, SensitivityError
from dlopt.trade.parameters import Parameter
from dlopt.trade.rates import INSTRUMENTS, KINDS
from dlopt.trade.results import SolveResult

if TYPE_CHECKING:
    import pandas as pd

_CORRECTIONS = 8
_SETTLED = 1e-8  # largest correction of a log rate that does not call for second derivatives anew
OUTCOMES = ("real_income", "wage", "income", "price_index", "exports", "imports")
"""Of every country, changes over the baseline in per cent, in units of the numeraire; trade at the border."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sensitivities:
    """Derivatives with respect to parameters.

    Attributes:
        result: what was differentiated.
        parameters: with respect to what, in order.
        outcomes: of every country's `OUTCOMES` (percentage points of the baseline) per unit of each parameter,
            `[outcome, country, parameter]`.
        instruments: of log rates per unit, `[instrument, parameter]`; empty without instruments.
        unknowns: of the equilibrium's unknowns per unit, policies following, `[unknown, parameter]`.
        flat: directions along which policies are not determined, and were held still; None where they were not counted
            (matrix-free).
        loose: instruments at a bound that hardly push against it.
    """

    result: SolveResult
    parameters: tuple[Parameter, ...]
    outcomes: Tensor
    instruments: Tensor
    unknowns: Tensor
    flat: int | None = 0
    loose: int = 0

    def __repr__(self) -> str:
        return f"Sensitivities({len(self.parameters)} parameters, {len(self.instruments)} instruments)"

    @property
    def welfare(self) -> Tensor:
        """Of real income (per cent) per unit of each parameter, `[country, parameter]`."""
        return self.outcomes[0]

    def table(self, outcome: str = "real_income") -> pd.DataFrame:
        """One of `OUTCOMES`: a row for each parameter and economy.

        Returns:
            Columns `parameter`, `name` (in words), `kind`, `value`, `unit`, `economy`, `derivative` (percentage points
            of the baseline per unit) and `per_one_percent` (for one per cent more, of rates one percentage point; see
            `Parameter`).
        """
        import pandas as pd

        calibration = self.result.model.calibration
        economies = calibration.economies
        slopes = self.outcomes[OUTCOMES.index(outcome)]
        rows = [
            (
                p.label,
                p.named(calibration),
                p.kind,
                p.value,
                p.unit,
                economy,
                float(slopes[n, k]),
                float(slopes[n, k]) * p.one_percent,
            )
            for k, p in enumerate(self.parameters)
            for n, economy in enumerate(economies)
        ]
        names = ["parameter", "name", "kind", "value", "unit", "economy", "derivative", "per_one_percent"]
        return pd.DataFrame(rows, columns=names)

    def outcome_table(self) -> pd.DataFrame:
        """All `OUTCOMES` one below the other: `table` with a first column `outcome`."""
        import pandas as pd

        tables = []
        for name in OUTCOMES:
            table = self.table(name)
            table.insert(0, "outcome", name)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

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
        who, names = setters(self.result)
        owners = [names[k] for k in who[where].tolist()]
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


def sensitivities(result: SolveResult, parameters: Sequence[Parameter]) -> Sensitivities:
    """Differentiate a converged result.

    Args:
        result: an equilibrium under given policies, a best response, a Nash equilibrium or a planner's optimum.
        parameters: see `dlopt.trade.parameters.parameters_of_result`; of the calibration as it was given, before
            balancing.

    Raises:
        SensitivityError: the result did not converge, is not the maximum of one smooth objective for each player, or an
            equilibrium nearby was not found.
    """
    if result.status != "converged":
        raise SensitivityError(f"The result is {result.status}: only a converged one has derivatives. Solve it first.")
    if result.goal.name == "other":
        raise SensitivityError(
            "A planner without losers, a sequence of moves and one policy for several worlds have no derivatives here: "
            "take a Nash equilibrium, a best response, or a planner with weighted welfare."
        )
    found_at, answer = result, None
    if result.instruments is not None and parameters:
        result, answer = settled(result)
    near = Nearby(result)
    count, size = len(parameters), result.model.n
    here = Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None)
    players = None if answer is None else Players(result)
    pushes: list[Tensor] = []
    direct: list[Tensor] = []
    unknowns: list[Tensor] = []
    for parameter in parameters:
        ends = []
        for sign in (+1, -1):
            model = near.model_at([(parameter, sign * parameter.step)])
            found = here if model is near.model else near.at(model, result.wedges)
            slope = None if players is None else players.slope(model, found, [(parameter, sign * parameter.step)])
            ends.append((outcomes_of(model, found.u, found.wedges), found.u, slope))
        for kept, up, down in zip((direct, unknowns, pushes), *ends, strict=True):
            if up is not None and down is not None:
                kept.append((up - down) / (2 * parameter.step))
    slopes = torch.zeros((0, count), dtype=result.u.dtype)
    outcomes = torch.stack(direct, 2) if direct else torch.zeros((len(OUTCOMES), size, 0), dtype=result.u.dtype)
    state = torch.stack(unknowns, 1) if unknowns else torch.zeros((len(result.u), 0), dtype=result.u.dtype)
    flat: int | None = 0
    loose = 0
    if players is not None and answer is not None:
        point = players.point(result.model, here)
        slopes = answer.to(torch.stack(pushes, 1), players.held(answer, parameters))
        flat, loose = answer.flat, answer.loose
        tangents = point.responses_along(slopes)
        state, outcomes = state + tangents, outcomes + _along(point, slopes, tangents)
    return Sensitivities(found_at, tuple(parameters), outcomes, slopes, state, flat, loose)


def settled(result: SolveResult) -> tuple[SolveResult, Responses | ResponsesByProducts]:
    """The result with policies as exact as rounding allows, and the derivative of its first-order conditions there.

    Where objectives are nearly flat a solver's tolerance leaves policies free to move by more than derivatives bear.
    """
    players = Players(result)
    start = players.point(result.model, Equilibrium(Outcome.CONVERGED, result.u, result.wedges, 0.0, 0, None))
    answer = responses_of(start.game, start)
    point, far, last = start, 0.0, float("inf")
    for _ in range(_CORRECTIONS):
        gradient = own_gradient(point.game, point)
        move = answer.to(torch.where(answer.free, gradient, 0.0)[:, None])[:, 0]
        size = float(move.abs().max())
        if not 1e-12 < size < last / 2:
            break
        moved = point.game.point((point.a + move).clamp(point.game.lower, point.game.upper), near=point)
        if moved is None:
            break
        point, far, last = moved, far + size, size
    if far <= _SETTLED:
        return result, answer
    again = dataclasses.replace(result, u=point.equilibrium.u, wedges=point.equilibrium.wedges)
    return again, responses_of(point.game, point)


def outcomes_of(model: TradeModel, u: Tensor, wedges: LogWedges) -> Tensor:
    """`OUTCOMES` in per cent of the baseline, `[outcome, country]`."""
    state = State.of(u, model.n, model.j)
    apart = 1 - torch.eye(model.n, dtype=u.dtype)
    border = model.flows(state, wedges) * (-wedges[0]).exp() * apart[:, :, None]
    before = model.calibration.trade * (-model.wedges0[0]).exp() * apart[:, :, None]
    exports, imports = (border.sum(axes) / before.sum(axes).clamp(min=1e-300) - 1 for axes in ((1, 2), (0, 2)))
    prices = (model.alpha * state.price).sum(1)
    logs = (model.log_real_income(u), state.wage, state.income, prices)
    return 100 * torch.stack([*(log.expm1() for log in logs), exports, imports])


def _along(point: TradePoint, slopes: Tensor, tangents: Tensor) -> Tensor:
    """How outcomes change as policies do, `[outcome, country, parameter]`: a difference along the path's tangent."""
    step = 1e-5 / slopes.abs().amax(0).clamp(min=1e-300)
    model, instruments, wedges = point.game.model, point.game.instruments, point.equilibrium.wedges
    columns = []
    for k in range(slopes.shape[1]):
        ends = [
            outcomes_of(
                model,
                point.equilibrium.u + sign * step[k] * tangents[:, k],
                instruments.apply(point.a + sign * step[k] * slopes[:, k], wedges),
            )
            for sign in (+1, -1)
        ]
        columns.append((ends[0] - ends[1]) / (2 * step[k]))
    return torch.stack(columns, 2)


class Players:
    """The players of a result, in the worlds near it."""

    def __init__(self, result: SolveResult) -> None:
        assert result.instruments is not None
        instruments = result.instruments
        if result.goal.weight(result.model) is not None:  # one planner owns them all
            instruments = dataclasses.replace(instruments, owner=torch.zeros_like(instruments.owner))
        self.instruments, self.goal, self.fixed = instruments, result.goal, result.wedges
        self.result = result
        self.a = instruments.average(result.wedges)

    def game(
        self, model: TradeModel, changes: Sequence[tuple[Parameter, float]] = (), fixed: LogWedges | None = None
    ) -> TradeGame:
        """The game in a model, after changes of parameters that the model does not hold."""
        goal, instruments = self.goal, self.instruments
        for parameter, amount in changes:
            if parameter.kind == "weight":
                goal = goal.with_more_weight(model, parameter.where[0], amount)
        return TradeGame(model, instruments, goal.at(model), fixed or self.fixed)

    def point(self, model: TradeModel, equilibrium: Equilibrium) -> TradePoint:
        """The game of a model at an equilibrium of it."""
        return TradePoint(self.game(model), self.a, equilibrium)

    def slope(self, model: TradeModel, equilibrium: Equilibrium, changes: Sequence[tuple[Parameter, float]]) -> Tensor:
        """Own gradients at unchanged policies, `[instrument]`."""
        point = TradePoint(self.game(model, changes), self.a, equilibrium)
        return own_gradient(point.game, point)

    def held(self, answer: Responses | ResponsesByProducts, parameters: Sequence[Parameter]) -> Tensor:
        """How instruments at a bound move with it, `[instrument, parameter]`."""
        moves = torch.zeros((len(self.a), len(parameters)), dtype=self.a.dtype)
        for k, parameter in enumerate(parameters):
            if parameter.kind != "bound":
                continue
            number, side = parameter.where
            limit = self.instruments.lower if side == 0 else self.instruments.upper
            at = ~answer.free & (self.instruments.kind == number) & (self.a == limit)
            kind, step = INSTRUMENTS[number], parameter.step
            rates = kind.rate(limit)
            moves[at, k] = ((kind.wedge(rates + step) - kind.wedge(rates - step)) / (2 * step))[at]
        return moves
