"""A calibration at a glance: what `dlopt data show` prints."""

from __future__ import annotations

import dataclasses

from dlopt.calibrations.bundle import calibration_warnings
from dlopt.trade.calibration import Calibration


@dataclasses.dataclass(frozen=True)
class EconomyRow:
    """One economy.

    Attributes:
        label: the economy.
        value_added: in the unit of the calibration.
        trade_balance_pct: exports minus imports at border prices, per cent of value added.
        home_share_pct: share of spending on its own goods and services, per cent.
        mean_tariff_pct: simple mean over exporters and tradable sectors, per cent.
    """

    label: str
    value_added: float
    trade_balance_pct: float
    home_share_pct: float
    mean_tariff_pct: float


@dataclasses.dataclass(frozen=True)
class SectorRow:
    """One sector: `share_pct` of world spending, `cross_border_pct` of its sales that cross a border."""

    label: str
    name: str
    theta: float
    psi: float
    tradable: bool
    share_pct: float
    cross_border_pct: float


@dataclasses.dataclass(frozen=True)
class Summary:
    """Rows by economy and sector, and lines on what to know before use."""

    economies: list[EconomyRow]
    sectors: list[SectorRow]
    checks: list[str]


def summarise(calibration: Calibration) -> Summary:
    """Levels, balances and elasticities of a calibration."""
    n = calibration.n_economies
    trade = calibration.trade
    border = trade / (1 + calibration.tariff)
    received = border / ((1 + calibration.export_tax) * (1 - calibration.subsidy)[:, None, :])
    value_added = (calibration.value_added_share * received.sum(1)).sum(1)
    balance = border.sum((1, 2)) - border.sum((0, 2))
    home = trade.diagonal().sum(0)
    pairs = max(n - 1, 1) * max(int(calibration.tradable.sum()), 1)
    tariff = calibration.tariff[:, :, calibration.tradable].sum((0, 2)) / pairs
    economies = [
        EconomyRow(
            label,
            float(value_added[k]),
            100 * float(balance[k] / value_added[k]),
            100 * float(home[k] / trade[:, k].sum()),
            100 * float(tariff[k]),
        )
        for k, label in enumerate(calibration.economies)
    ]
    spent = trade.sum((0, 1))
    kept = trade.diagonal().sum(1)
    sectors = [
        SectorRow(
            label,
            calibration.sector_names[k],
            float(calibration.theta[k]),
            float(calibration.psi[k]),
            bool(calibration.tradable[k]),
            100 * float(spent[k] / spent.sum()),
            100 * float(1 - kept[k] / spent[k]),
        )
        for k, label in enumerate(calibration.sectors)
    ]
    return Summary(economies, sectors, _checks(calibration, 100 * float((balance / value_added).abs().max())))


def _checks(calibration: Calibration, imbalance: float) -> list[str]:
    product = calibration.theta * calibration.psi
    top = int(product.argmax())
    zeros = int((calibration.trade == 0).sum())
    given = "implied by market clearing" if calibration.final_share is None else "given"
    return [
        f"theta*psi is at most {float(product[top]):.3f} (sector {calibration.sectors[top]}, "
        f"{calibration.sector_names[top]}); it should stay below 1",
        f"largest trade imbalance {imbalance:.2g} % of value added; solving balances the baseline first",
        f"{zeros} of {calibration.trade.numel()} flows are zero",
        f"final-consumption shares are {given}",
        *calibration_warnings(calibration),
    ]
