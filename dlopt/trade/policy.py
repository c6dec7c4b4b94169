"""Policies: all tariffs, export taxes and subsidies of the world."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from dlopt.errors import DloptError
from dlopt.store.equality import same_record
from dlopt.trade.calibration import Calibration


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
        for name, rates, ok, rule in (
            ("tariff", self.tariff, self.tariff > -1, "> -1"),
            ("export tax", self.export_tax, self.export_tax > -1, "> -1"),
            ("subsidy", self.subsidy, self.subsidy < 1, "< 1"),
        ):
            bad = (~(ok & rates.isfinite())).nonzero()
            if len(bad):
                where = tuple(int(k) for k in bad[0])
                raise PolicyError(f"The {name} at position {where} is {float(rates[where]):g}; it must be {rule}.")

    def __repr__(self) -> str:
        n, j = self.subsidy.shape
        parts = [
            f"{name} up to {float(rates.abs().max()):.4g}" if bool(rates.any()) else f"no {name}"
            for name, rates in (("tariff", self.tariff), ("export tax", self.export_tax), ("subsidy", self.subsidy))
        ]
        return f"Policy({n} economies, {j} sectors: {', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return same_record(self, other) if isinstance(other, Policy) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(float(rates.sum()) for rates in (self.tariff, self.export_tax, self.subsidy)))

    @classmethod
    def of(cls, calibration: Calibration) -> Policy:
        """The policies in force in the baseline."""
        return cls(calibration.tariff, calibration.export_tax, calibration.subsidy)

    def log_wedges(self) -> tuple[Tensor, Tensor, Tensor]:
        """`(tau, epsilon, sigma) = (log(1+t), log(1+e), -log(1-s))`, shapes as the rates."""
        return self.tariff.log1p(), self.export_tax.log1p(), -(-self.subsidy).log1p()
