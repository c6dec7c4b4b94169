"""Intervals in sentences: what they say of who gains, what was assumed, and which evidence would narrow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

OPENING = "Intervals cover"
"""How the sentence on what was assumed begins."""
_NAMED = 5
_ENOUGH = 100  # draws: fewer tell little of the ends of an interval


def headlines(intervals: pd.DataFrame, draws: int = 0) -> list[str]:
    """Whose interval holds gains or losses only, and whose is widest.

    Args:
        intervals: `dlopt.trade.intervals.Intervals.table()`.
        draws: how many there are; their intervals are taken from a hundred on.
    """
    method = "draws" if draws >= _ENOUGH else "delta"
    best = intervals[intervals["method"] == method].dropna(subset=["low", "high"])
    if best.empty:
        return []
    gain, lose = best[best["low"] > 0], best[best["high"] < 0]
    open_ = best.drop([*gain.index, *lose.index])
    parts = [
        f"{len(part)} of {len(best)} intervals of real income hold {what} only"
        for part, what in ((gain, "gains"), (lose, "losses"))
        if len(part)
    ]
    if len(open_):
        names = ", ".join(map(str, open_["economy"].head(_NAMED)))
        more = f" and {len(open_) - _NAMED} more" if len(open_) > _NAMED else ""
        parts.append(f"the sign is open for {names}{more}")
    widest = best.iloc[int((best["high"] - best["low"]).to_numpy().argmax())]
    said = f"With uncertain parameters {'; '.join(parts)}."
    return [f"{said} Widest: {widest['economy']}, {widest['low']:+.2f} to {widest['high']:+.2f} %."]


def assumed_in(message: str) -> str:
    """What was assumed for intervals, out of the message of a run; empty where it has none."""
    _, opening, rest = message.partition(OPENING)
    return opening + rest


def in_words(evidence: pd.DataFrame, count: int = 3) -> list[str]:
    """The ranking of `dlopt.trade.intervals.Intervals.evidence` in sentences."""
    ranked = evidence.drop_duplicates("parameter").head(count)
    said = []
    for row in ranked.to_dict("records"):
        name = row.get("name", row["parameter"])
        own = evidence[evidence["parameter"] == row["parameter"]].sort_values("narrower_pct").iloc[-1]
        said.append(
            f"Knowing {name} exactly would narrow intervals of real income by {row['average_pct']:.0f} % "
            f"on average, most for {own['economy']}: from a standard error of {own['standard_error']:.3g} to "
            f"{own['known']:.3g} percentage points."
        )
    return said
