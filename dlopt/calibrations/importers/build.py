"""From accounts of any source to a calibration: economies, adjustments, tariffs, elasticities, and what it all took."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlopt.calibrations.accounts import Accounts, AccountsError, Array, adjusted, check_balance, shares, totals
from dlopt.calibrations.bundle import calibration_of
from dlopt.calibrations.elasticities import DEFAULT_THETA, with_elasticities
from dlopt.calibrations.importing import Imported
from dlopt.calibrations.isic import is_good, names_of
from dlopt.calibrations.meta import Meta
from dlopt.calibrations.tariffs import merged, read_tariffs
from dlopt.calibrations.world import World

DEFAULT_SET = "fontagne2022"


@dataclasses.dataclass(frozen=True)
class Choices:
    """What a user may choose when accounts become a calibration.

    Attributes:
        tariffs: a file of tariffs; None for none.
        tariff_year, tariff_column: which of them; see `tariffs.read_tariffs`.
        elasticities: set of trade elasticities; scale_elasticities: set of those, or `none`.
        default_theta: where the set has no source.
        inventories, own_trade: see `accounts.adjusted`; taxes: see `accounts.shares`.
        tolerance: how much of world output rows and columns may differ from stated output.
    """

    tariffs: str | Path | None = None
    tariff_year: str | None = None
    tariff_column: str | None = None
    elasticities: str = DEFAULT_SET
    scale_elasticities: str = "none"
    default_theta: float = DEFAULT_THETA
    inventories: str = "leontief"
    own_trade: str = "keep"
    taxes: str = "value_added"
    tolerance: float = 0.02


@dataclasses.dataclass(frozen=True)
class Detail:
    """Trade by economy of the source, to weigh tariffs by.

    Attributes:
        codes: ISO codes; trade: `[origin, destination, sector]`, sectors as in the accounts.
        member: position of the economy of the accounts that each belongs to.
    """

    codes: tuple[str, ...]
    trade: Array
    member: Sequence[int]


def build(
    accounts: Accounts,
    detail: Detail,
    isic: Mapping[str, tuple[int, ...]],
    meta: Meta,
    choices: Choices,
    notes: Sequence[str] = (),
) -> Imported:
    """The calibration that accounts imply.

    Args:
        accounts: as the source has them, economies grouped; overwritten.
        detail: trade by economy of the source.
        isic: divisions by sector.
        meta: name, year, unit and source.
        choices: what the user chose.
        notes: what was done before, kept in front.

    Raises:
        DloptError: accounts, tariffs or elasticities that cannot be used; the message says why.
    """
    before = {
        "intermediate use": float(accounts.use.sum()),
        "final use": float(accounts.final.sum()),
        "inventories": float(accounts.inventories.sum()),
        "taxes on inputs": float(accounts.taxes.sum()),
        "value added": float(accounts.value_added.sum()),
    }
    lines = [*notes, f"Totals in the source, {meta.unit}: {totals(before)}."]
    try:
        lines += check_balance(accounts, choices.tolerance)
    except AccountsError as error:
        raise AccountsError(f"{meta.source}: {error}") from None
    flows, done = adjusted(accounts, choices.inventories, choices.own_trade)
    lines += done
    isic = {sector: isic.get(sector, ()) for sector in flows.sectors}
    n = len(flows.economies)
    tariff = np.zeros((n, n, len(flows.sectors)))
    if choices.tariffs is not None:
        rates = read_tariffs(
            Path(choices.tariffs), detail.codes, isic, choices.tariff_year or meta.year, choices.tariff_column
        )
        kept = [accounts.sectors.index(sector) for sector in flows.sectors]
        tariff, inside = merged(rates.rate, detail.trade[:, :, kept], np.array(detail.member), n)
        lines += rates.notes
        if inside > 0:
            lines.append(f"Tariffs inside economies that were put together drop out: {inside:,.6g} of revenue.")
    else:
        lines.append("Tariffs: none given, zero everywhere (--tariffs FILE adds them).")
    tables, done = shares(flows, tariff, choices.taxes)
    lines += done
    taxes = (
        "income of the economy" if choices.taxes == "value_added" else "left out (value added and inputs share output)"
    )
    lines.append(f"Taxes less subsidies on products (--taxes {choices.taxes}): {taxes}.")
    j = len(flows.sectors)
    world = World(
        flows.economies, flows.sectors, names_of(isic), {name: "accounts" for name in ("trade", "final_share")},
        tariff=tariff, export_tax=np.zeros_like(tariff), subsidy=np.zeros((n, j)), theta=np.full(j, DEFAULT_THETA),
        psi=np.zeros(j), tradable=np.array([float(is_good(isic[s])) if isic[s] else 1.0 for s in flows.sectors]),
        **tables,
    )  # fmt: skip
    calibration, done = with_elasticities(
        calibration_of(world, meta),
        isic if all(isic.values()) else {},
        choices.elasticities,
        choices.scale_elasticities,
        choices.default_theta,
    )
    lines += done
    trade = calibration.trade
    after = {
        "spending": float(trade.sum()),
        "tariff revenue": float((trade * calibration.tariff / (1 + calibration.tariff)).sum()),
        "value added and taxes": float((tables["value_added_share"] * flows.output).sum()),
        "across borders": float(trade.sum() - trade.diagonal().sum()),
    }
    lines.append(f"Totals in the calibration, {meta.unit}: {totals(after)}.")
    return Imported(calibration, {}, tuple(lines), isic if all(isic.values()) else {})
