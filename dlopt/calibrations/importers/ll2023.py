"""Import the world of Lashkaripour and Lugovskyy (2023): 44 economies, 16 industries, no inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.importers.ossa2014 import no_inputs_world
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.schema import TABLES, TAX, BundleError, Faults, Rule, Table
from dlopt.calibrations.tables import read_table

_FLOWS = Table(
    "flows",
    ("origin", "destination", "sector"),
    {"value": TABLES["trade"].numbers["value"], "rate": TAX},
    header={"origin": "exporter", "destination": "importer", "sector": "industry", "rate": "tariff"},
)
_ELASTICITIES = Table(
    "elasticities",
    ("sector",),
    {
        "sigma": Rule("an elasticity of substitution exceeds 1", "correct it", low=1, low_open=True),
        "mu": Rule("a markup is at least 0", "correct it", low=0),
    },
    header={"sector": "industry"},
)


def read(folder: Path, market: str) -> Imported:
    """Read elasticities.csv and, by market structure, restricted_entry.parquet or free_entry.parquet.

    theta = sigma - 1. With free entry the scale elasticity is psi = mu; with restricted entry psi = 0 and markups mu,
    given back to consumers, are a baseline subsidy of -mu on output. Values are spending, tariffs included.

    Args:
        folder: where the files are.
        market: `restricted` or `free`.

    Raises:
        BundleError: holds every fault found.
    """
    faults = Faults()
    flows = read_table(folder / f"{market}_entry.parquet", _FLOWS, faults)
    elasticities = read_table(folder / "elasticities.csv", _ELASTICITIES, faults)
    if flows is None or elasticities is None or faults:
        raise BundleError(folder, faults.listed())
    theta, mu = elasticities.numbers["sigma"] - 1, elasticities.numbers["mu"]
    none = np.zeros_like(mu)
    psi, markup = (mu, none) if market == "free" else (none, mu)
    world = no_inputs_world(folder, flows, elasticities, theta, psi, markup, faults, before_tariff=False)
    source = "Lashkaripour and Lugovskyy (2023), American Economic Review 113(10), replication files"
    calibration = calibration_of(world, Meta(f"ll2023_{market}", "2014", "million USD", source))
    what = (
        "Free entry: the scale elasticity is the markup mu."
        if market == "free"
        else "Restricted entry: markups mu are a subsidy of -mu on output, given back to consumers."
    )
    return Imported(calibration, {}, (what,))
