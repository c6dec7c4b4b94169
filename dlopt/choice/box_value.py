"""The value function over a box of parameters, what is reported of it, and its value at one point."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from dlopt.choice.analysis import covered, right_decisions
from dlopt.choice.box import Box, BoxDynamics
from dlopt.choice.certificate import long_run_states
from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import Array, State, SwitchingModel
from dlopt.choice.options import AnalysisOptions, MethodOptions
from dlopt.choice.traits import Traits, register, traits_of
from dlopt.choice.value import Baseline, Solution, ValueFunction, build_value
from dlopt.errors import UnknownNameError

DEGREE = 3  # of the polynomial in the parameters that takes the place of the constant in V
REST = 15.0  # years until states count as long-run ones of another point


class BoxBaseline:
    """The control variate of each state's own model, made when its point is first asked for."""

    def __init__(self, dynamics: BoxDynamics, options: MethodOptions) -> None:
        self.dynamics, self.options = dynamics, options
        self.known: dict[tuple[float, ...], Baseline] = {}

    def at_point(self, key: tuple[float, ...]) -> Baseline:
        """That of one point."""
        if key not in self.known:
            model = self.dynamics.at_point(key)
            generator = torch.Generator(device=self.dynamics.device).manual_seed(0)
            self.known[key] = traits_of(self.dynamics.box.base).build(model, self.options, generator).baseline
        return self.known[key]

    def evaluate(self, state: State) -> Evaluation:
        """Value, differences, generator and sensitivities."""
        groups = self.dynamics.groups(state.x)
        parts = [self.at_point(group.key).evaluate(self.dynamics.inner(state, group.rows)) for group in groups]
        order = torch.cat([group.rows for group in groups]).argsort()
        return Evaluation.joined(parts).rows(order)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some switches are worth at some states."""
        out = state.x.new_empty(len(row))
        place = torch.empty(len(state), dtype=torch.long, device=row.device)
        for group in self.dynamics.groups(state.x):
            place.fill_(-1)
            place[group.rows] = torch.arange(len(group.rows), device=row.device)
            mine = (place[row] >= 0).nonzero()[:, 0]
            inner = self.dynamics.inner(state, group.rows)
            out[mine] = self.at_point(group.key).worth(inner, place[row[mine]], switch[mine])
        return out


class BoxValue(ValueFunction):
    """`ValueFunction` with a polynomial in the parameters in place of the constant."""

    def __init__(self, dynamics: BoxDynamics, other: ValueFunction) -> None:
        super().__init__(dynamics, other.baseline, other.network, other.conditional)
        self.own, count = dynamics.own, len(dynamics.box.names)
        powers = [p for p in itertools.product(range(DEGREE + 1), repeat=count) if sum(p) <= DEGREE]
        powers.sort(key=lambda p: -sum(p))  # the constant is last
        self.register_buffer("powers", torch.tensor(powers, device=dynamics.device))
        self.register_buffer("across", dynamics.centre.new_zeros(len(powers)))
        self.register_buffer("level", dynamics.centre.new_zeros(len(powers)))
        self.register_buffer("middle", dynamics.centre[self.own :].clone())
        self.register_buffer("reach", dynamics.spread[self.own :] * 3**0.5)

    powers: Tensor
    across: Tensor
    middle: Tensor
    reach: Tensor

    def constants(self, state: State) -> Tensor:
        """Monomials of the parameters, `[B, C]`."""
        at = (state.x[:, self.own :] - self.middle) / self.reach
        return (at[:, None, :] ** self.powers).prod(2)

    def constant(self, state: State) -> Tensor:
        """The polynomial, `[B]`."""
        return self.shift + self.constants(state) @ (self.across + self.level)

    def take_out(self, state: State, residual: Tensor) -> Tensor:
        """What is left of residuals when the polynomial takes out what it can of them, `[B]`."""
        design = self.constants(state).double()
        fit = torch.linalg.lstsq(design.cpu(), residual.double().cpu()[:, None], driver="gelsd").solution[:, 0]
        self.across += (fit / self.model.rho).to(self.across)
        return residual - (design @ fit.to(design)).to(residual)


class AtPoint:
    """The solution of one model of a box."""

    def __init__(self, solution: Solution, dynamics: BoxDynamics, point: Array) -> None:
        self.solution, self.dynamics, self.point = solution, dynamics, np.asarray(point, dtype=np.float32).astype(float)
        self.model: SwitchingModel = dynamics.at_point(tuple(self.point.tolist()))

    def at(self, state: State) -> Evaluation:
        """The value function at states of the model."""
        return self.solution.at(self.dynamics.placed(state, self.point))

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some switches are worth at some states."""
        return self.solution.worth(self.dynamics.placed(state, self.point), row, switch)


