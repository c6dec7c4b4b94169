"""Nash equilibria: exact best responses, a joint Newton on all first-order conditions, and verification.

Best responses in turn (Wang, Xu, Yang, Zhu 2024, equation 10, step size one) bring the players near; the joint Newton
makes it exact; then every player re-optimises alone from other starts, and if one gains, play goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.game import (
    Game,
    Interrupted,
    Monitor,
    Point,
    first_order_residual,
    free_instruments,
    own_gradient,
)
from dlopt.framework.joint import JointNewton, joint_newton
from dlopt.framework.outcome import Outcome
from dlopt.framework.verification import verify


@dataclasses.dataclass(frozen=True)
class Optimality:
    """Evidence that a point is an equilibrium of the game.

    Attributes:
        first_order_residual: largest projected own derivative.
        curvature: largest eigenvalue of each player's own Hessian on its free instruments, `[player]`.
        curvature_scale: largest eigenvalue in absolute value, `[player]`.
        flat_directions: eigenvalues too small to be told from zero (1e-9 of the largest).
        at_bound: instruments held by a bound.
        gain: largest relative gain a player found by re-optimising alone; None when it was not tried.
    """

    first_order_residual: float
    curvature: tuple[float, ...]
    curvature_scale: tuple[float, ...]
    flat_directions: int
    at_bound: int
    gain: float | None

    def proven(self, tolerance: float, gain_tolerance: float) -> bool:
        """First-order conditions hold, no player's curvature is positive beyond rounding, nobody gains alone."""
        concave = all(c <= 1e-9 * s for c, s in zip(self.curvature, self.curvature_scale, strict=True))
        stays = self.gain is not None and self.gain <= gain_tolerance
        return self.first_order_residual <= tolerance and concave and stays


@dataclasses.dataclass(frozen=True)
class NashResult:
    """Where a game solver ended.

    Attributes:
        outcome: CONVERGED only if `optimality` proves it.
        point: the strategies and their equilibrium.
        optimality: evidence; None if the solver was interrupted before any.
        iterations: of all phases.
    """

    outcome: Outcome
    point: Point
    optimality: Optimality | None
    iterations: int


def solve_nash(
    game: Game, start: Point, options: JointNewton = JointNewton(), other_starts: list[Tensor] | None = None,
    monitor: Monitor | None = None,
) -> NashResult:  # fmt: skip
    """Find and verify a Nash equilibrium from `start`.

    Args:
        game: players, instruments, bounds.
        start: where play begins.
        options: see `JointNewton`.
        other_starts: instruments `[instrument]` each, from whose own entries every player re-optimises alone; at
            least one is needed for a proof.
        monitor: receives every iteration.
    """
    monitor = monitor or Monitor()
    point = start
    try:
        outcome, gain = Outcome.MAX_ITERATIONS, None
        for _ in range(options.revisions):
            outcome, point = _play(game, point, options, monitor)
            if outcome is not Outcome.CONVERGED:
                break
            point, gain = verify(game, point, options, other_starts or [], monitor)
            if gain is None or gain <= options.gain_tolerance:
                break
    except Interrupted as stop:
        return NashResult(Outcome.INTERRUPTED, stop.point, None, monitor.iteration)
    optimality = assess(game, point, gain)
    if outcome is Outcome.CONVERGED and not optimality.proven(options.tolerance, options.gain_tolerance):
        outcome = Outcome.STALLED
    return NashResult(outcome, point, optimality, monitor.iteration)


def assess(game: Game, point: Point, gain: float | None) -> Optimality:
    """First- and second-order evidence at a point; `gain` is passed through."""
    gradient = own_gradient(game, point)
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    curvature, scale, flat = [], [], 0
    for player in range(game.players):
        mine = (game.owner == player).nonzero().squeeze(1)
        inside = free[mine]
        if not bool(inside.any()):
            curvature.append(0.0)
            scale.append(0.0)
            continue
        values = torch.linalg.eigvalsh(point.hessian(player)[inside][:, inside])
        curvature.append(float(values.max()))
        scale.append(float(values.abs().max()))
        flat += int((values.abs() <= 1e-9 * scale[-1]).sum())
    return Optimality(first_order_residual(game, point), tuple(curvature), tuple(scale), flat, int((~free).sum()), gain)


def _play(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> tuple[Outcome, Point]:
    """Alternate rounds of truncated best responses and attempts of the joint Newton."""
    if game.players == 1:
        alone = maximise(game, 0, point, AscentOptions(tolerance=options.tolerance / 100), monitor, "newton")
        return alone.outcome, alone.point
    best_response = AscentOptions(max_iterations=options.warm_up, tolerance=options.tolerance / 100)
    residual = first_order_residual(game, point)
    if residual > 1e-4:
        point = _answers(game, range(game.players), point, best_response, monitor)
    for attempt in range(options.rounds):
        last = joint_newton(game, point, options, monitor)
        unsettled: Sequence[int] = last.unsettled
        if last.outcome is Outcome.CONVERGED:
            unsettled = _saddles(game, last.point)
            if not unsettled:
                return last.outcome, last.point
        if unsettled:
            point = last.point
        # Best responses go on from where Newton could not, ever more exactly.
        best_response = dataclasses.replace(best_response, max_iterations=options.warm_up + 4 * attempt)
        point = _answers(game, unsettled or range(game.players), point, best_response, monitor)
    return Outcome.MAX_ITERATIONS, point


def _answers(game: Game, players: Sequence[int], point: Point, options: AscentOptions, monitor: Monitor) -> Point:
    for player in players:
        point = maximise(game, player, point, options, monitor).point
    return point


def _saddles(game: Game, point: Point) -> list[int]:
    """Players whose own second-order condition fails."""
    evidence = assess(game, point, None)
    tops = zip(evidence.curvature, evidence.curvature_scale, strict=True)
    return [player for player, (top, size) in enumerate(tops) if top > 1e-9 * size]
