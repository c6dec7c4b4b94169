"""An equilibrium model of one's own: equations, objectives, and who chooses what."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.precision import double_precision

if TYPE_CHECKING:
    from dlopt.models.derivatives import Derivatives

Equations = Callable[[Tensor, Tensor], Tensor]
"""From unknowns `[unknown]` and instruments `[instrument]` to a vector, in torch operations throughout."""
Outcomes = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
"""From unknowns and instruments to named quantities: scalars or vectors."""


class ModelError(DloptError):
    """A model that cannot be solved as it is written."""


class FunctionError(ModelError):
    """A function of the model fails, or returns what cannot be used."""


@dataclasses.dataclass(frozen=True)
class Instrument:
    """One number that somebody may choose.

    Attributes:
        name: unique in its model.
        owner: the player who chooses it; None for what players can only agree on: a planner chooses it, otherwise it
            stays at `start`.
        lower: its lowest value.
        upper: its highest value.
        start: its value before anybody chooses, and where searches begin.
        cooperative: whether a planner chooses it too; otherwise it stays at `start` when all act together.
    """

    name: str
    owner: str | None
    lower: float = -math.inf
    upper: float = math.inf
    start: float = 0.0
    cooperative: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class EquilibriumModel:
    """Players whose objectives depend on one equilibrium, which depends on the instruments they choose.

    Everything is float64. Write equations in logs or in shares, so that a residual of 1e-10 means the same in all.

    Attributes:
        residual: F, zero at the equilibrium: `[unknown], [instrument] -> [unknown]`.
        objectives: W, what each player maximises, in the order of `players`: `[unknown], [instrument] -> [player]`.
        players: their names.
        instruments: what can be chosen.
        start: unknowns where the search for an equilibrium begins, `[unknown]`.
        unknowns: their names; default `u0`, `u1`, ...
        outcomes: further quantities to report; a vector with one entry per player is labelled by the players.
        derivatives: written by hand, for speed; what is not given comes from automatic differentiation.
        name: of the model.

    Raises:
        ModelError: names that are missing or double, crossed bounds, a start outside them.
        UnknownNameError: an instrument's owner is no player.
    """

    residual: Equations
    objectives: Equations
    players: Sequence[str]
    instruments: Sequence[Instrument]
    start: Tensor | Sequence[float]
    unknowns: Sequence[str] = ()
    outcomes: Outcomes | None = None
    derivatives: Derivatives | None = None
    name: str = "model"

    def __post_init__(self) -> None:
        start = self._start()
        names = tuple(self.unknowns) or tuple(f"u{i}" for i in range(len(start)))
        for field, value in (
            ("start", start), ("unknowns", names), ("players", tuple(self.players)),
            ("instruments", tuple(self.instruments)),
        ):  # fmt: skip
            object.__setattr__(self, field, value)
        if len(names) != len(start):
            raise ModelError(
                f"Model {self.name!r} names {len(names)} unknowns and starts from {len(start)} values: give one name "
                "for each, or none."
            )
        for kind, given in (("unknown", names), ("player", self.players), ("instrument", self.instrument_names)):
            self._distinct(kind, given)
        for instrument in self.instruments:
            self._check(instrument)

    def __repr__(self) -> str:
        return (
            f"EquilibriumModel({self.name!r}: {len(self.unknowns)} unknowns, {len(self.players)} players, "
            f"{len(self.instruments)} instruments)"
        )

    @property
    def instrument_names(self) -> tuple[str, ...]:
        """Name of each instrument, `[instrument]`."""
        return tuple(instrument.name for instrument in self.instruments)

    @property
    def u0(self) -> Tensor:
        """`start` as a tensor, `[unknown]`."""
        assert isinstance(self.start, Tensor)
        return self.start

    @property
    def a0(self) -> Tensor:
        """The instruments before anybody chooses, `[instrument]`."""
        return _vector([instrument.start for instrument in self.instruments])

    @property
    def lower(self) -> Tensor:
        """Lowest value of each instrument, `[instrument]`."""
        return _vector([instrument.lower for instrument in self.instruments])

    @property
    def upper(self) -> Tensor:
        """Highest value of each instrument, `[instrument]`."""
        return _vector([instrument.upper for instrument in self.instruments])

    @property
    def owner(self) -> Tensor:
        """Player of each instrument, -1 where it is nobody's, `[instrument]`."""
        owners = (instrument.owner for instrument in self.instruments)
        return torch.tensor([-1 if owner is None else self.players.index(owner) for owner in owners])

    def player_index(self, name: str) -> int:
        """Position of a player.

        Raises:
            UnknownNameError: there is no such player.
        """
        if name not in self.players:
            raise UnknownNameError("player", name, self.players)
        return self.players.index(name)

    def instrument_index(self, name: str) -> int:
        """Position of an instrument.

        Raises:
            UnknownNameError: there is no such instrument.
        """
        if name not in self.instrument_names:
            raise UnknownNameError("instrument", name, self.instrument_names)
        return self.instrument_names.index(name)

    def values(self, given: Mapping[str, float]) -> Tensor:
        """The instruments at `start`, but those named at the given values, `[instrument]`.

        Raises:
            UnknownNameError: there is no such instrument.
            ModelError: a value outside its bounds.
        """
        a = self.a0
        for name, value in given.items():
            at = self.instrument_index(name)
            moved = dataclasses.replace(self.instruments[at], start=float(value))
            self._check(moved)
            a[at] = moved.start
        return a

    def call(self, function: str, u: Tensor, a: Tensor) -> Tensor:
        """`residual` or `objectives` at a point; whatever goes wrong inside is a `FunctionError` with their name.

        Constants they make on the way are float64 unless they say otherwise.
        """
        try:
            with double_precision():
                value: Tensor = getattr(self, function)(u, a)
        except DloptError:
            raise
        except Exception as error:
            raise FunctionError(
                f"{function} of model {self.name!r} failed: {type(error).__name__}: {first_line(error)}"
            ) from error
        return value

    def _start(self) -> Tensor:
        try:
            start = torch.as_tensor(self.start)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"start of model {self.name!r} is no vector of numbers: give a one-dimensional torch tensor."
            ) from error
        if start.ndim != 1 or not len(start) or start.is_complex() or start.dtype == torch.bool:
            raise ModelError(
                f"start of model {self.name!r} has shape {list(start.shape)} and type {start.dtype}: give one real "
                "number for each unknown, as a vector."
            )
        start = start.detach().to(torch.float64, copy=True)
        if not bool(start.isfinite().all()):
            at = int((~start.isfinite()).nonzero()[0])
            raise ModelError(f"start of model {self.name!r} is {float(start[at])} at position {at}: it must be finite.")
        return start

    def _distinct(self, kind: str, names: Sequence[object]) -> None:
        if not names:
            raise ModelError(f"Model {self.name!r} has no {kind}: give at least one.")
        for name in names:
            if not isinstance(name, str) or not name:
                raise ModelError(f"Model {self.name!r} calls a {kind} {name!r}: a name is a text that is not empty.")
            if list(names).count(name) > 1:
                raise ModelError(f"Model {self.name!r} has two of the {kind} {name!r}: give each a name of its own.")

    def _check(self, instrument: Instrument) -> None:
        i = instrument
        if i.owner is not None and i.owner not in self.players:
            raise UnknownNameError(f"owner of instrument {i.name!r}, a player", i.owner, self.players)
        if not i.lower <= i.upper:
            raise ModelError(
                f"Instrument {i.name!r} has the bounds [{i.lower:g}, {i.upper:g}]: the lower must not exceed the upper."
            )
        if not (i.lower <= i.start <= i.upper and math.isfinite(i.start)):
            raise ModelError(
                f"Instrument {i.name!r} is set to {i.start:g}, outside its bounds [{i.lower:g}, {i.upper:g}]: widen "
                "them, or give a value inside."
            )


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return next(iter(str(error).splitlines()), "") or "no message"


def _vector(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
