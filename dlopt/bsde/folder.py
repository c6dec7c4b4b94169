"""Model folders: an exporter as two tables and a short YAML file, read strictly.

| file | columns or keys | rule |
|---|---|---|
| `destinations.csv` | `destination, zeta, nubar, s, sigma_0, sigma_1` and optionally `longitude, latitude` | names differ, `s >= 0`, one of the sigmas not 0 |
| `complementarity.csv` | `destination, other, c` | known, different destinations, each pair once; pairs not listed are 0 |
| `process.yaml` | `theta, lambda0, lambda1, rho` | positive |

`c` is what an open channel to `other` adds to the yearly profit of `destination`. Everything else is refused.
"""  # noqa: E501

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.bsde.exporter import Exporter
from dlopt.bsde.presets import PRESETS, preset
from dlopt.errors import DloptError, UnknownNameError
from dlopt.files import write_text

COLUMNS = ("destination", "zeta", "nubar", "s", "sigma_0", "sigma_1")
OPTIONAL = ("longitude", "latitude")
PAIR_COLUMNS = ("destination", "other", "c")
PROCESS_KEYS = ("theta", "lambda0", "lambda1", "rho")
SHOWN = 30


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing wrong in a model folder."""

    file: str
    row: int | None
    column: str | None
    value: str
    rule: str

    def __str__(self) -> str:
        place = self.file + (f", row {self.row}" if self.row else "") + (f", {self.column}" if self.column else "")
        return f"{place}: {self.value} {self.rule}"


class ModelFolderError(DloptError):
    """A model folder that cannot be read as a model; `faults` lists everything that is wrong with it."""

    def __init__(self, folder: Path, faults: list[Fault]) -> None:
        self.faults = faults
        lines = [f"  {fault}" for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"  and {len(faults) - SHOWN} more")
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{folder} is not a valid model ({count}):\n" + "\n".join(lines))


def load_model(name: str) -> Exporter:
    """A preset by name, or a model folder by path.

    Raises:
        UnknownNameError: neither.
        ModelFolderError: the folder is not a valid model.
    """
    if name in PRESETS:
        return preset(name)
    if Path(name).is_dir():
        return read_folder(Path(name))
    raise UnknownNameError("exporter model or model folder", name, PRESETS)


def read_folder(folder: Path) -> Exporter:
    """The exporter a model folder describes.

    Raises:
        ModelFolderError: with every fault found.
    """
    faults: list[Fault] = []
    known = {"destinations.csv", "complementarity.csv", "process.yaml"}
    for extra in sorted(p.name for p in folder.iterdir() if not p.name.startswith(".") and p.name not in known):
        faults.append(Fault(extra, None, None, "this file", f"is not one of {', '.join(sorted(known))}; remove it"))
    rows = _table(folder, "destinations.csv", COLUMNS, OPTIONAL, faults)
    names, values = _destinations(rows, faults)
    c = _complementarity(_table(folder, "complementarity.csv", PAIR_COLUMNS, (), faults), names, faults)
    process = _process(folder, faults)
    if faults:
        raise ModelFolderError(folder, faults)
    return Exporter(
        values["zeta"],
        values["nubar"],
        values["s"],
        np.stack([values["sigma_0"], values["sigma_1"]], axis=1),
        c,
        **process,
        names=tuple(names),
        name=folder.resolve().name,
    )


def write_folder(model: Exporter, folder: Path) -> None:
    """Write a model as a folder; `read_folder` gives it back exactly."""
    lines = [",".join(COLUMNS)]
    for j, name in enumerate(model.names):
        numbers = (model.zeta[j], model.nubar[j], model.s[j], *model.sigma[j])
        lines.append(",".join([_quoted(name), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "destinations.csv", "\n".join(lines) + "\n")
    pairs = [
        f"{_quoted(model.names[j])},{_quoted(model.names[m])},{float(model.c[j, m])!r}"
        for j, m in zip(*np.nonzero(model.c), strict=True)
    ]
    write_text(folder / "complementarity.csv", "\n".join([",".join(PAIR_COLUMNS), *pairs]) + "\n")
    write_text(folder / "process.yaml", "".join(f"{key}: {float(getattr(model, key))!r}\n" for key in PROCESS_KEYS))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(mark in name for mark in ',"\n') else name


def _table(
    folder: Path, file: str, required: tuple[str, ...], optional: tuple[str, ...], faults: list[Fault]
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers; none where its header is wrong."""
    try:
        with (folder / file).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else f"is not UTF-8 CSV ({error})"
        faults.append(Fault(file, None, None, "this file", f"cannot be read: {reason}"))
        return []
    header = [column.strip() for column in lines[0][1]] if lines else []
    missing = [c for c in required if c not in header]
    extra = [c for c in header if c not in (*required, *optional)]
    twice = sorted({c for c in header if header.count(c) > 1})
    for columns, rule in (
        (missing, "is missing; add this column"),
        (extra, f"is not a column of this file; the columns are {', '.join((*required, *optional))}"),
        (twice, "appears more than once in the header"),
    ):
        faults.extend(Fault(file, 1, None, repr(column), rule) for column in columns)
    if missing or extra or twice:
        return []
    out = []
    for number, row in lines[1:]:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            faults.append(Fault(file, number, None, f"{len(row)} cells", f"where the header has {len(header)}"))
            continue
        out.append((number, {column: cell.strip() for column, cell in zip(header, row, strict=True)}))
    if not out and file == "destinations.csv":
        faults.append(Fault(file, None, None, "this file", "has no rows; a model needs at least one destination"))
    return out


