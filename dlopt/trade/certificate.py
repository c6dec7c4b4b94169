"""What a solved run can prove about itself."""

from __future__ import annotations

import dataclasses

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
        local: whether that is all that is claimed: theta*psi is above one somewhere, so equilibria under given policies
            may be several, and deviations were followed on one branch of them.
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
    local: bool = False

    def __post_init__(self) -> None:
        for name in ("untested", "improved"):  # lists where it comes from a file
            object.__setattr__(self, name, tuple(getattr(self, name)))
