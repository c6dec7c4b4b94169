"""The paper's findings in words, each with its test; `notes.md` names those that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dlopt.papers.engine import cells
from dlopt.papers.engine.study import UNAVAILABLE, Study, worst
from dlopt.papers.wang2024 import checks, regressions
from dlopt.papers.wang2024.checks import significant
from dlopt.papers.wang2024.paths import PATHS
from dlopt.papers.wang2024.scenarios import Variant, drawn

_subsidies, _tariffs = regressions.subsidies_on_elasticities, regressions.tariffs_on_elasticities
_war, _dual, _both = ("trade_war",), ("dual",), ("trade_war", "dual")
_tariff_talks, _talks, _all_talks = ("cooperation_tariff",), ("cooperation",), ("cooperation_tariff", "cooperation")
_two = tuple(f"us_china_{name}_no_scale" for name in ("trade_war", "dual", "subsidy"))
CLAIMS: tuple[tuple[str, tuple[str, ...], checks.Test], ...] = (
    # Section 3.3
    ("Learning rates agree (Figure 3, within 0.1 points of real income)", tuple(PATHS), checks.rates_agree),
    ("Welfare falls faster above China's best subsidies than below (Figure 4)", _dual, checks.steeper_above),
    # Section 4.1
    ("China's Nash policies exceed its unilateral ones (averages)", ("china_dual", "dual"), checks.nash_is_higher),
    ("Nash subsidies rise with psi (significant at 5 %)", _dual, significant(_subsidies, "log_psi", 1)),
    ("Nash subsidies do not vary with theta (at 5 %)", _dual, significant(_subsidies, "log_theta", 0)),
    ("Dual tariffs rise with psi (significant at 5 %)", _dual, significant(_tariffs, "log_psi", 1)),
    ("Trade-war tariffs rise with psi (significant at 5 %)", _war, significant(_tariffs, "log_psi", 1)),
    ("Trade-war tariffs rise more with psi than dual ones", _both, checks.war_rises_more),
    ("Dual tariffs fall with theta (significant at 5 %)", _dual, significant(_tariffs, "log_theta", -1)),
    ("Trade-war tariffs rise with theta (significant at 5 %)", _war, significant(_tariffs, "log_theta", 1)),
    ("Dual competition moves most production shares more than the war (Figure 6)", _both, checks.moves_shares_more),
    ("Dual competition shifts production more towards high psi than the war", _both, checks.shifts_to_scale),
    ("Nash tariffs and subsidies correlate (Figure 7, significant at 5 %)", _dual, checks.correlate),
    ("Theta and psi correlate negatively (Table A.1)", _dual, checks.elasticities_oppose),
    # Section 4.2
    ("The average tariff is lower under dual competition", _both, checks.lower_average),
    ("Tariffs are higher where psi is above its median, most so in the war (Figure 8)", _both,
     checks.higher_with_scale),
    ("Trade-war tariffs are prohibitive there (nine tenths of imports gone)", _war, checks.prohibitive),
    ("Dual competition beats the trade war for every economy", _both, checks.all_better),
    ("Every economy gains from subsidy competition", ("subsidy",), checks.all_gain),
    # Section 4.3
    ("Cooperative tariffs are near zero (averages below 5 %)", _all_talks, checks.near_zero),
    ("Many cooperative tariffs are close to zero (half of them below 1 %), tariffs only", _tariff_talks,
     checks.half_near_zero),
    ("The average cooperative tariff is lower with subsidies", _all_talks, checks.lower_average_with_subsidies),
    ("Cooperative tariffs, tariffs only, fall with psi (significant at 5 %)", _tariff_talks,
     significant(_tariffs, "log_psi", -1)),
    ("Cooperative tariffs, tariffs only, rise with theta (significant at 5 %)", _tariff_talks,
     significant(_tariffs, "log_theta", 1)),
    ("Cooperative subsidies rise with psi (significant at 5 %)", _talks, significant(_subsidies, "log_psi", 1)),
    ("Cooperative subsidies fall with theta (significant at 5 %)", _talks, significant(_subsidies, "log_theta", -1)),
    ("Nobody loses from tariff cooperation", _tariff_talks, checks.nobody_loses),
    ("Only India loses from dual cooperation", _talks, checks.only_india_loses),
    ("Dual cooperation beats tariff cooperation for all but India", _all_talks, checks.all_but_india_better),
    ("World real income is higher in dual cooperation than in dual competition", ("dual", "cooperation"),
     checks.more_real_income),
    # Appendix B
    ("Relative wages of others move under China's optimum (by more than 0.01 points)", ("china_unilateral",),
     checks.relative_wages),
    ("Without scale economies Nash tariffs are nearly uniform (within 10 % by importer)", ("dual_no_scale",),
     checks.uniform),
    ("Without scale economies China's best tariffs are nearly uniform (within 10 %)", ("china_dual_no_scale",),
     checks.uniform),
    ("Without scale economies games of China and the US change little (below 0.2 %)", _two, checks.small),
    ("Without scale economies all lose, trade war and dual", ("trade_war_no_scale", "dual_no_scale"), checks.all_lose),
    ("Without scale economies only Brazil and China gain from subsidy competition", ("subsidy_no_scale",),
     checks.only_gain("BRA", "CHN")),
)  # fmt: skip
DRAWN = "Subsidies set with error often lose (in more than a tenth of the draws)"


def claims(study: Study) -> pd.DataFrame:
    """1 where a finding holds and 0 where it fails; the paper states them all."""
    rows: list[dict[str, Any]] = []
    for variant in study.variants:
        for claim, scenarios, test in CLAIMS:
            if any(variant not in study.problems[name].readings(study.variants) for name in scenarios):
                continue
            entries = [study.get(name, variant) for name in scenarios]
            found = [entry.tables if entry.result is None else entry.result for entry in entries if entry.solved]
            outcome = test(*found) if len(found) == len(entries) else None
            rows.append(_row(claim, variant, outcome, worst([entry.status for entry in entries])))
        draws = drawn(study, "subsidy", variant, "CHN")
        known = draws is not None and not bool(np.isnan(draws).all())
        status = study.get("subsidy", variant).status if known else UNAVAILABLE
        rows.append(_row(DRAWN, variant, checks.often_lose(draws) if known else None, status))  # type: ignore[arg-type]
    return cells.frame(rows)


def _row(claim: str, variant: Variant, outcome: tuple[bool, str] | None, status: str) -> dict[str, Any]:
    computed = None if outcome is None else float(outcome[0])
    return cells.cell(claim, "holds", variant.name, 1.0, computed, status) | {"evidence": outcome[1] if outcome else ""}
