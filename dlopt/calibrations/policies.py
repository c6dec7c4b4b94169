"""Policy files: levels of tariffs, export taxes and subsidies as a table, beside a calibration or from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dlopt.calibrations.schema import (
    INSTRUMENTS,
    POLICY_COLUMNS,
    POLICY_FOLDER,
    POLICY_RATES,
    POLICY_TABLE,
    TABLE_SUFFIXES,
    BundleError,
    Faults,
)
from dlopt.calibrations.tables import RawTable, cell_index, check_rule, read_table
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy
from dlopt.trade.rates import BY_NAME

if TYPE_CHECKING:
    import pandas as pd


def read_policy(path: str | Path, calibration: Calibration) -> Policy:
    """Read a policy table: the baseline policies with the rates it gives put in their place.

    Columns `instrument` (tariff, export_tax, subsidy), `origin`, `destination` (empty for subsidies), `sector` (its
    label or its name), `rate` (the new level, a fraction), CSV or Parquet. The `policies.parquet` of a run serves too:
    its further columns are passed over.

    Args:
        path: the file.
        calibration: gives the labels, and the rates of all cells the table does not name.

    Raises:
        BundleError: holds every fault found.
    """
    faults = Faults()
    policy = policy_of(Path(path), calibration, faults)
    if policy is None:
        raise BundleError(path, faults.listed())
    return policy


def named_policies(folder: str | Path) -> dict[str, Path]:
    """The policy files of a bundle by name."""
    return {path.stem: path for path in policy_files(Path(folder))}


def policy_files(folder: Path) -> list[Path]:
    """The policy files of a bundle, in order of name."""
    inside = folder / POLICY_FOLDER
    if not inside.is_dir():
        return []
    return sorted(p for p in inside.iterdir() if p.suffix in TABLE_SUFFIXES and not p.name.startswith("."))


def policy_of(path: Path, calibration: Calibration, faults: Faults, label: str | None = None) -> Policy | None:
    """As `read_policy`, noting faults under `label` instead of raising; None when there are any."""
    before = faults.total
    if path.suffix not in TABLE_SUFFIXES:
        faults.add(label or path.name, "a policy is a .csv or .parquet file", "give such a file")
        return None
    raw = read_table(path, POLICY_TABLE, faults, label=label, ignore_others=path.suffix == ".parquet")
    if raw is None:
        return None
    axes = {"economy": calibration.economies, "sector": calibration.sectors}
    labels = dict(zip(calibration.sector_names, calibration.sectors, strict=True))
    labels |= {label: label for label in calibration.sectors}  # a label that is another sector's name stays a label
    raw.texts["sector"] = [labels.get(text, text) for text in raw.texts["sector"]]
    rates = {name: getattr(calibration, name).clone() for name in INSTRUMENTS}
    instruments = np.array(raw.texts["instrument"], dtype=object)
    for k in np.flatnonzero(~np.isin(instruments, INSTRUMENTS)):
        remedy = f"use {', '.join(INSTRUMENTS)}"
        faults.add(raw.file, "this instrument is unknown", remedy, raw.rows[k], "instrument", instruments[k])
    for name in INSTRUMENTS:
        chosen = np.flatnonzero(instruments == name)
        if len(chosen):
            part = _subset(raw, chosen)
            check_rule(part, "rate", POLICY_RATES[name], faults)
            _put(part, name, rates[name], axes, faults)
    return Policy(**rates) if faults.total == before else None


def policy_frame(policy: Policy, calibration: Calibration) -> pd.DataFrame:
    """The rates that differ from the baseline, as a policy table."""
    import pandas as pd

    frames = []
    economies, sectors = np.array(calibration.economies), np.array(calibration.sectors)
    for name, kind in BY_NAME.items():
        new, old = getattr(policy, name).numpy(), getattr(calibration, name).numpy()
        places = np.nonzero(new != old)
        destination = economies[places[1]] if kind.pairs else np.full(len(places[0]), "")
        columns = (np.full(len(places[0]), name), economies[places[0]], destination, sectors[places[-1]], new[places])
        frames.append(pd.DataFrame(dict(zip(POLICY_COLUMNS, columns, strict=True))))
    return pd.concat(frames, ignore_index=True)


def _subset(raw: RawTable, chosen: NDArray[np.int64]) -> RawTable:
    return RawTable(
        raw.file,
        [raw.rows[k] for k in chosen],
        {c: [labels[k] for k in chosen] for c, labels in raw.texts.items()},
        {c: values[chosen] for c, values in raw.numbers.items()},
    )


def _put(part: RawTable, name: str, target: torch.Tensor, axes: dict[str, tuple[str, ...]], faults: Faults) -> None:
    """Write the rates of one instrument into `target`."""
    kind = BY_NAME[name]
    keys = POLICY_TABLE.keys if kind.pairs else ("origin", "sector")
    places, sound = cell_index(part, keys, axes, faults)
    for k, destination in enumerate(part.texts["destination"]):
        if not kind.pairs and destination not in ("", part.texts["origin"][k]):
            rule = f"a {kind.label} has no destination"
            faults.add(part.file, rule, "leave it empty", part.rows[k], "destination", destination)
        elif kind.pairs and not destination:
            faults.add(part.file, "a label is missing", "fill it in", part.rows[k], "destination")
        elif kind.pairs and destination == part.texts["origin"][k] and part.numbers["rate"][k] != 0:
            rule = f"no {kind.label} is paid at home"
            faults.add(part.file, rule, "delete this row", part.rows[k], "rate", f"{part.numbers['rate'][k]:g}")
    where = tuple(torch.from_numpy(p[sound]) for p in places)
    target[where] = torch.from_numpy(part.numbers["rate"][sound])
