"""Budget shares of groups of households, from a table."""

from __future__ import annotations

from pathlib import Path

import torch

from dlopt.policies.carbon import number_of, rows_of
from dlopt.trade.calibration import Calibration
from dlopt.trade.households import Households
from dlopt.trade.places import economies_of

COLUMNS = ("economy", "group", "sector", "share")


def households_from(path: str | Path, calibration: Calibration) -> Households:
    """Groups from a CSV or Parquet file with columns `economy`, `group`, `sector`, `share`.

    `all` stands for every economy. Shares of the same cell add up; sectors left out count as zero.

    Raises:
        PolicyWordsError, UnknownNameError, HouseholdError: what is wrong, and where.
    """
    shares: dict[tuple[int, str], torch.Tensor] = {}
    for where, (economy, group, sector, share) in rows_of(Path(path).expanduser(), COLUMNS):
        value, at = number_of(share, where, "share"), calibration.sector_index(sector)
        for k in economies_of(economy, calibration):
            own = shares.setdefault((k, group), torch.zeros(calibration.n_sectors, dtype=torch.float64))
            own[at] += value
    keys = sorted(shares, key=lambda key: key[0])
    table = torch.stack([shares[key] for key in keys]) if keys else torch.zeros((0, calibration.n_sectors))
    return Households.of(calibration, [k for k, _ in keys], [group for _, group in keys], table)
