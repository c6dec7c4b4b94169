"""The continuous states between two dates at which they are known."""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.choice.factors import FactorDynamics
from dlopt.choice.model import SwitchingModel, along


def bridge(model: SwitchingModel, start: Tensor, end: Tensor, since: Tensor, until: Tensor, noise: Tensor) -> Tensor:
    """States some time after they were `start` and some time before they are `end`, `[B, K]`.

    Exact where all states revert to their mean at one rate (`FactorDynamics`). Of other models the bridge is that of a
    Brownian motion with the volatility at `start`, which is what every diffusion is over short times.

    Args:
        model: says how they move.
        start, end: the states known, `[B, K]`.
        since, until: years after the first, and before the second, `[B]`, positive or 0.
        noise: standard normal shocks, `[B, M]`.
    """
    reversion = model.reversion if isinstance(model, FactorDynamics) else 0.0
    s, u = since[:, None], until[:, None]
    whole = (s + u).clamp_min(1e-12)
    if reversion > 0:
        down, up, total = torch.sinh(reversion * u), torch.sinh(reversion * s), torch.sinh(reversion * whole)
        mean = model.centre + (down * (start - model.centre) + up * (end - model.centre)) / total
        variance = up * down / (reversion * total)
    else:
        mean, variance = (u * start + s * end) / whole, s * u / whole
    return mean + variance.sqrt() * along(model.volatility(start), noise)
