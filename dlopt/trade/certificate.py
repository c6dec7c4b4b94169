"""What a solved run can prove about itself."""

from __future__ import annotations

import dataclasses

from dlopt.framework import proof
from dlopt.framework.proof import (
    EQUILIBRIUM_TOLERANCE,
    FIRST_ORDER_TOLERANCE,
    GAIN_TOLERANCE_PCT,
    Proof,
)

__all__ = [
    "EQUILIBRIUM_TOLERANCE", "FIRST_ORDER_TOLERANCE", "GAIN_TOLERANCE_PCT", "Certificate", "tried_in_words",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate(Proof):
    """The evidence for a result of the trade model: that of any game, its residuals in logs, and more.

    Attributes:
        walras_residual: log residual of the labour market that the numeraire replaces.
        found_again: of a certified result, whether the search for an equilibrium at its policies that begins at the
            baseline ends there too.
        local: whether a local claim is all that is made: this equilibrium is not found again from the baseline, or
            theta*psi is above one somewhere. Equilibria under given policies may then be several, and deviations were
            followed on one branch of them.
    """

    walras_residual: float
    found_again: bool | None = None
    local: bool = False


def tried_in_words(certificate: Certificate) -> str:
    """What a certificate's search for deviations proves and what it does not."""
    words = proof.tried_in_words(certificate)
    if not certificate.local:
        return words
    why = (
        "from the baseline this equilibrium is not found again at these policies"
        if certificate.found_again is False
        else "theta*psi is above one somewhere"
    )
    return f"{words} Local: {why}, so given policies may have several equilibria; one branch of them was searched."
