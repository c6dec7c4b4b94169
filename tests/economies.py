"""Small ready-made worlds for every test: balanced, deterministic, cheap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from dlopt.calibrations.generator import synthetic
from dlopt.trade.calibration import Calibration


def small_synthetic(n_economies: int = 3, n_sectors: int = 4, seed: int = 1, **options: Any) -> Calibration:
    """A balanced random world with intermediates, scale economies and tariffs; `options` as in `synthetic`."""
    return synthetic(n_economies, n_sectors, seed, **options)


def one_sector_two_countries(
    *,
    theta: float = 4.0,
    psi: float = 0.0,
    sizes: tuple[float, float] = (1.0, 2.0),
    imports: float = 0.2,
    tariffs: tuple[float, float] = (0.0, 0.0),
) -> Calibration:
    """Home and Foreign, one good, no intermediates; trade balances.

    Args:
        theta, psi: elasticities.
        sizes: value added of each.
        imports: imports of each at border prices, below both sizes.
        tariffs: of Home on Foreign, and of Foreign on Home.
    """
    border = torch.tensor([[sizes[0] - imports, imports], [imports, sizes[1] - imports]], dtype=torch.float64)
    tariff = torch.tensor([[0.0, tariffs[1]], [tariffs[0], 0.0]], dtype=torch.float64)
    return without_intermediates(
        (border * (1 + tariff))[:, :, None], tariff[:, :, None], theta=[theta], psi=[psi], economies=("Home", "Foreign")
    )


def closed_economy(
    spending: Sequence[float] = (1.0, 2.0, 3.0),
    *,
    theta: Sequence[float] = (2.0, 4.0, 6.0),
    psi: Sequence[float] = (0.3, 0.1, 0.0),
) -> Calibration:
    """One economy that trades with nobody, without intermediates; `spending` by sector."""
    trade = torch.tensor(spending, dtype=torch.float64)[None, None, :]
    return without_intermediates(trade, torch.zeros_like(trade), theta=theta, psi=psi, economies=("Only",))


def without_intermediates(
    trade: torch.Tensor,
    tariff: torch.Tensor,
    *,
    theta: Sequence[float],
    psi: Sequence[float],
    economies: Sequence[str] | None = None,
) -> Calibration:
    """A world of the given spending and tariffs (both `[origin, destination, sector]`) where labour is all there is."""
    n, _, j = trade.shape
    spent = trade.sum(0)
    return Calibration(
        name="without-intermediates",
        economies=tuple(economies or (f"E{k + 1}" for k in range(n))),
        sectors=tuple(str(k + 1) for k in range(j)),
        sector_names=tuple(f"Sector {k + 1}" for k in range(j)),
        tradable=torch.ones(j, dtype=torch.bool),
        trade=trade,
        tariff=tariff,
        export_tax=torch.zeros_like(trade),
        subsidy=torch.zeros(n, j, dtype=torch.float64),
        value_added_share=torch.ones(n, j, dtype=torch.float64),
        input_share=torch.zeros(n, j, j, dtype=torch.float64),
        final_share=spent / spent.sum(1, keepdim=True),
        theta=torch.tensor(theta, dtype=torch.float64),
        psi=torch.tensor(psi, dtype=torch.float64),
    )
