"""The findings of Huang and Yu (2024) in words, each with its test and the figure behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dlopt.papers.engine import cells
from dlopt.papers.engine.study import Entry, Study
from dlopt.papers.huang2024.tables import OURS, THEIRS

_SIGNIFICANT = 1.96
_NEAR_PCT = 1.0
Tables = Mapping[str, pd.DataFrame]
Test = Callable[[Tables], tuple[bool, str]]


def revenue_explains_little(tables: Tables) -> tuple[bool, str]:
    """R squared of what a destination adds, where that is positive, on its revenue (Figure 1, left)."""
    used = _positive(tables)
    if not _vary(used, "zeta", "delta_v"):
        return False, f"{len(used)} destinations, which do not differ in revenue or in what they add"
    share = float(used["zeta"].corr(used["delta_v"])) ** 2
    return share < 0.5, f"R squared {share:.2f} over {len(used)} destinations"


def complements_are_worth_more(tables: Tables) -> tuple[bool, str]:
    """What revenue leaves unexplained on what the destination adds to profits elsewhere (Figure 1, right)."""
    used = _positive(tables)
    if not _vary(used, "complementarity", "residual"):
        return False, f"{len(used)} destinations, which do not differ in what they add to each other"
    x, y = (used[name].to_numpy() - used[name].mean() for name in ("complementarity", "residual"))
    slope = float(x @ y / (x @ x))
    error = math.sqrt(float(((y - slope * x) ** 2).sum()) / (len(x) - 2) / float(x @ x))
    correlation = float(np.corrcoef(x, y)[0, 1])
    return slope > _SIGNIFICANT * error, f"slope {slope:.2f}, standard error {error:.2f}, correlation {correlation:.2f}"


def some_links_harm(tables: Tables) -> tuple[bool, str]:
    """Links that pay for their buyer now and that the planner is better off without, on average (Figure 2)."""
    links = tables["marginal_values"]
    harmful = links[links["harmful"]]
    worst = f"; the worst costs {-harmful['delta_v_pct'].min():.1e} % of mean |V|" if len(harmful) else ""
    return len(harmful) > 0, f"{len(harmful)} of {len(links)} links{worst}"


def values_are_near(tables: Tables) -> tuple[bool, str]:
    """The mean error of V in the long run, against the exact solution."""
    known: dict[Any, float] = tables["validation"].set_index("states").T["long_run"].to_dict()
    mean, right = 100 * known["relative_error"], 100 * known["decision_accuracy"]
    return mean < _NEAR_PCT, f"V is off by {mean:.2g} % on average, {right:.1f} % of decisions are right"


CLAIMS: tuple[tuple[str, str, str, Test], ...] = (
    # Section 2.4
    ("V is approximated well (mean error below 1 %; on a part of the authors' paths)", "export_paper", THEIRS,
     values_are_near),
    ("Revenue explains little of what a destination adds (Figure 1, R squared below one half)", "gravity", OURS,
     revenue_explains_little),
    ("What a destination adds beyond its revenue rises with what it adds to others' profits (Figure 1, at 5 %)",
     "gravity", OURS, complements_are_worth_more),
    # Section 3.4
    ("Some links that pay for their buyer make the planner worse off (Figure 2)", "network", OURS, some_links_harm),
)  # fmt: skip
"""Finding, training, method, test."""


def claims(study: Study) -> pd.DataFrame:
    """1 where a finding holds and 0 where it fails; the paper states them all. Columns are methods."""
    return cells.frame([_row(study.get(training), claim, method, test) for claim, training, method, test in CLAIMS])


def _row(entry: Entry, claim: str, method: str, test: Test) -> dict[str, Any]:
    outcome = test(entry.tables) if entry.solved else None
    holds = None if outcome is None else float(outcome[0])
    return cells.cell(claim, "holds", method, 1.0, holds, entry.status) | {"evidence": outcome[1] if outcome else ""}


def _vary(table: pd.DataFrame, *columns: str) -> bool:
    """Whether there is enough for a line."""
    return len(table) > 2 and all(table[column].nunique() > 1 for column in columns)


def _positive(tables: Tables) -> pd.DataFrame:
    table = tables["marginal_values"]
    return table[table["delta_v"] > 0]
