"""Model folders of the network economy: two tables and a short YAML file, read strictly.

| file | columns or keys |
|---|---|
| `sectors.csv` | `sector, name, beta, sigma_1, sigma_2` and optionally `eps_bar` |
| `input_shares.csv` | `buyer, supplier, alpha` |
| `process.yaml` | `phi, kappa_0, kappa, gamma, lambda, lambda_z, rho`, and `eps_bar_sd, eps_bar_seed` |

Labels differ, `beta` sums to 1, one of the sigmas is not 0; shares are between known sectors, each pair once, 0 or
more, a buyer's sum below 1, pairs not listed 0; `phi, gamma, rho` are positive, the other keys not negative.
`eps_bar_sd, eps_bar_seed` draw the long-run productivities where sectors.csv has no `eps_bar`.

`lambda` is the rate at which a link of the clock's sector dies or may be formed, `lambda_z` the rate at which the
clock moves to each other sector. Everything else is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dlopt.choice.folder_files import Fault, ModelFolderError, quoted, read_number, read_process, read_table
from dlopt.choice.production.model import NetworkEconomy
from dlopt.choice.production.presets import NETWORK_PRESETS, network_preset
from dlopt.errors import UnknownNameError
from dlopt.store.files import write_text

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
        lines.append(",".join([quoted(label), quoted(model.names[k]), *(repr(float(x)) for x in numbers)]))
    write_text(folder / "sectors.csv", "\n".join(lines) + "\n")
    shares = [
        f"{quoted(model.sectors[i])},{quoted(model.sectors[j])},{float(model.alpha[i, j])!r}"
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
    rows = read_table(folder, file, SECTOR_COLUMNS, optional, faults)
    for number, row in rows:
        if not row["sector"]:
            faults.append(Fault(file, number, "sector", "an empty label", "is not allowed"))
        elif row["sector"] in labels:
            faults.append(Fault(file, number, "sector", repr(row["sector"]), "appears twice; each sector has one row"))
        labels.append(row["sector"])
        names.append(row["name"] or row["sector"])
        for column in row:
            if column not in ("sector", "name"):
                values.setdefault(column, []).append(read_number(file, number, column, row[column], faults))
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
    for number, row in read_table(folder, file, SHARE_COLUMNS, (), faults):
        value = read_number(file, number, "alpha", row["alpha"], faults)
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
    keys = (*KEYS, *(() if has_eps_bar else DRAWN))
    hint = "; eps_bar is in sectors.csv" if has_eps_bar else ""
    out = read_process(folder, keys, ("phi", "gamma", "rho"), faults, hint)
    if out.get("eps_bar_seed", 0.0) % 1:
        faults.append(Fault("process.yaml", None, "eps_bar_seed", f"{out['eps_bar_seed']}", "must be a whole number"))
    return out
