"""Calibrations as files: bundles, the catalogue, importers, and the generator of stylised economies.

Names are imported on first use: listing calibrations needs neither torch nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dlopt.calibrations.catalog import DEFAULT, Entry, find_calibration, import_destination, list_calibrations
from dlopt.calibrations.schema import BundleError, BundleExistsError, Fault
from dlopt.errors import UnknownNameError

if TYPE_CHECKING:
    from dlopt.calibrations.bundle import (
        calibration_warnings,
        load_calibration,
        read_bundle,
        validate_bundle,
        write_bundle,
    )
    from dlopt.calibrations.generator import stylized2017, synthetic
    from dlopt.calibrations.importers.caliendo_parro import import_caliendo_parro
    from dlopt.calibrations.importers.econ7115 import import_econ7115
    from dlopt.calibrations.policies import named_policies, read_policy

_LAZY = {
    "calibration_warnings": "bundle",
    "load_calibration": "bundle",
    "read_bundle": "bundle",
    "validate_bundle": "bundle",
    "write_bundle": "bundle",
    "import_caliendo_parro": "importers.caliendo_parro",
    "import_econ7115": "importers.econ7115",
    "stylized2017": "generator",
    "synthetic": "generator",
    "named_policies": "policies",
    "read_policy": "policies",
}

__all__ = [
    "DEFAULT",
    "BundleError",
    "BundleExistsError",
    "Entry",
    "Fault",
    "UnknownNameError",
    "calibration_warnings",
    "find_calibration",
    "import_caliendo_parro",
    "import_destination",
    "import_econ7115",
    "list_calibrations",
    "load_calibration",
    "named_policies",
    "read_bundle",
    "read_policy",
    "stylized2017",
    "synthetic",
    "validate_bundle",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
