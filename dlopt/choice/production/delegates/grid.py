"""Exact solution of small economies of delegates: best replies on links x clock x a grid of the two factors.

Given what everybody does, the value of each party solves a linear system. The delegate of the clock's sector then
replies with what is best for its own value, all delegates at once; where a reply turns back, it is mixed with what was
done before. Where no reply changes anything, each delegate's value solves its own Hamilton-Jacobi-Bellman
equation given the others: nobody gains by deviating, in any state. With bargaining, buyer and supplier reply together.

How far a solution is from that is bounded exactly: what delegate i loses a year by not replying its best, at most over
all states, divided by the discount rate, is at least what any deviation gains.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse.linalg as spl

from dlopt.choice.model import ModelError
from dlopt.choice.production.delegates.model import BARGAIN, Delegates
from dlopt.choice.production.exact.grid import NetworkGridSolution, over_links
from dlopt.choice.production.model import Array

ROUNDS = 60
SETTLED = 1e-8  # share of mean |V| that no deviation gains more than, in any state: an equilibrium
SHRUNK = 0.5  # a reply that turns back by at most this share of the last step settles by itself
LESS, MORE = 0.4, 2.0  # factors on the weight of a reply that turns back, and of one that goes on


@dataclasses.dataclass(frozen=True)
class Conduct:
    """What is done in every state of the grid.

    Attributes:
        rate: rates at which links of the clock's sector change, in units of `link_rate`, `[C, N, L, points, points]`.
        rest: minus what effort on each of these links costs a year, of the same shape, or 0 without axes.
    """

    rate: Array
    rest: Array

    def towards(self, other: Conduct, weight: Array) -> Conduct:
        """A mixture, with these weights on the other, one for every rate: what is done in these shares of the time."""
        rest = self.rest + (weight * (other.rest - self.rest) if other.rest.ndim else 0.0)
        return Conduct(self.rate + weight * (other.rate - self.rate), rest)

    @property
    def cost(self) -> Array:
        """Minus what effort costs a year in all, `[C, N, points, points]`, or 0 without axes."""
        return over_links(self.rest)


class DelegatesGridSolution(NetworkGridSolution):
    """Markov perfect equilibrium of N = 2 or 3 delegates, or their bargaining solution.

    Attributes:
        table: V of society, the consumer, under what is done, `[C, N, points, points]`.
        tables: V of each delegate, `[N, C, N, points, points]`.
        conduct: what is done.
        bound: at most what each delegate (with bargaining: each buyer with its suppliers) gains by any deviation, as a
            share of its mean `|V|`, `[N]`.
        rounds: of best replies.

    Args:
        model: the economy and its delegates.
        points, tolerance: see `NetworkGridSolution`.
        start: where replies begin: `myopic`, `all` (every link is formed), or `none`.
    """

    method = "best replies on the grid of factors, links and clock"

    model: Delegates

    def __init__(self, model: Delegates, points: int = 31, tolerance: float = 1e-10, start: str = "myopic") -> None:
        self.start = start
        super().__init__(model, points, tolerance)

    # -- what is done ----------------------------------------------------------------------------------------------

    def _at_clock(self, tables: Array) -> Array:
        """What each link of the clock's sector is worth to its delegate, `[C, N, L, points, points]`."""
        return np.stack([self._worth_here(tables[z], z) for z in range(self.model.size)], 1)

    def _worth_here(self, v: Array, z: int) -> Array:
        """V with each link of sector z minus V without, the clock there, `[C, L, points, points]`."""
        out = np.empty((len(v), self.model.size - 1, *v.shape[2:]))
        for k, bit in enumerate(self.movable[z]):
            out[:, k] = (v[self.flip[:, bit], z] - v[:, z]) * (1 - 2 * self.y[:, bit])[:, None, None]
        return out

    def _together(self, tables: Array) -> Array:
        """What each link of the clock's sector is worth to buyer and supplier together."""
        worth = self._at_clock(tables)
        for z, bits in enumerate(self.movable):
            for k in range(len(bits)):
                worth[:, z, k] += self._worth_here(tables[self.model.suppliers[bits[k]]], z)[:, k]
        return worth

    def reply(self, tables: Array) -> Conduct:
        """The best replies to these values, `[N, C, N, points, points]`."""
        worth = self._together(tables) if self.model.rule == BARGAIN else self._at_clock(tables)
        rate, rest = self._policy(worth)
        on = np.broadcast_to(self.y[:, self.movable][..., None, None] > 0.5, rate.shape)
        return Conduct(np.where(on, 1.0, rate) if self.model.choosing().plain else rate, rest)

    def always(self, formed: bool) -> Conduct:
        """Every link is formed, or none, without effort."""
        shape = (len(self.y), self.model.size, self.model.size - 1, len(self.grid), len(self.grid))
        on = np.broadcast_to(self.y[:, self.movable][..., None, None] > 0.5, shape)
        return Conduct(np.where(on, 1.0, float(formed)), np.zeros(()))

    def myopic(self) -> Conduct:
        """A link is formed if it lowers its buyer's unit cost now (the paper's criterion), without effort."""
        real = np.stack([self._real_wage(row) for row in np.eye(self.model.size)])  # [N, C, points, points]
        shape = (self.model.size, len(self.y), self.model.size, *real.shape[2:])
        worth = self._at_clock(np.broadcast_to(real[:, :, None], shape))
        on = np.broadcast_to(self.y[:, self.movable][..., None, None] > 0.5, worth.shape)
        return Conduct(np.where(on, 1.0, worth > 0), np.zeros(()))

    # -- what it is worth --------------------------------------------------------------------------------------------

    def party(self, conduct: Conduct, basket: Array, shares: Array, start: Array | None = None) -> Array:
        """V of who buys a basket `[N]` and counts `shares` `[N]` of the cost of effort by clock, no transfers."""
        flow = self._flow(basket)[:, None]
        right = np.broadcast_to(flow + shares[:, None, None] * conduct.cost, self._shape).copy()
        return self._evaluated(conduct.rate, right, right / self.model.rho if start is None else start)

    def delegates(self, conduct: Conduct, start: Array | None = None) -> Array:
        """V of every delegate, `[N, C, N, points, points]`."""
        m = self.model
        starts = [None] * m.size if start is None else list(start)
        if m.rule == BARGAIN:
            return self._with_transfers(conduct, start)
        return np.stack([self.party(conduct, *pair) for pair in zip(m.baskets, m.shares, starts, strict=True)])

    def transfers(self, tables: Array, conduct: Conduct) -> Array:
        """What each delegate expects to be paid a year, net, in utility, `[N, C, N, points, points]`.

        For a link that is worth B to the buyer and S to the supplier the buyer pays `(1 - power) B - power S`.
        """
        m, out = self.model, np.zeros_like(tables)
        for z, bits in enumerate(self.movable):
            buyer = self._worth_here(tables[z], z)
            for k, bit in enumerate(bits):
                j, off = m.suppliers[bit], (self.y[:, bit] < 0.5)[:, None, None]
                price = (1 - m.power) * buyer[:, k] - m.power * self._worth_here(tables[j], z)[:, k]
                paid = m.link_rate * off * conduct.rate[:, z, k] * price
                out[z, :, z] -= paid
                out[j, :, z] += paid
        return out

    def _with_transfers(self, conduct: Conduct, start: Array | None) -> Array:
        """As `delegates`, the payments being linear in the values of buyer and supplier."""
        m = self.model
        flow = np.stack([np.broadcast_to(self._flow(row)[:, None], self._shape) for row in m.baskets])
        each = self._mean_inverse(conduct.rate)

        def apply(flat: Array) -> Array:
            v = flat.reshape(flow.shape)
            jumps = np.stack([self._jumps(one, conduct.rate) for one in v]) + self.transfers(v, conduct)
            return (m.rho * v - self.operator @ v - v @ self.operator.T - jumps).ravel()

        def precondition(flat: Array) -> Array:
            return np.concatenate([each(part) for part in flat.reshape(m.size, -1)])

        size = flow.size
        linear = spl.LinearOperator((size, size), matvec=apply, dtype=float)
        guide = spl.LinearOperator((size, size), matvec=precondition, dtype=float)
        first = (flow / m.rho if start is None else start).ravel()
        v, failed = spl.gmres(linear, flow.ravel(), x0=first, rtol=self.tolerance, restart=30, maxiter=40, M=guide)
        if failed:
            raise ModelError(f"The bargaining solution of {m.name!r} did not converge: its rates differ too much.")
        solved: Array = v.reshape(flow.shape)
        return solved

    # -- the equilibrium -----------------------------------------------------------------------------------------------

    def _shortfall(self, tables: Array, conduct: Conduct, best: Conduct) -> Array:
        """What is lost a year by `conduct` against the best reply, by clock, `[C, N, points, points]`, 0 or more."""
        m = self.model
        worth = self._together(tables) if m.rule == BARGAIN else self._at_clock(tables)
        on = np.broadcast_to(self.y[:, self.movable][..., None, None] > 0.5, worth.shape)
        change = m.link_rate * (np.where(on, -1, 1) * (best.rate - conduct.rate) * worth).sum(2)
        lost: Array = change + best.cost - conduct.cost
        return lost

    def bounds(self, tables: Array, conduct: Conduct, best: Conduct) -> Array:
        """At most what each delegate gains by any deviation, as a share of its mean `|V|`, `[N]`."""
        lost = self._shortfall(tables, conduct, best).max((0, 2, 3)).clip(0)
        return lost / self.model.rho / np.abs(tables).mean((1, 2, 3, 4))  # type: ignore[no-any-return]

    def _policy_iteration(self) -> Array:
        m, n = self.model, len(self.grid)
        self._shape = (len(self.y), m.size, n, n)
        conduct = self.myopic() if self.start == "myopic" else self.always(self.start == "all")
        tables: Array | None = None
        weight, before = np.ones(conduct.rate.shape), np.zeros(conduct.rate.shape)
        for self.rounds in range(1, ROUNDS + 1):
            tables = self.delegates(conduct, tables)
            best = self.reply(tables)
            self.bound = self.bounds(tables, conduct, best)
            if self.bound.max() <= SETTLED:
                break
            ahead = best.rate - conduct.rate
            turned = (ahead * before < 0) & (np.abs(ahead) > SHRUNK * np.abs(before))
            weight, before = np.where(turned, LESS * weight, np.minimum(1.0, MORE * weight)), ahead
            conduct = conduct.towards(best, weight)
        assert tables is not None
        self.tables, self.conduct = tables, conduct
        return self.party(conduct, m.beta, np.ones(m.size))

    # -- the solution --------------------------------------------------------------------------------------------------

    def by_player(self, y: Array, eps: Array, z: Array) -> Array:
        """V of every delegate, `[B, N]`, at links `y` `[B, J]`, productivities `eps` `[B, N]`, clock `z` `[B]`."""
        code, rows, columns, weights = self._locate(y, eps)
        near = self.tables[:, code[:, None, None], z[:, None, None], rows[:, :, None], columns[:, None, :]]
        return (near * weights).sum((2, 3)).T  # type: ignore[no-any-return]

    def value_in(self, table: Array, y: Array, eps: Array, z: Array) -> Array:
        """Interpolation in a table of values `[C, N, points, points]`, `[B]`."""
        code, rows, columns, weights = self._locate(y, eps)
        near = table[code[:, None, None], z[:, None, None], rows[:, :, None], columns[:, None, :]]
        return (near * weights).sum((1, 2))  # type: ignore[no-any-return]

    def marginal(self, y: Array, eps: Array, z: Array) -> Array:
        """What each link of the clock's sector is worth to who decides about it, `[B, N - 1]`."""
        m = self.model
        out = self._worth_to(z, y, eps, z)
        if m.rule == BARGAIN:
            for k in range(m.size - 1):
                out[:, k] += self._worth_to(m.suppliers[self.movable[z, k]], y, eps, z)[:, k]
        return out

    def _worth_to(self, who: Array, y: Array, eps: Array, z: Array) -> Array:
        """What the links of the clock's sector are worth to delegate `who` `[B]`, `[B, N - 1]`."""
        code, rows, columns, weights = self._locate(y, eps)
        out = np.empty((len(y), self.model.size - 1))
        for k in range(out.shape[1]):
            bit, sides = self.movable[z, k], []
            for on in (1, 0):
                c = code & ~(1 << bit) | (on << bit)
                place = (who, c, z)
                near = self.tables[(*(i[:, None, None] for i in place), rows[:, :, None], columns[:, None, :])]
                sides.append((near * weights).sum((1, 2)))
            out[:, k] = sides[0] - sides[1]
        return out
