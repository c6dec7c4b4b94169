"""How far a value function is from the truth, without knowing the truth.

For any V-hat with greedy policy pi, `V^pi(x) = V-hat(x) + E^pi int_0^inf exp(-rho t) R(x_t) dt`, with R the residual of
the Hamilton-Jacobi-Bellman equation at V-hat. R is small, so the simulated integral has a tiny variance.
What is measured is V^pi - V-hat, not the loss of pi against the best policy.
"""

from __future__ import annotations

import dataclasses
import math

import torch

from dlopt.choice.model import State
from dlopt.choice.simulation import advance, follow
from dlopt.choice.value import Solution, ValueFunction

CUTOFF = 1e-4  # of singular values: directions in which the last layer does not really move V
HOLD = 0.3  # a year: weight of the change that refining makes at states from all over the state space
WORST = 1.5  # factor on the mean |R| beyond which refined weights are given up


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Errors of a value function on the states its own policy visits in the long run.

    Attributes:
        hjb_residual_rel: mean absolute residual R over rho times mean absolute V.
        value_gap_pct: mean of V^pi - V-hat, in percent of the mean absolute V.
        value_gap_se_pct: standard error of that mean.
        value_gap_sd_pct: spread over states of the simulated gap, an upper bound of how far it differs among them.
    """

    hjb_residual_rel: float
    value_gap_pct: float
    value_gap_se_pct: float
    value_gap_sd_pct: float


def long_run_states(
    value: Solution, start: State, years: float, generator: torch.Generator, step: float = 0.5
) -> State:
    """States some years after `start` under the greedy policy of `value`."""
    for _ in range(math.ceil(years / step)):
        start = follow(value, start, step, generator)
    return start


def refine(value: ValueFunction, states: State, years: float, generator: torch.Generator, weights: bool) -> None:
    """Choose the constant in V and the networks' output weights so that V is right on average along simulated paths.

    A change of V in the span of the last hidden layer, of channels and pairs times main directions of the conditional
    network's, and a constant, moves the residual R linearly, given decisions.
    It is chosen so that R is uncorrelated with all of them in the long run (Galerkin, least-squares temporal
    differences): training makes R small, this makes the errors of V that a small R leaves small. The constant alone is
    the mean of R over rho. What the long run hardly visits would be free to change, as what a market is worth that is
    never left: at random states, changes are held small.

    Args:
        value: the value function; what was refined before is replaced.
        states: long-run states.
        years: simulated from them.
        generator: source of randomness.
        weights: whether to refine the weights; else the constant alone.
    """
    model = value.model
    value.unrefine()
    leading = value.leading(states) if weights else None
    many = value.constants(states).shape[1]
    products = against = torch.zeros((), dtype=torch.float64, device=states.x.device)
    at = states
    for _ in range(max(1, int(years))):
        residual, evaluation = value.residual(at)
        units, change = value.basis(at, evaluation, leading)
        products = products + units.T @ change / len(at)
        against = against - units.T @ residual.double() / len(at)
        at = advance(model, at, evaluation.marginal, 1.0, generator)
    constant = against[-1:] / products[-1, -1]
    if many > 1:
        block = torch.linalg.lstsq(products[-many:, -many:].cpu(), against[-many:].cpu(), driver="gelsd")
        constant = block.solution.to(against)
    ones = value.constants(states).double() @ constant
    before = float(value.residual(states)[0].sub(ones * model.rho).abs().mean())
    if weights:
        wide = model.draw(len(states), generator)
        units = value.basis(wide, value.at(wide), leading)[0][:, :-many]
        products[:-many, :-many] -= HOLD * units.T @ units / len(units)
        scaled = products.diag().abs().clamp_min(1e-30).rsqrt()
        system, right = (scaled[:, None] * products * scaled).cpu(), (scaled * against).cpu()
        fit = scaled * torch.linalg.lstsq(system, right, rcond=CUTOFF, driver="gelsd").solution.to(scaled)
        value.refine(fit, leading)
        if float(value.residual(states)[0].abs().mean()) <= WORST * before:
            return
    value.unrefine()
    value.level.copy_(constant.view_as(value.level))


def certify(
    value: ValueFunction, start: State, years: float, generator: torch.Generator, step: float = 0.5
) -> Certificate:
    """Simulate the greedy policy from `start` and integrate the discounted residual.

    The integral beyond the horizon is taken to be that of the mean residual; residuals at the middle of each step stand
    for the step.

    Args:
        value: the value function.
        start: where paths begin: draws from the long-run distribution.
        years: horizon.
        generator: source of randomness.
        step: years per step.
    """
    rho = value.model.rho
    integral = start.x.new_zeros(len(start), dtype=torch.float64)
    absolute = average = size = 0.0
    state, steps = start, math.ceil(years / step)
    for k in range(steps):
        residual, at = value.residual(state)
        weight = (math.exp(-rho * k * step) - math.exp(-rho * (k + 1) * step)) / rho
        integral += weight * residual.double()
        absolute += float(residual.abs().mean()) / steps
        average += float(residual.mean()) / steps
        if k == 0:
            size = float(at.value.abs().mean())
        state = advance(value.model, state, at.marginal, step, generator)
    integral += math.exp(-rho * steps * step) / rho * average
    spread = float(integral.std())
    return Certificate(
        hjb_residual_rel=absolute / (rho * size),
        value_gap_pct=100 * float(integral.mean()) / size,
        value_gap_se_pct=100 * spread / math.sqrt(len(integral)) / size,
        value_gap_sd_pct=100 * spread / size,
    )
