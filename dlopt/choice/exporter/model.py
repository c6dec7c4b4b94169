"""The exporter: J destinations, shocks to their costs, common and their own, complementary channels.

Source: Huang and Yu (2024), section 2, after Alfaro-Urena, Castro-Vincenzi, Fanelli and Morales (2023).
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.effort import NO_EFFORT, Choosing, EffortFields
from dlopt.choice.factors import Array, FactorDynamics, FactorModel
from dlopt.choice.model import State

if TYPE_CHECKING:
    from dlopt.choice.traits import Traits


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exporter(EffortFields, FactorModel):
    """Parameters of the exporter's problem, in float64.

    A channel `y_j` earns `zeta_j - nu_j + sum_m c_jm y_m` a year; costs follow
    `d nu_j = -theta (nu_j - nubar_j) dt + sum_m sigma_jm dW_m`. The paper has two common shocks. A shock that only one
    destination loads on is its own; one to its revenue is one to its cost.

    Attributes:
        zeta: revenue of a channel per year, `[J]`.
        nubar: long-run cost of a channel per year, `[J]`.
        s: cost of opening a channel, paid once, `[J]`.
        sigma: loadings of the costs on the M shocks, per square root of a year, `[J, M]`.
        c: complementarities, `c[j, m]` is what channel m adds to the yearly profit of channel j, `[J, J]`, diagonal 0.
        theta: mean reversion of the costs, per year.
        lambda0: rate of opportunities to open a closed channel, per year.
        lambda1: rate at which an open channel dies, per year.
        rho: discount rate, per year.
        names: names of the destinations.
        name: name of the model, for messages and files.
        search_cost, search_power: of effort e that raises the rate of opportunities to `lambda0 + e`, at
            `search_cost e^search_power / search_power` a year for each closed channel; infinite: none is made.
        keep_cost, keep_power: likewise, of effort that lowers the rate at which an open channel dies.
        s_noise: scale of the logistic part of the cost of opening, drawn anew at every opportunity; 0: none.
    """

    arrays: ClassVar = ("zeta", "nubar", "s", "sigma", "c")
    optional: ClassVar = {**NO_EFFORT, "s_noise": 0.0}
    factor_symbol: ClassVar = "nu"

    zeta: Array
    nubar: Array
    s: Array
    sigma: Array
    c: Array
    theta: float
    lambda0: float
    lambda1: float
    rho: float
    names: tuple[str, ...] = ()
    name: str = "exporter"
    search_cost: float = math.inf
    search_power: float = 2.0
    keep_cost: float = math.inf
    keep_power: float = 2.0
    s_noise: float = 0.0

    def __post_init__(self) -> None:
        self._freeze()
        j = len(self.zeta)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"d{k + 1:03d}" for k in range(j)))
        shocks = self.sigma.shape[1] if self.sigma.ndim == 2 and self.sigma.size else 2
        faults = self._array_faults(nubar=(j,), s=(j,), sigma=(j, shocks), c=(j, j))
        faults += [
            f"{key} is {getattr(self, key):g}, must be positive and finite"
            for key in ("theta", "lambda0", "lambda1", "rho")
            if not (getattr(self, key) > 0 and np.isfinite(getattr(self, key)))
        ]
        faults += self.effort_faults()
        if not (self.s_noise >= 0 and np.isfinite(self.s_noise)):
            faults.append(f"s_noise is {self.s_noise:g}, must be 0 or positive and finite")
        if j == 0:
            faults.append("there are no destinations")
        if not faults:
            if (self.s < 0).any():
                faults.append("a cost s of opening a channel is negative")
            if np.diag(self.c).any():
                faults.append("the diagonal of c must be 0: put a destination's own revenue in zeta")
            if not (self.sigma**2).sum(1).all():
                faults.append("a destination has no cost shock (all its entries of sigma are 0): give it a small one")
            if len(set(self.names)) != j:
                faults.append("the names of the destinations must be as many as destinations, and different")
        self._refuse("exporter model", faults)

    @property
    def destinations(self) -> int:
        """J."""
        return len(self.zeta)

    @property
    def centre(self) -> Array:
        return self.nubar

    @property
    def reversion(self) -> float:
        return self.theta

    @property
    def switch_labels(self) -> tuple[str, ...]:
        return tuple(str(j) for j in range(1, self.destinations + 1))

    @property
    def pair(self) -> Array:
        """What two open channels add to profits together, `c + c'`, `[J, J]`."""
        return self.c + self.c.T

    def choosing(self) -> Choosing:
        return dataclasses.replace(super().choosing(), noise=self.s_noise)

    def subset(self, index: Any) -> Exporter:
        """The problem of some destinations alone (also: the same problem with destinations reordered)."""
        index = np.asarray(index)
        return dataclasses.replace(
            self,
            zeta=self.zeta[index],
            nubar=self.nubar[index],
            s=self.s[index],
            sigma=self.sigma[index],
            c=self.c[np.ix_(index, index)],
            names=tuple(self.names[k] for k in index),
        )

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> ExporterDynamics:
        """The model as the solver sees it, on a device."""
        return ExporterDynamics(self, torch.device(device), dtype)

    def traits(self) -> Traits:
        """What the solver must know of this class of models."""
        from dlopt.choice.exporter.traits import EXPORTER

        return EXPORTER


class ExporterDynamics(FactorDynamics):
    """`SwitchingModel` of the exporter. Shapes: B states, J destinations, M shocks."""

    parameters: Exporter
    clocks = 1
    clock_rate = 0.0

    def __init__(self, model: Exporter, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(model, device, dtype)
        self.parameters, self.switches = model, model.destinations
        self.theta, self.how = model.theta, model.choosing()
        self.zeta, self.cost, self.c = self.tensor(model.zeta), self.tensor(model.s), self.tensor(model.c)
        self._open, self._close = self.tensor([model.lambda0]), self.tensor([model.lambda1])

    def flow(self, state: State) -> Tensor:
        return (state.y * (self.zeta - state.x)).sum(1) + ((state.y @ self.c) * state.y).sum(1)

    def movable(self, state: State) -> None:
        return None

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        return self._open, self._close
