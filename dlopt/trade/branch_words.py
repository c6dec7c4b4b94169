"""Branches of equilibria in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlopt.framework.continuation import Branch
    from dlopt.trade.branches import Branches

_ENDS = {
    "range": "where the range ends that was asked for",
    "far": "where some quantity has changed by a factor of thousands",
    "points": "after the most points that are traced",
    "lost": "where no further equilibrium was found near by",
}
"""Why a branch stops, in words that complete "It ends ..."."""


def in_words(found: Branches) -> list[str]:
    """How many equilibria there are, how far each branch goes, and where it turns or is crossed."""
    count = len(found.welfare)
    of = "under the run's policies" if found.policies == "held" else "of the run's game"
    noun = "equilibrium was" if count == 1 else "equilibria were"
    said = [f"{count} {noun} found {of}, at its elasticities."]
    wrong = sum(not best for best in found.best)
    if wrong:
        said.append(
            f"At {wrong} of them somebody's welfare is lowest, not highest, in some direction: no best response "
            "(column best)."
        )
    said += [_branch(number, branch, found.along) for number, branch in enumerate(found.branches)]
    if not any(branch.specials for branch in found.branches):
        said.append("No branch turns back (fold) or is crossed by another (bifurcation).")
    return said


def _branch(number: int, branch: Branch, along: str) -> str:
    low, high = float(branch.p.min()), float(branch.p.max())
    words = f"Branch {number} goes from {low:.4g} to {high:.4g} times all {along}"
    if "closed" in branch.ends:
        words += " and closes upon itself."
    else:
        why = list(dict.fromkeys(_ENDS[end] for end in branch.ends))
        words += f"; it ends {' and '.join(why)}."
    if branch.origin == "bifurcation":
        words += " It was found where it crosses another."
    for special in branch.specials:
        what = "It turns back (fold)" if special.kind == "fold" else "Another branch crosses it (bifurcation)"
        words += f" {what} at {special.p:.6f}."
    return words
