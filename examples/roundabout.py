"""A model of one's own: three countries, one good that is also its own input, in levels.

Eaton-Kortum with roundabout production: a bundle of inputs costs `c = w^beta P^(1-beta)`, and country n spends the
share `pi[i, n]`, proportional to `(c_i d_in (1 + t_in) / T_i)^(-theta)`, of its expenditure on goods of i (T is
productivity itself: its theta-th power is what Eaton and Kortum call T). Tariff revenue is t/(1+t) of spending.
All that dlopt needs is `equilibrium`, whose fixed point is the equilibrium, and `objectives`.

Run: `python examples/roundabout.py`
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dlopt.framework import FixedPointGame, FixedPointProblem, NashResult, solve_nash

THETA, BETA, ICEBERG, TARIFF = 3.0, 2 / 3, 2.0, 0.05
TECHNOLOGY = torch.tensor([3.0, 1.0, 1.0], dtype=torch.float64)
LABOUR = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
ABROAD = 1 - torch.eye(3, dtype=torch.float64)


def log_tariffs(a: Tensor) -> Tensor:
    """log(1+t), `[origin, destination]`: country 1's on 2 and 3 are `a`, all others 5 %."""
    first = torch.zeros(3, 3, dtype=a.dtype).index_put((torch.tensor([1, 2]), torch.tensor([0, 0])), a)
    return first + math.log1p(TARIFF) * ABROAD * torch.tensor([0.0, 1.0, 1.0], dtype=a.dtype)


def income(x: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Final income `[country]`, producer revenue `[country]` and new log prices `[country]` at log (wages, prices)."""
    wage, price = x.split(3)
    cost = BETA * wage + (1 - BETA) * price
    paid = cost[:, None] + math.log(ICEBERG) * ABROAD + log_tariffs(a)
    varieties = THETA * (TECHNOLOGY.log()[:, None] - paid)
    share = varieties.softmax(0)
    net = share * (-log_tariffs(a)).exp()
    spending = wage.exp() * LABOUR / BETA / net.sum(0)
    tariffs = (spending * (share - net)).sum(0)
    return wage.exp() * LABOUR + tariffs, net @ spending, -varieties.logsumexp(0) / THETA


def equilibrium(x: Tensor, a: Tensor) -> Tensor:
    """G: wages go a third of the way to what clears labour markets, with world labour income as numeraire."""
    _, revenue, price = income(x, a)
    wage = x[:3] + ((BETA * revenue / LABOUR).log() - x[:3]) / 3
    return torch.cat([wage - ((wage.exp() * LABOUR).sum() / LABOUR.sum()).log(), price])


def objectives(x: Tensor, a: Tensor) -> Tensor:
    """W: real income of each country."""
    return income(x, a)[0] * (-x[3:]).exp()


PROBLEM = FixedPointProblem(equilibrium, objectives)


def country_one() -> FixedPointGame:
    """Country 1 (player 0) chooses both of its tariffs, between 0 and 400 %."""
    bounds = torch.zeros(2, dtype=torch.float64), torch.full((2,), math.log(5.0), dtype=torch.float64)
    return FixedPointGame(PROBLEM, torch.tensor([0, 0]), torch.zeros(6, dtype=torch.float64), *bounds)


def optimal_tariffs() -> tuple[NashResult, Tensor, Tensor]:
    """The proven optimum, country 1's tariffs on 2 and 3, and every country's welfare change in per cent."""
    game = country_one()
    before = game.point(torch.full((2,), math.log1p(TARIFF), dtype=torch.float64))
    assert before is not None
    far = torch.tensor([0.8, 0.1], dtype=torch.float64)
    result = solve_nash(game, before, other_starts=[far])
    return result, result.point.a.expm1(), 100 * (result.point.objectives / before.objectives - 1)


if __name__ == "__main__":
    result, tariffs, welfare = optimal_tariffs()
    print(f"{result.outcome}: {result.outcome.remedy}")
    print("optimal tariffs of country 1 on 2 and 3:", ", ".join(f"{t:.6f}" for t in tariffs.tolist()))
    print("welfare changes (%):", ", ".join(f"{w:+.6f}" for w in welfare.tolist()))
