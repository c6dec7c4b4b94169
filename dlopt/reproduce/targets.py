"""What can be reproduced, as data: tables and figures with their captions, solutions and functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from dlopt.errors import UnknownNameError
from dlopt.reproduce import claims as claim_tests
from dlopt.reproduce import drawings, figure_data, tables
from dlopt.reproduce.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TARIFF_FIT = "Least squares; standard errors under homoskedasticity; R squared includes the fixed effects."


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: caption.
        scenarios: everything it needs solved.
        build: its cells.
        note: printed below it.
        digits: after the point.
        rms: whether a root mean square over rows means something.
    """

    title: str
    scenarios: tuple[str, ...]
    build: Callable[[Study], pd.DataFrame]
    note: str = ""
    digits: int = 2
    rms: bool = False


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        title: caption.
        scenarios: everything it needs solved.
        data: what it shows; None where the calibration cannot show it.
        draw: from that table alone.
        note: printed below it.
    """

    title: str
    scenarios: tuple[str, ...]
    data: Callable[[Study], pd.DataFrame | None]
    draw: Callable[[pd.DataFrame], Figure]
    note: str = ""


_WELFARE = "Change of real income, per cent. Differences are computed less published, percentage points."
_CLAIM_SCENARIOS = tuple(dict.fromkeys([s for _, names, _ in claim_tests.CLAIMS for s in names] + ["subsidy"]))
TARGETS: dict[str, Table | Picture] = {
    "table1": Table(
        "Table 1. Computation", ("dual", "cooperation", "china_subsidy"), tables.computation,
        "Published: Adam on one core, limits. Computed: Newton's method to a certificate; wall time of the solve.",
        1,
    ),
    "table2": Table(
        "Table 2. Nash policies and elasticities", ("dual", "trade_war"),
        lambda study: tables.regression(study, "table2_regressions_nash", tables.TABLE2), _TARIFF_FIT,
    ),
    "table3": Table(
        "Table 3. Welfare under Nash policies", tuple(tables.TABLE3.values()),
        lambda study: tables.welfare(study, "table3_welfare_nash", tables.TABLE3), _WELFARE, rms=True,
    ),
    "table4": Table(
        "Table 4. Cooperative policies and elasticities", ("cooperation_tariff", "cooperation"),
        lambda study: tables.regression(study, "table4_regressions_cooperative", tables.TABLE4), _TARIFF_FIT,
    ),
    "table5": Table(
        "Table 5. Welfare under cooperation", tuple(tables.TABLE5.values()),
        lambda study: tables.welfare(study, "table5_welfare_cooperative", tables.TABLE5), _WELFARE, rms=True,
    ),
    "tableA1": Table("Table A.1. Elasticities", (), tables.elasticities, "Computed: as in the calibration."),
    "tableB1": Table(
        "Table B.1. Welfare under subsidy competition", tuple(tables.TABLE_B1.values()),
        lambda study: tables.welfare(study, "tableB1_welfare_subsidy", tables.TABLE_B1), _WELFARE, rms=True,
    ),
    "tableB2": Table(
        "Table B.2. Welfare without scale economies", tuple(tables.TABLE_B2.values()),
        lambda study: tables.welfare(study, "tableB2_welfare_no_scale", tables.TABLE_B2), _WELFARE, 4, rms=True,
    ),
    "text": Table(
        "Numbers in the text", ("trade_war", "dual", "cooperation_tariff", "cooperation"), tables.text_numbers,
        "Simple averages over goods; the slope is of t_in^j on the importer's own s_n^j.",
    ),
    "figure4": Picture(
        "Figure 4. China's welfare along its own policies, around the dual equilibrium", ("dual",),
        figure_data.around_the_solution, drawings.landscape,
        "First variant; the instruments with most curvature, then the first two of each kind. The dot is the solution.",
    ),
    "figure5": Picture(
        "Figure 5. China's policies: unilateral optimum and Nash equilibrium", ("china_dual", "dual"),
        figure_data.unilateral_and_nash, drawings.unilateral_and_nash, "Dashed: 45 degrees.",
    ),
    "figure6": Picture(
        "Figure 6. Changes of sectoral production shares", ("trade_war", "dual"),
        figure_data.production_shares, drawings.production_shares, "Goods of all economies. Dashed: 45 degrees.",
    ),
    "figure7": Picture(
        "Figure 7. Nash tariffs and subsidies in dual competition", ("dual",),
        figure_data.tariffs_and_subsidies, drawings.tariffs_and_subsidies,
        "Each point is a tariff and the subsidy of the same economy to the same sector; the top 1 % lies outside.",
    ),
    "figure8": Picture(
        "Figure 8. Nash tariffs: trade war and dual competition", ("trade_war", "dual"),
        figure_data.war_and_dual, drawings.war_and_dual, "Dashed: 45 degrees; the top 2 % lies outside.",
    ),
    "figure9": Picture(
        "Figure 9. China's welfare when its subsidies are set with error", ("subsidy",),
        figure_data.drawn_subsidies, drawings.drawn_subsidies,
        "1,000 draws, each subsidy uniform between 0.1 and 1.9 times its Nash value.",
    ),
    "figureB1": Picture(
        "Figure B.1. Relative wages under China's best tariffs, export taxes and subsidies", ("china_unilateral",),
        figure_data.relative_wages, drawings.relative_wages,
    ),
    "figureB2": Picture(
        "Figure B.2. Nash tariffs in dual competition without scale economies, by importer", ("dual_no_scale",),
        figure_data.tariffs_without_scale, drawings.by_group, "A point for each origin and sector; bar: median.",
    ),
    "figureB3": Picture(
        "Figure B.3. China's best tariffs without scale economies, by origin", ("china_dual_no_scale",),
        figure_data.china_without_scale, drawings.by_group, "A point for each sector; bar: median.",
    ),
    "claims": Table(
        "The paper's findings in words, tested", _CLAIM_SCENARIOS, claim_tests.claims, "1: holds, 0: fails.", 0,
    ),
}  # fmt: skip


def chosen(names: list[str]) -> list[str]:
    """Targets in order, once each; `all` is every one.

    Raises:
        UnknownNameError: no such target.
    """
    for name in names:
        if name not in (*TARGETS, "all"):
            raise UnknownNameError("target", name, [*TARGETS, "all"])
    return [name for name in TARGETS if name in names or "all" in names]
