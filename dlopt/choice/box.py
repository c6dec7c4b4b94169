"""Parameters as states: one training for all models in a box of parameters (Huang and Yu 2024, section 4).

A point of the box is part of the state, x = (continuous states, parameters), and does not move. Training visits a
fixed set of points that fills the box; a point's control variate is that of its own model, so that the network learns
only how what is left over changes across the box. Any other point is evaluated in the same way: its control variate is
made when it is first asked for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.effort import PLAIN, Choosing, EffortCost
from dlopt.choice.model import Array, Model, ModelError, State, SwitchingModel, gather_movable
from dlopt.choice.traits import Traits, traits_named, traits_of

POINTS = 16  # training points per parameter: 16, 32, 48, ... in all
TOGETHER = 16  # states of one point in a draw, about
KEPT = 512  # points whose models are remembered
FIXED = ("rho", "clock_rate")
"""Numbers of the dynamics that must be the same everywhere."""


def with_values(model: Any, values: Mapping[str, float]) -> Any:
    """A model with other parameters: a number of it by name, or everything in a field, NAME_scale times as large.

    Raises:
        ModelError: it has no such parameter, or is not valid with these.
    """
    fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    numbers = [key for key, v in fields.items() if isinstance(v, float | int) and not isinstance(v, bool)]
    arrays = [key for key, v in fields.items() if isinstance(v, np.ndarray | Tensor)]
    changes: dict[str, Any] = {}
    for name, value in values.items():
        field = name.removesuffix("_scale")
        if name in numbers:
            changes[name] = value
        elif name.endswith("_scale") and field in (*numbers, *arrays):
            changes[field] = value * fields[field]
        else:
            known = ", ".join([*(key for key in numbers if key not in FIXED), *(f"{key}_scale" for key in arrays)])
            raise ModelError(f"The model {model.name!r} has no parameter {name!r}. Its parameters are {known}.")
    return dataclasses.replace(model, **changes)


class Box:
    """All models that differ from one by parameters between bounds: a model, too.

    Args:
        box_of: the kind of the model, as its traits are registered.
        box_names, box_low, box_high: the parameters and their bounds.
        model: the parameters of one model; the named ones are replaced, and NAME_scale is relative to it.

    Attributes:
        given: that model.
        base: the model in the middle of the box.
    """

    def __init__(
        self, box_of: str, box_names: Sequence[str], box_low: Sequence[float], box_high: Sequence[float], **model: Any
    ) -> None:
        self.given: Any = traits_named(box_of).model(**model)
        self.names, self.low, self.high = tuple(box_names), np.array(box_low, float), np.array(box_high, float)
        self._check()
        self.base: Any = self.model_at(self.middle)
        count = POINTS * len(self.names)
        sobol = torch.quasirandom.SobolEngine(len(self.names), scramble=True, seed=0).draw(count)
        dense = 0.5 - 0.5 * np.cos(np.pi * sobol.double().numpy())  # denser towards the ends, as interpolation wants
        points = self.low + (self.high - self.low) * dense
        self.points: Array = points.astype(np.float32).astype(float)  # [N, P]

    @classmethod
    def of(cls, model: Model, bounds: Mapping[str, Sequence[float]]) -> Box:
        """The models between bounds `{name: (low, high)}`.

        Raises:
            ModelError: the bounds make no sense for this model.
        """
        for name, pair in bounds.items():
            numbers = not isinstance(pair, str) and len(pair) == 2 and all(isinstance(b, int | float) for b in pair)
            if not numbers or not pair[0] < pair[1] or not all(map(math.isfinite, pair)):
                raise ModelError(f"The bounds of parameter {name!r} are {pair!r}; give two numbers [LOW, HIGH].")
        if not bounds:
            raise ModelError("A box of parameters needs at least one: {NAME: [LOW, HIGH]}.")
        low, high = ([float(pair[k]) for pair in bounds.values()] for k in (0, 1))
        return cls(traits_of(model).name, tuple(bounds), low, high, **model.parameters())

    def _check(self) -> None:
        corners = [self.low, self.high, self.middle]
        made = [self.model_at(corner).on() for corner in corners]
        for key in FIXED:
            if len({getattr(dynamics, key) for dynamics in made}) > 1:
                raise ModelError(f"{key} cannot be a parameter of a box: it must be the same everywhere.")
        if "s_noise" in self.names and not self.low[self.names.index("s_noise")] > 0:
            raise ModelError("The lower bound of s_noise must be positive.")

    @property
    def middle(self) -> Array:
        """The point in the middle, `[P]`."""
        return 0.5 * (self.low + self.high)

    def model_at(self, point: Array) -> Any:
        """The model at a point `[P]`."""
        return with_values(self.given, dict(zip(self.names, map(float, point), strict=True)))

    @property
    def name(self) -> str:
        """That of the model."""
        return str(self.base.name)

    @property
    def switch_labels(self) -> tuple[str, ...]:
        """Those of the model."""
        return tuple(self.base.switch_labels)

    @property
    def factor_labels(self) -> tuple[str, ...]:
        """Those of the model, then the parameters."""
        return (*self.base.factor_labels, *self.names)

    @property
    def clock_labels(self) -> tuple[str, ...]:
        """Those of the model."""
        return tuple(self.base.clock_labels)

    def parameters(self) -> dict[str, Any]:
        """What the box is built from."""
        box = {"box_of": traits_of(self.base).name, "box_names": self.names, "box_low": self.low, "box_high": self.high}
        return {**box, **self.given.parameters()}

    def digest(self) -> str:
        """SHA-256 of the model in the middle and of the bounds."""
        sha = hashlib.sha256(self.base.digest().encode())
        sha.update(repr((self.names, self.low.tolist(), self.high.tolist())).encode())
        return sha.hexdigest()

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> BoxDynamics:
        """The box as the solver sees it, on a device."""
        return BoxDynamics(self, torch.device(device), dtype)

    def traits(self) -> Traits:
        """Those of a box, with the defaults of the model's kind."""
        from dlopt.choice.box_value import traits_of_box

        return traits_of_box(self)


