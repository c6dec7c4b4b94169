"""What a world of some size will take to solve, from the measurements in docs/scaling.md."""

from __future__ import annotations

import math

MEASURED = ((938, 0.04, 0.85, 3.3), (1876, 0.26, 2.0, 8.6), (2760, 0.86, 5.0, math.inf), (10549, 5.3, 64.0, math.inf))
"""Unknowns; seconds of an equilibrium, of one country's MFN tariffs and subsidies, of all countries' MFN tariffs
(infinite: not measured to the end)."""

QUICK = 1000
"""Unknowns up to which nothing needs to be said."""


def outlook(n_economies: int, n_sectors: int, name: str) -> list[str]:
    """Sentences on what a large world takes, and how to make it smaller; none where it is small.

    Args:
        n_economies, n_sectors: its size.
        name: of the calibration, for the command.
    """
    unknowns = n_economies * (2 + 3 * n_sectors)
    if unknowns <= QUICK:
        return []
    equilibrium, alone, nash = (_between(unknowns, k) for k in (1, 2, 3))
    largest = max(row[0] for row in MEASURED if math.isfinite(row[3]))
    game = f"some {_time(nash)}" + (", extrapolated from smaller worlds" if unknowns > largest else "")
    return [
        f"This world has {unknowns:,} unknowns. On one core an equilibrium takes some {_time(equilibrium)}, one "
        f"economy's best tariffs and subsidies {_time(alone)}, and a game of tariffs among all {n_economies} {game} "
        "(docs/scaling.md).",
        f"Smaller: dlopt data aggregate {name} --economies {min(7, n_economies)} --sectors {min(20, n_sectors)} "
        f"--name {name}_small. "
        "Or let fewer play: players=[USA,CHN], say.",
    ]


def _between(unknowns: int, column: int) -> float:
    """On a straight line in logs between the sizes measured, and beyond the last one."""
    points = [(row[0], row[column]) for row in MEASURED if math.isfinite(row[column])]
    low = max((k for k, point in enumerate(points[:-1]) if point[0] <= unknowns), default=0)
    (x0, y0), (x1, y1) = points[low], points[low + 1]
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return y0 * (unknowns / x0) ** slope


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.0f} hours"
