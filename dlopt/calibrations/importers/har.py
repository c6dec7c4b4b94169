"""Import a GTAP data base: basedata.har with its purchases and trade, default.prm with its elasticities.

Values are taken at the importer's border: imports before tariffs are VCIF, transport margins and export taxes in them
counting as the exporter's receipts; the tariff is VMSB / VCIF - 1; home sales are VDFB + VDPB + VDGB + VDIB. Industries
buy VDFB + VMFB; value added is what sales leave. theta is ESBM - 1, the elasticity among imports by origin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlopt.calibrations.accounts import BETA_FLOOR, Array, Flows, shares, totals
from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.har_file import HarError, Header, read_har
from dlopt.calibrations.importers.trade_only import divisions_of
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import is_good
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.world import World

_FIRMS = ("VDFB", "VMFB")
_OTHERS = ("VDPB", "VDGB", "VDIB")
_TRADE = ("VMSB", "VCIF")


def read(
    source: Path, parameters: str | None = None, year: str | None = None, isic: str | None = None,
    default_theta: float = 5.0,
) -> Imported:  # fmt: skip
    """The calibration of a GTAP data base.

    Args:
        source: basedata.har, or the folder that holds it.
        parameters: default.prm; beside `source` by default, where it is there.
        year: of the data base.
        isic: a CSV file (sector,division) with the divisions of the commodities.
        default_theta: without parameters.

    Raises:
        HarError: a damaged file, or one without these headers.
    """
    path = source / "basedata.har" if source.is_dir() else source
    data = read_har(path)
    missing = [name for name in (*_FIRMS, *_OTHERS, *_TRADE) if name not in data]
    if missing:
        raise HarError(path.name, f"the headers {', '.join(missing)} are missing, there are {', '.join(data)[:200]}")
    goods, regions = _labels(data["VCIF"], path.name)
    n, j = len(regions), len(goods)
    imports, duty_paid = (_shaped(data[name], (j, n, n), path.name) for name in ("VCIF", "VMSB"))
    bought = [_shaped(data[name], (j, j, n), path.name) for name in _FIRMS]
    home = bought[0].sum(axis=1) + sum(_shaped(data[name], (j, n), path.name) for name in _OTHERS)
    trade = imports.transpose(1, 2, 0).copy()
    inside = float(trade[np.arange(n), np.arange(n)].sum())
    paid = duty_paid.transpose(1, 2, 0)
    tariff = np.divide(paid, trade, out=np.ones_like(paid), where=trade > 0) - 1
    tariff[np.arange(n), np.arange(n)] = 0.0
    trade[np.arange(n), np.arange(n)] += home.T
    lines = [
        f"Totals in the source, million USD: {totals({name: float(data[name].values.sum()) for name in _TRADE})}, home "
        f"sales {home.sum():,.8g}.",
        "Transport margins and export taxes are part of what exporters receive; no export taxes remain.",
    ]
    if inside > 0:
        lines.append(f"Trade inside regions, {inside:,.6g}, is home sales; its tariffs drop out.")
    if (tariff <= -1).any():
        raise HarError(
            path.name, f"{int((tariff <= -1).sum())} tariffs (VMSB / VCIF - 1) are -1 or less", "header VMSB"
        )
    purchases = (bought[0] + bought[1]).transpose(2, 0, 1)
    output = trade.sum(axis=1)
    after = (trade * (1 + tariff)).sum(axis=0)
    before = trade.sum(axis=0)
    # The source has purchases with tariffs; the accounts add them again.
    inputs = purchases * np.divide(before, after, out=np.ones_like(before), where=after > 0)[:, :, None]
    limit = (1 - BETA_FLOOR) * output
    over = purchases.sum(axis=1) > limit
    if over.any():
        lines.append(
            f"Industries whose inputs exceed {100 * (1 - BETA_FLOOR):.0f} % of output: {int(over.sum())}, scaled."
        )
    flows = Flows(regions, goods, trade, inputs, output, np.zeros((n, j)), output - purchases.sum(axis=1))
    tables, said = shares(flows, tariff)
    theta, told = _theta(source, parameters, goods, default_theta)
    known = divisions_of(isic, goods)
    tradable = np.array([float(is_good(known[good])) if known else 1.0 for good in goods])
    world = World(
        regions, goods, goods, {"trade": path.name, "final_share": path.name}, tariff=tariff,
        export_tax=np.zeros_like(tariff), subsidy=np.zeros((n, j)), theta=theta, psi=np.zeros(j), tradable=tradable,
        **tables,
    )  # fmt: skip
    calibration = calibration_of(world, Meta("gtap", year or "not stated", "million USD", f"GTAP, {path.name}"))
    after_all = {"spending": float(calibration.trade.sum()), "tariff revenue": float((trade * tariff).sum())}
    lines += [*said, *told, f"Totals in the calibration, million USD: {totals(after_all)}."]
    return Imported(calibration, {}, tuple(lines), known)


def _labels(header: Header, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Commodities and regions of VCIF, `[commodity, exporter, importer]`."""
    if len(header.sets) != 3 or not {header.sets[0], header.sets[1]} <= set(header.elements):
        raise HarError(file, "VCIF must have the sets of commodities, exporters and importers", "header VCIF")
    return header.elements[header.sets[0]], header.elements[header.sets[1]]


def _shaped(header: Header, shape: tuple[int, ...], file: str) -> Array:
    values = np.asarray(header.values, dtype=float)
    if values.shape != shape:
        raise HarError(file, f"the array has shape {values.shape}, {shape} is needed", f"header {header.name}")
    if not np.isfinite(values).all():
        raise HarError(file, "numbers that are not finite", f"header {header.name}")
    return np.maximum(values, 0)


def _theta(source: Path, parameters: str | None, goods: tuple[str, ...], default: float) -> tuple[Array, list[str]]:
    path = Path(parameters) if parameters else (source if source.is_dir() else source.parent) / "default.prm"
    if parameters is None and not path.is_file():
        return np.full(len(goods), default), [f"Trade elasticities: no default.prm, theta is {default:g} everywhere."]
    data = read_har(path)
    if "ESBM" not in data:
        raise HarError(path.name, f"the header ESBM is missing, there are {', '.join(data)[:200]}")
    values = np.asarray(data["ESBM"].values, dtype=float)
    if values.ndim == 2:  # by commodity and region: the mean over regions
        values = values.mean(axis=1)
    if values.shape != (len(goods),) or not (values > 1).all():
        raise HarError(path.name, "ESBM must be above 1 for every commodity", "header ESBM")
    return values - 1, [f"Trade elasticities: ESBM - 1 of {path.name}."]
