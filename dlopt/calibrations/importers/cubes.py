"""Import cubes: arrays of trade and tariffs by origin, destination and sector, with names, from NumPy or MATLAB.

Arrays are found by name, at the top of the file or inside a structure (`cube_layout.ROLES`):

    trade      trade, X, Xjik_3D, flows, ...    spending by default, tariffs included
    tariff     tariff, tariffs, t, tjik_3D ...  fractions, per cent or factors; absent: none
    economies  economies, countries, iso, ...
    sectors    sectors, industries, ...
    theta      theta, epsilon, epsilon_S; or sigma, sigma_S, sigma_k3D: then theta is sigma - 1
    psi        psi, mu

Several sets of elasticities may be kept under `sigma`: one structure for each, holding `sigma_S`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlopt.calibrations.accounts import Array
from dlopt.calibrations.importers import cube_layout as layout
from dlopt.calibrations.importers.cube_files import CubesError, content_of
from dlopt.calibrations.importers.trade_only import trade_world
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import SECTIONS, of_label, of_labels

PARTS = {"CN1": "CHN", "CN2": "CHN", "MX1": "MEX", "MX2": "MEX"}
"""Parts of economies in the extended tables of the OECD."""
_SERVICES = (SECTIONS["D"][0], SECTIONS["T"][1])


def read(
    source: Path,
    axes: str = "auto",
    basis: str = "tariff_inclusive",
    rates: str = "auto",
    variables: str | None = None,
    set: str | None = None,
    missing: str = "refuse",
    negative: str = "refuse",
    tradable: str = "auto",
    isic: str | None = None,
    inputs: str | None = None,
    year: str | None = None,
    unit: str = "not stated",
    economies: str | None = None,
    own_trade: str = "keep",
    default_theta: float = 5.0,
) -> Imported:
    """Read one file of cubes.

    Args:
        source: a .npz or .mat file.
        axes: order of the axes of the cubes: o, d, s for origin, destination, sector; `auto`: the axis of another
            length is that of sectors, the exporter comes before the importer, and tariffs must look like it.
        basis: `tariff_inclusive`, or `tariff_exclusive` for flows before tariffs.
        rates: whether tariffs are `fraction`, `percent` or `factor` (1 + tariff); `auto`: as their size says.
        variables: which variable is what where names do not say so, such as `trade=A,tariff=B`.
        set: which of several sets of elasticities in the file.
        missing, negative: `refuse`, or `zero`: what becomes of cells that are no number, and of flows below zero.
        tradable: where policies may be chosen: `goods`, `all`; `auto` is goods where every label is one of ISIC.
        isic: a CSV file (sector,division) with the ISIC Rev. 4 divisions of the sectors.
        inputs: name of a calibration whose input shares are taken, matched by ISIC divisions; none by default.
        year, unit: provenance.
        economies: codes, groups and files of groups; the rest becomes ROW.
        own_trade: `keep`, or `floor`.
        default_theta: where the file has no elasticities.

    Raises:
        CubesError: no cubes, or cubes that do not fit together.
    """
    file = source.name
    if axes not in layout.AXES:
        raise CubesError(file, f"axes {axes!r} are not an order of o, d and s", "give ods, dos or sod, say")
    given = layout.asked(variables, file)
    content = layout.opened(content_of(source), given)
    raw_trade, raw_tariff, said = layout.trade_and_tariff(content, given, file)
    trade = layout.turned(layout.numbers(raw_trade, "trade", file), "trade", axes, file)
    n, j = trade.shape[0], trade.shape[2]
    tariff = None
    if raw_tariff is not None:
        tariff = layout.turned(layout.numbers(raw_tariff, "tariffs", file), "tariffs", axes, file)
        if tariff.shape != trade.shape:
            rule = f"tariffs have shape {tariff.shape}, trade {trade.shape}"
            raise CubesError(file, rule, "give one for each flow")
    codes, noted = layout.labels_of(content, "economies", given, n, file)
    names, more = layout.labels_of(content, "sectors", given, j, file, codes or ())
    said += [*noted, *more]
    labels = codes or [f"C{k + 1}" for k in range(n)]
    sectors = names or [str(k + 1) for k in range(j)]
    said.append(f"Axes: {n} origins, {n} destinations, {j} sectors{'' if axes == 'auto' else f', as {axes}'}.")
    if codes is None:
        said.append(f"The file names no economies: they are C1 to C{n}.")
    trade, noted = layout.filled(trade, "trade", (labels, sectors), missing, file)
    said += noted
    if tariff is not None:
        tariff, noted = layout.filled(tariff, "tariff", (labels, sectors), missing, file)
        tariff, more = layout.as_fractions(tariff, rates, file)
        said += [*noted, *more]
        if axes == "auto":
            layout.check_setters(tariff, file)
    trade, noted = _cleaned(trade, labels, sectors, negative, file)
    said += noted
    theta, noted = _theta(content, j, set, given, file)
    psi = layout.vector(layout.value_of(content, "psi", given, file), j, "psi", file)
    said += noted
    groups, tariff, noted = _joined(labels, tariff)
    sold = trade.sum(axis=(0, 1)) > 0
    if not sold.all():
        gone = [s for s, kept in zip(sectors, sold, strict=True) if not kept]
        noted.append(f"Sectors that nobody sells are left out: {', '.join(gone)}.")
        trade, sectors = trade[:, :, sold], [s for s, kept in zip(sectors, sold, strict=True) if kept]
        tariff, theta, psi = (None if v is None else v[..., sold] for v in (tariff, theta, psi))
    known = _divisions(sectors) if isic is None else None
    goods = tradable == "goods" or (tradable == "auto" and (isic is not None or bool(of_labels(sectors))))
    return trade_world(
        source, trade, tariff, groups, sectors, theta, psi, basis=basis, isic=isic if known is None else known,
        inputs=inputs, year=year or _year(content, given, source), unit=unit, economies=economies, own_trade=own_trade,
        default_theta=default_theta, notes=[*said, *noted], tradable="goods" if goods else "all",
    )  # fmt: skip


def _year(content: Mapping[str, Any], given: Mapping[str, str], source: Path) -> str:
    value = layout.value_of(content, "year", given, source.name)
    if value is not None and np.asarray(value).size == 1 and np.asarray(value).dtype.kind in "fiu":
        return f"{float(np.asarray(value).reshape(-1)[0]):g}"
    found = re.findall(r"(?:19|20)\d\d", source.name)
    return found[-1] if found else "not stated"


def _cleaned(trade: Array, labels: list[str], sectors: list[str], negative: str, file: str) -> tuple[Array, list[str]]:
    """Flows below zero are refused, or zero where that is asked for."""
    below = trade < 0
    if not below.any():
        return trade, []
    i, n, k = (int(x) for x in np.argwhere(below)[0])
    place = f"{labels[i]} to {labels[n]}, sector {sectors[k]}: {trade[i, n, k]:g}"
    if negative != "zero":
        rule = f"a flow is at least 0, and {int(below.sum())} are not, such as {place}"
        raise CubesError(file, rule, "correct them, or count them as zero with --negative zero")
    total = float(-trade[below].sum())
    return np.maximum(trade, 0), [f"Flows below zero: {int(below.sum())} cells, {total:,.6g} in all, set to zero."]


def _joined(codes: list[str], tariff: Array | None) -> tuple[list[str], Array | None, list[str]]:
    """The codes with parts of economies under their whole, and tariffs of a whole for parts that have none."""
    parts = [code for code in codes if code in PARTS]
    if not parts:
        return codes, tariff, []
    if tariff is not None:
        tariff = tariff.copy()
        for code in parts:
            part, whole = codes.index(code), codes.index(PARTS[code]) if PARTS[code] in codes else None
            if whole is None:
                continue
            if not tariff[part].any():
                tariff[part] = tariff[whole]
            if not tariff[:, part].any():
                tariff[:, part] = tariff[:, whole]
        for a in range(len(codes)):
            for b in range(len(codes)):
                if PARTS.get(codes[a], codes[a]) == PARTS.get(codes[b], codes[b]):
                    tariff[a, b] = 0.0
    said = f"Parts of one economy are joined: {', '.join(f'{code} in {PARTS[code]}' for code in parts)}."
    return [PARTS.get(code, code) for code in codes], tariff, [said]


def _divisions(sectors: list[str]) -> dict[str, tuple[int, ...]]:
    """ISIC divisions by label, a sector called services being all of them; empty where one is not known."""
    found = of_labels(sectors)
    if found or all(label.isdigit() for label in sectors):
        return found
    first, last = _SERVICES
    services = tuple(d for low, high in SECTIONS.values() for d in range(low, high + 1) if first <= d <= last)
    found = {s: services if re.match(r"services?\b", s, re.IGNORECASE) else of_label(s) for s in sectors}
    return found if all(found.values()) and sum(v == services for v in found.values()) <= 1 else {}


def _theta(
    content: Mapping[str, Any], j: int, chosen: str | None, given: Mapping[str, str], file: str
) -> tuple[Array | None, list[str]]:
    sigma, epsilon = (layout.value_of(content, role, given, file) for role in ("sigma", "theta"))
    kept = next((value for value in (sigma, epsilon) if isinstance(value, Mapping)), None)
    sets = {} if kept is None else {name: value for name, value in kept.items() if not name.startswith("_")}
    if sets:
        if chosen is None and len(sets) > 1:
            rule = (
                f"Warning: the file has the sets of elasticities {', '.join(sets)}: choose one with --set. Without it"
            )
            return None, [f"{rule}, all sectors have that of --default-theta."]
        name = chosen or next(iter(sets))
        if name not in sets:
            raise CubesError(file, f"there is no set of elasticities {name!r}", f"it has {', '.join(sets)}")
        inner = sets[name] if isinstance(sets[name], Mapping) else {"sigma" if kept is sigma else "theta": sets[name]}
        sigma, epsilon = (layout.value_of(inner, role, {}, file) for role in ("sigma", "theta"))
        if sigma is None and epsilon is None:
            raise CubesError(file, f"the set {name!r} holds neither sigma nor theta", f"it has {layout.listed(inner)}")
        chosen = name
    elif chosen is not None:
        raise CubesError(file, "the file has no several sets of elasticities", "leave out --set")
    suffix = f", set {chosen}" if chosen else ""
    theta = layout.vector(sigma, j, "sigma", file)
    if theta is not None:
        return theta - 1, [f"Trade elasticities are sigma - 1 of the file{suffix}."]
    theta = layout.vector(epsilon, j, "theta", file)
    return theta, [] if theta is None else [f"Trade elasticities are those of the file{suffix}."]
