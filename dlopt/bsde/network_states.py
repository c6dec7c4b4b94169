"""States of the network economy that a user wants evaluated: reading them, and what would be done there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dlopt.bsde.model import State, StateError
from dlopt.bsde.network_economy import NetworkDynamics, NetworkEconomy
from dlopt.bsde.network_value import with_clock
from dlopt.bsde.value import Solution

SHOWN = 20


def link_columns(model: NetworkEconomy, prefix: str) -> list[str]:
    """`prefix_BUYER_SUPPLIER` for every switch, in order, with the sectors' labels."""
    pairs = zip(model.buyers, model.suppliers, strict=True)
    return [f"{prefix}_{model.sectors[i]}_{model.sectors[j]}" for i, j in pairs]


def read_network_states(path: Path, model: NetworkEconomy) -> pd.DataFrame:
    """Read a CSV or Parquet file of states.

    Raises:
        StateError: with every fault found.
    """
    try:
        frame = (
            pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"state": str, "z": str})
        )
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read as a table of states: {error}. Give a .csv or .parquet file."
        ) from None
    return checked_network_states(frame, model, str(path))


def checked_network_states(frame: pd.DataFrame, model: NetworkEconomy, source: str = "the states") -> pd.DataFrame:
    """The same table with its columns in order: `state`, `z` (a sector), `eps_1..eps_N`, `y_BUYER_SUPPLIER`.

    Raises:
        StateError: with every fault found.
    """
    n, links = model.size, link_columns(model, "y")
    wanted = ["state", "z", *(f"eps_{i}" for i in range(1, n + 1)), *links]
    faults = [f"column {c} is missing" for c in wanted if c not in frame.columns]
    form = f"state, z, eps_1..eps_{n}, y_BUYER_SUPPLIER"
    faults += [f"column {c} is not one of {form}" for c in frame.columns if c not in wanted]
    if not faults and len(frame) == 0:
        faults.append("there are no rows")
    if not faults:
        numbers = frame[wanted[2:]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        raw = frame[wanted[2:]].to_numpy()
        bad = ~np.isfinite(numbers)
        bad[:, n:] |= ~np.isin(numbers[:, n:], (0.0, 1.0))
        for row, column in np.argwhere(bad):
            rule = "is not a finite number" if column < n else "is neither 0 nor 1"
            faults.append(f"row {row + 1}, {wanted[2 + column]}: {raw[row, column]!r} {rule}")
        for row, label in enumerate(frame["z"].astype(str)):
            if label not in model.sectors:
                faults.append(f"row {row + 1}, z: {label!r} is not a sector")
        if frame["state"].duplicated().any():
            faults.append("the labels in column state must differ")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise StateError(f"{source} cannot be evaluated: " + "; ".join(faults[:SHOWN]) + more + ".")
    values = pd.DataFrame(numbers, columns=wanted[2:], index=frame.index)
    return pd.concat([frame[["state"]], frame["z"].astype(str), values], axis=1)


def evaluate_network_states(solution: Solution, dynamics: NetworkDynamics, states: pd.DataFrame) -> pd.DataFrame:
    """Value and decisions at checked states: `state`, `value`, `accept_BUYER_SUPPLIER`.

    `accept` says whether the link would be formed with the clock at its buyer (where it exists: if it did not).
    """
    model = dynamics.parameters
    position = {label: k for k, label in enumerate(model.sectors)}
    numbers = torch.tensor(states.iloc[:, 2:].to_numpy(dtype=float), device=dynamics.device, dtype=dynamics.dtype)
    z = torch.tensor([position[label] for label in states["z"]], device=dynamics.device)
    state = State(numbers[:, model.size :], numbers[:, : model.size], z)
    value = solution.at(state).value.double().cpu().numpy()
    accept = [(solution.at(with_clock(state, i)).marginal > 0).cpu().numpy() for i in range(model.size)]
    table = pd.DataFrame(np.concatenate(accept, axis=1), columns=link_columns(model, "accept"))
    table.insert(0, "value", value)
    table.insert(0, "state", states["state"].to_numpy())
    return table
