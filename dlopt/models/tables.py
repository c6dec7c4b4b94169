"""The tables of a result, with the columns that run folders have."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor

from dlopt.errors import UnknownNameError
from dlopt.models.check import outcome_values
from dlopt.models.results import ModelResult


def tables(result: ModelResult) -> dict[str, pd.DataFrame]:
    """Objectives, policies, outcomes, unknowns, iterations, equilibria."""
    return {name: make(result) for name, make in _TABLES.items()}


def table(result: ModelResult, name: str) -> pd.DataFrame:
    """One of them.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in _TABLES:
        raise UnknownNameError("table", name, _TABLES)
    return _TABLES[name](result)


def objective_table(result: ModelResult) -> pd.DataFrame:
    """One row per player: its objective at the start and at the solution."""
    model = result.model
    before = model.call("objectives", result.u_initial, model.a0)
    after = model.call("objectives", result.u, result.a)
    return pd.DataFrame({"player": list(model.players), **_change(before, after)})


def policy_table(result: ModelResult) -> pd.DataFrame:
    """One row per instrument, those that nobody chose included."""
    model = result.model
    return pd.DataFrame({
        "player": [instrument.owner for instrument in model.instruments],
        "instrument": list(model.instrument_names),
        "initial": model.a0.numpy(),
        "value": result.a.numpy(),
        "lower_bound": model.lower.numpy(),
        "upper_bound": model.upper.numpy(),
        "chosen": result.chosen.numpy(),
        "at_bound": result.at_bound.numpy(),
    }).astype({"player": "object"})  # fmt: skip


def outcome_table(result: ModelResult) -> pd.DataFrame:
    """One row per further quantity, or entry of one."""
    model = result.model
    before = outcome_values(model, result.u_initial, model.a0)
    after = outcome_values(model, result.u, result.a)
    frames = []
    for name, value in after.items():
        entries = value.reshape(-1)
        labels = [""] if value.ndim == 0 else [str(i) for i in range(len(entries))]
        if value.ndim == 1 and len(entries) == len(model.players):
            labels = list(model.players)
        changes = _change(before[name].reshape(-1), entries)
        frames.append(pd.DataFrame({"outcome": name, "label": labels, **changes}))
    if not frames:
        kinds = {
            "outcome": "str",
            "label": "str",
            **dict.fromkeys(("initial", "value", "change", "change_pct"), "float"),
        }
        return pd.DataFrame(columns=list(kinds)).astype(kinds)
    return pd.concat(frames, ignore_index=True)


def unknown_table(result: ModelResult) -> pd.DataFrame:
    """One row per unknown."""
    return pd.DataFrame({
        "unknown": list(result.model.unknowns), "initial": result.u_initial.numpy(), "value": result.u.numpy(),
    })  # fmt: skip


def iteration_table(result: ModelResult) -> pd.DataFrame:
    """One row per solver iteration."""
    columns = ["iteration", "phase", "seconds", "player", "first_order_residual"]
    players = [f"objective_{player}" for player in result.model.players]
    rows = [[*(getattr(step, column) for column in columns), *step.objectives.values()] for step in result.iterations]
    frame = pd.DataFrame(rows, columns=[*columns, *players])
    return frame.astype({"player": "object", "phase": "object", "first_order_residual": "float64"})


def equilibria_table(result: ModelResult) -> pd.DataFrame:
    """One row per player and distinct equilibrium found."""
    kinds = {
        "equilibrium": "int64", "player": "str", "objective": "float64", "equilibrium_residual": "float64",
        "first_order_residual": "float64", "certified": "bool",
    }  # fmt: skip
    rows = [
        (number, player, value, found.equilibrium_residual, found.first_order_residual, found.certified)
        for number, found in enumerate(result.solutions, start=1)
        for player, value in zip(result.model.players, found.objectives.tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


_TABLES: dict[str, Callable[[ModelResult], pd.DataFrame]] = {
    "objectives": objective_table, "policies": policy_table, "outcomes": outcome_table, "unknowns": unknown_table,
    "iterations": iteration_table, "equilibria": equilibria_table,
}  # fmt: skip
NAMES = tuple(_TABLES)
"""Of all tables."""


def _change(before: Tensor, after: Tensor) -> dict[str, object]:
    percent = torch.where(before == 0, torch.nan, 100 * (after - before) / before.abs())
    return {
        "initial": before.numpy(), "value": after.numpy(), "change": (after - before).numpy(),
        "change_pct": percent.numpy(),
    }  # fmt: skip
