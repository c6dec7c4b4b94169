"""Policies: all tariffs, export taxes and subsidies of the world."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from dlopt.errors import DloptError
from dlopt.store.equality import same_record
from dlopt.trade.calibration import Calibration
from dlopt.trade.rates import INSTRUMENTS


class PolicyError(DloptError):
    """A rate that no government could set."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Policy:
    """Rates of every policy instrument, as fractions.

    Attributes:
        tariff: t, tariff of n on i, `[origin, destination, sector]`, > -1.
        export_tax: e, export tax of i on sales to n, `[origin, destination, sector]`, > -1.
        subsidy: s, subsidy of i on output, `[country, sector]`, < 1.
    """

    tariff: Tensor
    export_tax: Tensor
    subsidy: Tensor

    def __post_init__(self) -> None:
        for kind, rates in zip(INSTRUMENTS, self.rates(), strict=True):
            bad = (~(kind.possible(rates) & rates.isfinite())).nonzero()
            if len(bad):
                where = tuple(int(k) for k in bad[0])
                value = float(rates[where])
                raise PolicyError(f"The {kind.label} at position {where} is {value:g}; it must be {kind.rule}.")

    def __repr__(self) -> str:
        n, j = self.subsidy.shape
        parts = [
            f"{kind.label} up to {float(rates.abs().max()):.4g}" if bool(rates.any()) else f"no {kind.label}"
            for kind, rates in zip(INSTRUMENTS, self.rates(), strict=True)
        ]
        return f"Policy({n} economies, {j} sectors: {', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return same_record(self, other) if isinstance(other, Policy) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(float(rates.sum()) for rates in self.rates()))

    @classmethod
    def of(cls, calibration: Calibration) -> Policy:
        """The policies in force in the baseline."""
        return cls(**{kind.name: getattr(calibration, kind.name) for kind in INSTRUMENTS})

    @classmethod
    def from_wedges(cls, wedges: tuple[Tensor, Tensor, Tensor]) -> Policy:
        """The policy with log wedges `(tau, epsilon, sigma)`; a log and back may cost a last digit."""
        return cls(**{kind.name: kind.rate(wedge) for kind, wedge in zip(INSTRUMENTS, wedges, strict=True)})

    def rates(self) -> tuple[Tensor, ...]:
        """The rates of every instrument, in the order of `dlopt.trade.rates.INSTRUMENTS`."""
        return tuple(getattr(self, kind.name) for kind in INSTRUMENTS)

    def log_wedges(self) -> tuple[Tensor, Tensor, Tensor]:
        """`(tau, epsilon, sigma) = (log(1+t), log(1+e), -log(1-s))`, shapes as the rates."""
        return tuple(kind.wedge(rates) for kind, rates in zip(INSTRUMENTS, self.rates(), strict=True))  # type: ignore[return-value]
