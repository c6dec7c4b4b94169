"""Model folders of the network economy: two tables and a short YAML file, read strictly.

| file | columns or keys | rule |
|---|---|---|
| `sectors.csv` | `sector, name, beta, sigma_1, sigma_2` and optionally `eps_bar` | labels differ, `beta` sums to 1, one of the sigmas not 0 |
| `input_shares.csv` | `buyer, supplier, alpha` | known sectors, each pair once, `alpha >= 0`, a buyer's sum below 1; pairs not listed are 0 |
| `process.yaml` | `phi, kappa_0, kappa, gamma, lambda, lambda_z, rho`; where sectors.csv has no `eps_bar` also `eps_bar_sd, eps_bar_seed` | `phi, gamma, rho` positive, the others not negative |

`lambda` is the rate at which a link of the clock's sector dies or may be formed, `lambda_z` the rate at which the
clock moves to each other sector. Everything else is refused.
"""  # noqa: E501

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dlopt.bsde.folder import Fault, ModelFolderError, _number, _quoted, _table
from dlopt.bsde.network_economy import NetworkEconomy
from dlopt.bsde.network_presets import NETWORK_PRESETS, network_preset
from dlopt.errors import UnknownNameError
from dlopt.files import write_text

SECTOR_COLUMNS = ("sector", "name", "beta", "sigma_1", "sigma_2")
SHARE_COLUMNS = ("buyer", "supplier", "alpha")
KEYS = {
    "phi": "phi", "kappa_0": "kappa_0", "kappa": "kappa", "gamma": "gamma", "lambda": "link_rate",
    "lambda_z": "clock_rate", "rho": "rho",
}  # fmt: skip
"""Key of process.yaml -> parameter."""
DRAWN = ("eps_bar_sd", "eps_bar_seed")
FILES = ("input_shares.csv", "process.yaml", "sectors.csv")


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
    faults = [
        Fault(name, None, None, "this file", f"is not one of {', '.join(FILES)}; remove it")
        for name in sorted(p.name for p in folder.iterdir())
        if not name.startswith(".") and name not in FILES
    ]
    labels, names, columns = read_sectors(folder, ("eps_bar",), faults)
    alpha = read_shares(folder, labels, faults)
    process = _process(folder, "eps_bar" in columns, faults)
    if faults:
        raise ModelFolderError(folder, faults)
    eps_bar = columns.get("eps_bar")
    if eps_bar is None:
        rng = np.random.default_rng(int(process["eps_bar_seed"]))
        eps_bar = process["eps_bar_sd"] * rng.normal(size=len(labels))
    return NetworkEconomy(
        columns["beta"], alpha, eps_bar, np.stack([columns["sigma_1"], columns["sigma_2"]], axis=1),
        **{parameter: process[key] for key, parameter in KEYS.items()}, sectors=tuple(labels), names=tuple(names),
        name=folder.resolve().name,
    )  # fmt: skip


