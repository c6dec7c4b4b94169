"""The calibration type: what the trade model needs to know about the world, as tensors with fixed axes."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.equality import same_record

if TYPE_CHECKING:
    from dlopt.trade.labelled import LabelledPolicy

DIGESTED = (
    "tradable", "trade", "tariff", "export_tax", "subsidy", "value_added_share", "input_share", "final_share",
    "theta", "psi",
)  # fmt: skip
"""The tensors of a calibration, in the order in which its digest reads them."""

Elasticity = float | Sequence[float] | Tensor | Mapping[str, float]
"""One number for all sectors, `[sector]`, or numbers by label or name of the sectors that change."""


class ElasticityError(DloptError):
    """Elasticities that no sector can have."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """A baseline of the world economy.

    All tensors are float64. Rates and shares are fractions; `trade` is in `unit`. Two calibrations are equal (`==`)
    when every label, number and word of provenance is.

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

    def __repr__(self) -> str:
        year = f", {self.year}" if self.year not in ("", "none") else ""
        tradable = int(self.tradable.sum())
        return (
            f"Calibration({self.name!r}: {few(self.economies, 'economies')}; {few(self.sectors, 'sectors')}, "
            f"{tradable} tradable{year}; sha256 {self.sha256[:12]})"
        )

    def __eq__(self, other: object) -> bool:
        return same_record(self, other) if isinstance(other, Calibration) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.sha256))

    @property
    def sha256(self) -> str:
        """SHA-256 of labels and numbers, the same whatever file they were read from.

        Computed from the content at every call (milliseconds), so that it never speaks of numbers that were replaced.
        """
        content = hashlib.sha256()
        content.update(repr((self.economies, self.sectors)).encode())
        for field in DIGESTED:
            tensor: Tensor | None = getattr(self, field)
            content.update(field.encode())
            if tensor is not None:
                array = tensor.detach().cpu().to(torch.float64).numpy() + 0.0  # no -0.0
                content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return content.hexdigest()

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

    def with_elasticities(self, theta: Elasticity | None = None, psi: Elasticity | None = None) -> Calibration:
        """The same world with other elasticities; flows, shares and policies stay as they are.

        Args:
            theta: trade elasticities, > 0: one number for all sectors, `[sector]`, or `{sector: number}` for those
                that change, by label or name. None keeps them.
            psi: scale elasticities, >= 0, given in the same ways.

        Raises:
            ElasticityError: a number out of its range, or not one for every sector.
            UnknownNameError: an unknown sector.
        """
        changed: dict[str, Tensor] = {}
        for name, given in (("theta", theta), ("psi", psi)):
            if given is not None:
                changed[name] = self._elasticities(name, given)
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]

    def _elasticities(self, name: str, given: Elasticity) -> Tensor:
        values: Tensor = getattr(self, name).clone()
        if isinstance(given, Mapping):
            for sector, value in given.items():
                try:
                    values[self.sector_index(sector)] = float(value)
                except (TypeError, ValueError):
                    raise ElasticityError(f"{name} of sector {sector} is {value!r}; give a number.") from None
        else:
            try:
                new = torch.as_tensor(given, dtype=values.dtype)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ElasticityError(f"{name} holds something that is no number ({error}). Give numbers.") from None
            if new.ndim and new.shape != values.shape:
                raise ElasticityError(
                    f"{name} has shape {list(new.shape)}; give one number, or one for each of {len(values)} sectors."
                )
            values[:] = new
        for sector, value in zip(self.sectors, values.tolist(), strict=True):
            if not math.isfinite(value) or value < 0 or (name == "theta" and value == 0):
                rule = "> 0" if name == "theta" else ">= 0"
                raise ElasticityError(f"{name} of sector {sector} is {value:g}; it must be a number {rule}.")
        return values

    def policy(self) -> LabelledPolicy:
        """The policy in force in the baseline, as one that can be changed by name.

        `world.policy().raise_tariff("USA", on="all", sectors=["steel"], by=0.25)` is the same as the sentence
        `USA: +25% on steel from all`.
        """
        from dlopt.trade.labelled import labelled

        return labelled(self)

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


def few(labels: Sequence[str], what: str, shown: int = 8) -> str:
    """How many labels there are and, where that is short, which."""
    text = ", ".join(labels)
    return f"{len(labels)} {what}" + (f" ({text})" if len(labels) <= shown and len(text) <= 80 else "")
