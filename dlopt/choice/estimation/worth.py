"""What switches are worth at any parameters of a box: by the value function trained over it, or by exact solutions.

Both are a control variate, made for each point, plus a correction by networks that take the parameters as states. Only
the networks know their derivatives in the parameters; those of the control variate, and of everything else in a
model, are differences between models (`likelihood`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.box import Box
from dlopt.choice.box_value import AtPoint, BoxBaseline, BoxValue
from dlopt.choice.model import Array, State, SwitchingModel
from dlopt.choice.options import MethodOptions
from dlopt.choice.traits import check_exact, traits_of
from dlopt.choice.value import Sloped, Solution

KEPT = 24  # points whose control variates are remembered


class HasWorth(Protocol):
    """Anything that knows what switches are worth."""

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """V with switch `switch[p]` on minus V at state `row[p]`, where it is off, `[P]`."""
        ...


class Sloping:
    """What switches are worth at a point and its derivatives: differences of solutions at pairs of points near by.

    Args:
        base: at the point.
        moved: above, below, and how far apart, n of them.
    """

    def __init__(self, base: HasWorth, moved: Sequence[tuple[HasWorth, HasWorth, float]]) -> None:
        self.base, self.moved = base, moved
        together: Callable[..., Sloped | None] | None = getattr(base, "slopes", None)
        self.together = together(moved) if together else None

    def at(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """`[P, 1 + n]` at `state.y`, `state.x` and switches `switch[p]` of rows `row[p]`, off there."""
        with torch.no_grad():
            if self.together is not None:
                return self.together(state, row, switch).double()
            found = [self.base.worth(state, row, switch).double()]
            for up, down, distance in self.moved:
                ends = [solution.worth(state, row, switch).double() for solution in (up, down)]
                found.append((ends[0] - ends[1]) / distance)
            return torch.stack(found, 1)


class Worths(Protocol):
    """What switches are worth over a box of parameters.

    Attributes:
        box: the models.
    """

    box: Box

    def at(self, point: Array) -> tuple[SwitchingModel, HasWorth]:
        """The model at a point `[P]`, in double precision, and the part of V that is made anew at each point."""
        ...

    def correction(self, placed: Tensor, state: State, row: Tensor, switch: Tensor) -> Tensor | None:
        """The other part, as `worth`, differentiable in the parameters `placed` `[B, P]`; None: there is none."""
        ...

    def solution(self, point: Array) -> Solution:
        """The solution of the model at a point."""
        ...


class _Kept:
    """Models and control variates of the points looked at last."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._known: dict[tuple[float, ...], tuple[SwitchingModel, Any]] = {}

    def at(self, point: Array) -> tuple[SwitchingModel, Any]:
        key = tuple(float(v) for v in point)
        if key not in self._known:
            while len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            model = self.box.model_at(np.array(key))
            dynamics = model.on("cpu", torch.float64)
            self._known[key] = (dynamics, self._made(model, dynamics))
        return self._known[key]

    def _made(self, model: Any, dynamics: SwitchingModel) -> Any:
        raise NotImplementedError


class TrainedWorths(_Kept):
    """By a value function trained over the box."""

    def __init__(self, value: BoxValue) -> None:
        dynamics: Any = value.model
        super().__init__(dynamics.box)
        self.value, self.dynamics = value, dynamics
        baseline: Any = value.baseline
        self.options: MethodOptions = baseline.options

    def _made(self, model: Any, dynamics: SwitchingModel) -> Any:
        generator = torch.Generator().manual_seed(0)
        return traits_of(self.box.base).build(dynamics, self.options, generator).baseline

    def correction(self, placed: Tensor, state: State, row: Tensor, switch: Tensor) -> Tensor:
        value = self.value
        whole = State(state.y.float(), torch.cat([state.x.float(), placed.float()], 1))
        found = value.network.worth(whole, row, switch)
        if value.conditional is not None:
            found = found + value.conditional.worth(whole, row, switch)
        return (value.scale * found).double()

    def solution(self, point: Array) -> Solution:
        baseline: Any = self.value.baseline
        if isinstance(baseline, BoxBaseline):  # it keeps what it has made; a search looks at many points
            while len(baseline.known) > len(self.box.points) + KEPT:
                baseline.known.pop(next(reversed(baseline.known)))
        return AtPoint(self.value, self.dynamics, point)


class ExactWorths(_Kept):
    """By the exact solution at each point: for small models, and to see what training leaves.

    Raises:
        ModelError: the model has none.
    """

    def __init__(self, box: Box) -> None:
        super().__init__(box)
        check_exact(box.base)

    def _made(self, model: Any, dynamics: SwitchingModel) -> Any:
        return check_exact(model)(dynamics)

    def correction(self, placed: Tensor, state: State, row: Tensor, switch: Tensor) -> None:
        return None

    def solution(self, point: Array) -> Solution:
        found: Solution = self.at(point)[1]
        return found
