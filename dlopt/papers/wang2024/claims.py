"""The paper's findings in words, each a test of computed results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dlopt.papers.engine import cells
from dlopt.papers.engine.study import UNAVAILABLE, Study, worst
from dlopt.papers.wang2024 import frames, regressions
from dlopt.papers.wang2024.scenarios import Variant, drawn
from dlopt.papers.wang2024.tables import average_tariff
from dlopt.trade.results import SolveResult

_SIGNIFICANT = 1.96
_Test = Callable[..., tuple[bool, str]]


def _significant(estimate: Callable[[SolveResult], regressions.Fit], regressor: str, sign: int) -> _Test:
    """Sign 1 or -1: the slope has it and is significant at 5 %; 0: it is not significant."""

    def test(result: SolveResult) -> tuple[bool, str]:
        found = estimate(result)
        t = found.t(regressor)
        holds = abs(t) < _SIGNIFICANT if sign == 0 else sign * t > _SIGNIFICANT
        return holds, f"slope {found.slopes[regressor]:.3f}, standard error {found.errors[regressor]:.3f}"

    return test


def _war_rises_more(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    slopes = [regressions.tariffs_on_elasticities(result).slopes["log_psi"] for result in (war, dual)]
    return slopes[0] > slopes[1], f"slopes on log psi {slopes[0]:.3f} and {slopes[1]:.3f}"


def _lower_average(war: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    averages = [average_tariff(result) for result in (war, dual)]
    return averages[1] < averages[0], f"average {averages[0]:.1f} % in the trade war, {averages[1]:.1f} % in dual"


def _all_better(less: SolveResult, more: SolveResult) -> tuple[bool, str]:
    a, b = frames.welfare(less), frames.welfare(more)
    worse = [economy for economy in a if b[economy] <= a[economy]]
    return not worse, f"not for {', '.join(worse)}" if worse else "for every economy"


def _one_exception(less: SolveResult, more: SolveResult) -> tuple[bool, str]:
    a, b = frames.welfare(less), frames.welfare(more)
    worse = [economy for economy in a if b[economy] <= a[economy]]
    return len(worse) == 1, f"not for {', '.join(worse) or 'none'}"


def _only_india_loses(result: SolveResult) -> tuple[bool, str]:
    losers = [economy for economy, change in frames.welfare(result).items() if change < 0]
    return losers == ["IND"], f"losers: {', '.join(losers) or 'none'}"


def _all_gain(result: SolveResult) -> tuple[bool, str]:
    losers = [economy for economy, change in frames.welfare(result).items() if change <= 0]
    return not losers, f"losers: {', '.join(losers) or 'none'}"


def _all_lose(*results: SolveResult) -> tuple[bool, str]:
    gain = sorted({e for result in results for e, change in frames.welfare(result).items() if change >= 0})
    return not gain, f"gain somewhere: {', '.join(gain) or 'none'}"


def _near_zero(tariff: SolveResult, dual: SolveResult) -> tuple[bool, str]:
    averages = [average_tariff(result) for result in (tariff, dual)]
    return max(averages) < 5, f"averages {averages[0]:.2f} % (tariffs only) and {averages[1]:.2f} % (dual)"


def _relative_wages(result: SolveResult) -> tuple[bool, str]:
    others = [w for e, w in frames.relative_wages(result, result.calibration.economies[0]).items() if e != "CHN"]
    spread = max(others) - min(others)
    return spread > 0.01, f"wages of the others spread over {spread:.2f} percentage points"


def _nash_is_higher(alone: SolveResult, nash: SolveResult) -> tuple[bool, str]:
    pairs = []
    for observe in (frames.tariffs, frames.subsidies):
        a, b = observe(alone), observe(nash)
        owner = "destination" if "destination" in b else "origin"
        pairs.append((100 * a["rate"].mean(), 100 * b.loc[b[owner] == "CHN", "rate"].mean()))
    words = [
        f"{name} {a:.1f} % alone, {b:.1f} % Nash" for name, (a, b) in zip(("tariffs", "subsidies"), pairs, strict=True)
    ]
    return all(b > a for a, b in pairs), "; ".join(words)


def _uniform(result: SolveResult) -> tuple[bool, str]:
    by_importer = frames.tariffs(result).groupby("destination")["rate"]
    spread = float((by_importer.std() / by_importer.mean()).max())
    return spread < 0.1, f"largest standard deviation within an importer is {100 * spread:.0f} % of its mean"


def _often_lose(draws: np.ndarray) -> tuple[bool, str]:
    share = float((draws[~np.isnan(draws)] < 0).mean())
    return share > 0.1, f"{100 * share:.0f} % of the draws make China worse off than the baseline"


_subsidies, _tariffs = regressions.subsidies_on_elasticities, regressions.tariffs_on_elasticities
CLAIMS: tuple[tuple[str, tuple[str, ...], _Test], ...] = (
    ("Nash subsidies rise with psi (significant at 5 %)", ("dual",), _significant(_subsidies, "log_psi", 1)),
    ("Nash subsidies do not vary with theta (at 5 %)", ("dual",), _significant(_subsidies, "log_theta", 0)),
    ("Dual tariffs fall with theta (significant at 5 %)", ("dual",), _significant(_tariffs, "log_theta", -1)),
    ("Trade-war tariffs rise more with psi than dual ones", ("trade_war", "dual"), _war_rises_more),
    ("The average tariff is lower under dual competition", ("trade_war", "dual"), _lower_average),
    ("Dual competition beats the trade war for every economy", ("trade_war", "dual"), _all_better),
    ("China's Nash policies exceed its unilateral ones (averages)", ("china_dual", "dual"), _nash_is_higher),
    ("Every economy gains from subsidy competition", ("subsidy",), _all_gain),
    ("Cooperative tariffs are near zero (averages below 5 %)", ("cooperation_tariff", "cooperation"), _near_zero),
    (
        "Dual cooperation beats tariff cooperation for all but one economy", ("cooperation_tariff", "cooperation"),
        _one_exception,
    ),
    ("Only India loses from dual cooperation", ("cooperation",), _only_india_loses),
    (
        "Relative wages of others move under China's optimum (by more than 0.01 points)", ("china_unilateral",),
        _relative_wages,
    ),
    ("Without scale economies all lose, trade war and dual", ("trade_war_no_scale", "dual_no_scale"), _all_lose),
    (
        "Without scale economies tariffs are nearly uniform (within 10 % by importer)", ("dual_no_scale",), _uniform,
    ),
)  # fmt: skip
DRAWN = "Subsidies set with error often lose (in more than a tenth of the draws)"


def claims(study: Study) -> pd.DataFrame:
    """1 where a finding holds and 0 where it fails; the paper states them all."""
    rows: list[dict[str, Any]] = []
    for variant in study.variants:
        for claim, scenarios, test in CLAIMS:
            entries = [study.get(name, variant) for name in scenarios]
            results = [entry.result for entry in entries if entry.result is not None]
            outcome = test(*results) if len(results) == len(entries) else None
            rows.append(_row(claim, variant, outcome, worst([entry.status for entry in entries])))
        draws = drawn(study, "subsidy", variant, "CHN")
        known = draws is not None and not bool(np.isnan(draws).all())
        status = study.get("subsidy", variant).status if known else UNAVAILABLE
        rows.append(_row(DRAWN, variant, _often_lose(draws) if known else None, status))  # type: ignore[arg-type]
    return cells.frame(rows)


def _row(claim: str, variant: Variant, outcome: tuple[bool, str] | None, status: str) -> dict[str, Any]:
    computed = None if outcome is None else float(outcome[0])
    return cells.cell(claim, "holds", variant.name, 1.0, computed, status) | {"evidence": outcome[1] if outcome else ""}