@dataclasses.dataclass(frozen=True)
class Group:
    """Some states of a batch that share a point: their rows, the dynamics there."""

    rows: Tensor
    key: tuple[float, ...]
    dynamics: SwitchingModel


class BoxDynamics:
    """`SwitchingModel` of a box. B states; K continuous states of the model and P parameters."""

    def __init__(self, box: Box, device: torch.device, dtype: torch.dtype) -> None:
        self.box, self.device, self.dtype = box, device, dtype
        self._known: dict[tuple[float, ...], SwitchingModel] = {}
        self._last: tuple[Tensor, list[Group]] | None = None
        middle = self.middle = box.base.on(device, dtype)
        self.switches, self.shocks, self.clocks = middle.switches, middle.shocks, middle.clocks
        self.rho, self.clock_rate, self.longest_step = middle.rho, middle.clock_rate, middle.longest_step
        self.own, self.factors, self.cost = middle.factors, middle.factors + len(box.names), middle.cost
        self.switch_labels, self.factor_labels, self.clock_labels = (
            box.switch_labels, box.factor_labels, box.clock_labels
        )  # fmt: skip
        half = 0.5 * (box.high - box.low) / math.sqrt(3)
        self.centre = torch.cat([middle.centre, torch.tensor(box.middle, device=device, dtype=dtype)])
        self.spread = torch.cat([middle.spread, torch.tensor(half, device=device, dtype=dtype)])

    def at_point(self, key: tuple[float, ...]) -> SwitchingModel:
        """The dynamics at a point."""
        if key not in self._known:
            if len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self.box.model_at(np.array(key)).on(self.device, self.dtype)
        return self._known[key]

    def groups(self, x: Tensor) -> list[Group]:
        """The states `x` `[B, K + P]` by the point they are at."""
        if self._last is not None and self._last[0] is x:
            return self._last[1]
        points, which = torch.unique(x[:, self.own :], dim=0, return_inverse=True)
        keys = [tuple(point) for point in points.double().cpu().tolist()]
        found = [Group((which == k).nonzero()[:, 0], key, self.at_point(key)) for k, key in enumerate(keys)]
        self._last = (x, found)
        return found

    def inner(self, state: State, rows: Tensor) -> State:
        """Some states as the model of their point has them."""
        return State(state.y[rows], state.x[rows, : self.own], None if state.z is None else state.z[rows])

    def _gathered(self, state: State, function: Callable[[SwitchingModel, State], Tensor], *shape: int) -> Tensor:
        out = state.x.new_empty(len(state), *shape)
        for group in self.groups(state.x):
            out[group.rows] = function(group.dynamics, self.inner(state, group.rows))
        return out

    def flow(self, state: State) -> Tensor:
        return self._gathered(state, lambda model, inner: model.flow(inner))

    def drift(self, x: Tensor) -> Tensor:
        drift = self._gathered(State(x, x), lambda model, inner: model.drift(inner.x), self.own)
        return torch.nn.functional.pad(drift, (0, len(self.box.names)))

    def volatility(self, x: Tensor) -> Tensor:
        sigma = self._gathered(State(x, x), lambda model, inner: model.volatility(inner.x), self.shocks, self.own)
        return torch.nn.functional.pad(sigma, (0, len(self.box.names)))

    def movable(self, state: State) -> Tensor | None:
        found: Tensor | None = self.middle.movable(State(state.y, state.x[:, : self.own], state.z))
        return found

    def _movable_width(self, state: State) -> int:
        return gather_movable(state.y, self.movable(state)).shape[1]

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        width = self._movable_width(state)
        opening = self._gathered(state, lambda model, inner: model.rates(inner)[0], width)
        return opening, self._gathered(state, lambda model, inner: model.rates(inner)[1], width)

    def costs(self, state: State) -> Tensor:
        return self._gathered(state, lambda model, inner: model.costs(inner), self._movable_width(state))

    def choosing(self, state: State) -> Choosing:
        found = [(group.rows, group.dynamics.choosing(self.inner(state, group.rows))) for group in self.groups(state.x)]
        if all(how.plain for _, how in found):
            return PLAIN
        noise = state.x.new_zeros(len(state), 1)
        for rows, how in found:
            noise[rows] = torch.as_tensor(how.noise).to(noise)
        search = _grouped([(rows, how.search) for rows, how in found])
        keep = _grouped([(rows, how.keep) for rows, how in found])
        return Choosing(search, keep, noise if bool((noise > 0).any()) else 0.0)

    def diffuse(self, x: Tensor, years: float, noise: Tensor) -> Tensor:
        out = x.clone()
        for group in self.groups(x):
            moved = group.dynamics.diffuse(x[group.rows, : self.own], years, noise[group.rows])
            out[group.rows, : self.own] = moved
        return out

    def draw(self, n: int, generator: torch.Generator, width: float = 1.0, off_manifold: float = 0.0) -> State:
        """Draws of the models at training points, states of one point side by side."""
        count = min(len(self.box.points), max(1, n // TOGETHER))
        chosen = torch.randperm(len(self.box.points), generator=generator, device=self.device)[:count].cpu()
        ends = np.linspace(0, n, count + 1).round().astype(int)
        parts = []
        for k, point in enumerate(self.box.points[chosen.numpy()]):
            size = int(ends[k + 1] - ends[k])
            found = self.at_point(tuple(point)).draw(size, generator, width, off_manifold)
            parts.append(self.placed(found, point))
        z = None if parts[0].z is None else torch.cat([part.z for part in parts if part.z is not None])
        return State(torch.cat([part.y for part in parts]), torch.cat([part.x for part in parts]), z)

    def placed(self, state: State, point: Array) -> State:
        """States of a model, or of the box, at a point."""
        there = state.x.new_tensor(np.asarray(point, dtype=float)).expand(len(state), -1)
        return State(state.y, torch.cat([state.x[:, : self.own], there], 1), state.z)


def _grouped(parts: list[tuple[Tensor, EffortCost | None]]) -> EffortCost | None:
    """The costs of groups of states as one; None where a group makes no effort, as then none does."""
    given = [(rows, cost) for rows, cost in parts if cost is not None]
    return _Grouped(given) if len(given) == len(parts) else None


class _Grouped(EffortCost):
    """A cost of effort for each group of states."""

    def __init__(self, parts: list[tuple[Tensor, EffortCost]]) -> None:
        self.parts = parts

    def _each(self, values: Tensor, function: Callable[[EffortCost, Tensor], Tensor]) -> Tensor:
        out = torch.empty_like(values)
        for rows, cost in self.parts:
            out[rows] = function(cost, rows)
        return out

    def cost(self, effort: Tensor) -> Tensor:
        return self._each(effort, lambda cost, rows: cost.cost(effort[rows]))

    def effort(self, gain: Tensor, limit: Tensor | None = None) -> Tensor:
        return self._each(
            gain,
            lambda cost, rows: cost.effort(gain[rows], None if limit is None else limit[rows]).to(gain.dtype),
        )
