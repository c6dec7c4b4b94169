"""What can be chosen about an estimation."""

from __future__ import annotations

import dataclasses

from dlopt.choice.model import ModelError


@dataclasses.dataclass(frozen=True)
class EstimateOptions:
    """How parameters are estimated.

    Attributes:
        by: `likelihood` of the histories, or `moments` (simulated).
        step: years between two points at which rates are looked up, at most.
        draws: paths of the continuous states between two dates at which they are known, an even number.
        histories: drawn between two visits of a panel without events; paths drawn of states measured with error.
        noise: standard deviation of the error with which each continuous state was measured (proxies); 0: none.
        smoothing: scale of a logistic part in the costs of opportunities, where the model has none; the likelihood
            needs some (money).
        process: whether the likelihood of the path of the continuous states counts as well; it matters only where
            parameters move them.
        iterations: steps of the search at most.
        tolerance: the step left, in standard errors, at which it has converged.
        first: the search begins on every so-manieth firm.
        errors: the standard errors that intervals are made of: `sandwich`, `hessian`, `opg` or `bootstrap`.
        bootstrap: draws of the bootstrap by firm.
        simulations: firms simulated for each one observed, for moments; 0: none are, and by likelihood the moments of
            data and model are not compared.
        weights: of the moments: `optimal` (inverse of their covariance) or `diagonal`.
        years: how long counterfactuals are simulated.
    """

    by: str = "likelihood"
    step: float = 0.25
    draws: int = 2
    histories: int = 8
    noise: float = 0.0
    smoothing: float = 0.0
    process: bool = True
    iterations: int = 40
    tolerance: float = 0.02
    first: int = 10
    errors: str = "sandwich"
    bootstrap: int = 499
    simulations: int = 5
    weights: str = "optimal"
    years: float = 10.0

    def __post_init__(self) -> None:
        choices = {
            "by": ("likelihood", "moments"),
            "errors": ("sandwich", "hessian", "opg", "bootstrap"),
            "weights": ("optimal", "diagonal"),
        }
        faults = [
            f"estimate.{key}={getattr(self, key)!r} is not one of {', '.join(valid)}"
            for key, valid in choices.items()
            if getattr(self, key) not in valid
        ]
        for key in ("step", "draws", "histories", "iterations", "tolerance", "first", "years"):
            if not getattr(self, key) > 0:
                faults.append(f"estimate.{key}={getattr(self, key)} must be positive")
        for key in ("smoothing", "noise", "bootstrap", "simulations"):
            if not getattr(self, key) >= 0:
                faults.append(f"estimate.{key}={getattr(self, key)} must be 0 or more")
        if self.by == "moments" and self.simulations == 0:
            faults.append("estimate.by=moments needs estimate.simulations above 0")
        if self.draws % 2:
            faults.append(f"estimate.draws={self.draws} must be even: shocks come with their opposites")
        if self.errors == "bootstrap" and self.bootstrap < 50:
            faults.append("estimate.errors=bootstrap needs at least 50 draws (estimate.bootstrap)")
        if faults:
            raise ModelError("The estimation cannot be done: " + "; ".join(faults) + ".")
