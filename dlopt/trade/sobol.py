"""Sobol indices: which share of the variance of an answer comes from each parameter, alone and with all others.

Unlike the delta method they see curvature and interactions; they cost (parameters + 2) x base solves. The design and
the estimators are those of SALib (Herman and Usher 2017; Saltelli et al. 2010), an optional dependency.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.framework.tape import Tape
from dlopt.trade.prior import Prior, PriorError
from dlopt.trade.redraw import redraw
from dlopt.trade.sensitivity import Sensitivities, sensitivities

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult


class MissingSobolError(DloptError):
    """SALib is not installed."""

    def __init__(self) -> None:
        super().__init__("Sobol indices need SALib: pip install 'dlopt[uncertainty]'.")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SobolIndices:
    """Shares of the variance of real income.

    Attributes:
        groups: of parameters, by name.
        economies: labels.
        first, total: first-order and total indices, `[country, group]`.
        first_error, total_error: half-widths of their 95 % intervals, from resampling.
        base: rows of the design that were used; each is (groups + 2) solves.
        failed: rows left out because one of their solves has no solution.
    """

    groups: tuple[str, ...]
    economies: tuple[str, ...]
    first: Tensor
    total: Tensor
    first_error: Tensor
    total_error: Tensor
    base: int
    failed: int

    def __repr__(self) -> str:
        return f"SobolIndices({len(self.groups)} groups, {self.base} rows, {self.failed} failed)"

    def table(self) -> pd.DataFrame:
        """A row for each group and economy: `group`, `economy`, `first`, `first_error`, `total`, `total_error`."""
        import pandas as pd

        fields = {name: getattr(self, name).T.flatten() for name in ("first", "first_error", "total", "total_error")}
        return pd.DataFrame({
            "group": [group for group in self.groups for _ in self.economies],
            "economy": list(self.economies) * len(self.groups),
            **{name: values.numpy() for name, values in fields.items()},
        })  # fmt: skip


def sobol(
    result: SolveResult, prior: Prior, base: int = 64, groups: Sequence[str] | None = None, seed: int = 0,
    processes: int = 0, tape: Tape | None = None, slopes: Sensitivities | None = None,
) -> SobolIndices:  # fmt: skip
    """First-order and total indices of every economy's real income.

    Args:
        result: what is solved again.
        prior: of independent parameters.
        base: rows of the design, a power of two.
        groups: the group of each parameter, such as its kind; by default each is its own.
        seed: of the design and the resampling.
        processes, tape: see `dlopt.trade.redraw.redraw`.
        slopes: derivatives with respect to the parameters, where they are known.

    Raises:
        PriorError: parameters are correlated, or `base` is no power of two.
        MissingSobolError: SALib is not installed.
    """
    try:
        from SALib.analyze import sobol as analysis
        from SALib.sample import sobol as design
    except ImportError as error:
        raise MissingSobolError from error
    if not prior.uncorrelated:
        raise PriorError("Sobol indices are for parameters that vary independently; this prior has correlations.")
    if base < 2 or base & (base - 1):
        raise PriorError(f"base is {base}; it must be a power of two, such as 64.")
    labels = [p.label for p in prior.parameters]
    named = list(groups) if groups is not None else labels
    if len(named) != len(labels):
        raise PriorError(f"groups names {len(named)} parameters; there are {len(labels)}.")
    if len(set(named)) < 2:
        raise PriorError("All parameters are in one group, which explains everything: give two groups or more.")
    problem: dict[str, Any] = {
        "num_vars": len(labels), "names": labels, "bounds": [[0.0, 1.0]] * len(labels), "dists": ["norm"] * len(labels),
        "groups": named,
    }  # fmt: skip
    kept = tuple(dict.fromkeys(named))
    normals = torch.as_tensor(design.sample(problem, base, calc_second_order=False, seed=seed))
    slopes = slopes or sensitivities(result, prior.parameters)
    redrawn = redraw(slopes, prior.changes(normals), processes, tape, label="sobol")
    rows = redrawn.outcomes[:, 0].reshape(base, len(kept) + 2, -1)
    whole = ~rows.isnan().any(dim=2).any(dim=1)
    found: dict[str, list[Tensor]] = {"S1": [], "S1_conf": [], "ST": [], "ST_conf": []}
    for country in range(rows.shape[2]):
        values = rows[whole, :, country].flatten().numpy()
        indices = analysis.analyze(problem, values, calc_second_order=False, seed=seed)
        for name, columns in found.items():
            columns.append(torch.as_tensor(indices[name]))
    first, first_error, total, total_error = (torch.stack(columns) for columns in found.values())
    return SobolIndices(
        kept, result.calibration.economies, first, total, first_error, total_error, int(whole.sum()),
        int((~whole).sum()),
    )  # fmt: skip
