"""Many equilibria near a known one, solved together on tensors."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.framework.batch import BatchOptions, solve_batch
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions
from dlopt.trade.derivatives import Linearisation
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.model import LogWedges, TradeModel

BATCH = 100
"""Problems solved together: enough to fill the processor, few enough for its cache."""


@dataclasses.dataclass(frozen=True)
class Equilibria:
    """Equilibria under many policies.

    Attributes:
        u: unknowns, `[problem, 2N + 3NJ]`; NaN where no equilibrium was found.
        residual: largest absolute log residual, `[problem]`; NaN there too.
        alone: how many had to be solved one by one.
    """

    u: Tensor
    residual: Tensor
    alone: int

    @property
    def solved(self) -> Tensor:
        """Bool `[problem]`."""
        return ~self.residual.isnan()


def find_equilibria(
    model: TradeModel,
    wedges: LogWedges,
    u: Tensor,
    at: LogWedges,
    options: BatchOptions = BatchOptions(),
    batch: int = BATCH,
) -> Equilibria:
    """Equilibria under each of `wedges`, all started from one equilibrium.

    Args:
        model: the model.
        wedges: log wedges, each with or without a leading problem axis (at least one with).
        u: a known equilibrium, `[2N + 3NJ]`.
        at: its wedges.
        options: of the batched solve.
        batch: problems per sub-batch; no result depends on it.

    Problems that the batch gives up are tried one by one, from `u` and then by continuation from the baseline.
    """
    count = next(len(w) for w, known in zip(wedges, at, strict=True) if w.ndim > known.ndim)

    def of(problems: Tensor) -> LogWedges:
        return tuple(w[problems] if w.ndim > known.ndim else w for w, known in zip(wedges, at, strict=True))  # type: ignore[return-value]

    factorisation = Linearisation(model, u, at).factors()
    found = u.expand(count, -1).clone()
    residual = u.new_empty(count)
    for problems in torch.arange(count).split(min(batch, model.batch)):

        def errors(v: Tensor, rows: Tensor, problems: Tensor = problems) -> Tensor:
            return model.residual(v, of(problems[rows]))

        found[problems], residual[problems] = solve_batch(errors, factorisation, found[problems], options)
    given_up = (~(residual <= options.tolerance)).nonzero().flatten().tolist()
    for k in given_up:
        alone = find_equilibrium(model, of(torch.tensor(k)), u, RootOptions(options.tolerance), factorisation)
        solved = alone.outcome is Outcome.CONVERGED
        found[k] = alone.u if solved else float("nan")
        residual[k] = alone.residual if solved else float("nan")
    return Equilibria(found, residual, len(given_up))
