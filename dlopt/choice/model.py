"""What a dynamic discrete-choice problem in continuous time is, to the solver.

An agent has J switches `y` in {0, 1}^J and faces K continuous states `x` driven by M common shocks,

    dx = mu(x) dt + sum_m sigma_m(x) dW_m,

and possibly a clock `z`, a Markov chain that says which switches can move. A switch that is off gets an opportunity
to be turned on at a Poisson rate, at a cost paid on acceptance; one that is on fails at another rate. With flow
utility `u` and discount rate `rho` the value solves the Hamilton-Jacobi-Bellman equation

    rho V = u + L V + sum_j open_j (1 - y_j) max{V(y + 1_j) - V(y) - s_j, 0} + sum_j close_j y_j (V(y - 1_j) - V(y))
            + clock_rate sum_z' (V(z') - V(z)),

where `L` is the generator of `x`. Source: Huang and Yu (2024), section 1, equations (6), (7), (10).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dlopt.errors import DloptError

if TYPE_CHECKING:
    from dlopt.choice.effort import Choosing
    from dlopt.choice.traits import Traits

Array = np.ndarray


class ModelError(DloptError):
    """A model whose parameters make no sense, or that a method cannot handle."""


class StateError(DloptError):
    """States that do not belong to the model, or lie outside what a solution covers."""


@dataclasses.dataclass(frozen=True)
class State:
    """A batch of B states.

    Attributes:
        y: switches, 0. or 1., `[B, J]`.
        x: continuous states, `[B, K]`.
        z: position of the clock, integers `[B]`; None for a model without one.
    """

    y: Tensor
    x: Tensor
    z: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: Any) -> State:
        """Some of the states."""
        return State(self.y[index], self.x[index], None if self.z is None else self.z[index])

    @staticmethod
    def joined(parts: Sequence[State]) -> State:
        """Batches of states as one."""
        z = [part.z for part in parts if part.z is not None]
        return State(
            torch.cat([part.y for part in parts]), torch.cat([part.x for part in parts]), torch.cat(z) if z else None
        )

    def flipped(self, j: int) -> State:
        """The same states with switch `j` in its other position."""
        y = self.y.clone()
        y[:, j] = 1 - y[:, j]
        return State(y, self.x, self.z)


class Model(Protocol):
    """The parameters of a problem: what is saved, compared and told of it.

    Attributes:
        name: for messages and files; not part of what the problem is.
        switch_labels: of each switch, in the names of columns, `[J]`.
        factor_labels: names of the columns of the continuous states, `[K]`.
        clock_labels: of each position of the clock, in the names of columns; none: no clock.
    """

    @property
    def name(self) -> str: ...

    @property
    def switch_labels(self) -> tuple[str, ...]: ...

    @property
    def factor_labels(self) -> tuple[str, ...]: ...

    @property
    def clock_labels(self) -> tuple[str, ...]: ...

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name: what the class is built from."""
        ...

    def digest(self) -> str:
        """SHA-256 of all parameters but the name: two models with one digest are the same problem."""
        ...

    def on(self, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> SwitchingModel:
        """The model as the solver sees it, on a device."""
        ...

    def traits(self) -> Traits:
        """What the solver must know of this class of models."""
        ...


class SwitchingModel(Protocol):
    """The problem as the training loop, the certificate and the simulations see it.

    All tensors live on one device with one floating dtype. `L` below is the number of switches that can move in a
    state: J where there is no clock.

    Attributes:
        switches, factors, shocks, clocks: J, K, M and the number of positions of the clock (1: none).
        rho: discount rate, per year.
        cost: cost s_j of turning a switch on, `[J]` (an average where `costs` says it depends on the state).
        centre, spread: long-run mean and standard deviation of the continuous states, `[K]` (to scale inputs).
        clock_rate: rate at which the clock moves to each other position.
        longest_step: years that `diffuse` may be asked to go at once; infinite where it is exact.
        switch_labels, factor_labels, clock_labels: as in `Model`.
    """

    clocks: int
    rho: float
    cost: Tensor
    centre: Tensor
    spread: Tensor
    clock_rate: float
    longest_step: float

    @property
    def switches(self) -> int: ...

    @property
    def factors(self) -> int: ...

    @property
    def shocks(self) -> int: ...

    @property
    def switch_labels(self) -> tuple[str, ...]: ...

    @property
    def factor_labels(self) -> tuple[str, ...]: ...

    @property
    def clock_labels(self) -> tuple[str, ...]: ...

    def flow(self, state: State) -> Tensor:
        """Utility per year, `[B]`."""
        ...

    def drift(self, x: Tensor) -> Tensor:
        """mu(x), `[B, K]`."""
        ...

    def volatility(self, x: Tensor) -> Tensor:
        """sigma_m(x), loadings on the shocks: `[M, K]` where they are the same everywhere, else `[B, M, K]`."""
        ...

    def movable(self, state: State) -> Tensor | None:
        """Which switches can move, `[B, L]` integers; None: all of them, in order."""
        ...

    def rates(self, state: State) -> tuple[Tensor, Tensor]:
        """Rates of opportunities and of failures of the movable switches, each broadcastable to `[B, L]`."""
        ...

    def costs(self, state: State) -> Tensor:
        """Costs of turning the movable switches on, broadcastable to `[B, L]`."""
        ...

    def choosing(self, state: State) -> Choosing:
        """What can be done beyond taking opportunities: effort, and luck in costs."""
        ...

    def diffuse(self, x: Tensor, years: float, noise: Tensor) -> Tensor:
        """`x` some years later, at most `longest_step`, for standard normal shocks `noise` `[B, M]`."""
        ...

    def draw(self, n: int, generator: torch.Generator, width: float = 1.0, off_manifold: float = 0.0) -> State:
        """Random states that cover the state space.

        Args:
            n: how many.
            generator: source of randomness.
            width: standard deviations of the continuous states, in long-run ones.
            off_manifold: share of the states whose continuous coordinates are drawn one by one, off the
                M-dimensional manifold on which they live in the long run.
        """
        ...


def along(volatility: Tensor, shock: Tensor) -> Tensor:
    """What shocks, `[M]` or `[B, M]`, add to the continuous states, `[K]` or `[B, K]`: `shock @ sigma`."""
    if volatility.dim() == 2:
        return shock @ volatility
    return (shock[..., None] * volatility).sum(-2)


def of_pairs(marginal: Tensor, index: Tensor | None, row: Tensor, switch: Tensor) -> Tensor:
    """Entries of `marginal` `[B, L]` over the movable switches `index` at pairs `(row, switch)`, `[P]`."""
    place = switch if index is None else (index[row] == switch[:, None]).int().argmax(1)
    return marginal[row, place]


def gather_movable(values: Tensor, index: Tensor | None) -> Tensor:
    """Entries of the movable switches: `values` is `[B, J]` or `[J]`, the result `[B, L]` (or `values` itself)."""
    if index is None:
        return values
    return values[index] if values.dim() == 1 else values.gather(1, index)
