"""Model folders: an exporter as two tables and a short YAML file, read strictly.

| file | columns or keys |
|---|---|
| `destinations.csv` | `destination, zeta, nubar, s, sigma_0, sigma_1` and optionally `longitude, latitude` |
| `complementarity.csv` | `destination, other, c` |
| `process.yaml` | `theta, lambda0, lambda1, rho`, all positive |

Names of destinations differ, `s >= 0`, one of the sigmas is not 0. Complementarities are between known, different
destinations, each pair once; pairs not listed are 0.

`c` is what an open channel to `other` adds to the yearly profit of `destination`. Everything else is refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlopt.choice.exporter.model import Exporter
from dlopt.choice.exporter.presets import PRESETS, preset
from dlopt.choice.folder_files import Fault, ModelFolderError, quoted, read_number, read_process, read_table
from dlopt.errors import UnknownNameError
from dlopt.store.files import write_text

COLUMNS = ("destination", "zeta", "nubar", "s", "sigma_0", "sigma_1")
OPTIONAL = ("longitude", "latitude")
PAIR_COLUMNS = ("destination", "other", "c")
PROCESS_KEYS = ("theta", "lambda0", "lambda1", "rho")


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
    rows = read_table(folder, "destinations.csv", COLUMNS, OPTIONAL, faults)
    names, values = _destinations(rows, faults)
    c = _complementarity(read_table(folder, "complementarity.csv", PAIR_COLUMNS, (), faults), names, faults)
    rates = read_process(folder, PROCESS_KEYS, PROCESS_KEYS, faults)
    if faults:
        raise ModelFolderError(folder, faults)
    return Exporter(
        values["zeta"],
        values["nubar"],
        values["s"],
        np.stack([values["sigma_0"], values["sigma_1"]], axis=1),
        c,
        **rates,
        names=tuple(names),
        name=folder.resolve().name,
    )


def write_folder(model: Exporter, folder: Path) -> None:
    """Write a model as a folder; `read_folder` gives it back exactly."""
    lines = [",".join(COLUMNS)]
    for j, name in enumerate(model.names):
        numbers = (model.zeta[j], model.nubar[j], model.s[j], *model.sigma[j])
        lines.append(",".join([quoted(name), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "destinations.csv", "\n".join(lines) + "\n")
    pairs = [
        f"{quoted(model.names[j])},{quoted(model.names[m])},{float(model.c[j, m])!r}"
        for j, m in zip(*np.nonzero(model.c), strict=True)
    ]
    write_text(folder / "complementarity.csv", "\n".join([",".join(PAIR_COLUMNS), *pairs]) + "\n")
    write_text(folder / "process.yaml", "".join(f"{key}: {float(getattr(model, key))!r}\n" for key in PROCESS_KEYS))


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
            values[column].append(read_number(file, number, column, row[column], faults))
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
        value = read_number(file, number, "c", row["c"], faults)
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
