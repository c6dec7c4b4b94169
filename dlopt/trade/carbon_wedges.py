"""Prices of carbon as ad valorem wedges of the equilibrium, with derivatives through unit costs.

By flow (origin i, destination n, sector j), with c the log hat of the origin's unit cost, A and B the prices of carbon
times tonnes per money of the baseline's output:

    sigma' = sigma - log(1 + A exp(-c))                       what producers pay
    b = c + epsilon - sigma'                                  log price at the border, over the baseline's unit cost
    tau' = log(exp(tau) + B exp(-b))                          what importers pay, on quantities beside their tariff

The base model holds at the wedges (tau', epsilon, sigma'), with tax revenue that is price times tonnes under
`Accounting.STANDARD`. Everything is element by element, so that derivatives are tables over flows.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dlopt.trade.carbon import CarbonTerms
from dlopt.trade.instruments import Instruments
from dlopt.trade.model import LogWedges, State, TradeModel

Cells = tuple[Tensor, Tensor, Tensor]
"""Of tau', epsilon and sigma' by flow, `[origin, destination, sector, ...]` each."""


@dataclasses.dataclass(frozen=True, eq=False)
class Charges:
    """What governments say: rates and prices of carbon.

    Attributes:
        wedges: log wedges without carbon.
        carbon: A, `[country, sector]`.
        border: B, `[origin, destination, sector]`.
    """

    wedges: LogWedges
    carbon: Tensor
    border: Tensor

    @classmethod
    def of(
        cls, terms: CarbonTerms, wedges: LogWedges, a: Tensor | None = None, instruments: Instruments | None = None
    ) -> Charges:
        """Of the prices in force, with the chosen ones at `a`, `[instrument]`."""
        tax, border = prices(terms, a, instruments)
        return cls(wedges, tax * terms.intensity, border * terms.border_intensity[:, None])

    def share(self, share: float, wedges0: LogWedges) -> Charges:
        """A share of the way from other rates without prices of carbon."""
        parts = [w0 + share * (w - w0) for w0, w in zip(wedges0, self.wedges, strict=True)]
        return Charges((parts[0], parts[1], parts[2]), share * self.carbon, share * self.border)

    def effective(self, model: TradeModel, u: Tensor) -> LogWedges:
        """Ad valorem log wedges at unknowns `u`, shapes as the wedges."""
        tau, epsilon, sigma = self.wedges
        cost = _cost(model, u)
        producer = sigma - (self.carbon * (-cost).exp()).log1p()
        at_border = cost[:, None] + epsilon - producer[:, None]
        return tau + (self.border * (-at_border - tau).exp()).log1p(), epsilon, producer


def prices(terms: CarbonTerms, a: Tensor | None, instruments: Instruments | None) -> tuple[Tensor, Tensor]:
    """Money per tonne, `[country, sector]` and `[origin, destination, sector]`, with the chosen ones at `a`."""
    found = [terms.tax, terms.border_tax]
    if instruments is not None and instruments.unit is not None:
        assert a is not None
        money = a * instruments.unit
        for k, index in enumerate((instruments.carbon, instruments.border)):
            assert index is not None
            found[k] = torch.where(index >= 0, money[index.clamp(min=0)], found[k])
    return found[0], found[1]


def _cost(model: TradeModel, u: Tensor) -> Tensor:
    """Log hat of unit costs with what a shock did to productivity, `[country, sector]`."""
    assert model.carbon is not None
    return model.unit_cost(State.of(u, model.n, model.j)) - model.carbon.productivity


class ChargesAt:
    """Derivatives of the effective wedges at a point.

    Args:
        charges: rates and prices.
        model: gives unit costs.
        u: unknowns, `[2N + 3NJ]`.
    """

    def __init__(self, charges: Charges, model: TradeModel, u: Tensor) -> None:
        self.wedges = charges.effective(model, u)
        epsilon, cost = charges.wedges[1], _cost(model, u)
        total = cost.exp() + charges.carbon
        self.paid = (charges.carbon / total)[:, None]
        """Carbon tax in what producers pay per unit, `[country, 1, sector]`."""
        self.by_price = (1 / total)[:, None]
        at_border = cost[:, None] + epsilon - self.wedges[2][:, None]
        self.by_border_price = (-at_border - self.wedges[0]).exp()
        """Of tau' with respect to B, `[origin, destination, sector]`."""
        self.charged = charges.border * self.by_border_price
        """Border tax in what buyers pay over the price at the border, likewise."""

    def cost_slopes(self) -> Cells:
        """Derivatives of the three with respect to c; those that are zero without axes."""
        return -self.charged * (1 - self.paid), self.paid.new_zeros(()), self.paid

    def slopes(self, which: int) -> Cells:
        """Derivatives with respect to tau, epsilon, sigma, A or B (`which` 0 to 4)."""
        none, m = self.paid.new_zeros(()), self.charged
        one = none + 1
        return (
            (1 - m, none, none), (-m, one, none), (m, none, one),
            (-m * self.by_price, none, -self.by_price), (self.by_border_price, none, none),
        )[which]  # fmt: skip

    def along(self, cost: Tensor, moves: tuple[Tensor, ...]) -> Moved:
        """Changes with those of c and of tau, epsilon, sigma, A, B, `[origin, destination, sector, column]` each."""
        of_cost, paid, by_price = cost, self.paid[..., None], self.by_price[..., None]
        tau, epsilon, sigma, carbon, border = moves
        producers = (1 - paid) * of_cost + by_price * carbon  # of log(exp(c) + A)
        producer = sigma + of_cost - producers
        at_border = of_cost + epsilon - producer
        m = self.charged[..., None]
        importer = (1 - m) * tau - m * at_border + self.by_border_price[..., None] * border
        return Moved(of_cost, producers, at_border, tau, border, (importer, epsilon, producer))

    def second(self, weights: Cells, mine: Moved, all_: Moved) -> Tensor:
        """Second derivative of `sum weights * (tau', epsilon, sigma')` along two sets of directions, `[own, all]`."""
        tau, _, sigma = weights
        m, p = self.charged, self.by_border_price
        producer = sigma + m * tau
        return (
            gram(producer, mine.producers, all_.producers)
            - gram(producer * (1 - self.paid), mine.cost, all_.cost)
            + gram(tau * (1 - m), mine.tau, all_.tau)
            + gram(tau * m, mine.at_border, all_.at_border)
            - gram(tau * p, mine.at_border, all_.border)
            - gram(tau * p, mine.border, all_.at_border)
            - gram(tau, mine.wedges[0], all_.wedges[0])
        )


@dataclasses.dataclass(frozen=True)
class Moved:
    """First changes along directions, `[origin, destination, sector, direction]` each."""

    cost: Tensor
    producers: Tensor
    at_border: Tensor
    tau: Tensor
    border: Tensor
    wedges: Cells


def gram(weight: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """`sum over flows of weight * one * other`, `[direction of one, direction of other]`."""
    shape = torch.broadcast_shapes(weight.shape, one.shape[:-1], other.shape[:-1])
    left = (weight[..., None] * one).expand(*shape, one.shape[-1]).reshape(-1, one.shape[-1])
    return left.T @ other.expand(*shape, other.shape[-1]).reshape(-1, other.shape[-1])
