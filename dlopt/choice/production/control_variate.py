"""Control variate of the network economy: utility at expected links, given when each sector's clock comes round.

If every opportunity to form link (i, j) is taken with probability q_ij, the link's probability moves towards
`p = q / (1 + q)` at rate `k = lambda (1 + q)` while the clock is at buyer i, so with tau_i the clock's time there

    E Y_ij(t) = p + (Y_ij - p) E exp(-k tau_i(t)),

where the last expectation depends only on whether the clock starts at i (the other sectors are one state). The
control variate is the discounted utility at these expected links, with the expected loss a and the exact Gaussian
distribution of productivity: exact when links never move. The probabilities are those its own decisions imply.

Row by row the links relax either as 'clock here' or as 'clock elsewhere'. One Leontief inverse with all rows
'elsewhere' then serves every position of the clock and every flipped link by updates of rank one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.evaluation import Evaluation
from dlopt.choice.model import State, of_pairs
from dlopt.choice.production.exact.frozen import discount_nodes
from dlopt.choice.production.model import Array, NetworkDynamics, NetworkEconomy

PART = 200_000  # numbers per array: states are taken in parts that stay in the cache
SMALL = 8  # sectors up to which the quadrature can be generous
ROUNDS, SAMPLE = 3, 24  # of the search for consistent probabilities


def occupation_decay(model: NetworkEconomy, k: Array, times: Array) -> tuple[Array, Array]:
    """E exp(-k tau_i(t)) with the clock starting at sector i, and elsewhere; `[K, ...]` for rates `k` `[...]`.

    `h = (h_here, h_elsewhere)` solves `h' = Q h` with leaving rates a = (N - 1) lambda_z, b = lambda_z and killing k
    in 'here': two exponentials.
    """
    a, b = (model.size - 1) * model.clock_rate, model.clock_rate
    t = times.reshape(-1, *([1] * k.ndim))
    root = np.sqrt(np.maximum((a + b + k) ** 2 - 4 * b * k, 0.0))
    slow, fast = 0.5 * (-(a + b + k) + root), 0.5 * (-(a + b + k) - root)
    safe = np.where(root > 0, root, 1.0)

    def path(slope: Array | float) -> Array:
        share = np.where(root > 0, (slope - fast) / safe, 1.0)
        return share * np.exp(slow * t) + (1 - share) * np.exp(fast * t)

    return path(-k), path(0.0)


@dataclasses.dataclass(frozen=True)
class _Change:
    """A change of the Leontief matrix: its effect on the expectation and the loadings of log GDP, `[B, K, ...]`."""

    mean: Tensor
    load: Tensor


class ExpectedLinksBaseline:
    """Discounted utility at expected links.

    Args:
        dynamics: the economy on a device.
        accept: probabilities q_ij that links are formed, `[N, N]`.
        nodes: of the quadrature over time; by default 24 for small economies and 10 for large ones.
    """

    def __init__(self, dynamics: NetworkDynamics, accept: Array, nodes: int | None = None) -> None:
        model = dynamics.parameters
        times, weights = discount_nodes(model.rho, nodes or (24 if model.size <= SMALL else 10))
        k = model.link_rate * (1 + accept)
        here, elsewhere = occupation_decay(model, k, times)

        def tensor(a: Any) -> Tensor:
            return torch.tensor(a, device=dynamics.device, dtype=dynamics.dtype)

        self.dynamics = dynamics
        p = accept / (1 + accept)
        np.fill_diagonal(p, 1.0)  # own links stay
        self.p = tensor(p)
        self.weights = tensor(weights)
        self.keep = tensor(np.exp(-model.phi * times))
        self.here, self.elsewhere = tensor(here), tensor(elsewhere)  # [K, N, N]

    def evaluate(self, state: State) -> Evaluation:
        """V, its differences over the movable links, its generator, sensitivities and values over the clock."""
        part = max(1, PART // self.weights.numel() // self.dynamics.factors**2)
        if len(state) <= part:
            return self._evaluate(state)
        return Evaluation.joined([self._evaluate(state.rows(slice(k, k + part))) for k in range(0, len(state), part)])

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        return of_pairs(self.evaluate(state).marginal, self.dynamics.movable(state), row, switch)

    def _evaluate(self, state: State) -> Evaluation:
        m, z = self.dynamics, state.z
        assert z is not None
        size, n = len(state), m.factors
        rows = torch.arange(size, device=z.device)
        gap = (m.links(state.y) - self.p)[:, None]  # [B, 1, N, N]
        away = self.p + gap * self.elsewhere  # expected links with the clock elsewhere, [B, K, N, N]
        inverse = torch.linalg.inv(m.identity - m.alpha * away)  # [B, K, N, N]
        shift = m.alpha * gap * (self.here - self.elsewhere)  # row z: what the clock being there adds to A * Y
        loss_away, loss_here = self._loss(away), self._loss(self.p + gap * self.here)  # [B, K, N]
        net = m.centre + self.keep[:, None] * (state.x - m.centre)[:, None] - loss_away
        domar = inverse.transpose(2, 3) @ m.beta  # [B, K, N]
        price, load = _times(inverse, net), inverse @ m.loading  # L v, [B, K, N]; L loading, [B, K, N, 2]
        # The clock at z: row z of the matrix gains shift_z, sector z's loss changes.
        diagonal = (shift * inverse.transpose(2, 3)).sum(3)  # shift_z L e_z
        own = domar / (1 - diagonal)  # Domar weight of z with the clock at z, [B, K, N]
        extra = loss_here - loss_away
        mean = (domar * net).sum(2, keepdim=True) + own * (_times(shift, price) - extra)
        loads = (domar @ m.loading)[:, :, None] + own[..., None] * (shift @ load)  # [B, K, N, 2]
        power = 1 - m.gamma
        variance = 1 - self.keep**2
        clock = (self.weights[:, None] * self._utility(mean, loads, variance[:, None])).sum(1)  # [B, N]

        # At the state's own clock: slope in eps for the diffusion, then flipped links.
        column = inverse[rows, :, :, z]  # L e_z, [B, K, N]
        own_z, shift_z = own[rows, :, z], shift[rows, :, z]  # [B, K], [B, K, N]
        mean_z, load_z = mean[rows, :, z], loads[rows, :, z]  # [B, K], [B, K, 2]
        utility = self._utility(mean_z, load_z, variance)
        marginal_utility = self.weights * (power * utility if power else 1.0) * self.keep
        weights_z = domar + own_z[..., None] * (shift_z[:, :, None] @ inverse)[:, :, 0]  # m with the clock at z
        slope = (marginal_utility[..., None] * weights_z).sum(1)  # gradient of V, [B, N]
        along = load_z * (2 * m.parameters.phi) ** 0.5  # m' sigma, [B, K, 2]
        curvature = power * (marginal_utility * self.keep * (along**2).sum(2)).sum(1)

        flip = self._flip(state, gap, inverse, column, own_z, shift_z, price, load, extra[rows, :, z])
        variance_gain = (flip.load * (2 * load_z[:, :, None] + flip.load)).sum(3) * variance[:, None]
        gain = flip.mean + 0.5 * power * variance_gain
        change = utility[..., None] * torch.expm1(power * gain) if power else gain
        j = m.supplier[z]
        on = state.y.gather(1, m.movable(state))
        marginal = (self.weights[:, None] * change).sum(1) * (1 - 2 * on)
        assert marginal.shape == (size, n - 1) == j.shape
        return Evaluation(
            value=(self.weights * utility).sum(1),
            marginal=marginal,
            generator=(m.drift(state.x) * slope).sum(1) + 0.5 * curvature,
            sensitivity=slope @ m.sigma.T,
            clock=clock,
        )

    def _flip(
        self, state: State, gap: Tensor, inverse: Tensor, column: Tensor, own: Tensor, shift: Tensor, price: Tensor,
        load: Tensor, extra: Tensor,
    ) -> _Change:  # fmt: skip
        """Changes from flipping each link of the clock's sector, `mean` `[B, K, L]`, `load` `[B, K, L, 2]`.

        Row z of the matrix gains another `alpha delta` at supplier j, which the same formula of rank one covers:
        the new Domar weight of z is `own / (1 - alpha delta Lz_jz)` with Lz the inverse with the clock at z.
        """
        m, z = self.dynamics, state.z
        assert z is not None
        rows, j = torch.arange(len(state), device=z.device), m.supplier[z]
        here = self.here[:, z].transpose(0, 1)  # [B, K, N]
        wide = j[:, None].expand(-1, here.shape[1], -1)
        flip = (1 - 2 * state.y.gather(1, m.movable(state)))[:, None]
        delta = flip * here.gather(2, wide)  # change of the expected link, [B, K, L]
        amount = m.alpha[z].gather(1, j)[:, None] * delta
        # With the clock at z: L' = L + L e_z (shift L) / (1 - shift L e_z), applied to e_z, net productivity, loadings.
        factor = 1 / (1 - (shift * column).sum(2, keepdim=True))
        down = column * factor
        price_z = price - column * extra[..., None]
        price_z = price_z + down * (shift * price_z).sum(2, keepdim=True)
        load_z = load + down[..., None] * (shift[:, :, None] @ load)
        weight = own[..., None] / (1 - amount * down.gather(2, wide))  # new Domar weight of z
        expected = self.p[z][:, None] + gap[rows, 0, z][:, None] * here  # expected links of z, [B, K, N]
        loss = self._loss_change(expected, m.alpha[z][:, None], wide, delta)
        mean = weight * (amount * price_z.gather(2, wide) - loss)
        return _Change(mean, (weight * amount)[..., None] * load_z.gather(2, wide[..., None].expand(-1, -1, -1, 2)))

    def _loss(self, expected: Tensor) -> Tensor:
        """E a with independent links, `[..., N]`, at their probabilities `[..., N, N]`."""
        m, alpha = self.dynamics.parameters, self.dynamics.alpha
        missing = alpha * (1 - expected)
        single = (alpha * missing * (m.kappa + m.kappa_0 * expected)).sum(-1)
        return (m.kappa_0 * missing.sum(-1) ** 2 + single).clamp_max(1.0)

    def _loss_change(self, expected: Tensor, alpha: Tensor, j: Tensor, delta: Tensor) -> Tensor:
        """Change of E a of one buyer when one link's probability changes by `delta`, `[B, K, L]`."""
        m = self.dynamics.parameters
        missing = alpha * (1 - expected)
        single = (alpha * missing * (m.kappa + m.kappa_0 * expected)).sum(2, keepdim=True)
        total = missing.sum(2, keepdim=True)
        a, e = alpha.expand_as(expected).gather(2, j), expected.gather(2, j)
        change = m.kappa_0 * a * delta * (-2 * total + a * delta)
        change = change + a**2 * (m.kappa_0 * delta * (1 - 2 * e - delta) - m.kappa * delta)
        before = m.kappa_0 * total**2 + single
        return (before + change).clamp_max(1.0) - before.clamp_max(1.0)

    def _utility(self, mean: Tensor, load: Tensor, variance: Tensor) -> Tensor:
        """E u for Gaussian log GDP."""
        power = 1 - self.dynamics.gamma
        if not power:
            return mean
        return torch.exp(power * mean + 0.5 * power**2 * variance * (load**2).sum(-1)) / power


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrices `[..., N, N]` times vectors `[..., N]`."""
    return (matrix @ vector[..., None])[..., 0]


def consistent_acceptance(
    dynamics: NetworkDynamics, generator: torch.Generator, made: Callable[[Any, Array], Any] = ExpectedLinksBaseline
) -> Array:
    """Probabilities `[N, N]` with which links are formed when the control variate that assumes them decides.

    With effort they are rates of formation over `link_rate`, and may exceed 1.

    `made` makes the control variate. States are drawn from the links' implied long-run distribution and the
    productivities' own.
    """
    model = dynamics.parameters
    n = model.size
    q = torch.ones(n, n, device=dynamics.device, dtype=dynamics.dtype)
    for _ in range(ROUNDS):
        baseline = made(dynamics, q.double().cpu().numpy())
        new = torch.zeros_like(q)
        for i in range(n):
            state = dynamics.draw(SAMPLE, generator)
            on = baseline.p[model.buyers, model.suppliers]
            y = (torch.rand(state.y.shape, generator=generator, device=on.device, dtype=on.dtype) < on).to(on.dtype)
            at = baseline.evaluate(State(y, state.x, torch.full((SAMPLE,), i, device=on.device)))
            accept = (at.marginal > 0).to(q.dtype)
            if not dynamics.how.plain and model.link_rate:
                accept = dynamics.how.turns_on(dynamics.rates(state)[0], at.marginal) / model.link_rate
            new[i, dynamics.supplier[i]] = accept.mean(0)
        q = 0.5 * (q + new) if model.link_rate else q
        q.fill_diagonal_(1.0)
    return q.double().cpu().numpy()
