"""Best-response dynamics by gradient ascent: Algorithm 1 of Wang, Xu, Yang, Zhu (2024), as published.

Each player in turn takes a fixed number of optimiser steps on its own objective, with the gradient through the
equilibrium, and moves the fraction eta of the way. There is no test of optimality inside; the result is assessed
like any other and rarely proven.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import torch

from dlopt.errors import UnknownNameError
from dlopt.framework.deviations import Search
from dlopt.framework.game import Game, Interrupted, Monitor, Point, Step, first_order_residual
from dlopt.framework.joint import JointNewton
from dlopt.framework.nash import NashResult, assess
from dlopt.framework.outcome import Outcome
from dlopt.framework.verification import verify

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}
SEQUENCES = ("random_shuffle", "cyclic", "random")
INNER = ("chord", "contraction", "newton", "contraction_newton")


@dataclasses.dataclass(frozen=True)
class BestResponse:
    """Options of `best_response_dynamics`.

    Optimiser, steps, rounds, sequence and clipping are by default those of the paper's Table 1, and the learning rate
    is the highest of its range. The paper leaves eta open, and its actions are rates; here their logs are moved.

    Attributes:
        optimizer: `adam`, `sgd`, `adagrad` or `rmsprop` (equation 4).
        learning_rate: of the optimiser, in log-units of policy.
        clip: largest norm of a gradient.
        steps: optimiser steps per player and round.
        rounds: rounds of all players.
        eta: fraction of the way to the best response (equation 10).
        sequence: `random_shuffle`, `cyclic` or `random`.
        inner: how the equilibrium is found at each step: `chord` (Newton that keeps its factors), `contraction`
            (equation 5, the paper's), `newton` (equation 6) or `contraction_newton`. The game has to know it.
        compare: also solve the game by the joint Newton, so that the distance of the path from the certified
            equilibrium can be told; whoever plays the game does both.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    clip: float = 10.0
    steps: int = 50
    rounds: int = 20
    eta: float = 1.0
    sequence: str = "random_shuffle"
    inner: str = "chord"
    compare: bool = False

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
        if self.sequence not in SEQUENCES:
            raise UnknownNameError("playing sequence", self.sequence, SEQUENCES)
        if self.inner not in INNER:
            raise UnknownNameError("inner loop", self.inner, INNER)


def best_response_dynamics(
    game: Game, start: Point, options: BestResponse = BestResponse(), seed: int = 0,
    other_starts: list[torch.Tensor] | None = None, monitor: Monitor | None = None,
    search: Search = Search(),
) -> NashResult:  # fmt: skip
    """Play `rounds` rounds from `start` and assess where they lead."""
    monitor = monitor or Monitor()
    generator = torch.Generator().manual_seed(seed)
    point = start
    try:
        for _ in range(options.rounds):
            for player in _order(game.players, options.sequence, generator):
                taken = partial(_turn, game, player, point, options, monitor)
                turn = monitor.step(game, f"gradient of {player}", taken)
                point = turn.point
                monitor.report("gradient", player, turn.residual, point)
        tried = None
        proof = JointNewton()
        if first_order_residual(game, point) <= proof.tolerance:
            point, tried = verify(game, point, proof, other_starts or [], monitor, search)
    except Interrupted as stop:
        return NashResult(Outcome.INTERRUPTED, stop.point, None, monitor.iteration)
    optimality = assess(game, point, tried)
    proven = optimality.proven(proof.tolerance, proof.gain_tolerance)
    outcome = Outcome.CONVERGED if proven else Outcome.MAX_ITERATIONS
    return NashResult(outcome, point, optimality, monitor.iteration)


def _order(players: int, sequence: str, generator: torch.Generator) -> list[int]:
    if sequence == "cyclic":
        return list(range(players))
    if sequence == "random":
        return torch.randint(players, (players,), generator=generator).tolist()
    return torch.randperm(players, generator=generator).tolist()


def _turn(game: Game, player: int, point: Point, options: BestResponse, monitor: Monitor) -> Step:
    """The player's ascent, and the fraction eta of the way there; the residual is that of the point where it leads."""
    response = _ascend(game, player, point, options, monitor)
    if options.eta != 1:
        mixed = point.a + options.eta * (response.a - point.a)
        response = game.point(mixed, near=point) or point
    return Step(first_order_residual(game, response), response)


def _ascend(game: Game, player: int, point: Point, options: BestResponse, monitor: Monitor) -> Point:
    """`steps` steps of the optimiser on the player's own instruments, projected on the bounds."""
    own = game.owner == player
    values = torch.nn.Parameter(point.a[own].clone())
    optimizer = OPTIMIZERS[options.optimizer]([values], lr=options.learning_rate, maximize=True)  # type: ignore[call-arg]
    for _ in range(options.steps):
        monitor.breathe(point)
        values.grad = point.gradient()[player, own].clone()
        torch.nn.utils.clip_grad_norm_([values], options.clip)
        optimizer.step()
        with torch.no_grad():
            values.clamp_(game.lower[own], game.upper[own])
        a = point.a.clone()
        a[own] = values.detach()
        moved = game.point(a, near=point)
        if moved is None:
            break
        point = moved
    return point
