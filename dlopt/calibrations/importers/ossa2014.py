"""Import the world of Ossa (2014), "Trade wars and trade talks with data": 7 regions, 33 industries, no inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.schema import TABLES, TAX, BundleError, Faults, Rule, Table
from dlopt.calibrations.tables import Array, RawTable, read_table
from dlopt.calibrations.world import World, assemble, check_markets

_FLOWS = Table(
    "trade_tariffs",
    ("origin", "destination", "sector"),
    {"value": TABLES["trade"].numbers["value"], "rate": TAX},
    header={
        "origin": "exporter", "destination": "importer", "sector": "industry",
        "value": "trade_before_tariff", "rate": "tariff",
    },
)  # fmt: skip
_SIGMA = Table(
    "sigma",
    ("sector",),
    {"sigma": Rule("an elasticity of substitution exceeds 1", "correct it", low=1, low_open=True)},
    header={"sector": "industry"},
)


def read(folder: Path) -> Imported:
    """Read trade_tariffs.csv and sigma.csv.

    Spending is trade times one plus the tariff; there are no intermediate inputs and no scale economies;
    theta = sigma - 1. Markups are constant and given back to consumers, which is a baseline subsidy of
    -1/(sigma - 1) on all output: a tax that raises prices by the markup.

    Raises:
        BundleError: holds every fault found.
    """
    faults = Faults()
    flows = read_table(folder / "trade_tariffs.csv", _FLOWS, faults)
    sigma = read_table(folder / "sigma.csv", _SIGMA, faults)
    if flows is None or sigma is None or faults:
        raise BundleError(folder, faults.listed())
    theta = sigma.numbers["sigma"] - 1
    world = no_inputs_world(folder, flows, sigma, theta, np.zeros_like(theta), 1 / theta, faults, before_tariff=True)
    source = "Ossa (2014), American Economic Review 104(12), replication files"
    calibration = calibration_of(world, Meta("ossa2014", "2007", "million USD", source))
    adjustments = (
        "Spending is trade before tariffs times one plus the tariff.",
        "Constant markups are a subsidy of -1/(sigma - 1) on output, given back to consumers.",
    )
    return Imported(calibration, {}, adjustments)


def no_inputs_world(
    folder: Path,
    flows: RawTable,
    elasticities: RawTable,
    theta: Array,
    psi: Array,
    markup: Array,
    faults: Faults,
    *,
    before_tariff: bool,
) -> World:
    """A world without intermediate inputs whose markups are taxes on output.

    Args:
        folder: for the message.
        flows: origin, destination, sector; `value` and `rate`.
        elasticities: one record a sector.
        theta, psi: `[sector]`, in the order of `elasticities`.
        markup: of prices over costs, `[sector]`; 0 where there is none.
        faults: faults are noted here.
        before_tariff: whether `value` is before the tariff.

    Raises:
        BundleError: the tables do not fit together.
    """
    rate, value = flows.numbers["rate"], flows.numbers["value"]
    sectors = elasticities.texts["sector"]
    countries = list(dict.fromkeys(flows.texts["origin"]))
    pairs = [(country, sector) for country in countries for sector in sectors]
    places = {"country": [c for c, _ in pairs], "sector": [s for _, s in pairs]}
    rows = [1] * len(pairs)
    raw: dict[str, RawTable | None] = {
        "elasticity": RawTable(
            elasticities.file,
            elasticities.rows,
            {"sector": sectors, "name": sectors},
            {"theta": theta, "psi": psi, "tradable": np.ones_like(theta)},
        ),
        "trade": RawTable(
            flows.file, flows.rows, flows.texts, {"value": value * (1 + rate) if before_tariff else value}
        ),
        "tariff": RawTable(flows.file, flows.rows, flows.texts, {"rate": rate}),
        "value_added_share": RawTable("value_added_share", rows, places, {"share": np.ones(len(pairs))}),
        "subsidy": RawTable(
            "subsidy",
            rows,
            {"origin": places["country"], "sector": places["sector"]},
            {"rate": -np.tile(markup, len(countries))},
        ),
        "input_share": None,
    }
    world = assemble(raw, faults)
    if world is not None:
        check_markets(world, faults)
    if world is None or faults:
        raise BundleError(folder, faults.listed())
    return world
