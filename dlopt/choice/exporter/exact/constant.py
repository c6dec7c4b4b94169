"""Exact value of constant acceptance: every opportunity in j taken with probability q_j, whatever the state.

Any number of destinations, any complementarities. Covers 'always' (q = 1), 'never' (q = 0), and, with both
intensities going to 0, a world without jumps. It is a lower bound of the value of the exporter's problem, the base
of the control variate, and the yardstick of the solver when acceptance is fixed.

With k_j = lambda0 q_j + lambda1, p_j = lambda0 q_j / k_j (long-run probability that j is open) and d = y - p, channels
are independent of each other and of the costs, E[d_j(t)] = d_j exp(-k_j t), and all integrals are elementary.
"""

from __future__ import annotations

import dataclasses

from dlopt.choice.exporter.model import Array, Exporter


@dataclasses.dataclass(frozen=True)
class ConstantAcceptance:
    """Value and marginal values when opportunities in j are taken with probability `q[j]`.

    Attributes:
        model: the exporter.
        q: acceptance probabilities, `[J]`.
    """

    model: Exporter
    q: Array

    @property
    def k(self) -> Array:
        """Rate at which a channel forgets its state, `[J]`."""
        return self.model.lambda0 * self.q + self.model.lambda1

    @property
    def p(self) -> Array:
        """Long-run probability that a channel is open, `[J]`."""
        return self.model.lambda0 * self.q / self.k

    @property
    def own(self) -> Array:
        """Coefficients of d_j in V at average costs and with the other channels at p, `[J]`."""
        m, k, p = self.model, self.k, self.p
        worth = m.zeta - m.nubar + m.pair @ p + m.lambda0 * self.q * m.s
        return worth / (m.rho + k)

    @property
    def cross(self) -> Array:
        """Coefficients of d_j d_m: `(c_jm + c_mj) / (rho + k_j + k_m)`, `[J, J]`, each pair counted twice."""
        return self.model.pair / (self.model.rho + self.k[:, None] + self.k[None, :])

    @property
    def level(self) -> float:
        """V at d = 0 and average costs."""
        m, p = self.model, self.p
        return float((p @ (m.zeta - m.nubar) + p @ m.c @ p - m.lambda0 * (self.q * m.s) @ (1 - p)) / m.rho)

    def value(self, y: Array, nu: Array) -> Array:
        """V_q, `[B]`, at channels `y` and costs `nu`, both `[B, J]`."""
        m, k, p = self.model, self.k, self.p
        d, delta = y - p, nu - m.nubar
        costs = delta @ (p / (m.rho + m.theta)) + (delta * d) @ (1 / (m.rho + m.theta + k))
        return self.level + d @ self.own - costs + 0.5 * ((d @ self.cross) * d).sum(1)

    def marginal(self, y: Array, nu: Array) -> Array:
        """V_q with channel j open minus V_q with it closed, `[B, J]`."""
        m, k = self.model, self.k
        return self.own - (nu - m.nubar) / (m.rho + m.theta + k) + (y - self.p) @ self.cross
