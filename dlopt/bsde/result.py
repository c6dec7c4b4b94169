"""What a solved exporter gives back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt.bsde.certificate import Certificate
from dlopt.bsde.checkpoint import load_checkpoint
from dlopt.bsde.exporter import Array, Exporter
from dlopt.bsde.network_economy import NetworkEconomy
from dlopt.bsde.network_value import build_network_value
from dlopt.bsde.options import Budget, MethodOptions
from dlopt.bsde.states import checked_states, evaluate_states, to_state
from dlopt.bsde.value import Solution, build_value


@dataclasses.dataclass(frozen=True)
class BsdeResult:
    """A solution with its accuracy.

    Attributes:
        model: the exporter that was solved.
        method: how; None for an exact solution.
        solution: the value function.
        status: `converged` (residual at or below the method's target), `not_converged` or `interrupted`.
        message: what that means, and what to try.
        certificate: errors of the solution; None where training was interrupted or the solution is exact.
        steps: gradient steps taken.
        train_seconds: wall time of training.
        frames: the tables by name, see `tables`.
    """

    model: Exporter
    method: MethodOptions | None
    solution: Solution
    status: str
    message: str
    certificate: Certificate | None
    steps: int
    train_seconds: float
    frames: dict[str, pd.DataFrame]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables by name.

        `losses` (per evaluation while training), `out_of_sample`, `validation` (where an exact solution exists),
        `marginal_values`, `simulation`, `impulse_response`, `evaluation` (where states were given).
        """
        return dict(self.frames)

    def value(self, y: Array, nu: Array) -> Array:
        """V, `[B]`, at channels `y` and costs `nu`, both `[B, J]`."""
        return self.solution.at(self._state(y, nu)).value.double().cpu().numpy()

    def accept(self, y: Array, nu: Array) -> Array:
        """Whether an opportunity to open j would be taken, `[B, J]` booleans."""
        at = self.solution.at(self._state(y, nu))
        return (at.marginal > self.solution.model.cost).cpu().numpy()

    def evaluate(self, states: pd.DataFrame) -> pd.DataFrame:
        """`state`, `value`, `accept_1..accept_J` for a table with `state`, `y_1..y_J`, `nu_1..nu_J`."""
        return evaluate_states(self.solution, self._dynamics, checked_states(states, self.model))  # type: ignore[arg-type]

    @property
    def _dynamics(self):  # type: ignore[no-untyped-def]
        return self.solution.model

    def _state(self, y: Array, nu: Array):  # type: ignore[no-untyped-def]
        return to_state(np.atleast_2d(y), np.atleast_2d(nu), self._dynamics)


def load_solution(path: Path, device: str = "cpu") -> tuple[Any, Solution]:
    """The model (an `Exporter` or a `NetworkEconomy`) and the trained value function of a checkpoint (`model.pt`).

    Raises:
        CheckpointError: not a checkpoint of this version.
    """
    import torch

    from dlopt.bsde.training import Trainer

    model, options, seed, training = load_checkpoint(path, device)
    generator = torch.Generator(device=device).manual_seed(seed)
    build: Any = build_network_value if isinstance(model, NetworkEconomy) else build_value
    value = build(model.on(device), options, generator)
    trainer = Trainer(value, options, Budget(), generator)
    trainer.load_state_dict(training)
    return model, value
