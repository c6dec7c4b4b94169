"""Emissions of production, prices of carbon on them, and the damages they do.

Sector j of economy i emits in proportion to its physical output: `E_ij = E0_ij q_ij` with `q = R / c` the hat of output
(revenue over unit cost), linear in the unknowns in logs. What is emitted per unit of output does not respond to prices;
output does, and where it is produced.

Prices of carbon are in money of the numeraire per tonne, charged on quantities: with e tonnes per unit, a producer's
unit cost c becomes `c + tau e`, and an importer's price b at the border becomes `b (1 + t) + tau e'`, with e' the
emissions of the good's production alone (`direct`) or with those of its inputs and theirs (`embodied`, at the
baseline's inputs). In ad valorem terms these are `tau e / c` and `tau e' / b`: wedges that move with the equilibrium
(`dlopt.trade.carbon_wedges`).

Damages are in money per tonne of world emissions, constant, at the baseline's price of each economy's consumption:
welfare is `W^ - d (E - E0) / C0`, C0 being the baseline's consumption.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Literal

import torch
from torch import Tensor

from dlopt.errors import DloptError
from dlopt.trade.accounting import Accounting
from dlopt.trade.model import State, TradeModel, one_where_not

BASES = ("direct", "embodied")
"""What a border carbon tax is charged on."""


class CarbonError(DloptError):
    """Emissions, damages or prices of carbon that make no sense."""


@dataclasses.dataclass(frozen=True, eq=False)
class Carbon:
    """Emissions of the baseline, and what is done about them.

    Attributes:
        emissions: tonnes (or any other unit of weight), `[country, sector]`.
        damages: what one more tonne anywhere in the world costs each economy, money per tonne, `[country]`; None is
            nothing.
        tax: price of carbon that producers pay where nobody chooses it, money per tonne, `[country, sector]`.
        border_tax: price of the carbon in imports, money per tonne, `[origin, destination, sector]`.
        basis: `direct` or `embodied`: the emissions in imports that a border tax is charged on.
    """

    emissions: Tensor
    damages: Tensor | None = None
    tax: Tensor | None = None
    border_tax: Tensor | None = None
    basis: Literal["direct", "embodied"] = "direct"

    def __repr__(self) -> str:
        given = ", ".join(name for name in ("damages", "tax", "border_tax") if getattr(self, name) is not None)
        sizes = " x ".join(map(str, self.emissions.shape))
        return f"Carbon({sizes} emissions, {float(self.emissions.sum()):.6g} in all; {given or 'no prices or damages'})"

    @property
    def sha256(self) -> str:
        """Of its numbers: where results come from."""
        sha = hashlib.sha256(self.basis.encode())
        for name in ("emissions", "damages", "tax", "border_tax"):
            table: Tensor | None = getattr(self, name)
            sha.update(name.encode())
            if table is not None:
                sha.update(table.to(torch.float64).contiguous().numpy().tobytes())
        return sha.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class CarbonTerms:
    """The constants of a model.

    Attributes:
        initial: emissions of the baseline, `[country, sector]`.
        intensity: tonnes per money of the baseline's output, `[country, sector]`.
        border_intensity: the same for imports, direct or embodied, `[country of origin, sector]`.
        damages: money per tonne, `[country]`.
        consumption: C0, `[country]`.
        tax: money per tonne, `[country, sector]`, where nobody chooses it.
        border_tax: money per tonne, `[origin, destination, sector]`, likewise.
        productivity: log of what a shock does to output from the same inputs, `[country, sector]`.
        active: cells that go on producing after a shock, `[country, sector]`.
    """

    initial: Tensor
    intensity: Tensor
    border_intensity: Tensor
    damages: Tensor
    consumption: Tensor
    tax: Tensor
    border_tax: Tensor
    productivity: Tensor
    active: Tensor

    @classmethod
    def of(cls, model: TradeModel, given: Carbon) -> CarbonTerms:
        """The terms of a model before any shock.

        Raises:
            CarbonError: tables of the wrong shape, negative or not finite, emissions without output, or an accounting
                in which a price of carbon is not what it says.
        """
        n, j = model.n, model.j
        emissions = _checked("carbon.emissions", given.emissions, (n, j))
        damages = _checked("carbon.damages", given.damages, (n,))
        tax = _checked("carbon.tax", given.tax, (n, j))
        border = _checked("carbon.border_tax", given.border_tax, (n, n, j))
        if given.basis not in BASES:
            raise CarbonError(f"carbon.basis is {given.basis!r}: it is one of {', '.join(BASES)}.")
        nowhere = ((emissions > 0) & ~model.sells).nonzero()
        if len(nowhere):
            i, s = (int(k) for k in nowhere[0])
            c = model.calibration
            raise CarbonError(
                f"{c.economies[i]} emits in sector {c.sectors[s]} ({c.sector_names[s]}), where it produces "
                "nothing. Move these emissions to sectors with output."
            )
        if model.accounting is Accounting.PAPER and bool((tax > 0).any() or (border > 0).any()):
            raise CarbonError(
                "accounting=paper collects taxes on bases that differ from prices; a price of carbon needs "
                "accounting=standard."
            )
        intensity = emissions / one_where_not(model.revenue, model.sells)
        at_home = torch.eye(n, dtype=torch.bool)[:, :, None]
        consumption = model.income if model.closure is None else model.closure.consumption0
        return cls(
            emissions, intensity, embodied(model, intensity) if given.basis == "embodied" else intensity, damages,
            consumption, tax, torch.where(at_home, 0.0, border), torch.zeros_like(emissions), model.sells,
        )  # fmt: skip

    @property
    def harms(self) -> bool:
        """Whether emissions do damage."""
        return bool((self.damages > 0).any())

    @property
    def priced(self) -> bool:
        """Whether somebody pays for carbon where nobody chooses a price."""
        return bool((self.tax > 0).any() or (self.border_tax > 0).any())

    def after(self, active: Tensor, productivity: Tensor | None) -> CarbonTerms:
        """The terms after a shock: cells that go on producing, and factors on their productivity."""
        log = self.productivity if productivity is None else productivity.to(self.initial.dtype).log()
        return dataclasses.replace(self, active=active, productivity=log)

    def with_prices(self, tax: Tensor, border_tax: Tensor) -> CarbonTerms:
        """The same with other prices of carbon."""
        return dataclasses.replace(self, tax=tax, border_tax=border_tax)

    def emissions(self, output: Tensor) -> Tensor:
        """Tonnes, `[..., country, sector]`, at logs of output as `log_output` has them."""
        return torch.where(self.active, self.initial * (output + self.productivity).exp(), 0.0)

    def log_welfare(self, log_welfare: Tensor, output: Tensor) -> Tensor:
        """Log of welfare less damages over the baseline's, `[..., country]`."""
        more = self.emissions(output).sum((-2, -1)) - self.initial.sum()
        return (log_welfare.exp() - self.damages / self.consumption * more[..., None]).log()


