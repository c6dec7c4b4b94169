"""Households that buy other baskets than the average: what prices do to each group's real consumption.

A group g of economy n spends shares `b_ng^j` on sectors at the baseline. Its nominal spending is taken to move like its
economy's income (earnings, rebated taxes and transfers alike), its prices are the sectors' in its economy, weighted by
its own shares, so that real consumption changes by `Y^ / prod_j P^j ^ b^j`: incidence through what is bought, not
through what is earned. With the economy's own final shares this is its change of real income. Households do not feed
back on the equilibrium: demand is that of the average.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.trade.calibration import Calibration

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.trade.results import SolveResult

_ADDS_UP = 1e-3


class HouseholdError(DloptError):
    """Budget shares that make no sense."""


@dataclasses.dataclass(frozen=True, eq=False)
class Households:
    """Groups and what they buy.

    Attributes:
        economies: of each group, its position in the calibration, `[group]`.
        groups: names.
        shares: budget shares, `[group, sector]`; each row adds up to one.
    """

    economies: tuple[int, ...]
    groups: tuple[str, ...]
    shares: Tensor

    @classmethod
    def of(cls, calibration: Calibration, economies: list[int], groups: list[str], shares: Tensor) -> Households:
        """Checked, and scaled to add up to one exactly.

        Raises:
            HouseholdError: a share is negative, or a group's do not add up to one within 0.001.
        """
        if shares.shape != (len(groups), calibration.n_sectors) or not bool((shares >= 0).all()):
            raise HouseholdError("Budget shares are 0 or more, one for each group and sector.")
        for economy, group, total in zip(economies, groups, shares.sum(1).tolist(), strict=True):
            if not abs(total - 1) <= _ADDS_UP:
                raise HouseholdError(
                    f"The budget shares of {group} in {calibration.economies[economy]} add up to {total:.4g}, not "
                    "to 1. Sectors that are left out count as 0."
                )
        return cls(tuple(economies), tuple(groups), shares / shares.sum(1, keepdim=True))

    @property
    def sha256(self) -> str:
        """Of its numbers and names."""
        text = repr((self.economies, self.groups)).encode()
        return hashlib.sha256(text + self.shares.contiguous().numpy().tobytes()).hexdigest()

    def table(self, result: SolveResult) -> pd.DataFrame:
        """One row per group: its prices, its real consumption, and the difference from its economy's average.

        Per cent; `difference_pct` in percentage points of real income.
        """
        import pandas as pd

        c, state, at = result.calibration, result.state, torch.tensor(self.economies)
        prices = (self.shares * state.price[at]).sum(1)
        real = 100 * (state.income[at] - prices).expm1()
        return pd.DataFrame({
            "economy": [c.economies[k] for k in self.economies],
            "group": list(self.groups),
            "consumer_price_change_pct": (100 * prices.expm1()).numpy(),
            "real_consumption_change_pct": real.numpy(),
            "difference_pct": (real - result.real_income_change_pct[at]).numpy(),
        })  # fmt: skip
