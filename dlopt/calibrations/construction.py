"""Build a world in which trade balances and every market clears, from outlines of what it looks like.

Everything is done at border prices, B = X/(1+t): what crosses (or stays) before the importer's tariff. Balanced trade
is balance of B, for whatever taxes are in force, when each tax is levied on the price it meets.
Flows and input tables come from iterative proportional fitting: the table nearest to a pattern that meets its margins.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from dlopt.store.tables import Array as Array

FIT_TOLERANCE = 1e-14
FIT_SWEEPS = 20_000


@dataclasses.dataclass(frozen=True)
class Outline:
    """What a world looks like before its markets clear.

    Attributes:
        sales: B summed over destinations, `[country, sector]`.
        group: group of each sector (0, 1, ...), `[sector]`; imports and balances are given by group.
        imports: at border prices, `[country, group]`; no more than all others can export.
        net_exports: exports minus imports at border prices, `[country, group]`; rows and columns sum to zero.
        affinity: pattern of flows, `[origin, destination, sector]`, positive.
        tariff, export_tax: `[origin, destination, sector]`, zero at home.
        subsidy: `[country, sector]`.
        value_added_share: `[country, sector]`.
        final_pattern: share of each good's sales that is final use, before scaling, `[sector]` in (0, 1).
        input_pattern: pattern of input use, `[input sector, output sector]`, positive.
    """

    sales: Array
    group: np.ndarray[Any, np.dtype[np.int64]]
    imports: Array
    net_exports: Array
    affinity: Array
    tariff: Array
    export_tax: Array
    subsidy: Array
    value_added_share: Array
    final_pattern: Array
    input_pattern: Array


@dataclasses.dataclass(frozen=True)
class Balanced:
    """A world in equilibrium: `trade` (tariff-inclusive), `input_share`, `final_share`, axes as in `Calibration`."""

    trade: Array
    input_share: Array
    final_share: Array


def balanced_world(outline: Outline) -> Balanced:
    """Flows, input shares and final shares that are an equilibrium at the policies of `outline`.

    Raises:
        ValueError: imports and balances that no positive flows can meet.
    """
    border = border_flows(outline)
    trade = border * (1 + outline.tariff)
    received = 1 / ((1 + outline.export_tax) * (1 - outline.subsidy)[:, None, :])
    revenue = (border * received).sum(axis=1)
    bought = trade.sum(axis=0)
    materials = (1 - outline.value_added_share) * revenue
    input_share = np.stack(
        [
            _input_shares(bought[n], materials[n], outline.final_pattern, outline.input_pattern)
            for n in range(len(bought))
        ]
    )
    final = bought - np.einsum("njs,ns->nj", input_share, materials)
    return Balanced(trade, input_share, final / final.sum(axis=1, keepdims=True))


def border_flows(outline: Outline) -> Array:
    """B, `[origin, destination, sector]`: sales, imports and balances as in `outline`, pattern near its affinity.

    Raises:
        ValueError: no positive flows meet the margins.
    """
    members = _members(outline)
    imports, sales = outline.imports, outline.sales
    exports = imports + outline.net_exports
    kept = sales @ members - exports
    if (kept <= 0).any() or (exports < 0).any() or (imports < 0).any():
        raise ValueError("No positive flows meet these imports and balances.")
    return _fit(outline.affinity * sales[:, None, :], sales, kept, imports, members)


def with_home_shares(outline: Outline, home_share: Array) -> Outline:
    """`outline` with the imports that leave each economy `home_share` of its spending, tariffs included.

    Args:
        outline: its imports are replaced.
        home_share: `[country, group]`.
    """
    members = _members(outline)
    spent = outline.sales @ members - outline.net_exports
    duty = np.zeros_like(home_share)
    for _ in range(50):
        imports = (1 - home_share) * spent / (1 - home_share + home_share * (1 + duty))
        outline = dataclasses.replace(outline, imports=imports)
        paid = (border_flows(outline) * outline.tariff).sum(axis=0) @ members
        previous, duty = duty, paid / imports
        if np.abs(duty - previous).max() < 1e-12:
            break
    return outline


def _members(outline: Outline) -> Array:
    """1 where a sector belongs to a group, `[sector, group]`."""
    return np.eye(outline.imports.shape[1])[outline.group]


def _fit(flows: Array, sales: Array, kept: Array, imports: Array, members: Array) -> Array:
    """Scale `flows` by origin and sector, and by destination and group (home and imports apart), until all agree."""
    home = np.arange(len(sales))
    abroad = ~np.eye(len(sales), dtype=bool)[:, :, None]
    for _ in range(FIT_SWEEPS):
        row = _ratio(sales, flows.sum(axis=1))
        flows = flows * row[:, None, :]
        arriving = (flows * abroad).sum(axis=0) @ members
        staying = flows[home, home] @ members
        scale_in = _ratio(imports, arriving)
        scale_home = _ratio(kept, staying)
        flows = flows * (scale_in @ members.T)[None, :, :]
        flows[home, home] *= (scale_home / scale_in) @ members.T
        if max(np.abs(s - 1).max() for s in (row, scale_in, scale_home)) < FIT_TOLERANCE * len(sales[0]) ** 0.5:
            return flows
    raise ValueError("No positive flows meet these imports and balances.")


def _input_shares(bought: Array, materials: Array, final_pattern: Array, pattern: Array) -> Array:
    """Input shares of one economy, `[input sector, output sector]`, that leave some of every good for final use."""
    total = materials.sum()
    if total == 0:
        return np.zeros_like(pattern)
    inputs = bought * _input_fraction(bought, total, final_pattern)
    table = pattern * inputs[:, None]
    for _ in range(FIT_SWEEPS):
        row = _ratio(inputs, table.sum(axis=1))
        table = table * row[:, None]
        column = _ratio(materials, table.sum(axis=0))
        table = table * column[None, :]
        if np.abs(row - 1).max() < 1e-12:
            break
    return table / np.where(materials > 0, materials, 1.0)


def _input_fraction(bought: Array, total: float, final_pattern: Array) -> Array:
    """Fraction of each good used as input: odds as in `final_pattern`, one factor so that the total is right."""
    odds = (1 - final_pattern) / final_pattern
    low, high = -40.0, 40.0
    for _ in range(200):
        middle = (low + high) / 2
        scaled = np.exp(middle) * odds
        if float((bought * scaled / (1 + scaled)).sum()) < total:
            low = middle
        else:
            high = middle
    scaled = np.exp((low + high) / 2) * odds
    fraction = scaled / (1 + scaled)
    return np.asarray(fraction * (total / float((bought * fraction).sum())))


def _ratio(wanted: Array, actual: Array) -> Array:
    return np.divide(wanted, actual, out=np.ones_like(wanted), where=actual > 0)
