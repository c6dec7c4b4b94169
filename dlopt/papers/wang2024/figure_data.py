"""What each figure shows, as a table with a column `variant`; None where the calibration cannot show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from dlopt.papers.engine.study import Study
from dlopt.papers.wang2024 import frames, regressions
from dlopt.papers.wang2024.paths import GAME, PATHS
from dlopt.papers.wang2024.scenarios import Variant, drawn
from dlopt.trade.landscape import landscape
from dlopt.trade.results import SolveResult

PLAYER = "CHN"
DISTANCE = "tariffs, mean distance"
_CELL = ["origin", "destination", "sector"]


def _results(study: Study, variant: Variant, *names: str) -> list[SolveResult] | None:
    found = [study.get(name, variant).result for name in names]
    known = [result for result in found if result is not None]
    return known if len(known) == len(found) else None


def _stacked(study: Study, names: Sequence[str], one: Callable[..., pd.DataFrame]) -> pd.DataFrame | None:
    """What `one` makes of the solutions `names`, of every variant that has them all."""
    parts = []
    for variant in study.variants:
        found = _results(study, variant, *names)
        if found:
            parts.append(one(*found).assign(variant=variant.name))
    return pd.concat(parts, ignore_index=True) if parts else None


def learning_paths(study: Study) -> pd.DataFrame | None:
    """Figure 3: real income after each turn of the published algorithm, and distance of tariffs.

    `panel` is an economy, or `DISTANCE`; `x` the optimiser steps of each player, `y` the quantity (per cent, or
    points), `certified` its value in the equilibrium. First variant.
    """
    variant = study.variants[0]
    truth = _results(study, variant, GAME)
    parts = []
    for name, path in PATHS.items():
        distance = study.get(name, variant).tables.get("distance")
        if distance is None or not truth:
            return None
        steps = [0.0, *(path.options.steps * distance["turns"])]
        for economy, level in frames.welfare(truth[0]).items():
            y = [0.0, *(level + distance[f"welfare_{economy}"])]
            parts.append(pd.DataFrame({"panel": economy, "x": steps, "y": y, "certified": level}))
        away = {"x": steps[1:], "y": 100 * distance["tariff_mean"]}
        parts.append(pd.DataFrame({"panel": DISTANCE, **away, "certified": 0.0}))
        for part in parts[-1 - len(study.calibration.economies) :]:
            part["learning_rate"] = path.options.learning_rate
    return pd.concat(parts, ignore_index=True).assign(variant=variant.name)


def around_the_solution(study: Study) -> pd.DataFrame | None:
    """Figure 4: real income of China, per cent, along its own policies in dual competition, first variant."""
    variant = study.variants[0]
    found = _results(study, variant, "dual")
    if not found or PLAYER not in study.calibration.economies:
        return None
    around = landscape(found[0], PLAYER)
    titles = {number: cut.titles for number, cut in enumerate(around.cuts)}
    table = around.table()
    own = table[table["economy"] == PLAYER]
    words = [[titles[cut][k] if k < len(titles[cut]) else "" for cut in own["cut"]] for k in (0, 1)]
    return own.assign(variant=variant.name, x_title=words[0], y_title=words[1]).reset_index(drop=True)


def unilateral_and_nash(study: Study) -> pd.DataFrame | None:
    """Figure 5: China's rates alone (`x`) and in the Nash equilibrium (`y`), per cent."""

    def one(alone: SolveResult, nash: SolveResult) -> pd.DataFrame:
        parts = []
        for kind, observe in (("tariff", frames.tariffs), ("subsidy", frames.subsidies)):
            keys = ["origin", "destination", "sector"] if kind == "tariff" else ["origin", "sector"]
            both = observe(alone).merge(observe(nash)[[*keys, "rate"]], on=keys, suffixes=("_alone", "_nash"))
            parts.append(both.assign(panel=kind, x=100 * both["rate_alone"], y=100 * both["rate_nash"]))
        return pd.concat(parts, ignore_index=True)[["panel", "origin", "destination", "sector", "x", "y"]]

    return _stacked(study, ("china_dual", "dual"), one)


def production_shares(study: Study) -> pd.DataFrame | None:
    """Figure 6: change of sectoral production shares, points, in the trade war (`x`) and in dual competition (`y`)."""

    def one(war: SolveResult, dual: SolveResult) -> pd.DataFrame:
        before = frames.production_shares(war).rename(columns={"change": "x"})
        return before.assign(y=frames.production_shares(dual)["change"])

    return _stacked(study, ("trade_war", "dual"), one)


def tariffs_and_subsidies(study: Study) -> pd.DataFrame | None:
    """Figure 7: subsidy (`x`) and tariff (`y`) of the same economy and sector in dual competition, per cent."""

    def one(dual: SolveResult) -> pd.DataFrame:
        pairs = regressions.pairs(dual)
        return pairs[_CELL].assign(x=100 * pairs["subsidy"], y=100 * pairs["tariff"])

    return _stacked(study, ("dual",), one)


def war_and_dual(study: Study) -> pd.DataFrame | None:
    """Figure 8: tariffs in the trade war (`x`) and in dual competition (`y`), per cent; `high_psi` above the median."""

    def one(war: SolveResult, dual: SolveResult) -> pd.DataFrame:
        before = frames.tariffs(war)
        both = before.merge(frames.tariffs(dual)[[*_CELL, "rate"]], on=_CELL, suffixes=("_war", "_dual"))
        median = before.drop_duplicates("sector")["psi"].median()
        rates = {"x": 100 * both["rate_war"], "y": 100 * both["rate_dual"]}
        return both[_CELL].assign(**rates, high_psi=both["psi"] > median)

    return _stacked(study, ("trade_war", "dual"), one)


def drawn_subsidies(study: Study) -> pd.DataFrame | None:
    """Figure 9: change of China's real income, per cent, in each draw."""
    found = {variant.name: drawn(study, "subsidy", variant, PLAYER) for variant in study.variants}
    parts = [
        pd.DataFrame({"draw": range(len(draws)), "x": draws, "variant": name})
        for name, draws in found.items()
        if draws is not None
    ]
    return pd.concat(parts, ignore_index=True) if parts else None


def relative_wages(study: Study) -> pd.DataFrame | None:
    """Figure B.1: change of wages relative to ROW (or the last economy), per cent, under China's optimum."""
    economies = study.calibration.economies
    numeraire = "ROW" if "ROW" in economies else economies[-1]

    def one(optimum: SolveResult) -> pd.DataFrame:
        wages = frames.relative_wages(optimum, numeraire)
        return pd.DataFrame({"group": list(wages), "y": list(wages.values()), "numeraire": numeraire})

    return _stacked(study, ("china_unilateral",), one)


def tariffs_by(study: Study, scenario: str, side: str) -> pd.DataFrame | None:
    """Figures B.2 and B.3: tariffs of a scenario, per cent, in groups by `origin` or `destination`."""

    def one(result: SolveResult) -> pd.DataFrame:
        observed = frames.tariffs(result)
        return observed[_CELL].assign(group=observed[side], y=100 * observed["rate"])

    return _stacked(study, (scenario,), one)