def write_network(model: NetworkEconomy, folder: Path) -> None:
    """Write an economy as a folder; `read_network` gives it back exactly."""
    lines = [",".join((*SECTOR_COLUMNS, "eps_bar"))]
    for k, label in enumerate(model.sectors):
        numbers = (model.beta[k], *model.sigma[k], model.eps_bar[k])
        lines.append(",".join([_quoted(label), _quoted(model.names[k]), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "sectors.csv", "\n".join(lines) + "\n")
    shares = [
        f"{_quoted(model.sectors[i])},{_quoted(model.sectors[j])},{float(model.alpha[i, j])!r}"
        for i, j in zip(*np.nonzero(model.alpha), strict=True)
    ]
    write_text(folder / "input_shares.csv", "\n".join([",".join(SHARE_COLUMNS), *shares]) + "\n")
    process = "".join(f"{key}: {float(getattr(model, parameter))!r}\n" for key, parameter in KEYS.items())
    write_text(folder / "process.yaml", process)


def read_sectors(
    folder: Path, optional: tuple[str, ...], faults: list[Fault]
) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Labels, names and the columns of numbers of sectors.csv."""
    file = "sectors.csv"
    labels: list[str] = []
    names: list[str] = []
    values: dict[str, list[float]] = {}
    rows = _table(folder, file, SECTOR_COLUMNS, optional, faults)
    for number, row in rows:
        if not row["sector"]:
            faults.append(Fault(file, number, "sector", "an empty label", "is not allowed"))
        elif row["sector"] in labels:
            faults.append(Fault(file, number, "sector", repr(row["sector"]), "appears twice; each sector has one row"))
        labels.append(row["sector"])
        names.append(row["name"] or row["sector"])
        for column in row:
            if column not in ("sector", "name"):
                values.setdefault(column, []).append(_number(file, number, column, row[column], faults))
        if values["beta"][-1] < 0:
            faults.append(Fault(file, number, "beta", row["beta"], "must not be negative"))
        if values["sigma_1"][-1] == 0 and values["sigma_2"][-1] == 0:
            faults.append(Fault(file, number, "sigma_1", "0", "and sigma_2 = 0: productivity must move"))
    if len(labels) < 2 and not faults:
        faults.append(Fault(file, None, None, "this file", "must have at least two sectors"))
    total = sum(values.get("beta", []))
    if rows and not abs(total - 1) <= 1e-6:
        faults.append(Fault(file, None, "beta", f"the sum {total:.8g}", "must be 1"))
    return labels, names, {column: np.array(numbers) for column, numbers in values.items()}


def read_shares(folder: Path, labels: list[str], faults: list[Fault]) -> np.ndarray:
    """alpha from input_shares.csv, `[N, N]`."""
    file = "input_shares.csv"
    position = {label: k for k, label in enumerate(labels)}
    alpha = np.zeros((len(labels), len(labels)))
    seen: set[tuple[str, str]] = set()
    for number, row in _table(folder, file, SHARE_COLUMNS, (), faults):
        value = _number(file, number, "alpha", row["alpha"], faults)
        pair = (row["buyer"], row["supplier"])
        unknown = [column for column, label in zip(SHARE_COLUMNS, pair, strict=False) if label not in position]
        faults.extend(Fault(file, number, column, repr(row[column]), "is not in sectors.csv") for column in unknown)
        if unknown:
            continue
        if pair in seen:
            faults.append(Fault(file, number, None, f"the pair {pair[0]}, {pair[1]}", "appears twice"))
        seen.add(pair)
        if value < 0:
            faults.append(Fault(file, number, "alpha", row["alpha"], "must not be negative"))
        alpha[position[pair[0]], position[pair[1]]] = value
    for label, total in zip(labels, alpha.sum(1), strict=True):
        if total >= 1:
            faults.append(Fault(file, None, "alpha", f"the sum {total:.6g} of buyer {label}", "must be below 1"))
    return alpha


def _process(folder: Path, has_eps_bar: bool, faults: list[Fault]) -> dict[str, float]:
    file = "process.yaml"
    keys = (*KEYS, *(() if has_eps_bar else DRAWN))
    try:
        content: Any = yaml.safe_load((folder / file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        faults.append(Fault(file, None, None, "this file", f"cannot be read: {reason}"))
        return {}
    if not isinstance(content, dict):
        faults.append(Fault(file, None, None, "this file", f"must hold the keys {', '.join(keys)}"))
        return {}
    for key in content:
        if key not in keys:
            more = "; eps_bar is in sectors.csv" if key in DRAWN else ""
            faults.append(Fault(file, None, None, repr(key), f"is not a key; the keys are {', '.join(keys)}{more}"))
    out = {}
    for key in keys:
        if key not in content:
            faults.append(Fault(file, None, None, repr(key), "is missing; add this key"))
            continue
        out[key] = _number(file, None, key, content[key], faults)
        if out[key] < 0 or (key in ("phi", "gamma", "rho") and out[key] == 0):
            rule = "must be positive" if key in ("phi", "gamma", "rho") else "must not be negative"
            faults.append(Fault(file, None, key, str(content[key]), rule))
        elif key == "eps_bar_seed" and out[key] % 1:
            faults.append(Fault(file, None, key, str(content[key]), "must be a whole number"))
    return out
