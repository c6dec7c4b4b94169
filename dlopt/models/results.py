"""Results of solving a model: status, evidence, and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.framework.proof import Proof
from dlopt.framework.steps import step_in_words
from dlopt.models.model import EquilibriumModel
from dlopt.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

Certificate = Proof


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One solver iteration.

    Attributes:
        iteration: counts from 1.
        phase: which part of the solver.
        seconds: since the solve began.
        player: whose turn it was; None when all move together.
        first_order_residual: largest projected own derivative; None without choices.
        objectives: of every player.
        instruments: all of them, `[instrument]`.
    """

    iteration: int
    phase: str
    seconds: float
    player: str | None
    first_order_residual: float | None
    objectives: dict[str, float]
    instruments: Tensor

    def __str__(self) -> str:
        return step_in_words(self.iteration, self.phase, self.player, self.first_order_residual)


@dataclasses.dataclass(frozen=True)
class Solution:
    """An equilibrium of the game found from one start.

    Attributes:
        objectives: `[model player]`.
        instruments: `[instrument]`.
        equilibrium_residual: largest absolute residual.
        first_order_residual: largest projected own derivative.
        certified: all tests passed.
    """

    objectives: Tensor
    instruments: Tensor
    equilibrium_residual: float
    first_order_residual: float
    certified: bool


@dataclasses.dataclass(frozen=True, eq=False)
class ModelResult(Shown):
    """What every solver of a model returns.

    Attributes:
        status: `converged` (certified), `not_converged` or `interrupted`.
        message: what happened and, if it is not what was wanted, the remedy.
        certificate: the evidence.
        model: what was solved.
        u: unknowns at the solution, `[unknown]`.
        a: instruments at the solution, `[instrument]`.
        u_initial: unknowns at the instruments' start, `[unknown]`.
        chosen: instruments that somebody chose, `[instrument]`, bool.
        iterations: the solver's path.
        solutions: equilibria found from all starts that were tried, the result first.
    """

    status: str
    message: str
    certificate: Certificate
    model: EquilibriumModel
    u: Tensor
    a: Tensor
    u_initial: Tensor
    chosen: Tensor
    iterations: Sequence[Iteration] = ()
    solutions: Sequence[Solution] = ()

    def __repr__(self) -> str:
        return f"ModelResult({self.model.name!r}, {self.status}: {self.message})"

    @cached_property
    def objectives(self) -> dict[str, float]:
        """Objective of every player at the solution."""
        return named(self.model.players, self.model.call("objectives", self.u, self.a))

    @cached_property
    def policy(self) -> dict[str, float]:
        """Every instrument at the solution."""
        return named(self.model.instrument_names, self.a)

    @property
    def at_bound(self) -> Tensor:
        """Chosen instruments at a bound, `[instrument]`, bool."""
        return self.chosen & ((self.a <= self.model.lower) | (self.a >= self.model.upper))

    @property
    def kind_name(self) -> str:
        """The name of the model, which is that of its kind where a package brings it."""
        return self.model.name

    @property
    def shown_by(self) -> Any:
        """What lays out any model's result, whether a package brings the model or not."""
        from dlopt.models import sheets

        return sheets

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of its tables."""
        from dlopt.models.tables import NAMES

        return NAMES

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance for files."""
        return {"model": self.model.name}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name (see `dlopt.models.tables`)."""
        from dlopt.models.tables import tables

        return tables(self)

    def table(self, name: str) -> pd.DataFrame:
        """One table.

        Raises:
            UnknownNameError: there is none of that name.
        """
        from dlopt.models.tables import table

        return table(self, name)

    def to_parquet(self, folder: str | Path) -> None:
        """Write every table as Parquet into a folder."""
        from dlopt.store.files import write_table

        for name, frame in self.tables().items():
            write_table(frame, Path(folder) / f"{name}.parquet", self.metadata)


def named(names: Sequence[str], values: Tensor) -> dict[str, float]:
    """Values by name."""
    return dict(zip(names, torch.as_tensor(values).tolist(), strict=True))
