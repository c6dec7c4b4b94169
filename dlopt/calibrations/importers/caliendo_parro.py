"""Import the world of 1993 of Caliendo and Parro (2015): 31 economies, 40 sectors, and the tariffs of 2005."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.importers.cp_originals import Tables, originals_in, read_originals
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.schema import SHARE, TABLES, BundleError, Faults, Rule, Table
from dlopt.calibrations.tables import Array, RawTable, cell_index, read_table
from dlopt.calibrations.world import World, assemble, check_markets, intermediate_use
from dlopt.trade.policy import Policy

NAFTA = ("MEX", "CAN", "USA")
_ROUNDING = 1e-3

_PERCENT = Rule("a tariff is in per cent, above -100", "give 5 for 5 %", low=-100, low_open=True)
_FLOWS = Table(
    "trade_tariffs",
    ("origin", "destination", "sector"),
    {
        "imports_1993_kusd": TABLES["trade"].numbers["value"],
        "tariff_1993_pct": _PERCENT,
        "tariff_2005_pct": _PERCENT,
    },
    header={"origin": "exporter", "destination": "importer"},
)
_PRODUCTION = Table(
    "production",
    ("country", "sector"),
    {
        "gross_output_1993_usd": Rule("output is a number >= 0", "correct it", low=0),
        "share": TABLES["value_added_share"].numbers["share"],
    },
    header={"share": "va_share"},
)
_INPUTS = Table(
    "io_shares",
    ("country", "input_sector", "output_sector"),
    {"share": Rule("an input share is at least -0.01", "correct it", low=-0.01, high=SHARE.high)},
)
_SECTORS = Table(
    "sectors", ("sector",), {"theta": TABLES["elasticity"].numbers["theta"]}, texts=("name", "type"), complete=True
)


def import_caliendo_parro(folder: str | Path) -> Imported:
    """Read the authors' own text files, or the same numbers as tables.

    A folder with `xbilat1993.txt` and its companions (`cp_originals`), or a copy of the repository that has them, is
    read as it is; otherwise the folder holds trade_tariffs.parquet, production.csv, io_shares.parquet and sectors.csv.

    Imports are before tariffs, thousand USD; home sales are output minus exports, output being raised to exports
    where it falls short; spending includes the tariffs of 1993. Slightly negative input shares are set to zero, and
    columns that sum to 1 within 0.001 are renormalised. Final shares are what market clearing leaves, negative ones
    set to zero, renormalised. Trade deficits are those of the flows. psi is zero; sectors of type `goods` are
    tradable.

    Returns:
        The calibration, unbalanced, in USD; and the policies `nafta2005` (tariffs of 2005 among Mexico, Canada and
        the United States, all others as in 1993) and `world2005` (all tariffs of 2005).

    Raises:
        BundleError: holds every fault found.
    """
    folder, faults = Path(folder), Faults()
    place = originals_in(folder)
    tables = _tables(folder, faults) if place is None else read_originals(place, faults)
    if faults or tables is None:
        raise BundleError(place or folder, faults.listed())
    flows, production, inputs, sectors = tables
    world = _world(flows, production, inputs, sectors, faults)
    if world is None:
        raise BundleError(folder, faults.listed())
    later = _tariffs_2005(flows, world, faults)
    _close(world)
    check_markets(world, faults)
    if faults:
        raise BundleError(folder, faults.listed())
    source = "Caliendo and Parro (2015), Review of Economic Studies 82(1), authors' data and code"
    calibration = calibration_of(world, Meta("cp2015", "1993", "USD", source))
    rest = (calibration.export_tax, calibration.subsidy)
    nafta = torch.tensor([label in NAFTA for label in world.economies])
    both = (nafta[:, None] & nafta[None, :])[:, :, None]
    among = torch.where(both, later, calibration.tariff)
    return Imported(calibration, {"nafta2005": Policy(among, *rest), "world2005": Policy(later, *rest)})


def _tables(folder: Path, faults: Faults) -> Tables | None:
    """The four tables of a folder."""
    flows = read_table(folder / "trade_tariffs.parquet", _FLOWS, faults)
    production = read_table(folder / "production.csv", _PRODUCTION, faults)
    inputs = read_table(folder / "io_shares.parquet", _INPUTS, faults)
    sectors = read_table(folder / "sectors.csv", _SECTORS, faults)
    if flows is None or production is None or inputs is None or sectors is None:
        return None
    return flows, production, inputs, sectors


def _world(flows: RawTable, production: RawTable, inputs: RawTable, sectors: RawTable, faults: Faults) -> World | None:
    """The tables as a world, home sales and final shares still missing."""
    goods = np.array([kind == "goods" for kind in sectors.texts["type"]], dtype=float)
    elasticity = RawTable(
        sectors.file,
        sectors.rows,
        {column: sectors.texts[column] for column in ("sector", "name")},
        {"theta": sectors.numbers["theta"], "psi": np.zeros(len(sectors)), "tradable": goods},
    )
    rate = flows.numbers["tariff_1993_pct"] / 100
    imports = flows.numbers["imports_1993_kusd"] * 1000
    raw: dict[str, RawTable | None] = {
        "elasticity": elasticity,
        "value_added_share": _with(production, share=production.numbers["share"]),
        "trade": _with(flows, value=imports * (1 + rate)),
        "tariff": _with(flows, rate=rate),
        "input_share": _with(inputs, share=_renormalised(inputs)),
    }
    world = assemble(raw, faults)
    if world is None:
        return None
    axes = {"economy": world.economies, "sector": world.sectors}
    places, _ = cell_index(production, _PRODUCTION.keys, axes, faults)
    output = np.zeros(world.value_added_share.shape)
    output[tuple(places)] = production.numbers["gross_output_1993_usd"]
    exports = (world.trade / (1 + world.tariff)).sum(axis=1)
    home = np.arange(len(world.economies))
    world.trade[home, home] += np.maximum(output - exports, 0.0)
    return world


def _close(world: World) -> None:
    """Final shares from market clearing, negative ones set to zero."""
    final = np.maximum(world.trade.sum(axis=0) - intermediate_use(world), 0.0)
    world.final_share = final / final.sum(axis=1, keepdims=True)
    world.files["final_share"] = world.files["trade"]


def _renormalised(inputs: RawTable) -> Array:
    """Input shares without the slightly negative ones, columns rescaled where they sum to 1 within the rounding."""
    share = np.maximum(inputs.numbers["share"], 0.0)
    columns: dict[tuple[str, str], int] = {}
    pairs = zip(inputs.texts["country"], inputs.texts["output_sector"], strict=True)
    column = np.array([columns.setdefault(pair, len(columns)) for pair in pairs])
    total = np.bincount(column, weights=share)[column]
    return np.where(np.abs(total - 1) <= _ROUNDING, share / np.where(total > 0, total, 1.0), share)


def _tariffs_2005(flows: RawTable, world: World, faults: Faults) -> torch.Tensor:
    axes = {"economy": world.economies, "sector": world.sectors}
    places, _ = cell_index(flows, _FLOWS.keys, axes, faults)
    tariff = np.zeros(world.tariff.shape)
    tariff[tuple(places)] = flows.numbers["tariff_2005_pct"] / 100
    return torch.from_numpy(tariff)


def _with(raw: RawTable, **numbers: Array) -> RawTable:
    return RawTable(raw.file, raw.rows, raw.texts, numbers)


read = import_caliendo_parro
"""The importer's name for it."""
