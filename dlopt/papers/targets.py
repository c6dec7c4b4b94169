"""What can be reproduced of both papers, as data: tables and figures, and the problems behind them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlopt.errors import UnknownNameError
from dlopt.papers.engine import study as engine
from dlopt.papers.engine.problem import Problem, Variant
from dlopt.papers.engine.published import SECOND_SOURCE
from dlopt.papers.engine.study import Study, Task
from dlopt.papers.engine.targets import Picture, Table
from dlopt.papers.huang2024 import claims as second_claims
from dlopt.papers.huang2024 import drawings as second_drawings
from dlopt.papers.huang2024 import tables as second_paper
from dlopt.papers.huang2024.trainings import TRAININGS, simulated
from dlopt.papers.wang2024 import claims as claim_tests
from dlopt.papers.wang2024 import drawings, figure_data, tables
from dlopt.papers.wang2024.paths import GAME, PATHS
from dlopt.papers.wang2024.scenarios import SCENARIOS
from dlopt.views.figures.network import link_map

_ALL: Any = (SCENARIOS, PATHS, TRAININGS)
PROBLEMS: Mapping[str, Problem] = ChainMap(*_ALL)
"""Everything that can be solved, by name."""

_TARIFF_FIT = "Least squares; standard errors under homoskedasticity; R squared includes the fixed effects."
_WELFARE = "Change of real income, per cent. Differences are computed less published, percentage points."
_DIAGONAL = "Dashed: 45 degrees."
_NO_SCALE = "without scale economies"
_METHODS = (
    "Default: Hamilton-Jacobi-Bellman residual with a control variate, Delta 0.01; its losses are the corrected ones "
    "(no division by P_t, the drift with the jump term). Paper's: its network, losses and "
    "random states to the letter, V as trained, on {paths:,} paths where its authors have {theirs:,}; Delta, batch, "
    "optimiser and rates, which they do not state, are ours. It is shown for what it is, not certified. An error e of "
    "the level of V enters a loss as (rho Delta e/V)^2: small losses do not mean small errors."
)


def _methods(training: str, theirs: int) -> str:
    """What the columns of a table of losses are."""
    return _METHODS.format(paths=32 * (TRAININGS[training].budget.steps or 0), theirs=theirs)


def _model(training: str) -> Callable[[Study], str]:
    """What a target of the second paper was computed on."""
    return lambda _study: second_paper.model_name(training)


def _welfare(title: str, file: str, columns: dict[tuple[str, str], str], form: str = ".2f") -> Table:
    return Table(
        title, tuple(columns.values()), _WELFARE, build=lambda study: tables.welfare(study, file, columns), form=form,
        rms=True,
    )  # fmt: skip


def _regression(title: str, file: str, columns: Sequence[tables.Regression]) -> Table:
    needs = tuple(dict.fromkeys(scenario for _, scenario, _ in columns))
    return Table(title, needs, _TARIFF_FIT, build=lambda study: tables.regression(study, file, columns))


_CLAIM_SCENARIOS = tuple(dict.fromkeys([s for _, names, _ in claim_tests.CLAIMS for s in names] + ["subsidy"]))
TARGETS: dict[str, Table | Picture] = {
    "table1": Table(
        "Table 1. Computation", ("dual", "cooperation", "china_subsidy"),
        "Published: Adam on one core, limits. Computed: Newton's method to a certificate; processor time of the solve.",
        build=tables.computation, form=".1f",
    ),
    "table2": _regression("Table 2. Nash policies and elasticities", "table2_regressions_nash", tables.TABLE2),
    "table3": _welfare("Table 3. Welfare under Nash policies", "table3_welfare_nash", tables.TABLE3),
    "table4": _regression(
        "Table 4. Cooperative policies and elasticities", "table4_regressions_cooperative", tables.TABLE4
    ),
    "table5": _welfare("Table 5. Welfare under cooperation", "table5_welfare_cooperative", tables.TABLE5),
    "tableA1": Table(
        "Table A.1. Elasticities", (), "Computed: as in the calibration.", build=tables.elasticities
    ),
    "tableB1": _welfare("Table B.1. Welfare under subsidy competition", "tableB1_welfare_subsidy", tables.TABLE_B1),
    "tableB2": _welfare(f"Table B.2. Welfare {_NO_SCALE}", "tableB2_welfare_no_scale", tables.TABLE_B2, ".4f"),
    "text": Table(
        "Numbers in the text", ("trade_war", "dual", "cooperation_tariff", "cooperation"),
        "Simple averages over goods; the slope is of t_in^j on the importer's own s_n^j.", build=tables.text_numbers,
    ),
    "figure3": Picture(
        "Figure 3. The published algorithm's path to the dual equilibrium, three learning rates", (*PATHS, GAME),
        "First variant; Adam, 20 rounds of 50 steps for each player, random order. Dashed: the certified equilibrium. "
        "Last panel: mean distance of all tariffs from it.",
        data=figure_data.learning_paths, draw=drawings.learning_paths,
    ),
    "figure4": Picture(
        "Figure 4. China's welfare along its own policies, around the dual equilibrium", ("dual",),
        "First variant; the instruments with most curvature, then the first two of each kind. The dot is the solution; "
        "subsidies below 0 are out of bounds.",
        data=figure_data.around_the_solution, draw=drawings.landscape,
    ),
    "figure5": Picture(
        "Figure 5. China's policies: unilateral optimum and Nash equilibrium", ("china_dual", "dual"), _DIAGONAL,
        data=figure_data.unilateral_and_nash, draw=drawings.unilateral_and_nash,
    ),
    "figure6": Picture(
        "Figure 6. Changes of sectoral production shares", ("trade_war", "dual"),
        f"Goods of all economies. {_DIAGONAL}", data=figure_data.production_shares, draw=drawings.production_shares,
    ),
    "figure7": Picture(
        "Figure 7. Nash tariffs and subsidies in dual competition", ("dual",),
        "Each point is a tariff and the subsidy of the same economy to the same sector; the top 1 % lies outside.",
        data=figure_data.tariffs_and_subsidies, draw=drawings.tariffs_and_subsidies,
    ),
    "figure8": Picture(
        "Figure 8. Nash tariffs: trade war and dual competition", ("trade_war", "dual"),
        f"{_DIAGONAL[:-1]}; the top 2 % lies outside.", data=figure_data.war_and_dual, draw=drawings.war_and_dual,
    ),
    "figure9": Picture(
        "Figure 9. China's welfare when its subsidies are set with error", ("subsidy",),
        "1,000 draws, each subsidy uniform between 0.1 and 1.9 times its Nash value: of goods, as in the paper, and of "
        "services where these have one.",
        data=figure_data.drawn_subsidies, draw=drawings.drawn_subsidies,
    ),
    "figureB1": Picture(
        "Figure B.1. Relative wages under China's best tariffs, export taxes and subsidies", ("china_unilateral",),
        data=figure_data.relative_wages, draw=drawings.relative_wages,
    ),
    "figureB2": Picture(
        f"Figure B.2. Nash tariffs in dual competition {_NO_SCALE}, by importer", ("dual_no_scale",),
        "A point for each origin and sector; bar: median.",
        data=lambda study: figure_data.tariffs_by(study, "dual_no_scale", "destination"), draw=drawings.by_group,
    ),
    "figureB3": Picture(
        f"Figure B.3. China's best tariffs {_NO_SCALE}, by origin", ("china_dual_no_scale",),
        "A point for each sector; bar: median.",
        data=lambda study: figure_data.tariffs_by(study, "china_dual_no_scale", "origin"), draw=drawings.by_group,
    ),
    "claims": Table(
        "The paper's findings in words, tested", _CLAIM_SCENARIOS, "1: holds, 0: fails.",
        build=claim_tests.claims, form=".0f",
    ),
    "bsde-table1": Table(
        "Huang and Yu, Table 1. Exporter: losses, and the errors behind them", ("export", "export_paper"),
        _methods("export_paper", 400_000), build=second_paper.export_losses, form=".3g",
        source=SECOND_SOURCE, about=_model("export"),
    ),
    "bsde-table2": Table(
        "Huang and Yu, Table 2. Production network: losses, and the errors behind them",
        ("network", "network_paper", "network3", "network3_paper"),
        _methods("network_paper", 220_000), build=second_paper.network_losses, form=".3g",
        source=SECOND_SOURCE, about=_model("network"),
    ),
    "bsde-claims": Table(
        "Huang and Yu, findings in words, tested", tuple(dict.fromkeys(name for _, name, _, _ in second_claims.CLAIMS)),
        "1: holds, 0: fails. The models are ours, since the authors' parameters are not published.",
        build=second_claims.claims, form=".0f", source=SECOND_SOURCE, about=_model("gravity"),
    ),
    "bsde-figure1": Picture(
        "Huang and Yu, Figure 1. Exporter: what a destination adds, and why", ("gravity",),
        "Left: mean gain of V from an open channel against its revenue, destinations with a positive gain, fitted "
        "line. Right: what revenue does not explain against what the destination adds to profits elsewhere. "
        f"{simulated('gravity')} (the authors: 50,000 paths of 1,000 years).",
        data=second_paper.marginal_values, draw=second_drawings.marginal_values,
        source=SECOND_SOURCE, about=_model("gravity"),
    ),
    "bsde-figure2": Picture(
        "Huang and Yu, Figure 2. Production network: marginal value of links", ("network",),
        "Percent of mean |V|, long run, with the clock at the buyer, when the link can be formed (the authors average "
        "over the clock). Grey: no link. A link is marked where it lowers the buyer's cost and welfare.",
        data=second_paper.link_values, draw=link_map, source=SECOND_SOURCE, about=_model("network"),
    ),
}  # fmt: skip


def chosen(names: list[str]) -> dict[str, Table | Picture]:
    """Targets in order, once each; `all` is every one.

    Raises:
        UnknownNameError: no such target.
    """
    for name in names:
        if name not in (*TARGETS, "all"):
            raise UnknownNameError("target", name, [*TARGETS, "all"])
    return {name: target for name, target in TARGETS.items() if name in names or "all" in names}


def needed(targets: Sequence[str] | Mapping[str, Any], variants: Sequence[Variant]) -> list[Task]:
    """All problems that the targets rest on, each once."""
    return engine.needed((name for target in targets for name in TARGETS[target].needs), PROBLEMS, variants)
