"""Import any table that pymrio knows (EXIOBASE, Eora26, FIGARO, ...): a folder saved by its `IOSystem.save_all`.

Industries are matched to ISIC by their names' codes where they have some, or by a file (--isic).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.calibrations.accounts import Accounts
from dlopt.calibrations.groups import grouping
from dlopt.calibrations.importers.build import Choices, Detail, build
from dlopt.calibrations.importers.trade_only import divisions_of
from dlopt.calibrations.importers.wiod import grouped
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.meta import Meta
from dlopt.errors import DloptError

_STOCK = ("inventor", "invnt", "inv", "stock")


class PymrioError(DloptError):
    """A folder that pymrio cannot read, or a system without flows."""


def read(
    source: Path, economies: str | None = None, year: str | None = None, isic: str | None = None, **choices: Any
) -> Imported:
    """The calibration of an IOSystem.

    Args:
        source: a folder that pymrio saved, with Z and Y.
        economies, year, choices: as for `icio`.
        isic: a CSV file (sector,division) with the divisions of the industries.

    Raises:
        DloptError: the folder, or a choice, is at fault.
    """
    try:
        import pymrio
    except ImportError as error:
        raise PymrioError(f"{source}: pymrio is not installed: pip install 'dlopt[data]'.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            system = pymrio.load_all(str(source))
    except Exception as error:  # its parsers raise whatever the files make them raise
        raise PymrioError(f"{source}: pymrio cannot read this folder ({error}). Save it with save_all.") from error
    accounts = accounts_of(system, str(source))
    economy_of, notes = grouping(accounts.economies, economies)
    merged, member = grouped(accounts, [economy_of[code] for code in accounts.economies])
    known = divisions_of(isic, accounts.sectors)
    unit = "as in the source" if system.unit is None else str(system.unit.iloc[0, 0])
    meta = Meta("pymrio", year or "not stated", unit, f"pymrio, {source.name}")
    detail = Detail(accounts.economies, accounts.trade(), member)
    return build(merged, detail, known, meta, Choices(**choices), notes)


def accounts_of(system: Any, source: str) -> Accounts:
    """The accounts of an IOSystem: Z and Y; value added is what output leaves after inputs.

    Raises:
        PymrioError: it has no Z or no Y, or they are not of the same economies and sectors.
    """
    if system.Z is None or system.Y is None:
        raise PymrioError(
            f"{source}: the system has no {'Z' if system.Z is None else 'Y'}. Calculate it, and save again."
        )
    pairs = list(system.Z.index)
    economies = tuple(dict.fromkeys(pair[0] for pair in pairs))
    sectors = tuple(dict.fromkeys(pair[1] for pair in pairs))
    index = [(code, sector) for code in economies for sector in sectors]
    n, s = len(economies), len(sectors)
    if len(pairs) != n * s or set(pairs) != set(index):
        raise PymrioError(f"{source}: {len(pairs)} industries in {n} economies do not make {n} x {s}.")
    use = system.Z.loc[index, index].to_numpy(dtype=float).reshape(n, s, n, s)
    final, stock, taken = np.zeros((3, n, s, n))
    for k, code in enumerate(economies):
        block = system.Y.loc[index, code]
        for name in block.columns:
            values = block[name].to_numpy(dtype=float).reshape(n, s)
            if str(name).lower().startswith(_STOCK) or "inventor" in str(name).lower():
                stock[:, :, k] += values
                taken[:, :, k] += np.maximum(-values, 0)
            else:
                final[:, :, k] += values
    output = use.sum(axis=(2, 3)) + final.sum(axis=2) + stock.sum(axis=2)
    added = output - use.sum(axis=(0, 1))
    return Accounts(
        tuple(map(str, economies)), tuple(map(str, sectors)), use, final, stock, taken, added, np.zeros((n, s)), output
    )
