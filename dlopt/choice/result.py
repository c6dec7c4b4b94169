"""What a solved model gives back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dlopt.choice.certificate import Certificate
from dlopt.choice.checkpoint import load_checkpoint
from dlopt.choice.model import Array, Model, State, SwitchingModel
from dlopt.choice.options import MethodOptions
from dlopt.choice.states import checked_states, evaluate_states, like
from dlopt.choice.tabled import Tabled
from dlopt.choice.traits import traits_of
from dlopt.choice.value import Solution, ValueFunction


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BsdeResult(Tabled):
    """A solution with its accuracy.

    Attributes:
        model: what was solved.
        method: how; None for an exact solution.
        solution: the value function.
        status: `converged` (residual at or below the method's target), `not_converged` or `interrupted`.
        message: what that means, and what to try.
        certificate: errors of the solution; None where training was interrupted or the solution is exact.
        steps: gradient steps taken.
        train_seconds: wall time of training.
        frames: the tables by name: `losses` (per evaluation while training), `out_of_sample`, `validation` (where an
            exact solution exists), `evaluation` (where states were given), and what the kind of the model makes of it
            (an exporter, and models of one's own: `marginal_values`, `simulation`, `impulse_response`).
    """

    model: Model
    method: MethodOptions | None
    solution: Solution
    status: str
    message: str
    certificate: Certificate | None
    steps: int
    train_seconds: float
    frames: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        errors = "" if self.certificate is None else f", residual {self.certificate.hjb_residual_rel:.1e} of V"
        return f"BsdeResult({self.model!r}, {self.status} after {self.steps} steps{errors})"

    @property
    def kind_name(self) -> str:
        """The kind of problem it answers."""
        return traits_of(self.model).name

    def value(self, y: Array, x: Array, z: Array | None = None) -> Array:
        """V, `[B]`, at switches `y` `[B, J]`, continuous states `x` `[B, K]` and positions of the clock `z` `[B]`."""
        return self.solution.at(self._state(y, x, z)).value.double().cpu().numpy()

    def accept(self, y: Array, x: Array, z: Array | None = None) -> Array:
        """Whether an opportunity to turn a movable switch on would be taken, `[B, L]` booleans."""
        state = self._state(y, x, z)
        return (self.solution.at(state).marginal > self._dynamics.costs(state)).cpu().numpy()

    def evaluate(self, states: pd.DataFrame) -> pd.DataFrame:
        """`state`, `value` and `accept_...` for a table of states, see `checked_states`."""
        return evaluate_states(self.solution, self._dynamics, checked_states(states, self.model))

    @property
    def _dynamics(self) -> SwitchingModel:
        return self.solution.model

    def _state(self, y: Array, x: Array, z: Array | None) -> State:
        centre = self._dynamics.centre
        clock = None if z is None else torch.tensor(np.atleast_1d(z), device=centre.device)
        return State(like(centre, np.atleast_2d(y)), like(centre, np.atleast_2d(x)), clock)


def load_solution(path: Path, device: str = "cpu") -> tuple[Model, ValueFunction]:
    """The model and the trained value function of a checkpoint (`model.pt`).

    Raises:
        CheckpointError: not a checkpoint of this version.
    """
    saved = load_checkpoint(path, device)
    generator = torch.Generator(device=device).manual_seed(saved.seed)
    value = traits_of(saved.model).build(saved.model.on(device), saved.method, generator)
    value.load_state_dict(saved.training["value"])
    return saved.model, value