def at_values(solution: Any, values: Mapping[str, float]) -> AtPoint:
    """The solution of a box at parameters by name; those not named are in the middle of their bounds.

    Raises:
        UnknownNameError: a name is not one of the box.
    """
    dynamics: BoxDynamics = solution.model
    box = dynamics.box
    for name in values:
        if name not in box.names:
            raise UnknownNameError("parameter of the box", name, box.names)
    return AtPoint(solution, dynamics, np.array([values.get(n, m) for n, m in zip(box.names, box.middle, strict=True)]))


def build_box_value(dynamics: BoxDynamics, options: MethodOptions, generator: torch.Generator) -> ValueFunction:
    """The untrained value function over a box."""
    middle = traits_of(dynamics.box.base).build(dynamics.middle, options, generator)
    p = couplings = None
    if middle.conditional is not None:
        p, couplings = middle.conditional.p, middle.conditional.couplings
    made = build_value(dynamics, BoxBaseline(dynamics, options), options, generator, p, couplings)
    own, count = dynamics.own, len(dynamics.box.names)
    with torch.no_grad():
        for weights in (made.network.factor_weight, *([made.conditional.input] if made.conditional else [])):
            like: dict[str, Any] = {"device": weights.device, "dtype": weights.dtype}
            weights[own:] = 0.5 * torch.randn(count, weights.shape[1], generator=generator, **like)
    if parametrize.is_parametrized(middle.network, "switch_weight"):
        sizes: Any = middle.network.parametrizations
        parametrize.register_parametrization(made.network, "switch_weight", sizes["switch_weight"][0])
    return BoxValue(dynamics, made)


def errors_across(
    solution: Solution, dynamics: BoxDynamics, resting: State, points: int, size: int, seed: int
) -> pd.DataFrame:
    """Errors against exact solutions at random points of the box; empty where the model has none.

    Returns:
        A row per point: the parameters, `relative_error`, `max_relative_error`, `decision_accuracy` at long-run states.
    """
    box, rng, rows = dynamics.box, np.random.default_rng(seed), []
    generator = torch.Generator(device=dynamics.device).manual_seed(seed)
    for _ in range(points):
        value = AtPoint(solution, dynamics, rng.uniform(box.low, box.high))
        model = box.model_at(value.point)
        solve = traits_of(model).exact(model)
        if solve is None:
            break
        start = resting.rows(slice(0, size))
        start = State(start.y, start.x[:, : dynamics.own], start.z)
        start = long_run_states(value, _recentred(start, dynamics.middle, value.model), REST, generator)
        exact = solve(value.model)
        state = covered(exact, start)
        at, truth = value.at(state), exact.at(state)
        error = (at.value.double() / truth.value - 1).abs()
        rows.append(
            {
                **dict(zip(box.names, value.point, strict=True)),
                "relative_error": float(error.mean()),
                "max_relative_error": float(error.max()),
                "decision_accuracy": right_decisions(value.model, state, at, truth),
            }
        )
    return pd.DataFrame(rows)


def _recentred(state: State, old: SwitchingModel, new: SwitchingModel) -> State:
    """States with the same deviations from the centre in long-run standard deviations."""
    return State(state.y, new.centre + (state.x - old.centre) / old.spread * new.spread, state.z)


def _analyse(
    solution: Solution, dynamics: BoxDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    """The tables of the model in the middle; `parameters`; `box`, errors across it."""
    middle = AtPoint(solution, dynamics, dynamics.box.middle)
    inner = State(resting.y, resting.x[:, : dynamics.own], resting.z)
    generator = torch.Generator(device=dynamics.device).manual_seed(seed)
    at_rest = long_run_states(middle, inner, REST, generator)
    box = dynamics.box
    frames = dict(traits_of(box.base).analyse(middle, middle.model, at_rest, options, seed))
    frames["parameters"] = pd.DataFrame({"parameter": box.names, "low": box.low, "high": box.high})
    errors = errors_across(solution, dynamics, at_rest, options.box, min(256, options.validation), seed)
    return frames | ({"box": errors} if len(errors) else {})


BOX = register(
    Traits(
        name="box",
        model=Box,
        method=MethodOptions(),
        analysis=AnalysisOptions(),
        sample=1024,
        build=build_box_value,
        exact=lambda model: None,
        no_exact="it is a box of models, each of which has its own",
        drawn=lambda dynamics, exact, count, generator: {},
        analyse=_analyse,
    )
)


def traits_of_box(box: Box) -> Traits:
    """Those of a box, with the defaults of the kind of its models."""
    inner = traits_of(box.base)
    return dataclasses.replace(BOX, method=inner.method, analysis=inner.analysis)
