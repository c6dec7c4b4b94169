"""What a solved game can prove about itself: the evidence, the limits it must keep, and the same in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from dlopt.framework.nash import MISSED, NashResult
from dlopt.framework.outcome import Outcome
from dlopt.framework.verification import Found

EQUILIBRIUM_TOLERANCE = 1e-10
"""Largest absolute residual of the equilibrium (trade: log residual)."""
FIRST_ORDER_TOLERANCE = 1e-8
"""Largest projected own derivative, per unit of an instrument (trade: per log-unit of policy)."""
GAIN_TOLERANCE_PCT = 1e-6
"""Largest gain of any player from re-optimising alone, per cent of its objective (trade: of real income)."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """Evidence for a result; None where it does not apply or was not tried.

    Attributes:
        equilibrium_residual: largest absolute residual of the equilibrium equations.
        first_order_residual: largest derivative of a player's objective in a direction open to it.
        max_own_curvature: largest eigenvalue of any player's own Hessian on its free instruments; negative at a
            strict optimum, zero up to rounding along flat directions.
        curvature_scale: largest eigenvalue in absolute value.
        flat_directions: directions whose curvature is below 1e-9 of the player's largest: not told from flat.
        at_bound: number of instruments at a bound.
        instruments: number of instruments that were chosen.
        best_response_gain_pct: largest percentage gain a player finds by re-optimising alone from other starts.
        curvature_residual: with many instruments the largest eigenvalues come from a Lanczos process, and
            `max_own_curvature` and `curvature_scale` are those of Hessians scaled to about one; this is the largest
            residual of such an eigenvalue, already added. None where all eigenvalues were computed.
        curvature_missed: bound of the probability, over the process's random start, that a direction of positive
            curvature was missed. None where all eigenvalues were computed.
        players_verified: how many players re-optimised alone.
        untested: players for whom no deviation could be completed; a result with any is not certified.
        deviations: how many deviations were evaluated, by kind: corners of a player's box, one family of instruments
            at a bound, one instrument alone, low-discrepancy points of the whole box.
        best_responses: how many best responses were completed from those of these that beat the point already or lie
            farthest away, and from random starts, by kind of start.
        agree: how many of these ended at the objective that the player has already.
        improved: searches that found something better and sent the solver on, in words.
    """

    equilibrium_residual: float
    first_order_residual: float | None = None
    max_own_curvature: float | None = None
    curvature_scale: float | None = None
    flat_directions: int | None = None
    at_bound: int | None = None
    instruments: int | None = None
    best_response_gain_pct: float | None = None
    curvature_residual: float | None = None
    curvature_missed: float | None = None
    players_verified: int | None = None
    untested: tuple[str, ...] = ()
    deviations: dict[str, int] = dataclasses.field(default_factory=dict)
    best_responses: dict[str, int] = dataclasses.field(default_factory=dict)
    agree: int | None = None
    improved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("untested", "improved"):  # lists where it comes from a file
            object.__setattr__(self, name, tuple(getattr(self, name)))


def figures_of(found: NashResult, players: Sequence[str], instruments: int) -> dict[str, Any]:
    """The fields of a `Proof` that a game solver's result has.

    Args:
        found: where the solver ended.
        players: their names, as the game numbers them.
        instruments: how many were chosen.
    """
    figures: dict[str, Any] = {"equilibrium_residual": found.point.residual, "instruments": instruments}
    evidence = found.optimality
    if evidence is None:
        return figures
    worst = max(range(len(evidence.curvature)), key=lambda player: evidence.curvature[player])
    return {
        **figures,
        "first_order_residual": evidence.first_order_residual,
        "max_own_curvature": evidence.curvature[worst],
        "curvature_scale": evidence.curvature_scale[worst],
        "flat_directions": evidence.flat_directions,
        "at_bound": evidence.at_bound,
        "best_response_gain_pct": None if evidence.gain is None else 100 * evidence.gain,
        "curvature_residual": evidence.ritz_residual,
        "curvature_missed": evidence.missed,
        "players_verified": evidence.verified,
        "untested": tuple(players[player] for player in evidence.search.untested),
        "deviations": dict(evidence.search.screened),
        "best_responses": dict(evidence.search.followed),
        "agree": evidence.search.agree,
        "improved": tuple(_improvement(players, one) for one in evidence.search.found),
    }


def certified(found: NashResult) -> bool:
    """Whether a result passes every test."""
    evidence = found.optimality
    return (
        evidence is not None
        and found.point.residual <= EQUILIBRIUM_TOLERANCE
        and evidence.proven(FIRST_ORDER_TOLERANCE, GAIN_TOLERANCE_PCT / 100)
    )


def verdict(found: NashResult, proof: Proof, best: Callable[[], str]) -> tuple[str, str]:
    """Status and message: `converged` (certified), `not_converged` with what failed and a remedy, or `interrupted`.

    Args:
        found: where the solver ended.
        proof: its evidence.
        best: what a certified result claims, in words.
    """
    if found.outcome is Outcome.INTERRUPTED:
        return "interrupted", Outcome.INTERRUPTED.remedy
    if certified(found):
        status, message = "converged", f"Certified: {best()}"
    else:
        outcome = found.outcome if found.outcome is not Outcome.CONVERGED else Outcome.STALLED
        status, message = "not_converged", f"{failing(proof)} {outcome.remedy}"
    return status, f"{message} {found.note}" if found.note else message


def nobody_gains(proof: Proof, players: int) -> str:
    """What a certified game claims: of all players, or of those who were drawn to re-optimise.

    Args:
        proof: its evidence.
        players: how many play.
    """
    tested = proof.players_verified
    if tested is None or tested >= players:
        return "no player gains by deviating alone"
    drawn = f"the {'player' if tested == 1 else f'{tested} players'} drawn at random from {players}"
    verb = "gains nothing" if tested == 1 else "gain nothing"
    return f"first- and second-order conditions of all players hold, and {drawn} {verb} by deviating alone"


def tried_in_words(proof: Proof) -> str:
    """What a search for deviations proves and what it does not."""
    kinds = " and ".join(
        f"{sum(counts.values())} {what}{'s' if sum(counts.values()) != 1 else ''}"
        for counts, what in ((proof.deviations, "deviation"), (proof.best_responses, "best response"))
        if counts
    )
    words = [f"Tried: {kinds}, {proof.agree} of them ending here: a search, no proof that nothing better exists."]
    words += [f"On the way {better}." for better in proof.improved]
    return " ".join(words)


def failing(proof: Proof) -> str:
    """Which test a result did not pass."""
    c = proof
    failed = []
    if not c.equilibrium_residual <= EQUILIBRIUM_TOLERANCE:
        failed.append(f"equilibrium residual {c.equilibrium_residual:.1e} > {EQUILIBRIUM_TOLERANCE:g}")
    if c.first_order_residual is not None and not c.first_order_residual <= FIRST_ORDER_TOLERANCE:
        failed.append(f"first-order residual {c.first_order_residual:.1e} > {FIRST_ORDER_TOLERANCE:g}")
    if c.max_own_curvature is not None and c.max_own_curvature > 1e-9 * (c.curvature_scale or 0.0):
        failed.append(f"own curvature {c.max_own_curvature:.1e} is positive")
    if c.curvature_missed is not None and c.curvature_missed > MISSED:
        failed.append(f"positive own curvature is excluded only up to a probability of {c.curvature_missed:.1e}")
    if c.untested:
        failed.append(f"no deviation of {', '.join(c.untested)} could be completed")
    elif c.best_response_gain_pct is None:
        failed.append("deviations were not tried (no random start had an equilibrium, or starts=0)")
    if c.best_response_gain_pct is not None and c.best_response_gain_pct > GAIN_TOLERANCE_PCT:
        failed.append(f"a player gains {c.best_response_gain_pct:.1e} % by deviating")
    return f"Not certified: {'; '.join(failed)}."


def _improvement(players: Sequence[str], found: Found) -> str:
    """A deviation that sent the solver on."""
    who = "the search" if len(players) == 1 else players[found.player]
    return f"{who} found {100 * found.gain:.2g} % more from another start ({found.kind}), and play went on from there"
