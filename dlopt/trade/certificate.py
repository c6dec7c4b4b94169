"""What a solved run can prove about itself."""

from __future__ import annotations

import dataclasses

from dlopt.framework.nash import MISSED

EQUILIBRIUM_TOLERANCE = 1e-10
"""Largest absolute log residual of the equilibrium."""
FIRST_ORDER_TOLERANCE = 1e-8
"""Largest projected own derivative, per log-unit of policy."""
GAIN_TOLERANCE_PCT = 1e-6
"""Largest gain of any player from re-optimising alone, per cent of real income."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Evidence for a result; None where it does not apply or was not tried.

    Attributes:
        equilibrium_residual: largest absolute log residual of the equilibrium equations.
        first_order_residual: largest derivative of a player's objective in a direction open to it, per log-unit.
        max_own_curvature: largest eigenvalue of any player's own Hessian on its free instruments; negative at a
            strict optimum, zero up to rounding along flat directions.
        curvature_scale: largest eigenvalue in absolute value.
        flat_directions: directions whose curvature is below 1e-9 of the player's largest: not told from flat.
        at_bound: number of instruments at a bound.
        instruments: number of instruments.
        best_response_gain_pct: largest percentage gain a player finds by re-optimising alone from other starts.
        walras_residual: log residual of the labour market that the numeraire replaces.
        curvature_residual: with many instruments the largest eigenvalues come from a Lanczos process, and
            `max_own_curvature` and `curvature_scale` are those of Hessians scaled to about one; this is the largest
            residual of such an eigenvalue, already added. None where all eigenvalues were computed.
        curvature_missed: bound of the probability, over the process's random start, that a direction of positive
            curvature was missed. None where all eigenvalues were computed.
        players_verified: how many players re-optimised alone.
        untested: players for whom no deviation could be completed; a result with any is not certified.
        deviations: how many deviations were evaluated, by kind: corners of a player's box, one kind of instrument or
            one sector at a bound, one instrument alone, low-discrepancy points of the whole box.
        best_responses: how many best responses were completed from the most promising of these and from random
            starts, by kind of start.
        agree: how many of these ended at the welfare that the player has already.
        improved: searches that found something better and sent the solver on, in words.
        found_again: of a certified result, whether the search for an equilibrium at its policies that begins at the
            baseline ends there too.
        local: whether a local claim is all that is made: this equilibrium is not found again from the baseline, or
            theta*psi is above one somewhere. Equilibria under given policies may then be several, and deviations were
            followed on one branch of them.
    """

    equilibrium_residual: float
    walras_residual: float
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
    found_again: bool | None = None
    local: bool = False

    def __post_init__(self) -> None:
        for name in ("untested", "improved"):  # lists where it comes from a file
            object.__setattr__(self, name, tuple(getattr(self, name)))


def tried_in_words(certificate: Certificate) -> str:
    """What a certificate's search for deviations proves and what it does not."""
    c = certificate
    kinds = " and ".join(
        f"{sum(counts.values())} {what}"
        for counts, what in ((c.deviations, "deviations"), (c.best_responses, "best responses"))
        if counts
    )
    words = [f"Tried: {kinds}, {c.agree} of them ending here: a search, no proof that nothing better exists."]
    words += [f"On the way {better}." for better in c.improved]
    if c.local:
        why = (
            "from the baseline this equilibrium is not found again at these policies"
            if c.found_again is False
            else "theta*psi is above one somewhere"
        )
        words.append(f"Local: {why}, so given policies may have several equilibria; one branch of them was searched.")
    return " ".join(words)


def failing(certificate: Certificate) -> str:
    """Which test a result did not pass."""
    c = certificate
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
        failed.append("deviations were not tried")
    if c.best_response_gain_pct is not None and c.best_response_gain_pct > GAIN_TOLERANCE_PCT:
        failed.append(f"a player gains {c.best_response_gain_pct:.1e} % by deviating")
    return f"Not certified: {'; '.join(failed)}."
