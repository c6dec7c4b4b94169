"""The network economy simulated jump by jump, without time steps: an independent yardstick of its exact solutions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlopt.choice.production.model import NetworkEconomy

Accept = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def utility(model: NetworkEconomy, y: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """u, `[B]`, from the definition."""
    links = np.tile(np.eye(model.size), (len(y), 1, 1))
    links[:, ~np.eye(model.size, dtype=bool)] = y
    dev = model.alpha * (links - 1)
    loss = np.minimum(1, model.kappa_0 * dev.sum(2) ** 2 + model.kappa * (dev**2).sum(2))
    f = np.linalg.solve(np.eye(model.size) - model.alpha * links, (eps - loss)[..., None])[..., 0] @ model.beta
    return f if model.gamma == 1 else np.exp((1 - model.gamma) * f) / (1 - model.gamma)


def simulated_value(
    model: NetworkEconomy, y: np.ndarray, eps: np.ndarray, z: int, accept: Accept, paths: int, seed: int
) -> tuple[float, float]:
    """Mean and standard error of discounted utility from one state under a policy.

    A Poisson clock faster than all jumps rings; at each ring utility over its rate is collected (which is unbiased
    for the integral) and one possible jump is drawn with the probability that makes its rate right.

    Args:
        model: the economy.
        y, eps, z: the state: links `[J]`, productivities `[N]`, clock.
        accept: `(y, eps, z) -> [B, N - 1]`, whether a missing link of the clock's sector would be formed.
        paths, seed: size of the simulation.
    """
    rng = np.random.default_rng(seed)
    n, years = model.size, 200.0
    rate = (n - 1) * (model.link_rate + model.clock_rate) + 1.0
    base = float(utility(model, y[None].astype(float), eps[None])[0])
    y, eps, z = np.tile(y, (paths, 1)).astype(float), np.tile(eps, (paths, 1)), np.full(paths, z)
    now, total, rows = np.zeros(paths), np.full(paths, base / model.rho), np.arange(paths)
    while now.min() < years:
        wait = rng.exponential(1 / rate, paths)
        now = now + wait
        keep = np.exp(-model.phi * wait)[:, None]
        eps = model.eps_bar + keep * (eps - model.eps_bar)
        eps += np.sqrt(1 - keep**2) * (rng.normal(size=(paths, 2)) @ model.loading.T)
        total += np.exp(-model.rho * now) * (utility(model, y, eps) - base) / rate
        event, k = rng.random(paths) * rate, rng.integers(n - 1, size=paths)
        links = event < (n - 1) * model.link_rate
        clock = ~links & (event < (n - 1) * (model.link_rate + model.clock_rate))
        j = z * (n - 1) + k
        formed = accept(y, eps, z)[rows, k]
        y[rows, j] = np.where(links, (y[rows, j] < 0.5) & formed, y[rows, j])
        z = np.where(clock, (z + 1 + k) % n, z)
    return float(total.mean()), float(total.std() / np.sqrt(paths))
