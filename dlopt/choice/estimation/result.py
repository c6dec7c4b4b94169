"""What an estimation gives back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from dlopt.choice.box import Box
from dlopt.choice.estimation.options import EstimateOptions
from dlopt.choice.model import Array
from dlopt.choice.tabled import Tabled


@dataclasses.dataclass(frozen=True)
class EstimateCertificate:
    """How sure the estimates are, in figures.

    Attributes:
        log_likelihood: at the estimate, of all firms; None by moments.
        distance: of the moments, weighted; chi-squared with `overidentifying` degrees of freedom under optimal weights
            if the model is right; None by likelihood.
        overidentifying: moments less parameters, None by likelihood.
        step_left: of the search, in standard errors.
        condition: of the information, parameters in widths of the box.
        flat_directions: along which the data say next to nothing.
        at_edge: parameters at the edge of the box.
        firms, firm_years, events: observed; no events in a sampled panel.
    """

    log_likelihood: float | None
    distance: float | None
    overidentifying: int | None
    step_left: float
    condition: float
    flat_directions: int
    at_edge: tuple[str, ...]
    firms: int
    firm_years: float
    events: int | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EstimateResult(Tabled):
    """Estimates with their standard errors.

    Attributes:
        box: the models among which it was searched.
        options: how.
        status: `converged`, `not_converged` or `interrupted`.
        message: what that means, and what to try.
        certificate: figures that say how sure the estimates are; None where the search was interrupted.
        point: the estimates, `[P]`.
        covariance: of them, by `options.errors`, NaN for parameters at an edge, `[P, P]`.
        frames: the tables by name: `estimates`, `covariance`, `identification`, `moments`, `search`, `counterfactuals`.
    """

    box: Box
    options: EstimateOptions
    status: str
    message: str
    certificate: EstimateCertificate | None
    point: Array
    covariance: Array
    frames: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        parts = [f"{name}={value:.4g}" for name, value in self.estimates.items()]
        return f"EstimateResult({', '.join(parts)}; {self.status})"

    @property
    def estimates(self) -> dict[str, float]:
        """Estimates by name."""
        return dict(zip(self.box.names, map(float, self.point), strict=True))

    @property
    def standard_errors(self) -> dict[str, float]:
        """By name; NaN for parameters at the edge of the box."""
        return dict(zip(self.box.names, map(float, np.sqrt(np.diag(self.covariance))), strict=True))

    def with_tables(self, frames: Mapping[str, pd.DataFrame], fault: str) -> EstimateResult:
        """With tables of the value function, and not to be relied on where that has a fault, in words."""
        status, message = self.status, self.message
        if fault and status == "converged":
            status, message = "not_converged", f"Not to be relied on: {fault}. {message}"
        return dataclasses.replace(self, status=status, message=message, frames={**self.frames, **frames})

    @property
    def kind_name(self) -> str:
        """The kind of problem it answers."""
        from dlopt.choice.traits import traits_of

        return traits_of(self.box.base).name
