"""The exporter simulated jump by jump, without time steps: an independent yardstick of every exact solution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlopt.choice import Exporter

Accept = Callable[[np.ndarray, np.ndarray], np.ndarray]


def simulated_value(
    model: Exporter, y: np.ndarray, nu: np.ndarray, accept: Accept, paths: int, seed: int, years: float = 160.0
) -> tuple[float, float]:
    """Mean and standard error of discounted payoffs from one state under a policy.

    Jumps come at the constant rate J max(lambda0, lambda1), at each of which one channel is drawn and moves with the
    probability that makes its own rate right. Between jumps channels stand still and costs revert to their mean, so
    the expected flow until the next jump is elementary: no discretisation anywhere.

    Args:
        model: the exporter.
        y, nu: the state, `[J]`.
        accept: `(y, nu) -> [B, J]`, probabilities (or booleans) that an opportunity is taken.
        paths, seed: size of the simulation.
        years: horizon; what follows is worth exp(-rho years) of the total.
    """
    rng = np.random.default_rng(seed)
    count = model.destinations
    fastest = max(model.lambda0, model.lambda1)
    y, nu = np.tile(y, (paths, 1)).astype(float), np.tile(nu, (paths, 1))
    now, payoff = np.zeros(paths), np.zeros(paths)
    rows = np.arange(paths)
    while (now < years).any():
        wait = rng.exponential(1 / (count * fastest), size=paths)
        discount = np.exp(-model.rho * now)
        steady = (y * (model.zeta - model.nubar)).sum(1) + ((y @ model.c) * y).sum(1)
        reverting = -(y * (nu - model.nubar)).sum(1)
        payoff += discount * (
            steady * -np.expm1(-model.rho * wait) / model.rho
            + reverting * -np.expm1(-(model.rho + model.theta) * wait) / (model.rho + model.theta)
        )
        keep = np.exp(-model.theta * wait)[:, None]
        noise = rng.normal(size=(paths, model.loading.shape[1])) @ model.loading.T
        nu = model.nubar + keep * (nu - model.nubar) + np.sqrt(1 - keep**2) * noise
        now = now + wait
        j = rng.integers(count, size=paths)
        is_open = y[rows, j] > 0.5
        chance = rng.random(paths) * fastest
        opens = ~is_open & (chance < model.lambda0) & (rng.random(paths) < accept(y, nu)[rows, j])
        closes = is_open & (chance < model.lambda1)
        payoff -= np.exp(-model.rho * now) * model.s[j] * opens
        y[rows, j] = np.where(opens, 1.0, np.where(closes, 0.0, y[rows, j]))
    return float(payoff.mean()), float(payoff.std() / np.sqrt(paths))
