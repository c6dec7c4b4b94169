"""A polynomial that takes from a first guess of V most of what it leaves of the equation.

With d = y - p and xi = (x - centre) / spread, what is added to V is

    a + s' xi + 1/2 xi' Q xi + sum_j d_j (b_j + t_j' xi),

where t_j lies in the span of the direction of x that switch j's utility moves with and of the few directions that all
switches share most, and Q in that of the latter. Decisions given, it moves the residual of the equation linearly: its
coefficients are those of least squares over states of the long run, found twice, because they change decisions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.evaluation import Evaluation, hjb_residual
from dlopt.choice.model import Array, State, SwitchingModel, gather_movable
from dlopt.choice.simulation import advance

PATHS, REST, STEP = 1024, 25.0, 0.5  # simulated side by side, years until they count, years per step
APART = 2.0  # years between two states of a path that are used
EACH = 12  # states per coefficient
SHARED = 3  # directions that count as shared
ROUNDS = 2
NEVER = 1e-6  # relative size below which directions do not matter


@dataclasses.dataclass(frozen=True)
class Polynomial:
    """The coefficients; see the module.

    Attributes:
        level: a.
        slope, curve: s `[K]` and Q `[K, K]`, symmetric.
        push, tilt: b `[J]` and t `[K, J]`.
    """

    level: float
    slope: Array
    curve: Array
    push: Array
    tilt: Array


def correct(
    model: SwitchingModel,
    p: Tensor,
    direction: Array,
    evaluate: Callable[[State], Evaluation],
    add: Callable[[Polynomial], None],
) -> None:
    """Find the polynomial and add it to a value function.

    Args:
        model: the problem on a device.
        p: centre of the switches, `[J]`.
        direction: of x, in spreads, that each switch's utility moves with, `[K, J]`.
        evaluate: the value function.
        add: adds a polynomial to it.
    """
    left, size, _ = np.linalg.svd(direction, full_matrices=False)
    shared = left[:, : min(SHARED, int((size > NEVER * max(size[0], 1e-300)).sum()))]  # [K, H]
    states = _long_run(model, evaluate, EACH * (1 + len(direction) + (2 + SHARED) * model.switches))
    for _ in range(ROUNDS):
        columns, residuals = [], []
        for state in states:
            at = evaluate(state)
            residuals.append(hjb_residual(model, state, at).double().cpu().numpy())
            columns.append(_changes(model, state, at, p, direction, shared))
        fit = np.linalg.lstsq(np.concatenate(columns), -np.concatenate(residuals), rcond=1e-9)[0]
        add(_polynomial(fit, direction, shared))


def _long_run(model: SwitchingModel, evaluate: Callable[[State], Evaluation], count: int) -> list[State]:
    """Batches of states, at least `count` in all, that paths visit under the policy of a value function."""
    generator = torch.Generator(device=model.centre.device).manual_seed(0)
    state, states = model.draw(PATHS, generator), []
    rest, apart = round(REST / STEP), round(APART / STEP)
    for k in range(rest + apart * -(-count // PATHS)):
        if k >= rest and (k - rest) % apart == 0:
            states.append(state)
        state = advance(model, state, evaluate(state).marginal, STEP, generator)
    return states


def _changes(model: SwitchingModel, state: State, at: Evaluation, p: Tensor, direction: Array, shared: Array) -> Array:
    """What a unit of each coefficient adds to the residual, `[B, coefficients]`: `L f + J f - rho f` of its f."""
    like: dict[str, Any] = {"device": state.x.device, "dtype": state.x.dtype}
    index, common = torch.tensor(direction, **like), torch.tensor(shared, **like)
    xi, drift = (state.x - model.centre) / model.spread, model.drift(state.x) / model.spread
    sigma = model.volatility(state.x) / model.spread
    d, jump, rho = state.y - p, _jumps(model, state, at), model.rho
    parts = [torch.full_like(xi[:, :1], -rho), drift - rho * xi, jump - rho * d]
    forms = [(xi @ index, drift @ index)]
    forms += [(xi @ common[:, [h]], drift @ common[:, [h]]) for h in range(common.shape[1])]
    parts += [d * moving + form * (jump - rho * d) for form, moving in forms]
    u, du, along = xi @ common, drift @ common, sigma @ common  # [B, H], [B, H], [M, H] or [B, M, H]
    spread = (along[..., :, None] * along[..., None, :]).sum(-3)
    square = u[:, :, None] * du[:, None, :]
    quadratic = square + square.mT + spread - rho * u[:, :, None] * u[:, None, :]
    return torch.cat([*parts, quadratic.flatten(1)], 1).double().cpu().numpy()


def _jumps(model: SwitchingModel, state: State, at: Evaluation) -> Tensor:
    """Rate at which each switch changes, on less off, under the decisions of `at`, `[B, J]`."""
    index, (opening, closing) = model.movable(state), model.rates(state)
    on = gather_movable(state.y, index) > 0.5
    rate = torch.where(on, -closing, opening * (at.marginal > gather_movable(model.cost, index)))
    return rate if index is None else torch.zeros_like(state.y).scatter(1, index, rate.expand(index.shape))


def _polynomial(fit: Array, direction: Array, shared: Array) -> Polynomial:
    (k, j), h = direction.shape, shared.shape[1]
    sizes = np.cumsum([1, k, j, *[j] * (1 + h)])
    level, slope, push, own, *others, quadratic = np.split(fit, sizes)
    tilt = direction * own
    for column, weight in zip(shared.T, others, strict=True):
        tilt = tilt + column[:, None] * weight
    form = quadratic.reshape(h, h)
    return Polynomial(float(level[0]), slope, shared @ (form + form.T) @ shared.T, push, tilt)
