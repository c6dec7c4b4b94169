"""Panels as files: `states` and, where it is known what happened between visits, `events`.

| table | a row | columns |
|---|---|---|
| `states` | a visit | `firm`, `year`, `y_...` for each switch (0 or 1), the continuous states (`nu_1..`, `x_1..`) |
| `events` | a switching | `firm`, `year`, `switch` (its label), `on` (1 or 0), the continuous states if seen |

A panel is a folder with `states.parquet` and perhaps `events.parquet`, or a single file of states (then sampled). CSV
is read as well. `firm` is any label; `year` a number; rows may be in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlopt.choice.estimation.panel import SHOWN, Events, Panel, PanelError
from dlopt.choice.model import Array, Model
from dlopt.choice.states import switch_columns
from dlopt.store.files import write_table

TABLES = ("states", "events")


def read_panel(path: Path, model: Model) -> Panel:
    """A panel of a model's firms.

    Args:
        path: a folder with `states` and perhaps `events` (`.parquet` or `.csv`), or a file of states.
        model: whose switches and continuous states the columns are.

    Raises:
        PanelError: what is wrong with it.
    """
    if path.is_file():
        return panel_from(_read(path), None, model, str(path))
    found = {
        name: next((p for s in (".parquet", ".csv") if (p := path / f"{name}{s}").is_file()), None) for name in TABLES
    }
    if found["states"] is None:
        raise PanelError(
            f"{path} is no panel: it has no states.parquet or states.csv. `dlopt panel` makes one to look at."
        )
    events = None if found["events"] is None else _read(found["events"])
    return panel_from(_read(found["states"]), events, model, str(path))


def _read(path: Path) -> pd.DataFrame:
    text = {"firm": str, "switch": str}
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=text)
    except (OSError, ValueError) as error:
        raise PanelError(f"{path} cannot be read as a table: {error}. Give a .parquet or .csv file.") from None
    return frame


def panel_from(states: pd.DataFrame, events: pd.DataFrame | None, model: Model, source: str = "The panel") -> Panel:
    """A panel from its tables.

    Raises:
        PanelError: what is wrong with them.
    """
    switches, factors = switch_columns(model), list(model.factor_labels)
    visits = _numbers(states, ["year", *switches, *factors], f"{source}, states")
    firms, firm = np.unique(states["firm"].astype(str), return_inverse=True)
    order = np.lexsort((visits[:, 0], firm))
    firm, visits = firm[order], visits[order]
    split = 1 + len(switches)
    happened = None if events is None else _events(events, firms, model, f"{source}, events")
    labels = tuple(str(name) for name in firms)
    return Panel(labels, firm, visits[:, 0], visits[:, 1:split], visits[:, split:], happened)


def _events(table: pd.DataFrame, firms: Array, model: Model, source: str) -> Events:
    factors = list(model.factor_labels)
    seen = [name for name in factors if name in table.columns]
    if seen and len(seen) < len(factors):
        raise PanelError(
            f"{source}: only some continuous states are there. Give all of {factors[0]}..{factors[-1]}, or none."
        )
    for name in ("firm", "switch"):
        if name not in table.columns:
            raise PanelError(f"{source}: column {name} is missing.")
    numbers = _numbers(table, ["year", "on", *seen], source, others=("switch",))
    place = {name: k for k, name in enumerate(firms)}
    label = {name: k for k, name in enumerate(model.switch_labels)}
    firm = np.array([place.get(name, -1) for name in table["firm"].astype(str)], dtype=int)
    switch = np.array([label.get(name, -1) for name in table["switch"].astype(str)], dtype=int)
    faults = [f"firm {table['firm'].iloc[k]!r} has no visits" for k in np.flatnonzero(firm < 0)]
    faults += [f"{table['switch'].iloc[k]!r} is no switch of the model" for k in np.flatnonzero(switch < 0)]
    faults += [f"row {k + 1}: on is neither 0 nor 1" for k in np.flatnonzero(~np.isin(numbers[:, 1], (0.0, 1.0)))]
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise PanelError(f"{source}: " + "; ".join(faults[:SHOWN]) + more + ".")
    order = np.lexsort((numbers[:, 0], firm))
    x = numbers[order, 2:] if seen else None
    return Events(firm[order], numbers[order, 0], switch[order], numbers[order, 1] > 0.5, x)


def _numbers(frame: pd.DataFrame, columns: list[str], source: str, others: tuple[str, ...] = ()) -> Array:
    known = {"firm", *columns, *others}
    faults = [f"column {name} is missing" for name in ["firm", *columns] if name not in frame.columns]
    faults += [f"column {name} is not known" for name in frame.columns if name not in known]
    if not faults and len(frame) == 0 and "on" not in columns:
        faults.append("there are no rows")
    if not faults:
        values = frame[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        for row, column in np.argwhere(~np.isfinite(values)):
            faults.append(f"row {row + 1}, {columns[column]}: {frame[columns[column]].iloc[row]!r} is no finite number")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise PanelError(f"{source}: " + "; ".join(faults[:SHOWN]) + more + ".")
    return values


def panel_tables(panel: Panel, model: Model) -> dict[str, pd.DataFrame]:
    """The tables of a panel."""
    firms = np.array(panel.firms)
    states = pd.DataFrame({"firm": firms[panel.firm], "year": panel.year})
    parts = [states, pd.DataFrame(panel.y.astype(np.int8), columns=switch_columns(model))]
    tables = {"states": pd.concat([*parts, pd.DataFrame(panel.x, columns=list(model.factor_labels))], axis=1)}
    if panel.events is not None:
        labels = np.array(model.switch_labels)
        events = pd.DataFrame({
            "firm": firms[panel.events.firm], "year": panel.events.year, "switch": labels[panel.events.switch],
            "on": panel.events.on.astype(np.int8),
        })  # fmt: skip
        if panel.events.x is not None:
            events = pd.concat([events, pd.DataFrame(panel.events.x, columns=list(model.factor_labels))], axis=1)
        tables["events"] = events
    return tables


def write_panel(panel: Panel, model: Model, folder: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a panel as Parquet.

    Raises:
        FileWriteError: the folder cannot be written.
    """
    for name, table in panel_tables(panel, model).items():
        write_table(table, folder / f"{name}.parquet", dict(metadata or {}))


def panel_digest(panel: Panel) -> str:
    """SHA-256 of a panel's content."""
    sha = hashlib.sha256(repr(panel.firms).encode())
    arrays: list[Any] = [panel.firm, panel.year, panel.y, panel.x]
    if panel.events is not None:
        e = panel.events
        arrays += [e.firm, e.year, e.switch, e.on, *([] if e.x is None else [e.x])]
    for array in arrays:
        sha.update(np.ascontiguousarray(array, dtype=float).tobytes())
    return sha.hexdigest()
