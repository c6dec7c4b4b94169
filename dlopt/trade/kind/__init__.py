"""The kind `trade`: policies in general equilibrium, given, best for one, for each, or for all.

This file loads nothing heavy: it serves help and completion, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.kind import ABOVE_0, AT_LEAST_0, CHECKPOINTS, COUNT, RESUME, SEED, THREADS, Ended, Key, Kind, Problem, Verb
from dlopt.trade.rates import BORDER_TAX, CARBON_TAX, EXPORT_TAX, SUBSIDY, TARIFF

if TYPE_CHECKING:
    from dlopt.kind import Sheet
    from dlopt.trade.results import SolveResult


_OPTIMISE = ("unilateral", "nash", "cooperative")

KEYS = (
    Key("calibration", "name of a calibration, or a folder that holds one (`dlopt data list`)", "stylized2017",
        free=True),
    Key("elasticities", "take this set of trade elasticities instead (`dlopt data elasticities`)", None, str | None),
    Key("scale_elasticities", "take this set of scale elasticities instead; none: no economies of scale", None,
        str | None),
    Key("policy", "policies to evaluate: a sentence ('USA: 25% on steel'), a name the calibration knows, a schedule "
        "(`dlopt data schedules`), or a file", None, str | None, verbs=("equilibrium",)),
    Key("shocks", "changes beside policies: a sentence ('USA-CHN: +10% trade costs on motor vehicles; CHN: +5% "
        "productivity; USA: autarky'), or a CSV file (docs/policies.md)", None, str | None),
    Key("political_weights", "how much more governments care for some sectors: 'USA: 1.5 on steel', or a CSV file "
        "(economy, sector, weight); 1 is welfare alone", None, str | None),
    Key("retaliation", "how those hit answer the policy: none, reciprocal (in kind), optimal, or nash", "none",
        words=("none", "reciprocal", "optimal", "nash"), verbs=("equilibrium",)),
    Key("retaliators", "who answers, such as [EU,CHN]; all: everybody whose goods are charged more", "all", Any,
        words=("all",), open=True, verbs=("equilibrium",)),
    Key("player", "the economy that optimises", None, str | None, verbs=("unilateral",)),
    Key("players", "the economies that play: all, or a list such as [USA,CHN]", "all", Any, words=("all",), open=True,
        verbs=("nash",)),
    Key("partners", "whose trade the policies fall on: all, players (only between players), or a list such as [USA]",
        "all", Any, words=("all", "players"), open=True, verbs=("unilateral", "nash")),
    Key("unions", "customs unions among the players: one external policy, none inside, such as [[USA,EU]]", (), Any,
        verbs=("nash",)),
    Key("moves", "economies that move one after the other and keep what they chose, such as [USA,CHN]", (), Any,
        verbs=("unilateral",)),
    Key("instruments", options="dlopt.trade.instruments:InstrumentChoice", verbs=_OPTIMISE),
    Key("instruments.tariff", "false, by_sector, uniform, or mfn: one rate per sector for all partners",
        words=TARIFF.modes, verbs=_OPTIMISE),
    Key("instruments.export_tax", "false, by_sector, uniform", words=EXPORT_TAX.modes, verbs=_OPTIMISE),
    Key("instruments.subsidy", "false, by_sector, uniform", words=SUBSIDY.modes, verbs=_OPTIMISE),
    Key("instruments.carbon_tax", "price of carbon on production: false, uniform (one for the economy), by_sector",
        words=CARBON_TAX.modes, verbs=_OPTIMISE),
    Key("instruments.border_tax", "price of the carbon in imports: false, uniform, mfn, by_sector",
        words=BORDER_TAX.modes, verbs=_OPTIMISE),
    Key("instruments.sectors", "tradable, all, or a list of sectors", words=("tradable", "all"), open=True,
        verbs=_OPTIMISE),
    Key("bounds", options="dlopt.trade.instruments:Bounds", verbs=_OPTIMISE),
    Key("bounds.tariff", "lowest and highest rate, such as [0,4]", verbs=_OPTIMISE),
    Key("bounds.export_tax", "lowest and highest rate", verbs=_OPTIMISE),
    Key("bounds.subsidy", "lowest and highest rate", verbs=_OPTIMISE),
    Key("bounds.carbon_tax", "lowest and highest price, money per tonne", verbs=_OPTIMISE),
    Key("bounds.border_tax", "lowest and highest price, money per tonne", verbs=_OPTIMISE),
    Key("by_player", "instruments and bounds of one player, set as in instruments.USA.tariff=by_sector", None, Any,
        open=True, verbs=("unilateral", "nash")),
    Key("draws", options="dlopt.trade.kind.problem:Drawn", verbs=("nash",)),
    Key("draws.player", "the economy whose subsidies are drawn at random once the game is solved", verbs=("nash",)),
    Key("draws.count", "number of draws", verbs=("nash",)),
    Key("draws.low", "every drawn subsidy is the optimal one times a number from here ...", verbs=("nash",)),
    Key("draws.high", "... to here", verbs=("nash",)),
    Key("weights", "the planner's: income, equal, or a mapping such as {USA:1,CHN:2}", "income", Any,
        words=("income", "equal"), open=True, verbs=("cooperative",)),
    Key("objective", "the planner's: welfare (weighted sum), or bargain (product of the gains over the baseline)",
        "welfare", words=("welfare", "bargain"), verbs=("cooperative",)),
    Key("objective", "welfare; or for several worlds (section prior): expected, minimax, or regret",
        "welfare", words=("welfare", "expected", "minimax", "regret"), verbs=("unilateral",)),
    Key("formulas", "true: the sufficient-statistics policies of Lashkaripour and Lugovskyy (2023) beside the optimum",
        False, words=("true", "false"), open=True, verbs=("unilateral",)),
    Key("no_losers", "true: the planner keeps every economy at least at its baseline", False, words=("true", "false"),
        open=True, verbs=("cooperative",)),
    Key("theta_scale", "factor on all trade elasticities; 0.8 makes them 20 % lower", 1.0, rule=ABOVE_0),
    Key("intervals", "true: how far the answer moves with uncertain parameters (section prior)", False,
        words=("true", "false"), open=True),
    Key("prior", options="dlopt.trade.kind.uncertain:PriorKeys"),
    Key("prior.of", "kinds of uncertain parameters, such as [theta,psi]"),
    Key("prior.error", "standard error of each, as a share of its value: 0.1 is 10 %"),
    Key("prior.law", "distribution of uncertain parameters: lognormal (keeps their signs) or normal",
        words=("lognormal", "normal")),
    Key("prior.errors", "take theta's standard errors from this set (`dlopt data elasticities`)"),
    Key("prior.sets", "let theta vary as much as these sets disagree, such as [NAME,NAME]"),
    Key("prior.covariance", "a CSV file with the covariance of the parameters named in its header"),
    Key("prior.draws", "solve the problem again for so many draws; 0: the delta method alone"),
    Key("prior.level", "probability that an interval covers"),
    Key("prior.sobol", "size of the sample for Sobol indices, a power of two; 0: none (needs SALib)"),
    Key("prior.processes", "number of processes that share the draws; 0: one for every core"),
    Key("psi_scale", "factor on all scale elasticities; 0 means no economies of scale", 1.0, rule=AT_LEAST_0),
    Key("accounting", "how taxes are charged: standard (each on the price it meets), or paper (the paper's equations, "
        "as docs/equations.md reads them)", "standard", words=("standard", "paper")),
    Key("deficits", "none: trade is balanced first; constant: transfers stay; share: of world income; proportional: to "
        "own income", "none", words=("none", "constant", "share", "proportional")),
    Key("labour_supply", "elasticity of labour to real wages after tax; 0: labour is fixed", 0.0, rule=AT_LEAST_0),
    Key("revenue", "net tax revenue: lump_sum (rebated), or income_tax (cuts the tax on labour income)", "lump_sum",
        words=("lump_sum", "income_tax")),
    Key("households", "a table of budget shares (economy, group, sector, share): real consumption by group", None,
        str | None),
    Key("carbon", options="dlopt.trade.kind.carbon:CarbonKeys"),
    Key("carbon.emissions", "a table (economy, sector, emissions); null: the calibration's own (docs/carbon.md)"),
    Key("carbon.damages", "what one more tonne costs: a number (the world's, in money), 'USA: 20; CHN: 30', a table"),
    Key("carbon.tax", "price of carbon that producers pay: a number, 'EU: 80; USA: 50 on steel', or a table"),
    Key("carbon.border_tax", "price of the carbon in imports: 'EU: 80 on steel from CHN', or a table"),
    Key("carbon.basis", "emissions in imports: direct (of the good's own production), or embodied (of its inputs too)",
        words=("direct", "embodied")),
    Key("solver", "joint_newton, or best_response: the paper's algorithm (solver.KEY sets its options)", "joint_newton",
        choices={"joint_newton": "dlopt.framework.joint:JointNewton",
                 "best_response": "dlopt.framework.best_response:BestResponse"}, verbs=("nash",)),
    Key("starts", "random starting points per player when the result is verified", 1, rule=COUNT, verbs=_OPTIMISE),
    Key("init", "baseline, random (drawn with seed), or a run folder to start from", "baseline",
        words=("baseline", "random"), open=True, verbs=_OPTIMISE),
    dataclasses.replace(RESUME, verbs=_OPTIMISE),
    dataclasses.replace(CHECKPOINTS, verbs=_OPTIMISE),
    Key("tolerance", "residual at which to stop; null: the default, which depends on the verb", None,
        float | None, rule=ABOVE_0),
    SEED,
    THREADS,
)  # fmt: skip
"""In the order the help shows them."""


class TradeKind(Kind):
    """The trade model of Wang, Xu, Yang and Zhu (2024)."""

    name = "trade"
    solves = "Tariffs, export taxes and subsidies in general equilibrium: many economies and sectors, scale economies."
    verbs = (
        Verb("equilibrium", "The world under given policies.", "given_policy"),
        Verb("unilateral", "The best policies of one economy while the others stand still."),
        Verb("nash", "Policies from which no economy gains by deviating alone."),
        Verb("cooperative", "The policies a world planner would choose."),
    )
    keys = KEYS
    briefly = "change of real income of who chose alone, else of who changed its policies alone, else of the world"

    def problem(self, verb: str, config: Mapping[str, Any], choices: Mapping[str, str]) -> Problem:
        """One call of `dlopt.solve_<verb>`, every value checked against the calibration."""
        from dlopt.trade.kind.problem import build

        return build(self.verb(verb).name, config, choices)

    def headlines(self, ended: Ended) -> list[str]:
        """Who gains and loses what, what is charged, what a planner reached, how many equilibria were found."""
        from dlopt.trade.words import equilibria, headlines, planner

        found = headlines(ended.table)
        if ended.verb == "cooperative":
            return [*found, *planner(ended.settings, ended.table("outcomes"), ended.table("welfare"))]
        if ended.verb == "nash" and found:
            return [*found, *equilibria(ended.settings.get("starts"), ended.table("equilibria"))]
        return found

    def brief(self, ended: Ended) -> str:
        """Real income of who chose or changed policies alone, else of the world."""
        from dlopt.trade.words import brief

        return brief(ended.table)

    def sheets(self, ended: Ended) -> list[Sheet]:
        """Welfare and average rates by economy, draws, the certificate."""
        from dlopt.trade.kind.sheets import sheets

        return sheets(ended)

    def compare(self, runs: Sequence[Ended]) -> list[Sheet]:
        """Welfare and average rates, runs across."""
        from dlopt.trade.kind.sheets import compare

        return compare(runs)

    def restore(self, folder: Path) -> SolveResult:
        """The result of a run: its equilibrium is solved again at the policies on file."""
        from dlopt.trade.kind.restore import restore

        return restore(folder)


TRADE = TradeKind()
