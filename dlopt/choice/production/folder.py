"""Model folders of the network economy: two tables and a short YAML file, read strictly.

| file | columns or keys |
|---|---|
| `sectors.csv` | `sector, name, beta, sigma_1, sigma_2` and optionally `eps_bar` |
| `input_shares.csv` | `buyer, supplier, alpha` |
| `process.yaml` | `phi, kappa_0, kappa, gamma, lambda, lambda_z, rho`, `eps_bar_sd, eps_bar_seed`, `search, keep` |

Labels differ, `beta` sums to 1, one of the sigmas is not 0; shares are between known sectors, each pair once, 0 or
more, a buyer's sum below 1, pairs not listed 0; `phi, gamma, rho` are positive, the other keys not negative.
`search` and `keep`, the costs of effort, may be left out.
`eps_bar_sd, eps_bar_seed` draw the long-run productivities where sectors.csv has no `eps_bar`.

`lambda` is the rate at which a link of the clock's sector dies or may be formed, `lambda_z` the rate at which the
clock moves to each other sector. Everything else is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dlopt.choice.effort import NO_EFFORT
from dlopt.choice.folder_files import (
    ModelFolderError,
    check_distinct,
    check_files,
    check_moves,
    effort_lines,
    quoted,
    read_process,
)
from dlopt.choice.production.model import NetworkEconomy
from dlopt.choice.production.presets import NETWORK_PRESETS, network_preset
from dlopt.errors import UnknownNameError
from dlopt.store.columns import Rule, Table
from dlopt.store.faults import Faults
from dlopt.store.files import write_text
from dlopt.store.tables import Axis, cell_index, read_table

SECTOR_COLUMNS = ("sector", "name", "beta", "sigma_1", "sigma_2")
SHARE_COLUMNS = ("buyer", "supplier", "alpha")
_ANY = Rule("any number", "")
_SHARE = Rule("a share is a number >= 0", "correct it", low=0)
SHARES = Table("input_shares", SHARE_COLUMNS[:2], {"alpha": _SHARE}, may_be_empty=True)
KEYS = {
    "phi": "phi", "kappa_0": "kappa_0", "kappa": "kappa", "gamma": "gamma", "lambda": "link_rate",
    "lambda_z": "clock_rate", "rho": "rho",
}  # fmt: skip
"""Key of process.yaml -> parameter."""
DRAWN = ("eps_bar_sd", "eps_bar_seed")
FILES = ("sectors.csv", "input_shares.csv", "process.yaml")


def models_folder() -> Path:
    """Where imported network economies are kept: `bsde/` in `$DLOPT_DATA`, or in `./data`."""
    return Path(os.environ.get("DLOPT_DATA") or "data").expanduser() / "bsde"


def load_network(name: str) -> NetworkEconomy:
    """A preset or an imported economy by name, or a model folder by path.

    Raises:
        UnknownNameError: none of these.
        ModelFolderError: the folder is not a valid model.
    """
    if name in NETWORK_PRESETS:
        return network_preset(name)
    for folder in (models_folder() / name, Path(name)):
        if folder.is_dir():
            return read_network(folder)
    imported = [p.name for p in models_folder().iterdir() if p.is_dir()] if models_folder().is_dir() else []
    error = UnknownNameError("network economy or model folder", name, [*NETWORK_PRESETS, *sorted(imported)])
    if name == "bea37":
        error.args = (f"{error} This one is imported first: dlopt data import bea37 DIR.",)
    raise error


def read_network(folder: Path) -> NetworkEconomy:
    """The economy a model folder describes.

    Raises:
        ModelFolderError: with every fault found.
    """
    faults = Faults()
    check_files(folder, FILES, faults)
    labels, names, columns = read_sectors(folder, ("eps_bar",), faults)
    alpha = read_shares(folder, labels, faults)
    process = _process(folder, "eps_bar" in columns, faults)
    if faults:
        raise ModelFolderError(folder, faults.listed())
    eps_bar = columns.get("eps_bar")
    if eps_bar is None:
        rng = np.random.default_rng(int(process["eps_bar_seed"]))
        eps_bar = process["eps_bar_sd"] * rng.normal(size=len(labels))
    return NetworkEconomy(
        columns["beta"], alpha, eps_bar, np.stack([columns["sigma_1"], columns["sigma_2"]], axis=1),
        **{parameter: process[key] for key, parameter in KEYS.items()},
        **{key: value for key, value in process.items() if key in NO_EFFORT}, sectors=tuple(labels), names=tuple(names),
        name=folder.resolve().name,
    )  # fmt: skip


def write_network(model: NetworkEconomy, folder: Path) -> None:
    """Write an economy as a folder; `read_network` gives it back exactly."""
    lines = [",".join((*SECTOR_COLUMNS, "eps_bar"))]
    for k, label in enumerate(model.sectors):
        numbers = (model.beta[k], *model.sigma[k], model.eps_bar[k])
        lines.append(",".join([quoted(label), quoted(model.names[k]), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "sectors.csv", "\n".join(lines) + "\n")
    shares = [
        f"{quoted(model.sectors[i])},{quoted(model.sectors[j])},{float(model.alpha[i, j])!r}"
        for i, j in zip(*np.nonzero(model.alpha), strict=True)
    ]
    write_text(folder / "input_shares.csv", "\n".join([",".join(SHARE_COLUMNS), *shares]) + "\n")
    process = "".join(f"{key}: {float(getattr(model, parameter))!r}\n" for key, parameter in KEYS.items())
    process += effort_lines(model)
    write_text(folder / "process.yaml", process)


def read_sectors(
    folder: Path, optional: tuple[str, ...], faults: Faults
) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Labels, names and the columns of numbers of sectors.csv; nothing, and a fault more, where it cannot be read."""
    numbers = {"beta": _SHARE, **dict.fromkeys((*SECTOR_COLUMNS[3:], *optional), _ANY)}
    table = Table("sectors", SECTOR_COLUMNS[:1], numbers, SECTOR_COLUMNS[1:2], may_lack=optional)
    raw = read_table(folder / FILES[0], table, faults)
    if raw is None:
        return [], [], {}
    check_distinct(raw, "sector", faults)
    check_moves(raw, ("sigma_1", "sigma_2"), "productivity", faults)
    labels = raw.texts["sector"]
    if len(labels) < 2:
        faults.add(raw.file, "an economy has at least two sectors", "add rows")
    total = raw.numbers["beta"].sum()
    if not abs(total - 1) <= 1e-6:
        faults.add(raw.file, "beta must sum to 1", "correct the shares", column="beta", value=f"{total:.8g}")
    names = [name or label for name, label in zip(raw.texts["name"], labels, strict=True)]
    return labels, names, raw.numbers


