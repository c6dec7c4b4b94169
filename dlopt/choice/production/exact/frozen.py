"""The value of a network whose links never move, for any number of sectors.

With links Y fixed, `f_t = m'(eps_t - a)` with Domar weights `m = (I - A*Y)^-T beta` is Gaussian given eps_0, so

    V = int_0^inf exp(-rho t) E u(f_t) dt,   E u = exp((1 - gamma) E f + (1 - gamma)^2 Var f / 2) / (1 - gamma),

a one-dimensional integral, taken by Gauss-Legendre quadrature in exp(-rho t).
"""

from __future__ import annotations

import numpy as np

from dlopt.choice.production.model import Array, NetworkEconomy


def discount_nodes(rho: float, count: int) -> tuple[Array, Array]:
    """Times `[count]` and weights `[count]` with `sum_k w_k g(t_k) = int exp(-rho t) g(t) dt`."""
    s, w = np.polynomial.legendre.leggauss(count)
    return -np.log(0.5 * (s + 1)) / rho, 0.5 * w / rho


class FrozenNetwork:
    """Exact value with frozen links, at any links and productivities.

    Args:
        model: the economy; its rates of links are not used.
        nodes: of the quadrature; 64 give twelve digits.
    """

    method = "frozen links"
    covers = "all states, with links that never move"

    def __init__(self, model: NetworkEconomy, nodes: int = 64) -> None:
        self.model = model
        self.times, self.weights = discount_nodes(model.rho, nodes)

    def value(self, links: Array, eps: Array) -> Array:
        """V, `[B]`, at links `[B, N, N]` (ones on the diagonal) and log productivities `eps` `[B, N]`."""
        m = self.model
        missing = m.alpha * (1 - links)
        loss = np.minimum(1.0, m.kappa_0 * missing.sum(2) ** 2 + m.kappa * (missing**2).sum(2))
        system = np.eye(m.size) - m.alpha * links
        domar = np.linalg.inv(system).transpose(0, 2, 1) @ m.beta  # [B, N]
        level, gap = (domar * (m.eps_bar - loss)).sum(1), (domar * (eps - m.eps_bar)).sum(1)
        keep = np.exp(-m.phi * self.times)
        mean = level[:, None] + gap[:, None] * keep
        variance = ((domar @ m.loading) ** 2).sum(1)[:, None] * (1 - keep**2)
        power = 1 - m.gamma
        utility = np.exp(power * mean + 0.5 * power**2 * variance) / power if power else mean
        return utility @ self.weights
