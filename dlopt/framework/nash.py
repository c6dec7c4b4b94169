"""Nash equilibria: exact best responses, a joint Newton on all first-order conditions, and verification.

Best responses in turn (Wang, Xu, Yang, Zhu 2024, equation 10, step size one) bring the players near; the joint Newton
makes it exact; then every player re-optimises alone from other starts, and if one gains, play goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from torch import Tensor

from dlopt.framework.ascent import AscentOptions, maximise
from dlopt.framework.ascent_by_products import alone_by_products, maximise_by_products
from dlopt.framework.concavity import concavity
from dlopt.framework.conditions import LargeGame, large_of
from dlopt.framework.deviations import Search
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
from dlopt.framework.newton_krylov import play_by_newton_krylov
from dlopt.framework.outcome import Outcome
from dlopt.framework.own_blocks import DENSE_FASTER, LARGEST, blocked, without_formulas
from dlopt.framework.simultaneous import play_at_once
from dlopt.framework.verification import Verification, verified_players, verify

DENSE_GAME = 6000
"""Instruments up to which the dense solver can take over: it forms a matrix of all by all."""
ROUGH = 1e-11
"""Residual of an equilibrium above which it is found again before it is handed on."""
MISSED = 1e-4
"""Largest probability, over its random start, that a Lanczos process missed a direction of positive curvature."""


@dataclasses.dataclass(frozen=True)
class Optimality:
    """Evidence that a point is an equilibrium of the game.

    Attributes:
        first_order_residual: largest projected own derivative.
        curvature: largest eigenvalue of each player's own Hessian on its free instruments, `[player]`.
        curvature_scale: largest eigenvalue in absolute value, `[player]`.
        flat_directions: eigenvalues too small to be told from zero (1e-9 of the largest); None where not all are known.
        at_bound: instruments held by a bound.
        gain: largest relative gain a player found by re-optimising alone; None when it was not tried.
        ritz_residual, missed: of `curvature` where it comes from a Lanczos process (see `Concavity`).
        verified: players who re-optimised.
        search: what was tried to find a gain.
    """

    first_order_residual: float
    curvature: tuple[float, ...]
    curvature_scale: tuple[float, ...]
    flat_directions: int | None
    at_bound: int
    gain: float | None
    ritz_residual: float | None = None
    missed: float | None = None
    verified: int | None = None
    search: Verification = dataclasses.field(default_factory=Verification)

    def proven(self, tolerance: float, gain_tolerance: float) -> bool:
        """First-order conditions hold, no player's curvature is positive beyond rounding, nobody gains alone."""
        concave = all(c <= 1e-9 * s for c, s in zip(self.curvature, self.curvature_scale, strict=True))
        concave = concave and (self.missed is None or self.missed <= MISSED)
        stays = self.gain is not None and self.gain <= gain_tolerance and not self.search.untested
        return self.first_order_residual <= tolerance and concave and stays


@dataclasses.dataclass(frozen=True)
class NashResult:
    """Where a game solver ended.

    Attributes:
        outcome: CONVERGED only if `optimality` proves it.
        point: the strategies and their equilibrium.
        optimality: evidence; None if the solver was interrupted before any.
        iterations: of all phases.
        note: which solver did not get there, if one did not.
    """

    outcome: Outcome
    point: Point
    optimality: Optimality | None
    iterations: int
    note: str = ""


def solve_nash(
    game: Game, start: Point, options: JointNewton = JointNewton(), other_starts: list[Tensor] | None = None,
    monitor: Monitor | None = None, search: Search = Search(),
) -> NashResult:  # fmt: skip
    """Find and verify a Nash equilibrium from `start`.

    Args:
        game: players, instruments, bounds.
        start: where play begins.
        options: see `JointNewton`.
        other_starts: instruments `[instrument]` each, from whose own entries every player re-optimises alone; at
            least one is needed for a proof.
        monitor: receives every iteration.
        search: further deviations that every player tries.
    """
    monitor = monitor or Monitor()
    point, note = start, ""
    try:
        outcome, tried = Outcome.MAX_ITERATIONS, None
        for _ in range(options.revisions):
            outcome, point, note = _play(game, point, options, monitor)
            if outcome is not Outcome.CONVERGED:
                break
            point, latest = verify(game, point, options, other_starts or [], monitor, search)
            tried = latest.after(tried)
            if latest.gain is None or latest.gain <= options.gain_tolerance:
                break
    except Interrupted as stop:
        # Solvers that move all players at once are content with rough equilibria on the way.
        rough = stop.point.residual > ROUGH
        exact = game.point(stop.point.a, near=stop.point) if rough else None
        return NashResult(Outcome.INTERRUPTED, exact or stop.point, None, monitor.iteration)
    optimality = assess(game, point, tried)
    if tried is not None:
        optimality = dataclasses.replace(optimality, verified=len(verified_players(game, options)))
    if outcome is Outcome.CONVERGED and not optimality.proven(options.tolerance, options.gain_tolerance):
        outcome = Outcome.STALLED
    return NashResult(outcome, point, optimality, monitor.iteration, note)


