"""Control variate of all parties: the utility of each at expected links, from one Leontief inverse.

The links are those that delegates are expected to form, the same for everybody; only the basket differs by party, so
that all parties share what is dear. The probabilities of formation are mixed best replies: each delegate's from its
own control variate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlopt.choice.factors import Array
from dlopt.choice.model import State, of_pairs
from dlopt.choice.production.control_variate import PART, ExpectedLinksBaseline, _times, consistent_acceptance
from dlopt.choice.production.delegates.evaluation import Evaluations
from dlopt.choice.production.delegates.model import DelegatesDynamics


class PartiesBaseline(ExpectedLinksBaseline):
    """Discounted utility of every party at expected links; arguments as those of `ExpectedLinksBaseline`."""

    dynamics: DelegatesDynamics

    def evaluate(self, state: State) -> Evaluations:  # type: ignore[override]
        """Values, differences over the movable links, generators and values over the clock."""
        per_state = self.weights.numel() * self.dynamics.factors * (self.dynamics.factors + self.dynamics.parties)
        part = max(1, 4 * PART // per_state)
        rows = [slice(k, k + part) for k in range(0, max(len(state), 1), part)]
        return Evaluations.joined([self._all(state.rows(some)) for some in rows])

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some links are worth to the delegate who decides."""
        return of_pairs(self.evaluate(state).marginal, self.dynamics.movable(state), row, switch)

    def _all(self, state: State) -> Evaluations:
        """As `ExpectedLinksBaseline._evaluate`, with an axis of parties: K nodes of the quadrature, P parties."""
        m, z = self.dynamics, state.z
        assert z is not None
        rows = torch.arange(len(state), device=z.device)
        gap = (m.links(state.y) - self.p)[:, None]
        away = self.p + gap * self.elsewhere
        inverse = torch.linalg.inv(m.identity - m.alpha * away)  # [B, K, N, N]
        shift = m.alpha * gap * (self.here - self.elsewhere)
        loss_away, loss_here = self._loss(away), self._loss(self.p + gap * self.here)  # [B, K, N]
        net = m.centre + self.keep[:, None] * (state.x - m.centre)[:, None] - loss_away
        weights = m.baskets @ inverse  # [B, K, P, N]
        price, load = _times(inverse, net), inverse @ m.loading  # [B, K, N], [B, K, N, 2]
        own = weights / (1 - (shift * inverse.transpose(2, 3)).sum(3))[:, :, None]  # clock at each
        extra = loss_here - loss_away
        mean = (m.baskets @ price[..., None]) + own * (_times(shift, price) - extra)[:, :, None]  # [B, K, P, N]
        along = shift @ load  # [B, K, N, 2]
        base = m.baskets @ load  # [B, K, P, 2]
        power, variance = 1 - m.gamma, 1 - self.keep**2
        clock = self._discounted(mean, base, own, along, variance)  # [B, P, N]

        column = inverse[rows, :, :, z]  # [B, K, N]
        own_z, shift_z = own[rows, :, :, z], shift[rows, :, z]  # [B, K, P], [B, K, N]
        mean_z = mean[rows, :, :, z]
        load_z = base + own_z[..., None] * along[rows, :, z][:, :, None]  # [B, K, P, 2]
        utility = self._utility(mean_z, load_z, variance[:, None])  # [B, K, P]
        marginal_utility = self.weights[:, None] * (power * utility if power else 1.0) * self.keep[:, None]
        slopes = weights + own_z[..., None] * (shift_z[:, :, None] @ inverse)  # [B, K, P, N]
        drift = _times(slopes, m.drift(state.x)[:, None].expand(-1, slopes.shape[1], -1))  # [B, K, P]
        swing = (load_z**2).sum(3) * (2 * m.parameters.phi)
        generator = (marginal_utility * (drift + 0.5 * power * self.keep[:, None] * swing)).sum(1)

        one = torch.ones_like(own_z[..., 0])
        flip = self._flip(state, gap, inverse, column, one, shift_z, price, load, extra[rows, :, z])  # own of 1: linear
        own_z = own_z[..., None]  # [B, K, P, 1]
        gain = own_z * flip.mean[:, :, None]  # [B, K, P, L]
        if power:
            cross = load_z @ flip.load.transpose(2, 3)  # [B, K, P, L]
            spread = own_z * (2 * cross + own_z * (flip.load**2).sum(3)[:, :, None])
            gain = torch.expm1(power * (gain + 0.5 * power * variance[:, None, None] * spread))
            gain = utility[..., None] * gain
        sign = 1 - 2 * state.y.gather(1, m.movable(state))
        worth = torch.einsum("k,bkpl->bpl", self.weights, gain) * sign[:, None]
        return Evaluations(torch.einsum("k,bkp->bp", self.weights, utility), worth, generator, clock, z)

    def _discounted(self, mean: Tensor, base: Tensor, own: Tensor, along: Tensor, variance: Tensor) -> Tensor:
        """Discounted utility with loadings `base + own along`, `[B, P, N]`; their squares without an axis of shocks."""
        power = 1 - self.dynamics.gamma
        if power:
            squares = (base**2).sum(3, keepdim=True) + 2 * own * (base @ along.transpose(2, 3))
            squares = squares + own**2 * (along**2).sum(3)[:, :, None]
            mean = torch.exp(power * mean + 0.5 * power**2 * variance[:, None, None] * squares) / power
        return torch.einsum("k,bkpn->bpn", self.weights, mean)


def best_replies(dynamics: DelegatesDynamics, generator: torch.Generator) -> Array:
    """Probabilities `[N, N]` of links if every delegate decides by its control variate that assumes them."""
    return consistent_acceptance(dynamics, generator, PartiesBaseline)
