"""The policy instruments, one entry each: names, axes, who sets them, and how a rate becomes a log wedge.

Buyers pay `kappa = (1+t)(1+e)(1-s)` times what it costs to produce. The model works with logs of the factors, its
*wedges*: `tau = log(1+t)`, `epsilon = log(1+e)`, `sigma = -log(1-s)`, so that `log kappa = tau + epsilon - sigma`
(Wang, Xu, Yang, Zhu 2024, section 3).

Prices of carbon, in money per tonne, are a second table (`PRICES`): what they do to prices depends on unit costs and
emission intensities (`dlopt.trade.carbon`), so that they are wedges of the equilibrium and no field of `Policy`.

A new instrument is an entry here, a field of the same name in `Calibration`, `Policy`, `InstrumentChoice` and
`Bounds`, its map of cells in `Instruments`, and its place in the equations (`model`, `accounting`, `derivatives`). This
file loads nothing heavy: help and completion read it, too.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

MODES = ("false", "by_sector", "uniform")
"""How an instrument may be chosen: not at all, a rate for each cell, one rate for all cells."""


@dataclasses.dataclass(frozen=True)
class InstrumentKind:
    """What there is to know of one policy instrument.

    Attributes:
        name: in fields, keys and files.
        label, plural: in words.
        symbol: of its log wedge, and of its map of cells in `Instruments`.
        pairs: whether there is a rate for every pair of countries, `[origin, destination, sector]`, or one for every
            country, `[country, sector]`.
        setter: the side of a flow whose government sets the rate and collects (or pays) it.
        tax: whether a positive rate is a tax that raises the price (1+rate), or a subsidy that lowers it (1-rate).
        modes: how it may be chosen, see `MODES`; `mfn` is one rate per sector for all partners.
        random_rate: random starts are drawn uniformly in logs between the lower bound and this rate, or the upper
            bound if that is lower.
        on: completes the title of an instrument with its partner, such as `Tariff on`; empty where there is none.
        per_tonne: whether its rate is money per tonne of emissions, and no fraction of a value.
    """

    name: str
    label: str
    plural: str
    symbol: str
    pairs: bool
    setter: Literal["origin", "destination"]
    tax: bool
    modes: tuple[str, ...]
    random_rate: float
    on: str = ""
    per_tonne: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of its rates."""
        return ("origin", "destination", "sector") if self.pairs else ("country", "sector")

    @property
    def rule(self) -> str:
        """Completes 'it must be ...'."""
        if self.per_tonne:
            return ">= 0"
        return "> -1" if self.tax else "< 1"

    @property
    def limit(self) -> str:
        """The same with its reason."""
        if self.per_tonne:
            return "0 or more: money per tonne"
        return (
            "above -1: a rate of -1 would make goods free"
            if self.tax
            else f"below 1: a {self.label} of 1 would pay the whole price"
        )

    @property
    def side(self) -> str:
        """The word before its partners, whose goods (`from`) or to whom (`to`); empty where it has none."""
        return "" if not self.pairs else "from" if self.setter == "destination" else "to"

    @property
    def bounds_rule(self) -> str:
        """What two bounds must satisfy."""
        if self.per_tonne:
            return "0 <= low <= high"
        return "-1 < low <= high" if self.tax else "low <= high < 1"

    def possible(self, rate: Any) -> Any:
        """Whether a government could set a rate (a number, or elementwise)."""
        if self.per_tonne:
            return rate >= 0
        return rate > -1 if self.tax else rate < 1

    def wedge(self, rate: Tensor) -> Tensor:
        """Log wedges of rates: `log(1+rate)`, of a subsidy `-log(1-rate)`. No rate has wedge 0."""
        return rate.log1p() if self.tax else -(-rate).log1p()

    def rate(self, wedge: Tensor) -> Tensor:
        """Rates of log wedges, the inverse of `wedge`."""
        return wedge.expm1() if self.tax else -(-wedge).expm1()

    def wedge_of(self, rate: float) -> float:
        """`wedge` of one number."""
        return math.log1p(rate) if self.tax else -math.log1p(-rate)

    def factor(self, rate: float) -> float:
        """`exp(wedge) - 1`: of a tax its rate, of a subsidy `rate / (1 - rate)`."""
        return rate if self.tax else rate / (1 - rate)


TARIFF = InstrumentKind(
    "tariff", "tariff", "tariffs", "tau", True, "destination", True, (*MODES, "mfn"), 0.5, on="Tariff on"
)
EXPORT_TAX = InstrumentKind(
    "export_tax", "export tax", "export taxes", "epsilon", True, "origin", True, MODES, 0.3, on="Export tax, to"
)
SUBSIDY = InstrumentKind("subsidy", "subsidy", "subsidies", "sigma", False, "origin", False, MODES, 0.2)

INSTRUMENTS = (TARIFF, EXPORT_TAX, SUBSIDY)
"""In the order of wedges, tables and `Instruments.kind`."""
KINDS = tuple(kind.name for kind in INSTRUMENTS)
"""Their names."""
BY_NAME = {kind.name: kind for kind in INSTRUMENTS}

CARBON_TAX = InstrumentKind(
    "carbon_tax", "carbon tax", "carbon taxes", "carbon", False, "origin", True, MODES, 0.3, per_tonne=True
)
BORDER_TAX = InstrumentKind(
    "border_tax", "border carbon tax", "border carbon taxes", "border", True, "destination", True, (*MODES, "mfn"), 0.3,
    on="Border carbon tax on", per_tonne=True,
)  # fmt: skip

PRICES = (CARBON_TAX, BORDER_TAX)
"""Prices of carbon: on what is emitted at home, and on what the production of imports emitted abroad."""
CHOICES = (*INSTRUMENTS, *PRICES)
"""All that a government may choose, in the order of `Instruments.kind`."""
CHOICE_NAMES = tuple(kind.name for kind in CHOICES)
"""Their names."""