def log_output(model: TradeModel, state: State) -> Tensor:
    """Log hat of revenue over unit cost, `[..., country, sector]`: of output, at the productivity of the baseline."""
    return state.wage[..., None] + state.labour - model.unit_cost(state)


def emissions(model: TradeModel, state: State) -> Tensor:
    """Emissions, `[country, sector]`.

    Raises:
        CarbonError: the model knows of none.
    """
    if model.carbon is None:
        raise CarbonError("This model knows no emissions: give carbon=Carbon(emissions=...).")
    return model.carbon.emissions(log_output(model, state))


def embodied(model: TradeModel, intensity: Tensor) -> Tensor:
    """Tonnes per money of output with those of inputs, their inputs and so on, `[country, sector]`, at the baseline.

    `m = e + A' m`, A the producers' value of goods (o, s) in a unit of output (i, j) of the baseline.
    """
    n, j = model.n, model.j
    origin = model.lam * (-model.log_kappa0).exp()  # producers' value per unit that buyers spend
    inputs = torch.einsum("ois,isj->osij", origin, model.materials).reshape(n * j, n * j)
    unit = torch.eye(n * j, dtype=inputs.dtype)
    return torch.linalg.solve(unit - inputs.T, intensity.flatten()).view(n, j)


def _checked(name: str, table: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    if table is None:
        return torch.zeros(shape, dtype=torch.float64)
    if table.shape != shape or not bool(((table >= 0) & table.isfinite()).all()):
        raise CarbonError(f"{name} is {list(table.shape)}: give {list(shape)} finite numbers, 0 or more.")
    return table.to(torch.float64)
