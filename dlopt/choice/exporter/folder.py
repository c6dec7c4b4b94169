"""Model folders: an exporter as two tables and a short YAML file, read strictly.

| file | columns or keys |
|---|---|
| `destinations.csv` | `destination, zeta, nubar, s, sigma_0, sigma_1` and optionally `longitude, latitude` |
| `complementarity.csv` | `destination, other, c` |
| `process.yaml` | `theta, lambda0, lambda1, rho`, all positive; optionally `search`, `keep`, `s_noise` |

Names of destinations differ, `s >= 0`, one of the sigmas is not 0. Complementarities are between known, different
destinations, each pair once; pairs not listed are 0.

`search: {cost: 4.0, power: 2.0}` (or `search: 4.0`) says what effort costs that raises the rate of opportunities,
`keep` what effort costs that lowers the rate at which channels die, `s_noise` the scale of the luck in costs.

`c` is what an open channel to `other` adds to the yearly profit of `destination`. Everything else is refused.
"""

from __future__ import annotations

import dataclasses
import re
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
from dlopt.errors import UnknownNameError
from dlopt.store.columns import Rule, Table
from dlopt.store.faults import Faults
from dlopt.store.files import write_text
from dlopt.store.tables import Axis, RawTable, cell_index, read_table

_ANY = Rule("any number", "")
COLUMNS = ("destination", "zeta", "nubar", "s", "sigma_0", "sigma_1")
PAIR_COLUMNS = ("destination", "other", "c")
DESTINATIONS = Table(
    "destinations",
    COLUMNS[:1],
    {
        **dict.fromkeys(COLUMNS[1:], _ANY),
        "s": Rule("s, the cost of opening, is a number >= 0", "correct it", low=0),
        "longitude": Rule("a longitude lies in [-180, 180]", "give degrees", low=-180, high=180),
        "latitude": Rule("a latitude lies in [-90, 90]", "give degrees", low=-90, high=90),
    },
    may_lack=("longitude", "latitude"),
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
        check_moves(destinations, ("sigma_0", "sigma_1"), "costs", faults)
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