def assess(game: Game, point: Point, tried: Verification | None = None) -> Optimality:
    """First- and second-order evidence at a point; what was `tried` to refute it is passed on."""
    tried = tried or Verification()
    large = large_of(game)
    conditions = None if large is None else large.of(point)
    gradient = own_gradient(game, point) if conditions is None else conditions.own_gradient()
    free = free_instruments(point.a, gradient, game.lower, game.upper)
    residual = float(gradient[free].abs().max()) if bool(free.any()) else 0.0
    found = concavity(game, point, free, conditions)
    return Optimality(
        residual, found.curvature, found.scale, found.flat, int((~free).sum()), tried.gain, found.residual,
        found.missed, search=tried,
    )  # fmt: skip


def _play(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> tuple[Outcome, Point, str]:
    """All players at once where the game allows it and that is faster, else, or if that fails, densely."""
    large = large_of(game)
    if large is not None and alone_by_products(large, game.players):
        return _play_alone(game, large, point, options, monitor)
    solve = None if large is None else _at_once(game, large)
    if large is None or solve is None:
        return (*_play_densely(game, point, options, monitor), "")
    outcome, found = solve(game, large, point, monitor)
    if solve is play_at_once and outcome is not Outcome.CONVERGED and game.players > 1:
        with without_formulas(large):
            outcome, found = play_by_newton_krylov(game, large, found, monitor)
    if outcome is Outcome.CONVERGED and (game.players > 1 or not _saddles(game, found)):
        return outcome, found, ""
    failed = f"The solver that moves all players at once did not get there ({outcome.value})"
    if len(point.a) > DENSE_GAME:
        return outcome, found, f"{failed}, and {len(point.a):,} instruments are too many for the dense one."
    return (*_play_densely(game, point, options, monitor), f"{failed}; the dense solver took over.")


def _play_alone(
    game: Game, large: LargeGame, point: Point, options: JointNewton, monitor: Monitor
) -> tuple[Outcome, Point, str]:
    """One player with thousands of instruments: by products, and densely where that fails and a matrix can be held."""
    ascent = AscentOptions(tolerance=options.tolerance / 100)
    found = maximise_by_products(game, large, point, ascent, monitor, "newton")
    if found.outcome is Outcome.CONVERGED:
        return found.outcome, found.point, ""
    failed = f"Newton by products did not get there ({found.outcome.value})"
    if len(point.a) > DENSE_GAME:
        return found.outcome, found.point, f"{failed}, and {len(point.a):,} instruments are too many for a matrix."
    dense = maximise(game, 0, found.point, ascent, monitor, "newton")
    return dense.outcome, dense.point, f"{failed}; the dense solver took over."


def _at_once(game: Game, large: LargeGame) -> Callable[[Game, LargeGame, Point, Monitor], tuple[Outcome, Point]] | None:
    """The solver for many players that suits the game and is faster than the dense one; None where none does."""
    if bool(large.has_formula.all()):
        return play_at_once
    most = max(len(own) for own in blocked(large))
    small = large.dense and len(game.owner) <= DENSE_FASTER
    return None if small or game.players == 1 or most > LARGEST else play_by_newton_krylov


def _play_densely(game: Game, point: Point, options: JointNewton, monitor: Monitor) -> tuple[Outcome, Point]:
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
    gradient = own_gradient(game, point)
    return concavity(game, point, free_instruments(point.a, gradient, game.lower, game.upper)).convex
