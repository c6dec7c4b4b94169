"""States a user wants evaluated: reading them, and what would be done there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlopt.bsde.exporter import Array, Exporter, ExporterDynamics
from dlopt.bsde.model import State, StateError
from dlopt.bsde.value import Solution

SHOWN = 20


def read_states(path: Path, model: Exporter) -> pd.DataFrame:
    """Read a CSV or Parquet file with the columns `state`, `y_1..y_J`, `nu_1..nu_J`, in any order.

    Raises:
        StateError: with every fault found.
    """
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"state": str})
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read as a table of states: {error}. Give a .csv or .parquet file."
        ) from None
    return checked_states(frame, model, str(path))


def checked_states(frame: pd.DataFrame, model: Exporter, source: str = "the states") -> pd.DataFrame:
    """The same table with its columns in order and numbers as floats.

    Raises:
        StateError: with every fault found.
    """
    count = model.destinations
    wanted = ["state", *(f"y_{j}" for j in range(1, count + 1)), *(f"nu_{j}" for j in range(1, count + 1))]
    faults = [f"column {c} is missing" for c in wanted if c not in frame.columns]
    faults += [f"column {c} is not one of state, y_1..y_{count}, nu_1..nu_{count}" for c in frame if c not in wanted]
    if not faults and len(frame) == 0:
        faults.append("there are no rows")
    if not faults:
        numbers = frame[wanted[1:]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        raw = frame[wanted[1:]].to_numpy()
        bad = ~np.isfinite(numbers)
        bad[:, :count] |= ~np.isin(numbers[:, :count], (0.0, 1.0))
        for row, column in np.argwhere(bad):
            rule = "is neither 0 nor 1" if column < count else "is not a finite number"
            faults.append(f"row {row + 1}, {wanted[1 + column]}: {raw[row, column]!r} {rule}")
        if frame["state"].duplicated().any():
            faults.append("the labels in column state must differ")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise StateError(f"{source} cannot be evaluated: " + "; ".join(faults[:SHOWN]) + more + ".")
    out = frame[wanted].copy()
    out[wanted[1:]] = numbers
    return out


def evaluate_states(solution: Solution, dynamics: ExporterDynamics, states: pd.DataFrame) -> pd.DataFrame:
    """Value and decisions at checked states: `state`, `value`, `accept_1..accept_J`.

    `accept_j` says whether an opportunity in j would be taken; where channel j is open already, whether it would be
    opened if it were closed.
    """
    count = dynamics.parameters.destinations
    numbers = states.iloc[:, 1:].to_numpy(dtype=float)
    state = to_state(numbers[:, :count], numbers[:, count:], dynamics)
    at = solution.at(state)
    accept = (at.marginal > dynamics.cost).cpu().numpy()
    table = pd.DataFrame(accept, columns=[f"accept_{j}" for j in range(1, count + 1)])
    table.insert(0, "value", at.value.double().cpu().numpy())
    table.insert(0, "state", states["state"].to_numpy())
    return table


def to_state(y: Array, nu: Array, dynamics: ExporterDynamics) -> State:
    """Arrays `[B, J]` as a batch of states on the model's device."""
    options: dict[str, Any] = {"device": dynamics.device, "dtype": dynamics.dtype}
    return State(torch.tensor(y, **options), torch.tensor(nu, **options))
