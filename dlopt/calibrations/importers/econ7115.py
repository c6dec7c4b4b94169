"""Import the 7-economy, 44-sector calibration of 2017 in the layout its author published for the course ECON 7115."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from dlopt.calibrations import labels
from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.schema import TABLES, TAX, BundleError, Faults, Table
from dlopt.calibrations.tables import RawTable, cell_index, read_table
from dlopt.calibrations.world import assemble, check_markets
from dlopt.trade.calibration import Calibration
from dlopt.trade.policy import Policy

_FLOW = {"origin": "iso_o", "destination": "iso_d", "sector": "indcode"}
_FILES = {
    "trade": ("TradeFlow2017.csv", {**_FLOW, "value": "tradevalue"}),
    "tariff": ("tariff_prewar2017.csv", {**_FLOW, "rate": "AHS_simple"}),
    "value_added_share": ("vashare.csv", {"country": "iso_o", "sector": "indcode", "share": "vashare"}),
    "input_share": (
        "IOshare.csv",
        {"country": "iso_o", "input_sector": "input_ind", "output_sector": "output_ind", "share": "valueshare"},
    ),
    "final_share": ("finalshare.csv", {"country": "iso_o", "sector": "input_ind", "share": "finalshare"}),
}
_ELASTICITY_FILE = "cal_elasticities.csv"
_PUBLISHED_PSI = {"6": 0.35, "10": 0.35}
"""The paper's Table A.1; the file has 0.39 and 1.22."""

_CHANGES = {"USA": ("tariff_Trump.csv", "trump_tariff_wave5"), "CHN": ("tariff_China.csv", "China_tariff_wave5")}


def import_econ7115(folder: str | Path) -> Imported:
    """Read the folder with TradeFlow2017.csv, tariff_prewar2017.csv, IOshare.csv, vashare.csv, finalshare.csv and
    cal_elasticities.csv; and, where they are, the tariff changes of 2018-19 in tariff_Trump.csv and tariff_China.csv.

    Values are tariff-inclusive, million USD. Sectors 1 to 22 are goods, where policies may be chosen. psi of sectors
    6 and 10 is that of the paper's Table A.1.

    Returns:
        The calibration, and the policies `us_tariffs_2018` (the US tariffs on China) and `us_china_2018` (both).

    Raises:
        BundleError: holds every fault found.
    """
    folder, faults = Path(folder), Faults()
    raw: dict[str, RawTable | None] = {}
    for name, (file, header) in _FILES.items():
        raw[name] = read_table(folder / file, dataclasses.replace(TABLES[name], header=header), faults)
    raw["elasticity"] = _elasticities(folder, faults)
    world = assemble(raw, faults)
    if world is None or faults:
        raise BundleError(folder, faults.listed())
    check_markets(world, faults)
    source = "OECD ICIO 2021 and tariff data for 2017, as published in github.com/WangZi-HKBU/econ7115"
    calibration = calibration_of(world, Meta("icio2017", "2017", "million USD", source))
    policies = _policies(folder, calibration, faults)
    if faults:
        raise BundleError(folder, faults.listed())
    return Imported(calibration, policies)


def _elasticities(folder: Path, faults: Faults) -> RawTable | None:
    rules = {name: TABLES["elasticity"].numbers[name] for name in ("theta", "psi")}
    table = Table("elasticity", ("sector",), rules, header={"sector": "industry", "theta": "\\theta", "psi": "\\psi"})
    raw = read_table(folder / _ELASTICITY_FILE, table, faults)
    if raw is None:
        return None
    sectors = raw.texts["sector"]
    names = dict(zip(labels.SECTORS, labels.SECTOR_NAMES, strict=True))
    goods = labels.SECTORS[: labels.N_GOODS]
    psi = [_PUBLISHED_PSI.get(sector, value) for sector, value in zip(sectors, raw.numbers["psi"], strict=True)]
    numbers = {**raw.numbers, "psi": np.array(psi), "tradable": np.array([float(s in goods) for s in sectors])}
    return RawTable(raw.file, raw.rows, {"sector": sectors, "name": [names.get(s, s) for s in sectors]}, numbers)


def _policies(folder: Path, calibration: Calibration, faults: Faults) -> dict[str, Policy]:
    """Baseline tariffs plus the changes; no policies where the files are not there."""
    if not all((folder / file).exists() for file, _ in _CHANGES.values()):
        return {}
    tariff = calibration.tariff.clone()
    levels = []
    for importer, exporter in (("USA", "CHN"), ("CHN", "USA")):
        file, column = _CHANGES[importer]
        table = Table("change", ("sector",), {"rate": TAX}, header={"sector": "indcode", "rate": column})
        raw = read_table(folder / file, table, faults)
        if raw is None or not {importer, exporter} <= set(calibration.economies):
            continue
        (places,), sound = cell_index(raw, ("sector",), {"sector": calibration.sectors}, faults)
        i, n = calibration.economy_index(exporter), calibration.economy_index(importer)
        tariff[i, n, torch.from_numpy(places[sound])] += torch.from_numpy(raw.numbers["rate"][sound])
        levels.append(tariff.clone())
    if faults or len(levels) < 2:
        return {}
    rest = (calibration.export_tax, calibration.subsidy)
    return {"us_tariffs_2018": Policy(levels[0], *rest), "us_china_2018": Policy(levels[1], *rest)}


read = import_econ7115
"""The importer's name for it."""