def read_shares(folder: Path, labels: list[str], faults: Faults) -> np.ndarray:
    """alpha from input_shares.csv, `[N, N]`."""
    alpha = np.zeros((len(labels), len(labels)))
    raw = read_table(folder / FILES[1], SHARES, faults)
    if raw is None or not labels:
        return alpha
    axis = Axis(labels, "sector", FILES[0])
    (buyer, supplier), sound = cell_index(raw, SHARE_COLUMNS[:2], dict.fromkeys(SHARE_COLUMNS[:2], axis), faults)
    alpha[buyer[sound], supplier[sound]] = raw.numbers["alpha"][sound]
    for label, total in zip(labels, alpha.sum(1), strict=True):
        if total >= 1:
            rule = f"the shares of buyer {label} must sum to less than 1"
            faults.add(raw.file, rule, "the rest is labour", column="alpha", value=f"{total:.6g}")
    return alpha


def _process(folder: Path, has_eps_bar: bool, faults: Faults) -> dict[str, float]:
    keys = (*KEYS, *(() if has_eps_bar else DRAWN))
    hint = "; eps_bar is in sectors.csv" if has_eps_bar else ""
    out = read_process(folder, keys, ("phi", "gamma", "rho"), faults, hint)
    if out.get("eps_bar_seed", 0.0) % 1:
        rule = "this must be a whole number"
        faults.add(FILES[2], rule, "correct it", column="eps_bar_seed", value=out["eps_bar_seed"])
    return out
