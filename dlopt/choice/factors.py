"""What models whose continuous states load on common shocks share: parameters, and the process of the states.

The states revert to their long-run mean, `d x = -r (x - centre) dt + sigma dW`, so that in the long run they are
`x = centre + loading Z` with Z independent standard normals: on a plane where there are two shocks.
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from dlopt.choice.effort import PLAIN, Choosing
from dlopt.choice.model import Array, ModelError, State, gather_movable
from dlopt.store.equality import same_record


class FactorModel(abc.ABC):
    """Base of a model's parameters, which are a frozen dataclass: arrays in float64 that cannot be written to.

    Attributes:
        arrays: the fields that are arrays.
        optional: fields that leave the problem as it is without them, and the value at which they do.
        sigma: loadings of the states on the shocks, per square root of a year, `[K, M]`.
        rho: discount rate.
        name: name of the model; not part of what it is.
        factor_symbol: of the continuous states, in the names of columns.
    """

    arrays: ClassVar[tuple[str, ...]]
    optional: ClassVar[Mapping[str, float]] = {}
    factor_symbol: ClassVar[str]
    sigma: Array
    rho: float
    name: str

    def __repr__(self) -> str:
        switches, states = len(self.switch_labels), len(self.centre)
        return f"{type(self).__name__}({self.name!r}: {switches} switches, {states} continuous states)"

    def __eq__(self, other: object) -> bool:
        return same_record(self, other) if isinstance(other, FactorModel) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.name, self.digest()))

    @property
    @abc.abstractmethod
    def centre(self) -> Array:
        """Long-run mean of the states, `[K]`."""

    @property
    @abc.abstractmethod
    def reversion(self) -> float:
        """Rate at which they revert to it, per year."""

    @property
    @abc.abstractmethod
    def switch_labels(self) -> tuple[str, ...]:
        """Of each switch, in the names of columns."""

    @property
    def factor_labels(self) -> tuple[str, ...]:
        """Names of the columns of the continuous states, from their symbol."""
        return tuple(f"{self.factor_symbol}_{k + 1}" for k in range(len(self.centre)))

    @property
    def clock_labels(self) -> tuple[str, ...]:
        """Of each position of the clock, in the names of columns; none: no clock."""
        return ()

    def _freeze(self) -> None:
        for key in self.arrays:
            array = np.array(getattr(self, key), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, key, array)

    def _array_faults(self, **shapes: tuple[int, ...]) -> list[str]:
        """What is wrong with shapes and entries of the arrays."""
        faults = [
            f"{key} has shape {getattr(self, key).shape}, expected {shape}"
            for key, shape in shapes.items()
            if getattr(self, key).shape != shape
        ]
        return faults + [
            f"{key} has entries that are not finite" for key in self.arrays if not np.isfinite(getattr(self, key)).all()
        ]

    def _refuse(self, what: str, faults: list[str]) -> None:
        if faults:
            raise ModelError(f"The {what} {self.name!r} is not valid: " + "; ".join(faults) + ".")

    @property
    def loading(self) -> Array:
        """States per long-run standard deviation of each factor: `x = centre + loading @ Z`, `[K, M]`."""
        return self.sigma / np.sqrt(2 * self.reversion)

    @property
    def spread(self) -> Array:
        """Long-run standard deviation of the states, `[K]`."""
        return np.sqrt((self.loading**2).sum(1))

    def factors(self, x: Array) -> tuple[Array, Array]:
        """Factors Z `[B, M]` that generate the states `x` `[B, K]`, and the largest misfit in standard deviations."""
        delta = x - self.centre
        z = delta @ np.linalg.pinv(self.loading).T
        misfit = np.abs((delta - z @ self.loading.T) / self.spread).max(1, initial=0.0)
        return z, misfit

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    def digest(self) -> str:
        """SHA-256 of all parameters but the name: two models with one digest are the same problem.

        Optional ones at their neutral value leave no trace.
        """
        sha = hashlib.sha256()
        for key, value in self.parameters().items():
            if key != "name" and not (key in self.optional and value == self.optional[key]):
                sha.update(key.encode())
                sha.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return sha.hexdigest()


class FactorDynamics:
    """The part of `SwitchingModel` that the process of the continuous states fixes. B states, K of them continuous."""

    longest_step = math.inf  # transitions are exact
    parameters: FactorModel
    switches: int
    clocks: int
    cost: Tensor
    how: Choosing = PLAIN

    def __init__(self, model: FactorModel, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        self.switch_labels, self.factor_labels = model.switch_labels, model.factor_labels
        self.clock_labels = model.clock_labels
        self.rho, self.reversion, self.factors = model.rho, model.reversion, len(model.centre)
        self.centre, self.spread = self.tensor(model.centre), self.tensor(model.spread)
        self.loading, self.sigma = self.tensor(model.loading), self.tensor(model.sigma.T)
        self.shocks = model.sigma.shape[1]

    def movable(self, state: State) -> Tensor | None:
        raise NotImplementedError

    def costs(self, state: State) -> Tensor:
        return gather_movable(self.cost, self.movable(state))

    def choosing(self, state: State) -> Choosing:
        return self.how

    def tensor(self, a: Any) -> Tensor:
        """An array as a tensor of the model."""
        return torch.tensor(np.asarray(a), device=self.device, dtype=self.dtype)

    def drift(self, x: Tensor) -> Tensor:
        return -self.reversion * (x - self.centre)

    def volatility(self, x: Tensor) -> Tensor:
        return self.sigma

    def diffuse(self, x: Tensor, years: float, noise: Tensor) -> Tensor:
        keep = float(np.exp(-self.reversion * years))
        return self.centre + keep * (x - self.centre) + float(np.sqrt(1 - keep**2)) * (noise @ self.loading.T)

    def draw(self, n: int, generator: torch.Generator, width: float = 1.0, off_manifold: float = 0.0) -> State:
        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=self.device, dtype=self.dtype)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=self.device, dtype=self.dtype)

        delta = normal(n, self.shocks) @ self.loading.T
        if off_manifold > 0:
            away = uniform(n, 1) < off_manifold
            delta = torch.where(away, normal(n, self.factors) * self.spread, delta)
        y = (uniform(n, self.switches) < uniform(n, 1)).to(self.dtype)
        z = None if self.clocks == 1 else torch.randint(self.clocks, (n,), generator=generator, device=self.device)
        return State(y, self.centre + width * delta, z)
