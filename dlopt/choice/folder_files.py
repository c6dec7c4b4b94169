"""The files of a model folder, read strictly: every fault is found and reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.store.faults import Faults, FaultsError
from dlopt.store.files import YamlError, read_yaml
from dlopt.store.tables import RawTable

PROCESS_FILE = "process.yaml"
EFFORTS = ("search", "keep")


class ModelFolderError(FaultsError):
    """A model folder that cannot be read as a model; `faults` lists everything that is wrong with it."""


def quoted(name: str) -> str:
    """A name as a cell of a CSV file."""
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n') else name


def check_files(folder: Path, known: Sequence[str], faults: Faults) -> None:
    """Note every file that does not belong there; hidden ones are passed over."""
    for name in sorted(path.name for path in folder.iterdir()):
        if not name.startswith(".") and name not in known:
            faults.add(name, f"the files of a model are {', '.join(known)}", "remove it")


def check_distinct(raw: RawTable, column: str, faults: Faults) -> None:
    """Note every label of `column` that stands on an earlier row too."""
    first: dict[str, int] = {}
    for row, label in zip(raw.rows, raw.texts[column], strict=True):
        if label and first.setdefault(label, row) != row:
            remedy = f"delete one; the other is on line {first[label]}"
            faults.add(raw.file, f"each {column} has one row", remedy, row, column, label)


def check_moves(raw: RawTable, columns: Sequence[str], what: str, faults: Faults) -> None:
    """Note every row where all of these volatilities are 0."""
    *first, last = columns
    words = {0: f"{last} is not 0", 1: f"{''.join(first)} and {last} are not both 0"}
    rule = words.get(len(first), f"{', '.join(first)} and {last} are not all 0")
    for k in np.flatnonzero(np.all([raw.numbers[column] == 0 for column in columns], axis=0)):
        faults.add(raw.file, f"{rule}: {what} must move", "give a small one", raw.rows[k], columns[0], 0)


def read_process(
    folder: Path,
    keys: Sequence[str],
    positive: Sequence[str],
    faults: Faults,
    hint: str = "",
    optional: Sequence[str] = (),
) -> dict[str, float]:
    """The numbers in process.yaml, all of them 0 or more and some positive; `hint` goes with unknown keys.

    Costs of effort, keys `search` and `keep`, may be given too: a number, the scale of a quadratic cost, or a mapping
    with `cost` and `power`; they are read as `search_cost`, `search_power` and so on. So may `optional` numbers.
    """
    valid = f"the keys are {', '.join((*keys, *optional, *EFFORTS))}{hint}"
    try:
        content: Any = read_yaml(folder / PROCESS_FILE)
    except YamlError as error:
        faults.add(PROCESS_FILE, error.rule, valid, error.line)
        return {}
    if not isinstance(content, dict):
        faults.add(PROCESS_FILE, "the file holds keys and values", valid)
        return {}
    for key in content:
        if key not in (*keys, *optional, *EFFORTS):
            faults.add(PROCESS_FILE, "this key is unknown", valid, value=key)
    out: dict[str, float] = {}
    for key in EFFORTS:
        if key in content:
            out |= _effort(key, content[key], faults)
    for key in (*keys, *(key for key in optional if key in content)):
        if key not in content:
            faults.add(PROCESS_FILE, "this key is missing", "add it", column=key)
            continue
        out[key] = _number(key, content[key], faults)
        if out[key] < 0 or (key in positive and out[key] == 0):
            rule = "must be positive" if key in positive else "must not be negative"
            faults.add(PROCESS_FILE, f"this {rule}", "correct it", column=key, value=content[key])
    return out


def effort_lines(model: Any) -> str:
    """The lines of process.yaml that say what effort costs; empty where none can be made."""
    return "".join(
        f"{key}: {{cost: {float(getattr(model, f'{key}_cost'))!r}, power: {float(getattr(model, f'{key}_power'))!r}}}\n"
        for key in EFFORTS
        if np.isfinite(getattr(model, f"{key}_cost"))
    )


def _effort(key: str, value: Any, faults: Faults) -> dict[str, float]:
    """`search_cost` and `search_power` from what a file says of `search`."""
    given = value if isinstance(value, dict) else {"cost": value}
    for name in given:
        if name not in ("cost", "power"):
            faults.add(PROCESS_FILE, f"{key} has cost and power", "correct it", column=key, value=name)
    if "cost" not in given:
        faults.add(
            PROCESS_FILE, f"{key} needs a cost: effort e costs cost e^power / power a year", "add it", column=key
        )
        return {}
    out = {f"{key}_{name}": _number(key, given[name], faults) for name in ("cost", "power") if name in given}
    for name, least in (("cost", 0.0), ("power", 1.0)):
        if out.get(f"{key}_{name}", np.inf) <= least:
            faults.add(
                PROCESS_FILE, f"{name} of {key} must be above {least:g}", "correct it", column=key, value=given[name]
            )
    return out


def _number(key: str, value: Any, faults: Faults) -> float:
    """A finite number, or NaN and a fault."""
    try:
        number = np.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        faults.add(PROCESS_FILE, "this must be a finite number", "write it with a decimal point", None, key, value)
        return float("nan")
    return number