def _number(file: str, row: int | None, column: str, text: Any, faults: list[Fault]) -> float:
    """A finite number, or NaN and a fault."""
    try:
        if isinstance(text, bool):
            raise ValueError
        value = float(text)
    except (TypeError, ValueError):
        faults.append(Fault(file, row, column, repr(text), "is not a number"))
        return math.nan
    if not math.isfinite(value):
        faults.append(Fault(file, row, column, repr(text), "is not finite"))
        return math.nan
    return value


def _destinations(
    rows: list[tuple[int, dict[str, str]]], faults: list[Fault]
) -> tuple[list[str], dict[str, np.ndarray]]:
    file = "destinations.csv"
    names: list[str] = []
    values: dict[str, list[float]] = {column: [] for column in (*COLUMNS[1:], *OPTIONAL)}
    for number, row in rows:
        name = row["destination"]
        if not name:
            faults.append(Fault(file, number, "destination", "an empty name", "is not allowed"))
        elif name in names:
            faults.append(Fault(file, number, "destination", repr(name), "appears twice; each destination has one row"))
        names.append(name)
        for column in (*COLUMNS[1:], *(c for c in OPTIONAL if c in row)):
            values[column].append(_number(file, number, column, row[column], faults))
        if values["s"][-1] < 0:
            faults.append(Fault(file, number, "s", row["s"], "must not be negative: it is the cost of opening"))
        if values["sigma_0"][-1] == 0 and values["sigma_1"][-1] == 0:
            faults.append(Fault(file, number, "sigma_0", "0", "and sigma_1 = 0: costs must move; give a small sigma"))
        for column, bound in zip(OPTIONAL, (180.0, 90.0), strict=True):
            if column in row and abs(values[column][-1]) > bound:
                faults.append(Fault(file, number, column, row[column], f"must be between -{bound:g} and {bound:g}"))
    return names, {column: np.array(numbers) for column, numbers in values.items()}


def _complementarity(rows: list[tuple[int, dict[str, str]]], names: list[str], faults: list[Fault]) -> np.ndarray:
    file = "complementarity.csv"
    c = np.zeros((len(names), len(names)))
    position = {name: k for k, name in enumerate(names)}
    seen: set[tuple[str, str]] = set()
    for number, row in rows:
        value = _number(file, number, "c", row["c"], faults)
        pair = (row["destination"], row["other"])
        unknown = [column for column, name in zip(PAIR_COLUMNS, pair, strict=False) if name not in position]
        for column in unknown:
            faults.append(Fault(file, number, column, repr(row[column]), "is not in destinations.csv"))
        if unknown:
            continue
        if pair in seen:
            faults.append(Fault(file, number, None, f"the pair {pair[0]}, {pair[1]}", "appears twice"))
        seen.add(pair)
        if pair[0] == pair[1]:
            rule = "is a destination with itself; put its own revenue in zeta"
            faults.append(Fault(file, number, "other", repr(pair[1]), rule))
            continue
        c[position[pair[0]], position[pair[1]]] = value
    return c


def _process(folder: Path, faults: list[Fault]) -> dict[str, float]:
    import yaml

    file = "process.yaml"
    try:
        content = yaml.safe_load((folder / file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        faults.append(Fault(file, None, None, "this file", f"cannot be read: {reason}"))
        return {}
    if not isinstance(content, dict):
        faults.append(Fault(file, None, None, "this file", f"must hold the keys {', '.join(PROCESS_KEYS)}"))
        return {}
    for key in content:
        if key not in PROCESS_KEYS:
            faults.append(Fault(file, None, None, repr(key), f"is not a key; the keys are {', '.join(PROCESS_KEYS)}"))
    out = {}
    for key in PROCESS_KEYS:
        if key not in content:
            faults.append(Fault(file, None, None, repr(key), "is missing; add this key"))
            continue
        out[key] = _number(file, None, key, content[key], faults)
        if out[key] <= 0:
            faults.append(Fault(file, None, key, str(content[key]), "must be positive"))
    return out
