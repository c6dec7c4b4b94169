"""What every importer hands over, and how it is put where it can be called by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from dlopt.calibrations.bundle import read_bundle, write_bundle
from dlopt.calibrations.catalog import import_destination
from dlopt.calibrations.policies import named_policies, read_policy
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy


@dataclasses.dataclass(frozen=True)
class Imported:
    """A calibration read from somewhere, and the policies that came with it, by name."""

    calibration: Calibration
    policies: Mapping[str, Policy]


def import_bundle(folder: str | Path) -> Imported:
    """A bundle with its policies.

    Raises:
        BundleError: holds every fault found.
    """
    calibration = read_bundle(folder)
    policies = {name: read_policy(path, calibration) for name, path in named_policies(folder).items()}
    return Imported(calibration, policies)


def install(imported: Imported, name: str, *, force: bool = False) -> Path:
    """Write what was imported as `name` into `$DLOPT_DATA`, or `./data`.

    Args:
        imported: what an importer returned.
        name: how it will be called.
        force: replace a calibration of that name.

    Returns:
        The folder written.

    Raises:
        CalibrationNameError: not a usable name.
        BundleExistsError: there is one of that name and `force` is off.
        FileWriteError: no permission or no space.
    """
    folder = import_destination(name)
    calibration = dataclasses.replace(imported.calibration, name=name)
    return write_bundle(calibration, folder, imported.policies, force=force)
