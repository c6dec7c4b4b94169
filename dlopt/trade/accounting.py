"""Who collects which tax on what base: the two accountings of tariffs, export taxes and subsidies.

With `tau = log(1+t)`, `epsilon = log(1+e)`, `sigma = -log(1-s)`, every net receipt of a government from one flow X is
X times a sum of exponentials of the three logs. A term `(c, a, b, d)` below stands for
`c * exp(a*tau + b*epsilon + d*sigma)`. Importer and exporter receipts and producer revenue `X/kappa` add up to X:

    importer + exporter + exp(-tau - epsilon + sigma) = 1
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

Term = tuple[float, int, int, int]
Wedges = tuple[Tensor, Tensor, Tensor]
"""`(tau, epsilon, sigma)`."""


class Accounting(enum.StrEnum):
    """Bases of the taxes. They agree when subsidies and export taxes are zero."""

    PAPER = "paper"
    """Tariff `t X/kappa`, export tax `e/(1+e) X/(1-s)`, subsidy outlay `s/(1-s) X`.

    Our reading of Wang, Xu, Yang, Zhu (2024), whose (16), (18) and (19) hold export taxes and no subsidies.
    """
    STANDARD = "standard"
    """Each tax on the price it meets: tariff `t/(1+t) X`, export tax `e/((1+e)(1+t)) X`, outlay `s X/kappa`."""


AccountingWord = Accounting | Literal["standard", "paper"]
"""An accounting, or its name."""

_IMPORTER: dict[Accounting, tuple[Term, ...]] = {
    Accounting.PAPER: ((1.0, 0, -1, 1), (-1.0, -1, -1, 1)),
    Accounting.STANDARD: ((1.0, 0, 0, 0), (-1.0, -1, 0, 0)),
}
# Export tax less subsidy outlay: the middle terms cancel in both accountings.
_EXPORTER: dict[Accounting, tuple[Term, ...]] = {
    Accounting.PAPER: ((1.0, 0, 0, 0), (-1.0, 0, -1, 1)),
    Accounting.STANDARD: ((1.0, -1, 0, 0), (-1.0, -1, -1, 1)),
}
# The exporter's two sides apart: export tax collected, subsidy paid.
_EXPORT_TAX: dict[Accounting, tuple[Term, ...]] = {
    Accounting.PAPER: ((1.0, 0, 0, 1), (-1.0, 0, -1, 1)),
    Accounting.STANDARD: ((1.0, -1, 0, 0), (-1.0, -1, -1, 0)),
}
_SUBSIDY: dict[Accounting, tuple[Term, ...]] = {
    Accounting.PAPER: ((1.0, 0, 0, 1), (-1.0, 0, 0, 0)),
    Accounting.STANDARD: ((1.0, -1, -1, 1), (-1.0, -1, -1, 0)),
}


@dataclasses.dataclass(frozen=True)
class Receipt:
    """A receipt per unit of the flow X, and its derivatives with respect to the logs of the policies.

    Attributes:
        value: `[origin, destination, sector]`.
        gradient: with respect to (tau, epsilon, sigma), `[3, origin, destination, sector]`.
        hessian: `[3, 3, origin, destination, sector]`.
    """

    value: Tensor
    gradient: Tensor
    hessian: Tensor


class Side:
    """What one side of a flow receives per unit of it, with derivatives along changes of the log wedges.

    Args:
        terms: exponentials of the receipt, by their powers of (tau, epsilon, sigma).
    """

    def __init__(self, terms: dict[tuple[int, int, int], Tensor]) -> None:
        self._terms = terms
        self.value = sum(terms.values(), torch.zeros((), dtype=torch.float64))

    def slope(self, wedge: int) -> Tensor:
        """Derivative with respect to wedge 0 (tau), 1 (epsilon) or 2 (sigma)."""
        return _sum(powers[wedge] * term for powers, term in self._terms.items() if powers[wedge])

    def along(self, change: Wedges) -> Tensor:
        """Derivative along a change of the wedges."""
        return _sum(term * _dot(powers, change) for powers, term in self._terms.items() if any(powers))

    def slope_along(self, wedge: int, change: Wedges) -> Tensor:
        """Derivative of `slope(wedge)` along a change of the wedges."""
        return _sum(
            powers[wedge] * term * _dot(powers, change) for powers, term in self._terms.items() if powers[wedge]
        )


class Sides:
    """Importer's and exporter's receipts per unit of a flow, `[...]` like the wedges, whose axes may be in any order.

    Args:
        accounting: bases of the taxes.
        wedges: tau, epsilon and sigma, broadcastable to each other.
    """

    def __init__(self, accounting: Accounting, wedges: Wedges) -> None:
        known: dict[tuple[int, int, int], Tensor] = {}

        def exponential(powers: tuple[int, int, int]) -> Tensor:
            if powers not in known:
                known[powers] = _dot(powers, wedges).exp()
            return known[powers]

        def side(terms: tuple[Term, ...]) -> Side:
            return Side({(a, b, d): c * exponential((a, b, d)) for c, a, b, d in terms})

        self.importer, self.exporter = side(_IMPORTER[accounting]), side(_EXPORTER[accounting])
        self.producer = exponential((-1, -1, 1))
        """What is left to the producer."""


def _dot(powers: tuple[int, int, int], wedges: Wedges) -> Tensor:
    out = torch.zeros((), dtype=wedges[0].dtype)
    for power, wedge in zip(powers, wedges, strict=True):
        if power:
            out = out + wedge if power == 1 else out - wedge if power == -1 else out + power * wedge
    return out


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return sum(terms, torch.zeros((), dtype=torch.float64))


def importer_share(accounting: Accounting, tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Tensor:
    """Tariff revenue of the destination per unit of X, `[origin, destination, sector]`."""
    return _share(_IMPORTER[accounting], tau, epsilon, sigma)


def exporter_share(accounting: Accounting, tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Tensor:
    """Export tax less subsidy outlay of the origin per unit of X, `[origin, destination, sector]`."""
    return _share(_EXPORTER[accounting], tau, epsilon, sigma)


def outlays(accounting: Accounting, tau: Tensor, epsilon: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Export tax collected and subsidy paid by the origin per unit of X, `[..., origin, destination, sector]` each."""
    return _share(_EXPORT_TAX[accounting], tau, epsilon, sigma), _share(_SUBSIDY[accounting], tau, epsilon, sigma)


