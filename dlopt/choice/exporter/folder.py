"""Model folders: an exporter as two tables and a short YAML file, read strictly.

| file | columns or keys |
|---|---|
| `destinations.csv` | `destination, zeta, nubar, s`, loadings on shocks, and optionally `longitude, latitude` |
| `complementarity.csv` | `destination, other, c` |
| `process.yaml` | `theta, lambda0, lambda1, rho`, all positive; optionally `search`, `keep`, `s_noise` |

Names of destinations differ and `s >= 0`. Loadings are `sigma_0` to `sigma_9` on common shocks, as many as there are,
and `sigma_own` on a shock that moves no other destination; one of them is not 0. Complementarities are between known,
different destinations, each pair once; pairs not listed are 0.

`search: {cost: 4.0, power: 2.0}` (or `search: 4.0`) says what effort costs that raises the rate of opportunities,
`keep` what effort costs that lowers the rate at which channels die, `s_noise` the scale of the luck in costs.

`c` is what an open channel to `other` adds to the yearly profit of `destination`. Everything else is refused.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlopt.choice.exporter.model import Exporter
from dlopt.choice.exporter.presets import PRESETS, preset
from dlopt.choice.folder_files import (
    ModelFolderError,
    check_distinct,
    check_files,
    check_moves,
    effort_lines,
    quoted,
    read_process,
)
from dlopt.choice.model import ModelError
from dlopt.errors import UnknownNameError
from dlopt.store.columns import Rule, Table
from dlopt.store.faults import Faults
from dlopt.store.files import write_text
from dlopt.store.tables import Axis, RawTable, cell_index, read_table

_ANY = Rule("any number", "")
COLUMNS = ("destination", "zeta", "nubar", "s")
COMMON = tuple(f"sigma_{k}" for k in range(10))
OWN = "sigma_own"
PAIR_COLUMNS = ("destination", "other", "c")
DESTINATIONS = Table(
    "destinations",
    COLUMNS[:1],
    {
        **dict.fromkeys((*COLUMNS[1:], *COMMON, OWN), _ANY),
        "s": Rule("s, the cost of opening, is a number >= 0", "correct it", low=0),
        "longitude": Rule("a longitude lies in [-180, 180]", "give degrees", low=-180, high=180),
        "latitude": Rule("a latitude lies in [-90, 90]", "give degrees", low=-90, high=90),
    },
    may_lack=(*COMMON, OWN, "longitude", "latitude"),
)
COMPLEMENTARITY = Table("complementarity", PAIR_COLUMNS[:2], {"c": _ANY}, may_be_empty=True)
FILES = ("destinations.csv", "complementarity.csv", "process.yaml")
PROCESS_KEYS = ("theta", "lambda0", "lambda1", "rho")


def load_model(name: str) -> Exporter:
    """A preset by name, with its number of destinations behind it if that is not 100 (`blocks20`), or a model folder.

    Raises:
        UnknownNameError: neither.
        ModelFolderError: the folder is not a valid model.
    """
    if name in PRESETS:
        return preset(name)
    sized = re.fullmatch(r"([a-z_]+)([1-9]\d{0,3})", name)
    if sized is not None and sized[1] in PRESETS:
        return dataclasses.replace(preset(sized[1], int(sized[2])), name=name)
    if Path(name).is_dir():
        return read_folder(Path(name))
    raise UnknownNameError("exporter model or model folder", name, PRESETS)


def read_folder(folder: Path) -> Exporter:
    """The exporter a model folder describes.

    Raises:
        ModelFolderError: with every fault found.
    """
    faults = Faults()
    check_files(folder, FILES, faults)
    destinations = read_table(folder / FILES[0], DESTINATIONS, faults)
    pairs = read_table(folder / FILES[1], COMPLEMENTARITY, faults)
    if destinations is not None:
        check_distinct(destinations, "destination", faults)
        shocks = [column for column in (*COMMON, OWN) if column in destinations.numbers]
        if shocks:
            check_moves(destinations, shocks, "costs", faults)
        else:
            faults.add(FILES[0], "costs move with shocks", f"give {COMMON[0]}, or {OWN}", column=COMMON[0])
    names = destinations.texts["destination"] if destinations else []
    c = _complementarity(pairs, names, faults)
    rates = read_process(folder, PROCESS_KEYS, PROCESS_KEYS, faults, optional=("s_noise",))
    if faults or destinations is None:
        raise ModelFolderError(folder, faults.listed())
    values = destinations.numbers
    return Exporter(
        values["zeta"],
        values["nubar"],
        values["s"],
        _loadings(values),
        c,
        **rates,
        names=tuple(names),
        name=folder.resolve().name,
    )


def _loadings(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """`[destination, shock]`: common shocks, then those of single destinations."""
    own = np.diag(values.get(OWN, np.zeros(len(values["s"]))))
    return np.column_stack([*(values[key] for key in COMMON if key in values), own[:, own.any(axis=0)]])


def _common(sigma: np.ndarray) -> int:
    """How many shocks stand before those that move one destination each, in the order of destinations."""
    common, before = sigma.shape[1], len(sigma)
    if common <= 2:
        return common
    while common:
        moved = np.flatnonzero(sigma[:, common - 1])
        if len(moved) != 1 or moved[0] >= before:
            break
        common, before = common - 1, int(moved[0])
    return common


def write_folder(model: Exporter, folder: Path) -> None:
    """Write a model as a folder; `read_folder` gives it back exactly.

    Raises:
        ModelError: more common shocks than a folder holds.
    """
    common = _common(model.sigma)
    if common > len(COMMON):
        raise ModelError(
            f"{model.name!r} has {common} common shocks and a folder holds at most {len(COMMON)} beside one of each "
            "destination. Keep this model in Python, as a ChoiceModel."
        )
    loadings = dict(zip(COMMON, model.sigma[:, :common].T, strict=False))
    if common < model.sigma.shape[1]:
        loadings[OWN] = model.sigma[:, common:].sum(axis=1)
    lines = [",".join((*COLUMNS, *loadings))]
    for j, name in enumerate(model.names):
        numbers = (model.zeta[j], model.nubar[j], model.s[j], *(of[j] for of in loadings.values()))
        lines.append(",".join([quoted(name), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "destinations.csv", "\n".join(lines) + "\n")
    pairs = [
        f"{quoted(model.names[j])},{quoted(model.names[m])},{float(model.c[j, m])!r}"
        for j, m in zip(*np.nonzero(model.c), strict=True)
    ]
    write_text(folder / "complementarity.csv", "\n".join([",".join(PAIR_COLUMNS), *pairs]) + "\n")
    keys = (*PROCESS_KEYS, *(["s_noise"] if model.s_noise else []))
    process = "".join(f"{key}: {float(getattr(model, key))!r}\n" for key in keys) + effort_lines(model)
    write_text(folder / "process.yaml", process)


def _complementarity(pairs: RawTable | None, names: list[str], faults: Faults) -> np.ndarray:
    """c, `[destination, other]`."""
    c = np.zeros((len(names), len(names)))
    if pairs is None or not names:
        return c
    own = [k for k in range(len(pairs)) if pairs.texts["destination"][k] == pairs.texts["other"][k]]
    for k in own:
        rule = "a destination is no complement of itself"
        faults.add(pairs.file, rule, "put its own revenue in zeta", pairs.rows[k], "other", pairs.texts["other"][k])
    axis = Axis(names, "destination", FILES[0])
    (j, m), sound = cell_index(pairs, PAIR_COLUMNS[:2], dict.fromkeys(PAIR_COLUMNS[:2], axis), faults)
    c[j[sound], m[sound]] = pairs.numbers["c"][sound]
    return c
