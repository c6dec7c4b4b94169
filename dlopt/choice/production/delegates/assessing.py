"""What is done once all values are trained: longer simulations, a certificate for every delegate, comparisons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlopt.choice.analysis import covered, right_decisions
from dlopt.choice.certificate import Certificate
from dlopt.choice.model import State
from dlopt.choice.options import AnalysisOptions, Budget, MethodOptions
from dlopt.choice.production.delegates.deviations import Simulated, compared, gains, simulate
from dlopt.choice.production.delegates.exact import ExactDelegates
from dlopt.choice.production.delegates.training import DelegatesTrainer, refine
from dlopt.choice.production.delegates.value import PartiesValue, build_value
from dlopt.choice.resting import REFINED_YEARS, refined_at_rest
from dlopt.choice.training import Trainer, Watch
from dlopt.choice.traits import Assessed, Traits

SHARE_OF_STEPS = 0.5  # of the equilibrium's, that best replies are trained for


@dataclasses.dataclass(frozen=True)
class DelegatesCertificate(Certificate):
    """Errors of the values, the largest of any party, and what delegates gain by deviating.

    Attributes:
        gain_pct: largest simulated gain of a delegate from deviating, percent of the absolute value of its V.
        gain_se_pct: its standard error.
        delegates_that_gain: how many gain more than both its standard error and 0.1 % of that.
    """

    gain_pct: float = math.nan
    gain_se_pct: float = math.nan
    delegates_that_gain: int = 0


def assess(
    trainer: Trainer, traits: Traits, analysis: AnalysisOptions, seed: int, exact: ExactDelegates | None, watch: Watch,
    save: Callable[[], None],
) -> Assessed:  # fmt: skip
    """Refine, certify, and compare with a planner and with sectors that decide by their cost now."""
    assert isinstance(trainer, DelegatesTrainer)
    value, method = trainer.value, trainer.options
    resting, later = refined_at_rest(trainer, traits.sample, seed, refine, watch, save)
    watch.phase("best replies")
    replies = best_replies_to(value, method, trainer.step, seed + 3, resting)
    watch.phase("deviations")
    start = resting.rows(slice(0, analysis.certificate_paths))
    simulated = simulate(value, replies, start, analysis.certificate_years, later)
    frames = {"deviations": gains(value, simulated), **compared(value, simulated)}
    certificate = certified(simulated, frames["deviations"])
    if exact is not None:
        watch.phase("errors against the exact solution")
        drawn = value.model.draw(analysis.validation, later)
        sets = {"long_run": resting.rows(slice(0, analysis.validation)), "drawn": drawn}
        frames["validation"] = validation(value, exact, sets)
    faults = []
    if trainer.outcome == "diverged" or certificate.hjb_residual_rel > method.target:
        faults.append(
            f"the residual is {certificate.hjb_residual_rel:.1e} of rho V, the target {method.target:g}: train longer "
            "(budget.steps) or take a larger neural network (method.hidden)"
        )
    if certificate.delegates_that_gain:
        faults.append(
            f"{certificate.delegates_that_gain} delegates gain by deviating, up to {certificate.gain_pct:.2g} % of V "
            "(table deviations): train longer, or simulate more paths (analysis.certificate_paths)"
        )
    size = (
        f"largest gain of a delegate from deviating {certificate.gain_pct:.2g} % of V (standard error "
        f"{certificate.gain_se_pct:.2g} %), residual {certificate.hjb_residual_rel:.1e} of rho V"
    )
    message = f"No equilibrium yet: {'; '.join(faults)}." if faults else f"Equilibrium: {size}."
    return Assessed(certificate, frames, resting, not faults, message)


def best_replies_to(
    value: PartiesValue, method: MethodOptions, steps: int, seed: int, resting: State
) -> PartiesValue:  # fmt: skip
    """Value functions of best replies: fresh networks, each delegate deciding for itself, the others as in `value`."""
    generator = torch.Generator(device=resting.x.device).manual_seed(seed)
    replies: Any = build_value(value.model, method, generator, value)
    budget = Budget(steps=max(1, int(SHARE_OF_STEPS * steps)), evaluations=1)
    DelegatesTrainer(replies, method, budget, generator).train(Watch(), lambda: None)
    if method.refine != "none":
        refine(replies, resting, REFINED_YEARS, generator, weights=method.refine == "weights" and steps > 0)
    found: PartiesValue = replies
    return found


def certified(simulated: Simulated, deviations: pd.DataFrame) -> DelegatesCertificate:
    """The worst of all parties, and of all deviations."""
    gap = 100 * simulated.integral / simulated.size
    mean, spread = gap.mean(0), gap.std(0)
    worst = int(mean.abs().argmax())
    most = deviations.iloc[int(deviations["gain_pct"].argmax())]
    return DelegatesCertificate(
        hjb_residual_rel=float(simulated.residual.max()),
        value_gap_pct=float(mean[worst]),
        value_gap_se_pct=float(spread[worst]) / math.sqrt(len(gap)),
        value_gap_sd_pct=float(spread[worst]),
        gain_pct=float(most["gain_pct"]),
        gain_se_pct=float(most["gain_se_pct"]),
        delegates_that_gain=int(deviations.loc[~deviations["no_gain"], "sector"].nunique()),
    )


def validation(value: PartiesValue, exact: ExactDelegates, states: dict[str, State]) -> pd.DataFrame:
    """Errors against the grid, of every delegate, society, and the planner.

    Returns:
        A row for each set of states: columns as those of `analysis.validation`, the errors over all delegates; then
        `society_error` and `planner_error`, mean relative errors of these.
    """
    rows = []
    for name, drawn in states.items():
        state = covered(exact, drawn)
        here, truth = value.parties(state), exact.parties(state)
        error = (here.value.double() / truth.value - 1).cpu().numpy()
        mine, n = error[:, : value.model.factors], value.model.factors
        rows.append(
            {
                "states": name,
                "relative_error": np.abs(mine).mean(),
                "max_relative_error": np.abs(mine).max(),
                "decision_accuracy": right_decisions(
                    value.model, state, here.of(value.model.society), truth.of(value.model.society)
                ),
                "value_bias": mine.mean(),
                "count": len(error),
                "exact_method": exact.method,
                "society_error": np.abs(error[:, n]).mean(),
                "planner_error": np.abs(error[:, n + 1]).mean(),
            }
        )
    return pd.DataFrame(rows)
