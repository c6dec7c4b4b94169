"""A table that mends the control variate of each delegate where its own largest links make it fail.

A delegate whose sector buys half of its inputs from one supplier is far better off with that link than without, and
utility is curved: at the expected link its control variate misses the mean. For each delegate p the correction is a
table `T_p(c, h)` over the 2^m positions c of the m largest links of its own and whether the clock stands there (h).
With r(c, h) the mean residual of the control variate there, and G the generator of the chain of (c, h) under the
expected rates,

    rho T_p = r + G T_p,

so that what is left over has about mean zero in each cell; a table that leaves more than it takes is dropped. It costs
nothing to evaluate: links of others do not move it.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.choice.model import State
from dlopt.choice.production.delegates.control_variate import PartiesBaseline
from dlopt.choice.production.delegates.evaluation import Evaluations, doing, residuals

LARGEST_LINKS = 3
SAMPLED = 16  # states for the mean of a cell


class MendedBaseline:
    """The control variate of all parties with a table for each delegate added.

    Args:
        baseline: the control variate.
        start: states to draw from, with links as they are in the long run.
    """

    def __init__(self, baseline: PartiesBaseline, start: State) -> None:
        m = baseline.dynamics
        self.baseline, self.dynamics = baseline, m
        n, many = m.factors, min(LARGEST_LINKS, m.factors - 1)
        own = m.alpha[torch.arange(n, device=m.device)[:, None], m.supplier]  # [N, L]
        self.places = own.topk(many, dim=1).indices  # among the movable links of each buyer, [N, m]
        first = (n - 1) * torch.arange(n, device=m.device)[:, None]
        self.switches = self.places + first  # [N, m]
        self.codes = 2 ** torch.arange(many, device=m.device)
        self.table = start.x.new_zeros(n, 2**many, 2)
        before = self._spread(start)
        self.table = self._solved(self._mean_residuals(start))
        self.table[self._spread(start) > before] = 0  # it is for where it helps

    @property
    def p(self) -> Tensor:
        """Expected links, `[N, N]`."""
        return self.baseline.p

    def _spread(self, start: State) -> Tensor:
        """Mean absolute residual of each delegate around its mean, `[N]`."""
        at = self.evaluate(start)
        found = residuals(self.dynamics, start, at, doing(self.dynamics, start, at.marginal))
        return (found - found.mean(0)).abs().mean(0)[: self.dynamics.factors]

    def _mean_residuals(self, start: State) -> Tensor:
        """Of each delegate, by positions of its own largest links and whether the clock is there, `[N, 2^m, 2]`."""
        m, n = self.dynamics, self.dynamics.factors
        found = torch.zeros_like(self.table)
        some = start.rows(torch.arange(SAMPLED, device=start.x.device) % len(start))
        for code in range(self.table.shape[1]):
            on = (code & self.codes > 0).to(some.y.dtype)
            for sector in range(-1, n):  # -1: the clocks of the sample, for all delegates at once
                y = some.y.clone()
                who = range(n) if sector < 0 else [sector]
                for i in who:
                    y[:, self.switches[i]] = on
                z = some.z if sector < 0 else torch.full((SAMPLED,), sector, device=y.device)
                state = State(y, some.x, z)
                at = self.evaluate(state)
                residual = residuals(m, state, at, doing(m, state, at.marginal))
                if sector >= 0:
                    found[sector, code, 1] = residual[:, sector].mean()
                    continue
                assert z is not None
                away = (z[:, None] != torch.arange(n, device=y.device)).to(y.dtype)
                found[:, code, 0] = (residual[:, :n] * away).sum(0) / away.sum(0).clamp_min(1)
        return found

    def _solved(self, mean: Tensor) -> Tensor:
        """T_p of all delegates."""
        m, (n, cells, _) = self.dynamics, mean.shape
        rate = m.parameters.link_rate
        rows = torch.arange(n, device=m.device)[:, None]
        chance = self.baseline.p[rows, m.supplier[rows, self.places]].double()  # p = q / (1 + q)
        formed = rate * chance / (1 - chance).clamp_min(1e-6)
        system = torch.zeros(n, 2 * cells, 2 * cells, dtype=torch.float64, device=m.device)  # c, then cells + c there
        for c in range(cells):
            for k in range(self.places.shape[1]):
                other = c ^ (1 << k)
                moves = formed[:, k] if other > c else torch.full_like(formed[:, k], rate)
                system[:, cells + c, cells + other] += moves
                system[:, cells + c, cells + c] -= moves
            for here, there, leave in ((c, cells + c, m.clock_rate), (cells + c, c, (n - 1) * m.clock_rate)):
                system[:, here, there] += leave
                system[:, here, here] -= leave
        eye = torch.eye(2 * cells, dtype=torch.float64, device=m.device)
        right = mean.double().transpose(1, 2).reshape(n, 2 * cells)
        solved = torch.linalg.solve(m.rho * eye - system, right)
        return solved.view(n, 2, cells).transpose(1, 2).to(mean.dtype)

    def evaluate(self, state: State) -> Evaluations:
        """As the control variate, the table added."""
        at, z = self.baseline.evaluate(state), state.z
        assert z is not None
        n, size = self.dynamics.factors, len(state)
        bits = state.y[:, self.switches] > 0.5  # [B, N, m]
        code = (bits * self.codes).sum(2)  # [B, N]
        both = self.table[torch.arange(n, device=z.device), code]  # [B, N, 2]
        clock = both[:, :, :1].repeat(1, 1, n)
        diagonal = torch.arange(n, device=z.device)
        clock[:, diagonal, diagonal] = both[:, :, 1]
        rows = torch.arange(size, device=z.device)
        added = clock[rows, :, z]
        worth = at.worth.clone()
        own = code[rows, z]
        for k in range(self.places.shape[1]):
            bit = self.codes[k]
            off = own - bits[rows, z, k] * bit
            worth[rows, z, self.places[z, k]] += self.table[z, off + bit, 1] - self.table[z, off, 1]
        value, whole = at.value.clone(), at.clock.clone()
        value[:, :n] += added
        whole[:, :n] += clock
        return dataclasses.replace(at, value=value, worth=worth, clock=whole)

    def worth(self, state: State, row: Tensor, switch: Tensor) -> Tensor:
        """What some links are worth to the delegate who decides."""
        place = (self.dynamics.movable(state)[row] == switch[:, None]).int().argmax(1)
        return self.evaluate(state).marginal[row, place]
