"""Control variates: closed-form first guesses of the exporter's value that the network only has to correct.

`constant` is the value of accepting every opportunity with a fixed probability. `meanfield` adds the option to
choose: each destination solves its own one-dimensional problem against the average behaviour of the others, and the
acceptance probabilities are those it then chooses (self-consistent). Without complementarity it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from dlopt.choice.effort import as_array
from dlopt.choice.evaluation import Evaluation
from dlopt.choice.exporter.exact.constant import ConstantAcceptance
from dlopt.choice.exporter.exact.separable import Option, solve_options
from dlopt.choice.exporter.model import Array, Exporter, ExporterDynamics
from dlopt.choice.grid import bands, generator, long_run_weights, solve_each
from dlopt.choice.model import State
from dlopt.choice.value import Sloped

OPTION_POINTS = 481


class ConstantBaseline:
    """`ConstantAcceptance` in torch, with its generator and sensitivities."""

    def __init__(self, dynamics: ExporterDynamics, q: Array) -> None:
        exact = ConstantAcceptance(dynamics.parameters, q)
        m, k, p = exact.model, exact.k, exact.p

        def tensor(a: Array) -> Tensor:
            return torch.tensor(a, device=dynamics.device, dtype=dynamics.dtype)

        self.exact, self.dynamics, self.level = exact, dynamics, exact.level
        self.p, self.own, self.cross = tensor(p), tensor(exact.own), tensor(exact.cross)
        self.cost_level, self.cost_slope = tensor(p / (m.rho + m.theta)), tensor(1 / (m.rho + m.theta + k))

    def evaluate(self, state: State) -> Evaluation:
        d, delta = state.y - self.p, state.x - self.dynamics.centre
        across = d @ self.cross
        slope = -self.cost_level - d * self.cost_slope  # gradient of V in nu, [B, J]
        return Evaluation(
            value=self.level + (d * (self.own + 0.5 * across)).sum(1) + (delta * slope).sum(1),
            marginal=self.own - delta * self.cost_slope + across,
            generator=-self.dynamics.theta * (delta * slope).sum(1),
            sensitivity=slope @ self.dynamics.sigma.T,
        )

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        d, delta = state.y - self.p, state.x - self.dynamics.centre
        return (self.own - delta * self.cost_slope + d @ self.cross)[row, switch]


class MeanFieldBaseline:
    """`ConstantBaseline` plus, per destination, the one-dimensional value of choosing: `w_j(nu_j) + y_j g_j(nu_j)`."""

    def __init__(self, dynamics: ExporterDynamics) -> None:
        model = dynamics.parameters
        q, option = mean_field(model)
        self.constant, self.dynamics = ConstantBaseline(dynamics, q), dynamics
        exact = self.constant.exact
        cost = model.spread[:, None] * option.z  # [J, n]
        linear = exact.own[:, None] - cost / (model.rho + model.theta + exact.k)[:, None]
        g = option.worth - linear
        # What waiting is worth over what V_q already holds: (rho - L) w = lambda0 (max(D - s, 0) - q (linear - s)).
        q_, s_ = q[:, None], model.s[:, None]
        prize, leaving = _terms(model, option)
        rhs = model.lambda0 * (prize - q_ * (linear - s_))
        operator = generator(option.z, model.theta)
        w = spl.splu((model.rho * sp.identity(len(option.z)) - operator).tocsc()).solve(rhs.T).T
        rates = (
            model.rho * w - rhs,
            leaving
            + model.lambda0 * prize
            - (model.zeta + model.pair @ exact.p - model.nubar)[:, None]
            + cost
            - model.theta * cost / (model.rho + model.theta + exact.k)[:, None],
        )  # L w and L g: from the equations they solve, free of differencing
        self.z0, self.step = float(option.z[0]), float(option.z[1] - option.z[0])
        self.cells = len(option.z) - 1
        tables = [CubicSpline(option.z, t, axis=1).c for t in (w, g, *rates)]  # each [4, cells, J]
        packed = np.stack(tables).transpose(3, 2, 0, 1).reshape(model.destinations * self.cells, 16)
        self.table = torch.tensor(packed, device=dynamics.device, dtype=dynamics.dtype)
        self.row = torch.arange(model.destinations, device=dynamics.device) * self.cells

    def evaluate(self, state: State) -> Evaluation:
        model = self.dynamics
        t = (state.x - model.centre) / model.spread - self.z0
        cell = (t / self.step).long().clamp(0, self.cells - 1)
        u = (t - cell.to(t.dtype) * self.step)[:, :, None]
        c = self.table[(cell + self.row).ravel()].view(*cell.shape, 4, 4)
        functions = ((c[..., 0] * u + c[..., 1]) * u + c[..., 2]) * u + c[..., 3]  # [B, J, 4]
        slopes = ((3 * c[:, :, :2, 0] * u + 2 * c[:, :, :2, 1]) * u + c[:, :, :2, 2]) / model.spread[:, None]
        w, g, rate_w, rate_g = functions.unbind(2)
        base = self.constant.evaluate(state)
        slope = slopes[..., 0] + state.y * slopes[..., 1]
        return Evaluation(
            value=base.value + (w + state.y * g).sum(1),
            marginal=base.marginal + g,
            generator=base.generator + (rate_w + state.y * rate_g).sum(1),
            sensitivity=base.sensitivity + slope @ model.sigma.T,
        )

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        t = (state.x[row, switch] - self.dynamics.centre[switch]) / self.dynamics.spread[switch] - self.z0
        cell = (t / self.step).long().clamp(0, self.cells - 1)
        u, c = t - cell.to(t.dtype) * self.step, self.table[cell + self.row[switch]][:, 4:8]
        g = ((c[:, 0] * u + c[:, 1]) * u + c[:, 2]) * u + c[:, 3]
        return self.constant.worth(state, row, switch) + g

    def slopes(self, moved: Sequence[tuple[MeanFieldBaseline, MeanFieldBaseline, float]]) -> Sloped | None:
        """`worth` and differences of pairs of other control variates over distances, in one look-up.

        None where costs have other long-run laws.
        """
        mine, count = self.dynamics, self.dynamics.switches
        others = [control.dynamics for up, down, _ in moved for control in (up, down)]
        if any(not (torch.equal(m.centre, mine.centre) and torch.equal(m.spread, mine.spread)) for m in others):
            return None

        def joined(part: Callable[[MeanFieldBaseline], Tensor]) -> Tensor:
            return torch.stack([part(self), *((part(up) - part(down)) / far for up, down, far in moved)], -1)

        table = joined(lambda control: control.table[:, 4:8]).contiguous()  # [J cells, 4, 1 + n]
        level = joined(lambda control: control.constant.own - control.constant.p @ control.constant.cross)
        slope = joined(lambda control: control.constant.cost_slope)
        cross = joined(lambda control: control.constant.cross).reshape(count, -1)

        def at(state: State, row: Tensor, switch: Tensor) -> Tensor:
            delta = (state.x - mine.centre)[row, switch]
            t = delta / mine.spread[switch] - self.z0
            cell = (t / self.step).long().clamp(0, self.cells - 1)
            u, c = (t - cell.to(t.dtype) * self.step)[:, None], table[cell + self.row[switch]]
            option = ((c[:, 0] * u + c[:, 1]) * u + c[:, 2]) * u + c[:, 3]
            across = (state.y @ cross).view(len(state), count, -1)[row, switch]
            return level[switch] - delta[:, None] * slope[switch] + across + option

        return at


def _terms(model: Exporter, option: Option) -> tuple[Array, Array]:
    """In the one-dimensional problems, `[J, n]` each: the worth of opportunities a year over lambda0; rho D and the
    loss from failures a year."""
    worth, gain, how = option.worth, option.worth - model.s[:, None], model.choosing()
    if how.plain:
        return np.maximum(gain, 0.0), (model.rho + model.lambda1) * worth
    opening, closing = np.full_like(worth, model.lambda0), np.full_like(worth, model.lambda1)
    loss = as_array(how.loss, closing, worth)
    return as_array(how.worth, opening, gain) / model.lambda0, model.rho * worth + loss


def mean_field(model: Exporter, tolerance: float = 1e-6) -> tuple[Array, Option]:
    """Acceptance probabilities consistent with what destinations choose against each other's averages.

    Returns:
        `(q, option)`: q such that the long-run probability of an open channel is the one of the one-dimensional
        problems `option`, in which destination j earns `zeta_j + sum_m (c_jm + c_mj) p_m - nu_j` a year.
    """
    p = np.full(model.destinations, 0.5 * model.lambda0 / (model.lambda0 + model.lambda1))
    for k in range(60):
        coarse = k < 59
        option = solve_options(model.zeta + model.pair @ p, model, 121 if coarse else OPTION_POINTS)
        new = open_probability(model, option)
        settled = np.abs(new - p).max() <= tolerance
        p = new
        if settled:
            break
    option = solve_options(model.zeta + model.pair @ p, model, OPTION_POINTS)
    return model.lambda1 * p / (model.lambda0 * np.maximum(1 - p, 1e-12)), option


def open_probability(model: Exporter, option: Option) -> Array:
    """Long-run probability that each channel is open under the option's policy, `[J]`.

    Given its cost, the probability m solves `L m + lambda0 accept (1 - m) - lambda1 m = 0` (the cost process is
    reversible); the long-run distribution of the cost then averages it.
    """
    operator, weights, how = generator(option.z, model.theta), long_run_weights(option.z), model.choosing()
    rate, dying = model.lambda0 * option.accept, np.full(option.worth.shape, model.lambda1)
    if not how.plain:
        full = np.ones_like(option.worth)
        rate = as_array(how.turns_on, model.lambda0 * full, option.worth - model.s[:, None])
        dying = np.maximum(as_array(how.fails, model.lambda1 * full, option.worth), 1e-9)
    return np.clip(solve_each(bands(-operator), dying + rate, rate) @ weights, 0.0, 1.0)
