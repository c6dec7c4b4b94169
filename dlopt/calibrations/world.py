"""From sound tables to dense arrays, and the checks that need the whole world at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from dlopt.calibrations.schema import MAX_CELLS, SHARE_TOLERANCE, TABLES, Faults, Table, axis_of
from dlopt.calibrations.tables import Array, RawTable, cell_index

EXACT = 1e-12
"""Shares that sum to 1 within this are left as they are, so that writing and reading is the identity."""


@dataclasses.dataclass
class World:
    """The arrays of a bundle, axes as in `Calibration`; tables that are absent are zero, `final_share` None."""

    economies: tuple[str, ...]
    sectors: tuple[str, ...]
    names: tuple[str, ...]
    files: dict[str, str]
    trade: Array
    tariff: Array
    export_tax: Array
    subsidy: Array
    value_added_share: Array
    input_share: Array
    final_share: Array | None
    theta: Array
    psi: Array
    tradable: Array


def assemble(raw: Mapping[str, RawTable | None], faults: Faults) -> World | None:
    """Put the tables on common axes and check them against each other.

    Args:
        raw: tables by name; None or absent where there is none to use.
        faults: faults are noted here.

    Returns:
        The world, with shares renormalised; None when a table needed is missing or at fault.
    """
    elasticity, beta = raw.get("elasticity"), raw.get("value_added_share")
    if elasticity is None or beta is None:
        return None
    sectors = _distinct(elasticity, "sector")
    economies = _distinct(beta, "country")
    n, j = len(economies), len(sectors)
    if n * j * max(n, j) > MAX_CELLS:
        rule = f"economies x sectors x the larger of the two is at most {MAX_CELLS}"
        faults.add("bundle", rule, "aggregate economies or sectors", value=f"{n} x {j}")
        return None
    before = faults.total
    axes = {"economy": economies, "sector": sectors}
    arrays: dict[str, Array] = {}
    for name, table in TABLES.items():
        if name == "elasticity":
            continue
        found = raw.get(name)
        shape = tuple(len(axes[axis_of(key)]) for key in table.keys)
        arrays[name] = np.zeros(shape) if found is None else _fill(found, table, axes, shape, faults)
    cell_index(elasticity, ("sector",), axes, faults)
    _tradable_is_binary(elasticity, faults)
    names = _names(elasticity, sectors, faults)
    if faults.total > before or any(t.required and raw.get(k) is None for k, t in TABLES.items()):
        return None
    files = {name: found.file for name, found in raw.items() if found is not None}
    numbers = {key: elasticity.numbers[key] for key in ("theta", "psi", "tradable")}
    final = arrays.pop("final_share") if raw.get("final_share") is not None else arrays.pop("final_share") * np.nan
    world = World(
        economies, sectors, names, files,
        final_share=None if raw.get("final_share") is None else final, **arrays, **numbers,
    )  # fmt: skip
    _check_shares(world, faults)
    return world if faults.total == before else None


def producer_revenue(world: World) -> Array:
    """R, what producers receive, subsidies included, `[country, sector]`."""
    wedge = (1 + world.tariff) * (1 + world.export_tax) * (1 - world.subsidy)[:, None, :]
    return np.asarray((world.trade / wedge).sum(axis=1))


def intermediate_use(world: World) -> Array:
    """Spending of producers on each good, `[country, sector]`."""
    materials = (1 - world.value_added_share) * producer_revenue(world)
    return np.einsum("njs,ns->nj", world.input_share, materials)


def check_markets(world: World, faults: Faults) -> None:
    """Everyone trades, and final demand is possible: not negative where implied, nothing used that is not bought."""
    before = faults.total
    _check_active(world, faults)
    if faults.total > before:
        return
    bought = world.trade.sum(axis=0)
    used = intermediate_use(world)
    if world.final_share is not None:
        wanted = (world.final_share > 0) | (used > 0)
        for n, j in np.argwhere(wanted & (bought == 0)):
            faults.add(
                world.files["final_share"],
                "a sector that is consumed or used as input must be bought from somewhere",
                "give trade for it, or set its final and input shares to 0",
                value=f"{world.economies[n]}, sector {world.sectors[j]}",
            )
        return
    final = bought - used
    income = final.sum(axis=1)
    for n in np.flatnonzero(income <= 0):
        rule = "spending must exceed intermediate use"
        remedy = "check trade, value_added_share and input_share"
        faults.add(world.files["trade"], rule, remedy, value=f"{world.economies[n]}: {income[n]:g} is left")
    for n, j in np.argwhere((income > 0)[:, None] & (final < -SHARE_TOLERANCE * income[:, None])):
        faults.add(
            world.files["trade"],
            "the final demand that market clearing implies must not be negative",
            "give final_share, or correct the shares",
            value=f"{world.economies[n]}, sector {world.sectors[j]}: {final[n, j] / income[n]:.3g} of income",
        )


def _distinct(raw: RawTable, column: str) -> tuple[str, ...]:
    return tuple(label for label in dict.fromkeys(raw.texts[column]) if label)


def _names(elasticity: RawTable, sectors: Sequence[str], faults: Faults) -> tuple[str, ...]:
    """Readable names by sector: distinct, since users may call a sector by its name; the label where empty."""
    names: dict[str, str] = {}
    pairs = zip(elasticity.rows, elasticity.texts["sector"], elasticity.texts["name"], strict=True)
    for row, sector, name in pairs:
        called = name or sector
        if called in names.values() or (called != sector and called in sectors):
            faults.add(elasticity.file, "a sector name is used once", "rename the sector", row, "name", called)
        names.setdefault(sector, called)
    return tuple(names.get(sector, sector) for sector in sectors)


def _tradable_is_binary(elasticity: RawTable, faults: Faults) -> None:
    values = elasticity.numbers["tradable"]
    for k in np.flatnonzero((values > 0) & (values < 1)):
        rule = TABLES["elasticity"].numbers["tradable"]
        faults.add(elasticity.file, rule.text, rule.remedy, elasticity.rows[k], "tradable", f"{values[k]:g}")


def _fill(
    raw: RawTable, table: Table, axes: Mapping[str, Sequence[str]], shape: tuple[int, ...], faults: Faults
) -> Array:
    """The dense array of a table with one number column; missing cells are zero, or faults where required."""
    positions, sound = cell_index(raw, table.keys, axes, faults)
    (column,) = table.numbers
    values = raw.numbers[column]
    if table.name in ("tariff", "export_tax"):
        origin, destination = positions[0], positions[1]
        for k in np.flatnonzero((origin == destination) & (origin >= 0) & (values != 0)):
            label = raw.texts["origin"][k]
            rule = f"no {table.name.replace('_', ' ')} is paid at home"
            faults.add(raw.file, rule, "delete this row", raw.rows[k], column, f"{values[k]:g} ({label})")
    array = np.zeros(shape)
    seen = np.zeros(shape, dtype=bool)
    place = tuple(p[sound] for p in positions)
    array[place] = values[sound]
    seen[place] = True
    if table.complete:
        for missing in np.argwhere(~seen):
            cell = ", ".join(axes[axis_of(key)][k] for key, k in zip(table.keys, missing, strict=True))
            faults.add(raw.file, "every cell is required and this one is missing", "add a row for it", value=cell)
    return array


def _check_shares(world: World, faults: Faults) -> None:
    """Columns of shares sum to 1; renormalised in place when they do within the tolerance."""
    total = world.input_share.sum(axis=1)
    needed = world.value_added_share < 1
    wrong = (np.abs(total - 1) > SHARE_TOLERANCE) & (needed | (total != 0))
    for n, s in np.argwhere(wrong):
        faults.add(
            world.files.get("input_share", "input_share"),
            "input shares sum to 1 over input sectors where the value-added share is below 1",
            "correct the shares of this output sector",
            value=f"{world.economies[n]}, output sector {world.sectors[s]}: sum {total[n, s]:.8g}",
        )
    world.input_share = world.input_share / _divisor(total)[:, None, :]
    if world.final_share is None:
        return
    total = world.final_share.sum(axis=1)
    for n in np.flatnonzero(np.abs(total - 1) > SHARE_TOLERANCE):
        value = f"{world.economies[n]}: sum {total[n]:.8g}"
        faults.add(world.files["final_share"], "final shares sum to 1 over sectors", "correct the shares", value=value)
    world.final_share = world.final_share / _divisor(total)[:, None]


def _divisor(total: Array) -> Array:
    return np.where((total == 0) | (np.abs(total - 1) <= EXACT), 1.0, total)


def _check_active(world: World, faults: Faults) -> None:
    file = world.files["trade"]
    for total, labels, rule in (
        (world.trade.sum(axis=(1, 2)), world.economies, "every economy sells something"),
        (world.trade.sum(axis=(0, 2)), world.economies, "every economy buys something"),
        (world.trade.sum(axis=(0, 1)), world.sectors, "every sector is traded or sold at home somewhere"),
    ):
        for k in np.flatnonzero(~np.isfinite(total) | (total <= 0)):
            remedy = "add its flows, home sales included, or leave it out of all tables"
            faults.add(file, rule, remedy, value=f"{labels[k]}: {total[k]:g}")
