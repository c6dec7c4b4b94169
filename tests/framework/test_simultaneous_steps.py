"""The fixed point of all players' formulas, on formulas of a known kind."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from dlopt.framework.game import Monitor
from dlopt.framework.outcome import Outcome
from dlopt.framework.simultaneous import play_at_once


@dataclasses.dataclass
class _At:
    """A step of the formula, which is also the derivative; `point` of itself."""

    a: Tensor
    step: Tensor
    residual: float = 0.0

    def own_gradient(self) -> Tensor:
        return self.step

    def formula(self) -> tuple[Tensor, Tensor]:
        return self.step, torch.ones_like(self.step)


class _Slow:
    """Steps that shrink by 0.5 to 4 % an iteration; the first of less than a millionth is a thousand times too long."""

    lower, upper = torch.full((6,), -10.0), torch.full((6,), 10.0)
    shrinks = torch.linspace(0.005, 0.04, 6, dtype=torch.float64)

    def __init__(self, jump: bool) -> None:
        self.jump, self.asked = jump, 0

    def conditions(self, a: Tensor, near: Any, accuracy: float) -> _At:
        self.asked += 1
        step = self.shrinks * (1 - a + 0.1 * (1 - a) ** 2)
        if self.jump and float(step.abs().max()) < 1e-6:
            self.jump, step = False, step + 1e-3
        return _At(a, step)

    def point(self, conditions: _At) -> _At:
        return conditions


@pytest.mark.parametrize("jump", [False, True])
def test_one_long_step_does_not_end_acceleration(jump: bool) -> None:
    """The plain iteration would need hundreds of steps; what is remembered begins anew after the long step."""
    game: Any = _Slow(jump)
    start: Any = _At(torch.zeros(6, dtype=torch.float64), torch.zeros(6))
    outcome, found = play_at_once(game, game, start, Monitor())
    assert outcome is Outcome.CONVERGED
    assert not game.jump
    assert float((found.a - 1).abs().max()) <= 1e-7
    assert game.asked < 60
