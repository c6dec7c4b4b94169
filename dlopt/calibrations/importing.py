"""What every importer hands over, and how it is put where it can be called by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from dlopt.calibrations.bundle import read_bundle, write_bundle
from dlopt.calibrations.catalog import import_destination
from dlopt.calibrations.isic import read_isic
from dlopt.calibrations.meta import read_meta
from dlopt.calibrations.policies import named_policies, read_policy
from dlopt.calibrations.schema import Faults
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy


@dataclasses.dataclass(frozen=True)
class Imported:
    """A calibration read from somewhere, and what came with it.

    Attributes:
        calibration: the world.
        policies: policies by name.
        adjustments: what was done to the data on the way, with its size, one plain sentence each; kept in meta.yaml.
        isic: ISIC Rev. 4 divisions (1 to 99) of every sector; empty where they are not known.
    """

    calibration: Calibration
    policies: Mapping[str, Policy]
    adjustments: tuple[str, ...] = ()
    isic: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)


def import_bundle(folder: str | Path) -> Imported:
    """A bundle with its policies, its adjustments and the ISIC divisions of its sectors.

    Raises:
        BundleError: holds every fault found.
    """
    calibration = read_bundle(folder)
    policies = {name: read_policy(path, calibration) for name, path in named_policies(folder).items()}
    meta = read_meta(Path(folder), Faults())
    return Imported(calibration, policies, meta.adjustments if meta else (), read_isic(folder, calibration.sectors))


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
    return write_bundle(
        calibration, folder, imported.policies, force=force, adjustments=imported.adjustments, isic=imported.isic
    )


def with_sets(imported: Imported, trade: str | None, scale: str | None, default: float | None = None) -> Imported:
    """What was imported with other sets of elasticities (see `elasticities.with_elasticities`)."""
    from dlopt.calibrations.elasticities import DEFAULT_THETA, with_elasticities

    if trade is None and scale is None:
        return imported
    calibration, notes = with_elasticities(
        imported.calibration, imported.isic, trade, scale, DEFAULT_THETA if default is None else default
    )
    return dataclasses.replace(imported, calibration=calibration, adjustments=(*imported.adjustments, *notes))
