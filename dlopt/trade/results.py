"""Results of a trade solve: status, certificate, and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.shown import Shown
from dlopt.trade.calibration import Calibration
from dlopt.trade.carbon import CarbonError
from dlopt.trade.certificate import Certificate
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import LogWedges, State, TradeModel
from dlopt.trade.planner import Goal
from dlopt.trade.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.draws import Draws
    from dlopt.trade.households import Households
    from dlopt.trade.intervals import Intervals
    from dlopt.trade.prior import Prior
    from dlopt.trade.robust import RobustPolicy
    from dlopt.trade.sensitivity import Sensitivities
    from dlopt.trade.statistics import Formulas


@dataclasses.dataclass(frozen=True, eq=False)
class Iteration:
    """One solver iteration, as reported while it runs and kept for `iterations`.

    Attributes:
        iteration: counts from 1.
        phase: which part of the solver.
        seconds: since the solve began.
        player: economy whose turn it was; None when all move together.
        first_order_residual: largest projected own derivative; None without instruments.
        welfare: real-income change of every economy, per cent.
        instruments: log rates there, `[instrument]`; None without instruments.
    """

    iteration: int
    phase: str
    seconds: float
    player: str | None
    first_order_residual: float | None
    welfare: dict[str, float] = dataclasses.field(repr=False)
    instruments: Tensor | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """An equilibrium of the game found from one start.

    Attributes:
        welfare: real-income change, per cent, `[country]`.
        equilibrium_residual: largest absolute log residual.
        first_order_residual: largest projected own derivative.
        certified: all tests passed.
    """

    welfare: Tensor
    equilibrium_residual: float
    first_order_residual: float
    certified: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Move:
    """One move of a sequence: who moved, how the solve ended, and everybody's real-income change (%, `[country]`)."""

    player: str
    status: str
    welfare: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Priced:
    """What governments say where somebody pays for carbon.

    Attributes:
        wedges: log wedges of tariffs, export taxes and subsidies, without carbon.
        tax: prices of carbon that producers pay, money of the numeraire per tonne, `[country, sector]`.
        border_tax: those importers pay, `[origin, destination, sector]`.
        a: instruments, `[instrument]`; None for given policies.
    """

    wedges: LogWedges
    tax: Tensor
    border_tax: Tensor
    a: Tensor | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SolveResult(Shown):
    """What every solver of the trade model returns.

    Attributes:
        status: `converged` (certified), `not_converged` or `interrupted`.
        message: what happened and, if it is not what was wanted, the remedy.
        certificate: the evidence.
        model: the model in changes, with its balanced baseline.
        u: the equilibrium, logs of hats (see `dlopt.trade.model.State`).
        wedges: log wedges at the equilibrium, prices of carbon included at their ad valorem equivalents.
        instruments: what was chosen by whom; None for given policies.
        iterations: the solver's path.
        solutions: equilibria found from all starts that were tried, the result first.
        moves: welfare after each move of a sequence.
        draws: welfare when one economy's subsidies are drawn at random.
        reference: the equilibrium that the iterations are measured against; None if that was not asked for.
        goal: what the players maximise.
        uncertainty: intervals around it, where they were asked for.
        robust: what the policy brings in all worlds it is for, where it is for several.
        priced: rates and prices of carbon apart, where somebody pays for carbon.
        households: groups whose incidence is reported, where there are any.
        formulas: policies by sufficient statistics beside an optimum, where they were asked for.
    """

    status: str
    message: str
    certificate: Certificate
    model: TradeModel
    u: Tensor
    wedges: LogWedges
    instruments: Instruments | None = None
    iterations: Sequence[Iteration] = ()
    solutions: Sequence[Solution] = ()
    moves: Sequence[Move] = ()
    draws: Draws | None = None
    reference: SolveResult | None = None
    goal: Goal = dataclasses.field(default_factory=Goal)
    uncertainty: Intervals | None = None
    robust: RobustPolicy | None = None
    priced: Priced | None = None
    formulas: Formulas | None = None
    households: Households | None = None

    def __repr__(self) -> str:
        gains = [f"{value:+.2f}" for value in self.real_income_change_pct.tolist()]
        named = [f"{label} {gain}" for label, gain in zip(self.calibration.economies, gains, strict=True)]
        shown = ", ".join(named[:8]) + (f", and {len(named) - 8} more" if len(named) > 8 else "")
        chosen = (
            ""
            if self.instruments is None
            else f"; {self.instruments.count} instrument{'' if self.instruments.count == 1 else 's'}"
        )
        return f"SolveResult({self.calibration.name!r}, {self.status}: real income, %: {shown}{chosen})"

    @property
    def calibration(self) -> Calibration:
        """The balanced baseline."""
        return self.model.calibration

    @cached_property
    def state(self) -> State:
        """Logs of the equilibrium's hats by name."""
        return State.of(self.u, self.model.n, self.model.j)

    @cached_property
    def policy(self) -> Policy:
        """Rates at the solution, fractions; without prices of carbon."""
        # A log and back costs a last digit: what did not move keeps the rate it had.
        wedges = self.wedges if self.priced is None else self.priced.wedges
        kept = [new == old for new, old in zip(wedges, self.model.wedges0, strict=True)]
        before, after = Policy.of(self.calibration).rates(), Policy.from_wedges(wedges).rates()
        return Policy(*(torch.where(same, old, new) for same, old, new in zip(kept, before, after, strict=True)))

    @cached_property
    def real_income_change_pct(self) -> Tensor:
        """Change of income over the price of consumption, per cent, `[country]`."""
        return 100 * self.model.log_real_income(self.u).expm1()

    @cached_property
    def welfare_change_pct(self) -> Tensor:
        """100 (W^ - 1), what governments care for, `[country]`: real income, less what work and emissions cost."""
        return 100 * self.model.log_welfare(self.u).expm1()

    def without_prices(self, what: str) -> None:
        """Refuse a result in which carbon has a price, for what only knows rates.

        Raises:
            CarbonError: it has one.
        """
        if self.priced is not None:
            raise CarbonError(
                f"Carbon has a price in this result, which is charged on quantities; {what} only for rates. Solve it "
                "again with other numbers, or without prices of carbon."
            )

    @cached_property
    def chosen(self) -> Tensor:
        """Instruments at the solution, `[instrument]`: log rates, and prices of carbon in units of their own.

        Raises:
            ValueError: nobody chose anything.
        """
        if self.instruments is None:
            raise ValueError("Nobody chose anything in this result.")
        if self.priced is not None and self.priced.a is not None:
            return self.priced.a
        return self.instruments.average(self.wedges)

    def sensitivity(self, to: str | Sequence[str] = ("theta", "psi")) -> Sensitivities:
        """Derivatives of real incomes, prices, trade and chosen policies with respect to what the result depends on.

        Args:
            to: kinds of parameters, keys of `dlopt.trade.parameters.KINDS_OF_PARAMETERS`.

        Raises:
            UnknownNameError: an unknown kind.
            SensitivityError: see `dlopt.trade.sensitivity.sensitivities`.
        """
        from dlopt.trade.parameters import parameters_of_result
        from dlopt.trade.sensitivity import sensitivities

        return sensitivities(self, parameters_of_result(self, (to,) if isinstance(to, str) else tuple(to)))

    def intervals(
        self, prior: Prior | None = None, *, draws: int = 0, seed: int = 0, level: float = 0.9, processes: int = 0
    ) -> Intervals:
        """How far real incomes and chosen rates move with uncertain parameters (`dlopt.trade.intervals.intervals`)."""
        from dlopt.trade.intervals import intervals

        return intervals(self, prior, draws, seed, level, processes)

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance for files: calibration, unit, source."""
        c = self.model.given
        return {
            "calibration": c.name, "calibration_sha256": c.sha256, "unit": c.unit, "year": c.year, "source": c.source,
            "accounting": self.model.accounting.value, "rates": "fractions", "changes": "per cent of the baseline",
        }  # fmt: skip

    @property
    def kind_name(self) -> str:
        """The kind of problem it answers."""
        return "trade"

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of its tables."""
        from dlopt.trade.tables import makers

        return tuple(makers(self))

    def table(self, name: str) -> pd.DataFrame:
        """One table, computed alone (see `dlopt.trade.tables`).

        Raises:
            UnknownNameError: it has none of this name.
        """
        from dlopt.trade.tables import makers

        made = makers(self)
        if name not in made:
            raise UnknownNameError("table", name, made)
        return made[name]()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the run by name (see `dlopt.trade.tables`)."""
        from dlopt.trade.tables import tables

        return tables(self)
