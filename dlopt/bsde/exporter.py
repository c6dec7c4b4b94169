"""The exporter: J destinations, two common shocks to their costs, complementary channels.

Source: Huang and Yu (2024), section 2, after Alfaro-Urena, Castro-Vincenzi, Fanelli and Morales (2023).
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlopt.bsde.model import ModelError, State

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Exporter:
    """Parameters of the exporter's problem, in float64.

    A channel `y_j` earns `zeta_j - nu_j + sum_m c_jm y_m` a year; costs follow
    `d nu_j = -theta (nu_j - nubar_j) dt + sigma_j0 dW_0 + sigma_j1 dW_1`.

    Attributes:
        zeta: revenue of a channel per year, `[J]`.
        nubar: long-run cost of a channel per year, `[J]`.
        s: cost of opening a channel, paid once, `[J]`.
        sigma: loadings of the costs on the two shocks, per square root of a year, `[J, 2]`.
        c: complementarities, `c[j, m]` is what channel m adds to the yearly profit of channel j, `[J, J]`, diagonal 0.
        theta: mean reversion of the costs, per year.
        lambda0: rate of opportunities to open a closed channel, per year.
        lambda1: rate at which an open channel dies, per year.
        rho: discount rate, per year.
        names: names of the destinations.
        name: name of the model, for messages and files.
    """

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

    def __post_init__(self) -> None:
        for key in ("zeta", "nubar", "s", "sigma", "c"):
            array = np.array(getattr(self, key), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, key, array)
        j = len(self.zeta)
        if not self.names:
            object.__setattr__(self, "names", tuple(f"d{k + 1:03d}" for k in range(j)))
        faults = [
            f"{key} has shape {getattr(self, key).shape}, expected {shape}"
            for key, shape in (("nubar", (j,)), ("s", (j,)), ("sigma", (j, 2)), ("c", (j, j)))
            if getattr(self, key).shape != shape
        ]
        faults += [
            f"{key} is {getattr(self, key):g}, must be positive and finite"
            for key in ("theta", "lambda0", "lambda1", "rho")
            if not (getattr(self, key) > 0 and np.isfinite(getattr(self, key)))
        ]
        faults += [
            f"{key} has entries that are not finite"
            for key in ("zeta", "nubar", "s", "sigma", "c")
            if not np.isfinite(getattr(self, key)).all()
        ]
        if j == 0:
            faults.append("there are no destinations")
        if not faults:
            if (self.s < 0).any():
                faults.append("a cost s of opening a channel is negative")
            if np.diag(self.c).any():
                faults.append("the diagonal of c must be 0: put a destination's own revenue in zeta")
            if not (self.sigma**2).sum(1).all():
                faults.append("a destination has no cost shock (sigma_0 = sigma_1 = 0): give it a small one")
            if len(set(self.names)) != j:
                faults.append("the names of the destinations must be as many as destinations, and different")
        if faults:
            raise ModelError(f"The exporter model {self.name!r} is not valid: " + "; ".join(faults) + ".")

    @property
    def destinations(self) -> int:
        """J."""
        return len(self.zeta)

    @property
    def loading(self) -> Array:
        """Costs per long-run standard deviation of each factor: `nu = nubar + loading @ Z`, `[J, 2]`."""
        return self.sigma / np.sqrt(2 * self.theta)

    @property
    def spread(self) -> Array:
        """Long-run standard deviation of the costs, `[J]`."""
        return np.sqrt((self.loading**2).sum(1))

    @property
    def pair(self) -> Array:
        """What two open channels add to profits together, `c + c'`, `[J, J]`."""
        return self.c + self.c.T

    def factors(self, nu: Array) -> tuple[Array, Array]:
        """Factors Z `[B, 2]` that generate the costs `nu` `[B, J]`, and the largest misfit in standard deviations."""
        delta = nu - self.nubar
        z = delta @ np.linalg.pinv(self.loading).T
        misfit = np.abs((delta - z @ self.loading.T) / self.spread).max(1, initial=0.0)
        return z, misfit

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

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def digest(self) -> str:
        """SHA-256 of all parameters: two models with one digest are the same problem."""
        sha = hashlib.sha256()
        for key, value in self.parameters().items():
            if key == "name":
                continue
            sha.update(key.encode())
            sha.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return sha.hexdigest()

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> ExporterDynamics:
        """The model as the solver sees it, on a device."""
        return ExporterDynamics(self, torch.device(device), dtype)


class ExporterDynamics:
    """`SwitchingModel` of the exporter. Shapes: B states, J destinations, 2 shocks."""

    clocks = 1
    clock_rate = 0.0
    shocks = 2

    def __init__(self, model: Exporter, device: torch.device, dtype: torch.dtype) -> None:
        def tensor(a: Array) -> Tensor:
            return torch.tensor(a, device=device, dtype=dtype)

        self.parameters = model
        self.device, self.dtype = device, dtype
        self.switches = self.factors = model.destinations
        self.rho, self.theta = model.rho, model.theta
        self.lambda0, self.lambda1 = model.lambda0, model.lambda1
        self.zeta, self.cost, self.centre = tensor(model.zeta), tensor(model.s), tensor(model.nubar)
        self.volatility, self.spread, self.loading = tensor(model.sigma.T), tensor(model.spread), tensor(model.loading)
        self.c = tensor(model.c)
        self._open, self._close = tensor(np.array([model.lambda0])), tensor(np.array([model.lambda1]))

    def flow(self, state: State) -> Tensor:
        return (state.y * (self.zeta - state.x)).sum(1) + ((state.y @ self.c) * state.y).sum(1)

    def drift(self, x: Tensor) -> Tensor:
        return -self.theta * (x - self.centre)

    def movable(self, state: State) -> None:
        return None

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        return self._open, self._close

    def diffuse(self, x: Tensor, years: float, noise: Tensor) -> Tensor:
        keep = float(np.exp(-self.theta * years))
        return self.centre + keep * (x - self.centre) + float(np.sqrt(1 - keep**2)) * (noise @ self.loading.T)

    def draw(self, n: int, generator: torch.Generator, width: float = 1.0, off_manifold: float = 0.0) -> State:
        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=self.device, dtype=self.dtype)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=self.device, dtype=self.dtype)

        delta = normal(n, 2) @ self.loading.T
        if off_manifold > 0:
            away = uniform(n, 1) < off_manifold
            delta = torch.where(away, normal(n, self.factors) * self.spread, delta)
        y = (uniform(n, self.switches) < uniform(n, 1)).to(self.dtype)
        return State(y, self.centre + width * delta)
