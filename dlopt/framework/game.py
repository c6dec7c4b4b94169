"""Games among players whose objectives depend on one equilibrium: the interface the optimisers work on.

An optimiser sees a game only through points: at instruments `a`, the objectives, their total derivatives and the own
second derivatives, all through the equilibrium. A planner's problem is a game with one player.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from dlopt.framework.outcome import Outcome
from dlopt.framework.tape import Tape


class Point(Protocol):
    """A game evaluated at instruments `a`, `[instrument]`."""

    a: Tensor
    objectives: Tensor
    """W, `[player]`."""
    residual: float
    """Largest absolute residual of the equilibrium."""

    def gradient(self) -> Tensor:
        """Total derivative of every objective, `[player, instrument]`: one adjoint solve for all."""

    def hessian(self, player: int, joint: bool = False) -> Tensor:
        """Total second derivative of a player's objective, `[own instrument, own instrument]`.

        With `joint`, columns are all instruments: `[own instrument, instrument]`.
        """

    def state(self) -> dict[str, Any]:
        """Tensors and numbers from which `Game.restore` makes a point with the very same derivatives."""


class Game(Protocol):
    """Instruments, who owns them, their bounds, and points."""

    owner: Tensor
    """Player of each instrument, `[instrument]`, int64."""
    lower: Tensor
    upper: Tensor
    players: int

    def point(self, a: Tensor, near: Point | None = None) -> Point | None:
        """The equilibrium at `a`; None where none was found.

        With `near`, only close by: an optimiser takes a shorter step instead. Without, by every means.
        """

    def restore(self, state: dict[str, Any]) -> Point:
        """The point of which `state` is."""


@dataclass(frozen=True)
class Progress:
    """What a solver tells its caller after every iteration.

    Attributes:
        iteration: counts from 1 through all phases.
        phase: `best response`, `joint newton`, `verification`, `gradient`.
        player: whose turn it is; None when all move together.
        first_order_residual: largest projected gradient entry at this point (of that player, or of all).
        point: where the iteration ended.
    """

    iteration: int
    phase: str
    player: int | None
    first_order_residual: float
    point: Point


class Interrupted(Exception):
    """Raised inside a solver when its caller asked it to stop; never leaves the framework."""

    def __init__(self, point: Point) -> None:
        super().__init__("asked to stop")
        self.point = point


@dataclass(frozen=True)
class Step:
    """What an iteration leads to.

    Attributes:
        residual: largest projected gradient entry where it began.
        point: where it leads.
        outcome: how the iteration as a whole ended; None to go on from `point`.
        radius: largest change of one instrument allowed next, of methods that adapt it.
        correction: largest change of one instrument that the last Newton matrix still asks for at `point`.
        unsettled: players whose own problem stands in the way of a joint step.
        move: what a fixed-point iteration asks for next, `[instrument]`.
        conditions: first-order conditions where the next step begins, of solvers that work on them.
        carry: their state, on record until the next step is taken.
        objective: that a player's search came to, where `point` is another that is as good.
    """

    residual: float
    point: Point
    outcome: Outcome | None = None
    radius: float = 0.0
    correction: float = math.inf
    unsettled: tuple[int, ...] = ()
    move: Tensor | None = None
    conditions: Any = None
    carry: dict[str, Any] | None = None
    objective: float | None = None


@dataclass
class Monitor:
    """Counts iterations, passes them on, and turns a request to stop into `Interrupted`.

    Attributes:
        callback: told about every iteration; answering True stops the solver.
        tape: where the steps are recorded, and taken from; None to record nothing.
    """

    callback: Callable[[Progress], bool | None] | None = None
    tape: Tape | None = None
    iteration: int = field(default=0, init=False)

    def report(self, phase: str, player: int | None, residual: float, point: Point) -> None:
        """Tell the caller; raise `Interrupted` if it answers True."""
        self.iteration += 1
        if self.callback and self.callback(Progress(self.iteration, phase, player, residual, point)):
            raise Interrupted(point)

    def breathe(self, point: Point) -> None:
        """Inside a long step: raise `Interrupted` if the tape's owner wants to stop."""
        if self.tape is not None and self.tape.stop():
            raise Interrupted(point)

    def step(self, game: Game, label: str, compute: Callable[[], Step]) -> Step:
        """The next step of a solver: from the tape if it is on record, else computed, and recorded."""
        if self.tape is None:
            return compute()
        fresh: list[Step] = []

        def record() -> dict[str, Any]:
            step = compute()
            fresh.append(step)
            outcome = None if step.outcome is None else step.outcome.value
            return {
                "residual": step.residual, "outcome": outcome, "radius": step.radius, "correction": step.correction,
                "point": step.point.state(), "unsettled": list(step.unsettled), "move": step.move,
                "carry": None if step.conditions is None else step.conditions.state(), "objective": step.objective,
            }  # fmt: skip

        entry = self.tape.take(label, record)
        if fresh:
            return fresh[0]
        outcome = None if entry["outcome"] is None else Outcome(entry["outcome"])
        return Step(
            entry["residual"],
            game.restore(entry["point"]),
            outcome,
            entry["radius"],
            entry["correction"],
            tuple(entry["unsettled"]),
            entry["move"],
            carry=entry["carry"],
            objective=entry["objective"],
        )


def free_instruments(a: Tensor, gradient: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """True where an instrument may move: not at a bound that the gradient pushes against, `[instrument]`."""
    return ~(((a <= lower) & (gradient <= 0)) | ((a >= upper) & (gradient >= 0)))


def own_gradient(game: Game, point: Point) -> Tensor:
    """Derivative of each instrument's owner's objective, `[instrument]`."""
    return point.gradient().gather(0, game.owner[None, :]).squeeze(0)


def first_order_residual(game: Game, point: Point, player: int | None = None) -> float:
    """Largest absolute own derivative among free instruments, of one player or of all."""
    gradient = own_gradient(game, point)
    mask = free_instruments(point.a, gradient, game.lower, game.upper)
    if player is not None:
        mask = mask & (game.owner == player)
    return float(gradient[mask].abs().max()) if bool(mask.any()) else 0.0
