"""A pair of sectors whose links are not always worth having, for tests of delegates."""

from __future__ import annotations

import numpy as np

from dlopt.choice.production.model import NetworkEconomy


def pair(**changes) -> NetworkEconomy:
    """Two sectors; what misses an input loses little, so that a dear supplier is not taken."""
    values = {
        "beta": [0.7, 0.3], "alpha": [[0.05, 0.45], [0.4, 0.05]], "eps_bar": [0.06, -0.02],
        "sigma": [[0.05, 0.01], [-0.02, 0.06]], "phi": 0.2, "kappa_0": 0.05, "kappa": 0.1, "gamma": 2.0,
        "link_rate": 0.6, "clock_rate": 0.5, "rho": 0.05,
    }  # fmt: skip
    return NetworkEconomy(**(values | changes))


def states(model: NetworkEconomy, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Links `[B, J]`, productivities `[B, N]` and clock `[B]`, at random."""
    rng = np.random.default_rng(seed)
    y = (rng.random((count, model.size * (model.size - 1))) < 0.5).astype(float)
    return y, model.eps_bar + rng.normal(size=(count, 2)) @ model.loading.T, rng.integers(model.size, size=count)
