"""The world of a result with some of its numbers moved: balanced again, and in equilibrium again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from dlopt.errors import DloptError
from dlopt.framework.linear import LinearSolver
from dlopt.framework.outcome import Outcome
from dlopt.trade.api import extended
from dlopt.trade.balance import balancing_model, closed_baseline
from dlopt.trade.calibration import Calibration
from dlopt.trade.closure import DeficitsWord
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import Equilibrium, find_equilibrium, polished
from dlopt.trade.model import LogWedges, TradeModel
from dlopt.trade.parameters import Parameter, moved, shaken
from dlopt.trade.results import SolveResult

Changes = Sequence[tuple[Parameter, float]]
"""Parameters, and by how many of their units each is moved."""


class SensitivityError(DloptError):
    """A result that cannot be differentiated, or drawn again."""


class Nearby:
    """Worlds near that of a result.

    Args:
        result: an equilibrium under given policies, or under chosen ones.
    """

    def __init__(self, result: SolveResult) -> None:
        result.without_prices("derivatives and intervals are")
        self.result, self.model = result, result.model
        self.calibration: Calibration = self.model.given
        constant = bool((self.model.transfer != 0).any())
        self.deficits: DeficitsWord = self.model.extensions.get("deficits", "constant" if constant else "none")
        start = balancing_model(self.calibration, self.model.accounting, self.deficits)
        self._balance, self._start = find_equilibrium(start, start.wedges0), start
        self._untouched = result.wedges
        if result.instruments is not None:  # a cell that somebody chooses is nowhere near its baseline
            chosen = torch.full((result.instruments.count,), torch.inf, dtype=result.u.dtype)
            self._untouched = result.instruments.apply(chosen, result.wedges)

    def model_at(self, changes: Changes) -> TradeModel:
        """The model after changes.

        Raises:
            BalanceError: the world cannot be balanced any more.
        """
        data = self.calibration
        for parameter, amount in changes:
            data = moved(data, parameter, amount)
        model = self.model
        if data is not self.calibration:
            start = balancing_model(data, self.model.accounting, self.deficits)
            known = self._balancing
            found = find_equilibrium(start, start.wedges0, self._balance.u, factorisation=known)
            if found.outcome is Outcome.CONVERGED:
                found = polished(start, found, known)
            baseline = closed_baseline(start, found)
            model = TradeModel(
                baseline, model.accounting, model.psi_scale, start.transfer, given=data,
                linear_solver=model.linear_solver,
            )  # fmt: skip
            same: dict[str, Any] = {**self.model.extensions}
            model = extended(model, same.pop("deficits", self.deficits), same)  # type: ignore[arg-type]
        for parameter, amount in changes:
            model = shaken(model, parameter, amount)
        return model

    def at(self, model: TradeModel, wedges: LogWedges) -> Equilibrium:
        """The equilibrium of a model near under wedges near those of the result, which go with its baseline.

        Raises:
            SensitivityError: none was found.
        """
        found = find_equilibrium(model, self.following(model, wedges), self.result.u, factorisation=self.factors)
        if found.outcome is not Outcome.CONVERGED:
            raise SensitivityError(f"No equilibrium was found with the data moved a little: {found.outcome.remedy}")
        return polished(model, found, self.factors)

    def following(self, model: TradeModel, wedges: LogWedges) -> LogWedges:
        """Cells at their baseline rate, which nobody chose, go with the baseline."""
        before, after = self.model.wedges0, model.wedges0
        return tuple(
            torch.where(w0 == at, w + (w1 - w0), w)
            for w, at, w0, w1 in zip(wedges, self._untouched, before, after, strict=True)
        )  # type: ignore[return-value]

    @cached_property
    def _balancing(self) -> LinearSolver:
        """Of the Jacobian of the balanced world before the change."""
        return Linearisation(self._start, self._balance.u, self._start.wedges0).factors()

    @cached_property
    def factors(self) -> LinearSolver:
        """Of the Jacobian of the equilibrium at the result."""
        return Linearisation(self.model, self.result.u, self.result.wedges).factors()
