"""States a user wants evaluated: reading them, and what would be done there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlopt.choice.model import Array, Model, State, StateError, SwitchingModel
from dlopt.choice.value import Solution

SHOWN = 20


def switch_columns(model: Model | SwitchingModel, prefix: str = "y") -> list[str]:
    """A column for each switch, in order: `y_` and its label."""
    return [f"{prefix}_{label}" for label in model.switch_labels]


def read_states(path: Path, model: Model) -> pd.DataFrame:
    """Read a CSV or Parquet file of states, its columns in any order: see `checked_states`.

    Raises:
        StateError: with every fault found.
    """
    text = {"state": str, "z": str}
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=text)
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} cannot be read as a table of states: {error}. Give a .csv or .parquet file."
        ) from None
    return checked_states(frame, model, str(path))


def checked_states(frame: pd.DataFrame, model: Model, source: str = "the states") -> pd.DataFrame:
    """The same table with its columns in order and numbers as floats.

    Columns: `state` (a label), `z` (position of the clock, where there is one), then `switch_columns` and
    those of the continuous states.

    Raises:
        StateError: with every fault found.
    """
    switches, factors = switch_columns(model), list(model.factor_labels)
    labels, numbers = ["state", *(["z"] if model.clock_labels else [])], [*switches, *factors]
    wanted = [*labels, *numbers]
    form = ", ".join([*labels, f"{switches[0]}..{switches[-1]}", f"{factors[0]}..{factors[-1]}"])
    faults = [f"column {c} is missing" for c in wanted if c not in frame.columns]
    faults += [f"column {c} is not one of {form}" for c in frame.columns if c not in wanted]
    if not faults and len(frame) == 0:
        faults.append("there are no rows")
    values = np.empty((0, len(numbers)))
    if not faults:
        raw = frame[numbers].to_numpy()
        values = frame[numbers].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        bad = ~np.isfinite(values)
        bad[:, : len(switches)] |= ~np.isin(values[:, : len(switches)], (0.0, 1.0))
        for row, column in np.argwhere(bad):
            rule = "is neither 0 nor 1" if column < len(switches) else "is not a finite number"
            faults.append(f"row {row + 1}, {numbers[column]}: {raw[row, column]!r} {rule}")
        for row, label in enumerate(frame["z"].astype(str) if model.clock_labels else ()):
            if label not in model.clock_labels:
                faults.append(f"row {row + 1}, z: {label!r} is not a position of the clock")
        if frame["state"].duplicated().any():
            faults.append("the labels in column state must differ")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise StateError(f"{source} cannot be evaluated: " + "; ".join(faults[:SHOWN]) + more + ".")
    return pd.concat([frame[labels].astype(str), pd.DataFrame(values, columns=numbers, index=frame.index)], axis=1)


def evaluate_states(solution: Solution, dynamics: SwitchingModel, states: pd.DataFrame) -> pd.DataFrame:
    """Value and decisions at checked states: `state`, `value`, and `accept_...` for each switch.

    Where several parties have values of their own, `value_...` for each follows.
    Where effort can be made, `search_...` and `keep_...` as well: the effort a year on a switch were it off, or on.
    `accept` says whether an opportunity would be taken: with the clock where the switch can move, and where it is on
    already, as if it were off.
    """
    columns = [*switch_columns(dynamics), *dynamics.factor_labels]
    numbers = like(dynamics.centre, states[columns].to_numpy(dtype=float))
    y, x = numbers[:, : dynamics.switches], numbers[:, dynamics.switches :]
    position = {label: k for k, label in enumerate(dynamics.clock_labels)}
    z = torch.tensor([position[label] for label in states["z"]], device=x.device) if position else None
    value = solution.at(State(y, x, z)).value
    more = getattr(solution, "columns", None)  # of solutions with a value for each of several parties
    clocks = [State(y, x)] if z is None else [State(y, x, torch.full_like(z, k)) for k in position.values()]
    found = [_decisions(solution, dynamics, state) for state in clocks]
    tables = [
        pd.DataFrame(torch.cat([part[word] for part in found], 1).cpu().numpy(), columns=switch_columns(dynamics, word))
        for word in found[0]
    ]
    table = pd.concat(tables, axis=1)
    table.insert(0, "value", value.double().cpu().numpy())
    table.insert(0, "state", states["state"].to_numpy())
    return table if more is None else pd.concat([table, more(State(y, x, z))], axis=1)


def like(tensor: Tensor, array: Array) -> Tensor:
    """An array as a tensor of another's device and dtype."""
    return torch.tensor(array, device=tensor.device, dtype=tensor.dtype)


def _decisions(solution: Solution, dynamics: SwitchingModel, state: State) -> dict[str, Tensor]:
    """What would be done with the movable switches, `[B, L]` each."""
    marginal, how = solution.at(state).marginal, dynamics.choosing(state)
    gain = marginal - dynamics.costs(state)
    found = {"accept": gain > 0}
    if how.search is not None:
        found["search"] = how.search.effort(how.opportunity(gain)).double()
    if how.keep is not None:
        found["keep"] = how.keep.effort(marginal, dynamics.rates(state)[1].expand_as(marginal)).double()
    return found
