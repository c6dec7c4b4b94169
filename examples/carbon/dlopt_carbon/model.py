"""Carbon taxes in open economies: a model of one's own for dlopt.

Each country makes one good from labour and the composite of all countries' goods (Eaton and Kortum 2002 in the
roundabout form): unit cost `c_n = w_n^beta (P_n + tax_n)^(1-beta)`, price of the composite
`P_n^-theta = sum_i (c_i d_in (1 + tariff_in) (1 + export_tax_in) / T_i)^-theta`. A unit of the composite used as an
input emits one unit of carbon; every country suffers from the emissions of all. Utility is `log C_n - damage_n E`, so
that one more unit of emissions harms country n like a loss of `damage_n P_n C_n` in money.

Money is measured such that a unit of labour earns one on average in the world. Taxes are rebated.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dlopt.models import EquilibriumModel, Instrument

from . import Parameters


@dataclasses.dataclass(frozen=True)
class State:
    """A world in money: `[country]`, `trade` `[origin, destination]` at consumer prices."""

    wage: Tensor
    price: Tensor
    income: Tensor
    inputs: Tensor
    revenue: Tensor
    trade: Tensor


def model(p: Parameters) -> EquilibriumModel:
    """The model with given parameters, ready to be solved."""
    n = len(p.labour)
    technology, labour, damage = (torch.tensor(v, dtype=torch.float64) for v in (p.technology, p.labour, p.damage))
    distance = math.log(p.iceberg) * (1 - torch.eye(n, dtype=torch.float64))
    names = [f"{i + 1}" for i in range(n)]
    instruments = [Instrument(f"carbon_tax_{k}", k, lower=-0.2, upper=3.0) for k in names]
    # Trade taxes are for countries on their own: a planner who has transfers gains nothing by them.
    instruments += [
        Instrument(f"tariff_{i}_{k}", k, -0.3, 2.0, cooperative=False) for k in names for i in names if i != k
    ]
    # A tariff on all imports is a tax on all exports (Lerner): an export tax to every partner would be one too many.
    outward = [(i, k) for i in names for k in [k for k in names if k != i][1:]]
    instruments += [Instrument(f"export_tax_{i}_{k}", i, -0.3, 2.0, cooperative=False) for i, k in outward]
    limit = sum(p.labour) / 2
    instruments += [Instrument(f"transfer_{k}", None, -limit, limit) for k in names[1:]]  # from country 1, by agreement
    at = {instrument.name: number for number, instrument in enumerate(instruments)}

    def rates(a: Tensor, kind: str) -> Tensor:
        """`[origin, destination]`, zero where there is no such tax."""
        cell = [[at.get(f"{kind}_{i}_{k}", len(a)) for k in names] for i in names]
        return torch.cat([a, a.new_zeros(1)])[torch.tensor(cell)]

    def state(u: Tensor, a: Tensor) -> tuple[State, Tensor]:
        """The world at logs of wages, prices and spending, and the prices that costs imply, in logs."""
        wage, price, spending = u.exp().split(n)
        carbon, tariff, export = a[:n], rates(a, "tariff"), rates(a, "export_tax")
        cost = p.beta * u[:n] + (1 - p.beta) * (price + carbon).log()
        paid = cost[:, None] + distance + (1 + tariff).log() + (1 + export).log() - technology.log()[:, None]
        trade = spending * (-p.theta * paid).softmax(0)
        landed = trade / (1 + tariff)
        sold = landed / (1 + export)
        revenue = sold.sum(1)
        inputs = (1 - p.beta) * revenue / (price + carbon)
        transfer = torch.cat([-a[len(a) - n + 1 :].sum()[None], a[len(a) - n + 1 :]])
        taxes = (trade - landed).sum(0) + (landed - sold).sum(1) + carbon * inputs
        income = wage * labour + taxes + transfer
        return State(wage, price, income, inputs, revenue, trade), -(-p.theta * paid).logsumexp(0) / p.theta

    def residual(u: Tensor, a: Tensor) -> Tensor:
        """Labour markets (one replaced by the unit of money), prices, spending."""
        s, price = state(u, a)
        money = (s.wage * labour).sum() / labour.sum()
        markets = torch.cat([money[None], (p.beta * s.revenue / (s.wage * labour))[1:]]).log()
        return torch.cat([markets, price - u[n : 2 * n], (s.income + s.price * s.inputs).log() - u[2 * n :]])

    def objectives(u: Tensor, a: Tensor) -> Tensor:
        """Log consumption less damages."""
        s, _ = state(u, a)
        return (s.income / s.price).log() - damage / 100 * s.inputs.sum()

    def outcomes(u: Tensor, a: Tensor) -> dict[str, Tensor]:
        s, _ = state(u, a)
        harm = damage / 100 * s.income
        return {
            "emissions": s.inputs,
            "world_emissions": s.inputs.sum(),
            "consumption": s.income / s.price,
            "marginal_damage": harm,
            "world_marginal_damage": harm.sum(),
        }

    unknowns = [f"log_{kind}_{k}" for kind in ("wage", "price", "spending") for k in names]
    return EquilibriumModel(
        residual, objectives, names, instruments, torch.zeros(3 * n, dtype=torch.float64), unknowns, outcomes,
        name="carbon",
    )  # fmt: skip