def importer_share_along(accounting: Accounting, wedges: Wedges, change: Wedges) -> tuple[Tensor, Tensor]:
    """`importer_share` and its derivative along a change of the log wedges, `[..., origin, destination, sector]`."""
    tau, epsilon, sigma = wedges
    value, slope = torch.zeros_like(tau), torch.zeros_like(tau)
    for coefficient, a, b, d in _IMPORTER[accounting]:
        term = coefficient * (a * tau + b * epsilon + d * sigma[..., :, None, :]).exp()
        value = value + term
        slope = slope + term * (a * change[0] + b * change[1] + d * change[2][..., :, None, :])
    return value, slope


def importer_receipt(accounting: Accounting, tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Receipt:
    """`importer_share` with first and second derivatives."""
    return _receipt(_IMPORTER[accounting], tau, epsilon, sigma)


def exporter_receipt(accounting: Accounting, tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Receipt:
    """`exporter_share` with first and second derivatives."""
    return _receipt(_EXPORTER[accounting], tau, epsilon, sigma)


def _share(terms: tuple[Term, ...], tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Tensor:
    """Sigma is `[..., country, sector]`: the origin's."""
    exponents = ((c, a * tau + b * epsilon + d * sigma[..., :, None, :]) for c, a, b, d in terms)
    return sum((c * exponent.exp() for c, exponent in exponents), torch.zeros_like(tau))


def _receipt(terms: tuple[Term, ...], tau: Tensor, epsilon: Tensor, sigma: Tensor) -> Receipt:
    value = torch.zeros_like(tau)
    gradient = tau.new_zeros((3, *tau.shape))
    hessian = tau.new_zeros((3, 3, *tau.shape))
    for coefficient, *powers in terms:
        a, b, d = powers
        term = coefficient * torch.exp(a * tau + b * epsilon + d * sigma[:, None])
        m = tau.new_tensor(powers)
        value = value + term
        gradient += m.view(3, 1, 1, 1) * term
        hessian += (m[:, None] * m[None, :]).view(3, 3, 1, 1, 1) * term
    return Receipt(value, gradient, hessian)
