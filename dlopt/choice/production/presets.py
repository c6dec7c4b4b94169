"""Embedded network economies, generated from a seed.

`synthetic` has 37 sectors and the look of a national input-output table: lognormal input shares with popular
suppliers, row sums between 0.25 and 0.75, own shares of 0.1, the volatility and persistence of annual sector
productivity. Every number is drawn from the seed or chosen by us; none is data.
"""

from __future__ import annotations

import numpy as np

from dlopt.choice.production.model import NetworkEconomy

DEFAULTS = {
    "phi": 0.138, "kappa_0": 0.5, "kappa": 1.0, "gamma": 2.0, "link_rate": 0.5, "clock_rate": 0.5, "rho": 0.04
}  # fmt: skip
EPS_BAR_SD = 0.05
NETWORK_PRESETS = ("synthetic", "synthetic3")


def network_preset(name: str) -> NetworkEconomy:
    """An embedded economy by name: `synthetic` (37 sectors) or `synthetic3` (3 sectors, strong links, solved exactly).

    Raises:
        KeyError: no such preset.
    """
    return {"synthetic": lambda: synthetic(37), "synthetic3": lambda: synthetic(3, own_share=0.05)}[name]()


def synthetic(sectors: int, seed: int = 0, own_share: float = 0.1) -> NetworkEconomy:
    """A seeded economy of any size."""
    rng = np.random.default_rng(seed)
    popular = rng.lognormal(0.0, 1.0, sectors)
    weight = popular * rng.lognormal(0.0, 1.0, (sectors, sectors))
    np.fill_diagonal(weight, 0.0)
    total = rng.uniform(0.25, 0.75, sectors) - own_share
    alpha = weight / weight.sum(1, keepdims=True) * total[:, None] + own_share * np.eye(sectors)
    beta = rng.lognormal(0.0, 1.2, sectors)
    sigma = np.stack([rng.normal(0.010, 0.007, sectors), rng.normal(0.002, 0.010, sectors)], axis=1)
    eps_bar = rng.normal(0.0, EPS_BAR_SD, sectors)
    labels = tuple(f"s{k + 1:02d}" for k in range(sectors))
    return NetworkEconomy(
        beta / beta.sum(), alpha, eps_bar, sigma, **DEFAULTS, sectors=labels,
        names=tuple(f"Sector {k + 1}" for k in range(sectors)), name=f"synthetic{'' if sectors == 37 else sectors}",
    )  # fmt: skip
