"""First best with free entry, as the authors' files solve it: their equations from their start, by their method.

Unknowns are hats: wages, incomes, and what share of its labour an economy has in an industry, not their logs. An
industry whose share is zero meets its equation, so that the equations have roots where industries are gone though entry
pays in them. The start is wages and incomes of the economy's first best with restricted entry, and 1.1 for every share;
the method is Levenberg's and Marquardt's, with 50 steps at most. What is printed is the gain wherever it ends.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.papers.ll2023.levenberg import End, solve
from dlopt.trade.calibration import Calibration

STEPS, SLOPE, STEP = 50, 1e-12, 1e-8
"""`MaxIter` 50; `TolFun` 1e-8, of which MATLAB takes 1e-4 as the bound of the slope; `TolX` 1e-8."""
_SHARES_AT_START = 1.1
GONE = 1e-6
"""An industry whose share of labour falls below this is gone; in equilibria here the least is 6e-4 (TUR, 15)."""


@dataclasses.dataclass(frozen=True, eq=False)
class TheirFirstBest:
    """What the authors' method ends at.

    Attributes:
        gain_pct: real income of the economy, per cent.
        end: of the method.
        share: hats of industries' shares of labour, `[country, sector]`.
        gone: economy and sector of those that are gone.
    """

    gain_pct: float
    end: End
    share: Tensor
    gone: tuple[tuple[str, str], ...]


class GivenPolicies:
    """The equations, with export taxes 1 / theta and subsidies mu / (1 + mu) of one economy and no tariffs anywhere.

    Args:
        world: balanced, without inputs, export taxes and subsidies.
        economy: whose policies.
    """

    def __init__(self, world: Calibration, economy: str) -> None:
        n, self.theta, self.psi = world.n_economies, world.theta, world.psi
        self.home, self.n, self.j = world.economy_index(economy), n, world.n_sectors
        kept = world.trade / (1 + world.tariff)
        self.wages, self.incomes = kept.sum((1, 2)), world.trade.sum((0, 2))
        self.shares = kept.sum(1) / self.wages[:, None]
        self.spent = world.trade.sum(0) / self.incomes[:, None]
        self.wedge = torch.ones_like(world.trade)
        self.wedge[self.home] = 1 + 1 / self.theta
        self.wedge[self.home, self.home] = 1.0
        self.wedge[self.home] /= 1 + self.psi
        self.weight = world.trade / world.trade.sum(0) * (self.wedge / (1 + world.tariff)) ** -self.theta

    def hats(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Wages and incomes, `[country]`, and shares of labour, `[country, sector]`; signs of unknowns are dropped."""
        wage, income, share = x.abs().split((self.n, self.n, self.n * self.j))
        return wage, income, share.reshape(self.j, self.n).mT

    def gain_pct(self, x: Tensor) -> float:
        """Real income of the economy, per cent."""
        wage, income, share = self.hats(x)
        prices = (self.weight[:, self.home] * (wage[:, None] * share**-self.psi) ** -self.theta).sum(0)
        log_index = -(self.spent[self.home] / self.theta * prices.log()).sum()
        return float(100 * (income[self.home].log() - log_index).expm1())

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals: labour of every industry, of which the last stands back for the level of wages; incomes; shares
        that sum to one, times 100. Money is in the unit of the world's trade."""
        n, j, theta = self.n, self.j, self.theta
        wage, income, share = self.hats(x)
        bought = self.weight * ((wage[:, None] * share**-self.psi) ** -theta)[:, None]
        bought = bought / bought.sum(0)
        flows = bought * self.spent * (income * self.incomes)[:, None]
        kept = flows / self.wedge
        taxes = flows - kept
        labour = (kept.sum(1) - share * self.shares * (wage * self.wages)[:, None]).mT.reshape(-1)
        level = (self.wages * (wage - 1)).sum()
        budget = taxes.sum((1, 2)) + wage * self.wages - income * self.incomes
        whole = 100 * ((share * self.shares).sum(1) - 1)

        def by_costs(flow: Tensor) -> Tensor:
            """Derivatives of what i sells in j by the log costs of m, `[sector, i, m]`."""
            own = torch.diag_embed(flow.sum(1).mT)
            return -theta[:, None, None] * (own - torch.einsum("inj,mnj->jim", flow, bought))

        by_labour, by_taxes = by_costs(kept), by_costs(taxes)
        here = torch.arange(n)
        top, middle, low = x.new_zeros(j, n, len(x)), x.new_zeros(n, len(x)), x.new_zeros(n, len(x))
        top[:, :, :n] = by_labour / wage
        top[:, here, here] -= (share * self.shares * self.wages[:, None]).mT
        top[:, :, n : 2 * n] = kept.permute(2, 0, 1) / income
        middle[:, :n] = by_taxes.sum(0) / wage + torch.diag(self.wages)
        middle[:, n : 2 * n] = taxes.sum(2) / income - torch.diag(self.incomes)
        for k in range(j):
            at = 2 * n + k * n
            top[k, :, at : at + n] = -self.psi[k] * by_labour[k] / share[:, k]
            top[k, here, at + here] -= self.shares[:, k] * wage * self.wages
            middle[:, at : at + n] = -self.psi[k] * by_taxes[k] / share[:, k]
            low[here, at + here] = 100 * self.shares[:, k]
        rows = top.reshape(n * j, len(x))
        labour[-1], rows[-1] = level, 0.0
        rows[-1, :n] = self.wages
        return torch.cat([labour, budget, whole]), torch.cat([rows, middle, low]) * x.sign()


def their_first_best(world: Calibration, economy: str, wage: Tensor, income: Tensor) -> TheirFirstBest:
    """From the authors' start to where their method ends.

    Args:
        world: all economies, or two; balanced.
        economy: whose policies.
        wage, income: hats to start from, `[country]`, of its first best with restricted entry. In a world of two the
            files take the first four wages of that solution for the two wages and the two incomes, whosever they are.
    """
    equations = GivenPolicies(world, economy)
    shares = wage.new_full((equations.n * equations.j,), _SHARES_AT_START)
    end = solve(equations, torch.cat([wage, income, shares]), STEPS, SLOPE, STEP)
    share = equations.hats(end.x)[2]
    gone = tuple((world.economies[i], world.sectors[k]) for i, k in (share < GONE).nonzero().tolist())
    return TheirFirstBest(equations.gain_pct(end.x), end, share, gone)
