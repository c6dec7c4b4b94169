"""The calibration type: what the trade model needs to know about the world, as tensors with fixed axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.errors import UnknownNameError


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A baseline of the world economy.

    All tensors are float64. Rates and shares are fractions; `trade` is in `unit`.

    Attributes:
        name: how users call it.
        economies: labels of the N economies, the order of every country axis.
        sectors: labels of the J sectors, the order of every sector axis.
        sector_names: readable names of the sectors.
        tradable: bool `[sector]`, where tariffs and subsidies may be chosen.
        trade: X, spending of n on goods of i at consumer prices, tariff included, `[origin, destination, sector]`.
        tariff: t, tariff of n on i, `[origin, destination, sector]`; zero at home.
        export_tax: e, export tax of i on sales to n, `[origin, destination, sector]`; zero at home.
        subsidy: s, subsidy of i on output of j, `[country, sector]`; negative is a tax.
        value_added_share: beta, `[country, sector]`.
        input_share: gamma, `[country, input sector, output sector]`; columns sum to 1 where beta < 1.
        final_share: alpha, `[country, sector]`; None where it is implied by the market clearing of `trade`.
        theta: trade elasticity, `[sector]`.
        psi: scale elasticity, `[sector]`.
        year, unit, source: provenance, as in meta.yaml.
        sha256: digest of the files it was read from.
    """

    name: str
    economies: tuple[str, ...]
    sectors: tuple[str, ...]
    sector_names: tuple[str, ...]
    tradable: Tensor
    trade: Tensor
    tariff: Tensor
    export_tax: Tensor
    subsidy: Tensor
    value_added_share: Tensor
    input_share: Tensor
    final_share: Tensor | None
    theta: Tensor
    psi: Tensor
    year: str = ""
    unit: str = ""
    source: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        n, j = len(self.economies), len(self.sectors)
        shapes = {
            "tradable": (j,), "theta": (j,), "psi": (j,),
            "trade": (n, n, j), "tariff": (n, n, j), "export_tax": (n, n, j),
            "subsidy": (n, j), "value_added_share": (n, j), "input_share": (n, j, j),
        }  # fmt: skip
        if self.final_share is not None:
            shapes["final_share"] = (n, j)
        for field, shape in shapes.items():
            actual = tuple(getattr(self, field).shape)
            if actual != shape:
                raise ValueError(f"Calibration.{field} has shape {actual}, expected {shape}.")

    @property
    def n_economies(self) -> int:
        """N."""
        return len(self.economies)

    @property
    def n_sectors(self) -> int:
        """J."""
        return len(self.sectors)

    def economy_index(self, label: str) -> int:
        """Position of an economy.

        Raises:
            UnknownNameError: the label is not one of `economies`.
        """
        if label not in self.economies:
            raise UnknownNameError("economy", label, self.economies)
        return self.economies.index(label)

    def sector_index(self, label: object) -> int:
        """Position of a sector, given by its label or its name.

        Raises:
            UnknownNameError: neither a label nor a name.
        """
        text = str(label)
        if text in self.sectors:
            return self.sectors.index(text)
        if text in self.sector_names:
            return self.sector_names.index(text)
        raise UnknownNameError("sector", label, self.sectors)

    def relabelled(self, economies: Sequence[int], sectors: Sequence[int]) -> Calibration:
        """The same world with economies and sectors in another order (positions, new order)."""
        e, s = torch.as_tensor(list(economies)), torch.as_tensor(list(sectors))
        flows = {f: getattr(self, f)[e][:, e][:, :, s] for f in ("trade", "tariff", "export_tax")}
        tables = {f: getattr(self, f)[e][:, s] for f in ("subsidy", "value_added_share")}
        return dataclasses.replace(
            self,
            economies=tuple(self.economies[i] for i in economies),
            sectors=tuple(self.sectors[k] for k in sectors),
            sector_names=tuple(self.sector_names[k] for k in sectors),
            input_share=self.input_share[e][:, s][:, :, s],
            final_share=None if self.final_share is None else self.final_share[e][:, s],
            tradable=self.tradable[s], theta=self.theta[s], psi=self.psi[s],
            **flows, **tables,
        )  # fmt: skip
