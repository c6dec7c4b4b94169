"""What each figure shows, as a table with a column `variant`; None where the calibration cannot show it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from dlopt.reproduce import frames, regressions
from dlopt.reproduce.paths import GAME, PATHS
from dlopt.reproduce.scenarios import Variant
from dlopt.reproduce.study import Study
from dlopt.trade.landscape import landscape
from dlopt.trade.results import SolveResult

PLAYER = "CHN"
DISTANCE = "tariffs, mean distance"


def _stacked(study: Study, one: Callable[[Variant], pd.DataFrame | None]) -> pd.DataFrame | None:
    found = [(variant.name, one(variant)) for variant in study.variants]
    parts = [part.assign(variant=name) for name, part in found if part is not None]
    return pd.concat(parts, ignore_index=True) if parts else None


def _results(study: Study, variant: Variant, *names: str) -> list[SolveResult] | None:
    found = [study.get(name, variant).result for name in names]
    known = [result for result in found if result is not None]
    return known if len(known) == len(found) else None


def learning_paths(study: Study) -> pd.DataFrame | None:
    """Figure 3: real income after each turn of the published algorithm, and distance of tariffs.

    `panel` is an economy, or `DISTANCE`; `x` the optimiser steps of each player, `y` the quantity (per cent, or
    points), `certified` its value in the equilibrium. First variant.
    """
    variant = study.variants[0]
    truth = _results(study, variant, GAME)
    parts = []
    for name, options in PATHS.items():
        distance = study.get(name, variant).tables.get("distance")
        if distance is None or not truth:
            return None
        steps = [0.0, *(options.steps * distance["turns"])]
        for economy, level in frames.welfare(truth[0]).items():
            y = [0.0, *(level + distance[f"welfare_{economy}"])]
            parts.append(pd.DataFrame({"panel": economy, "x": steps, "y": y, "certified": level}))
        away = {"x": steps[1:], "y": 100 * distance["tariff_mean"]}
        parts.append(pd.DataFrame({"panel": DISTANCE, **away, "certified": 0.0}))
        for part in parts[-1 - len(study.calibration.economies) :]:
            part["learning_rate"] = options.learning_rate
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

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "china_dual", "dual")
        if not found:
            return None
        parts = []
        for kind, observe in (("tariff", frames.tariffs), ("subsidy", frames.subsidies)):
            keys = ["origin", "destination", "sector"] if kind == "tariff" else ["origin", "sector"]
            alone, nash = (observe(result) for result in found)
            both = alone.merge(nash[[*keys, "rate"]], on=keys, suffixes=("_alone", "_nash"))
            parts.append(both.assign(panel=kind, x=100 * both["rate_alone"], y=100 * both["rate_nash"]))
        return pd.concat(parts, ignore_index=True)[["panel", "origin", "destination", "sector", "x", "y"]]

    return _stacked(study, one)


def production_shares(study: Study) -> pd.DataFrame | None:
    """Figure 6: change of sectoral production shares, points, in the trade war (`x`) and in dual competition (`y`)."""

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "trade_war", "dual")
        if not found:
            return None
        war, dual = (frames.production_shares(result) for result in found)
        return war.rename(columns={"change": "x"}).assign(y=dual["change"])

    return _stacked(study, one)


def tariffs_and_subsidies(study: Study) -> pd.DataFrame | None:
    """Figure 7: subsidy (`x`) and tariff (`y`) of the same economy and sector in dual competition, per cent."""

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "dual")
        if not found:
            return None
        pairs = regressions.pairs(found[0])
        kept = pairs[["origin", "destination", "sector"]]
        return kept.assign(x=100 * pairs["subsidy"], y=100 * pairs["tariff"])

    return _stacked(study, one)


def war_and_dual(study: Study) -> pd.DataFrame | None:
    """Figure 8: tariffs in the trade war (`x`) and in dual competition (`y`), per cent; `high_psi` above the median."""

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "trade_war", "dual")
        if not found:
            return None
        keys = ["origin", "destination", "sector"]
        war, dual = (frames.tariffs(result) for result in found)
        both = war.merge(dual[[*keys, "rate"]], on=keys, suffixes=("_war", "_dual"))
        median = war.drop_duplicates("sector")["psi"].median()
        rates = {"x": 100 * both["rate_war"], "y": 100 * both["rate_dual"]}
        return both[keys].assign(**rates, high_psi=both["psi"] > median)

    return _stacked(study, one)


def drawn_subsidies(study: Study) -> pd.DataFrame | None:
    """Figure 9: change of China's real income, per cent, in each draw."""

    def one(variant: Variant) -> pd.DataFrame | None:
        draws = study.draws("subsidy", variant, PLAYER)
        return None if draws is None else pd.DataFrame({"draw": range(len(draws)), "x": draws})

    return _stacked(study, one)


def relative_wages(study: Study) -> pd.DataFrame | None:
    """Figure B.1: change of wages relative to ROW (or the last economy), per cent, under China's optimum."""
    economies = study.calibration.economies
    numeraire = "ROW" if "ROW" in economies else economies[-1]

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "china_unilateral")
        if not found:
            return None
        wages = frames.relative_wages(found[0], numeraire)
        return pd.DataFrame({"group": list(wages), "y": list(wages.values()), "numeraire": numeraire})

    return _stacked(study, one)


def tariffs_without_scale(study: Study) -> pd.DataFrame | None:
    """Figure B.2: Nash tariffs in dual competition without scale economies, by importer, per cent."""

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "dual_no_scale")
        if not found:
            return None
        observed = frames.tariffs(found[0])
        kept = observed[["origin", "destination", "sector"]]
        return kept.assign(group=observed["destination"], y=100 * observed["rate"])

    return _stacked(study, one)


def china_without_scale(study: Study) -> pd.DataFrame | None:
    """Figure B.3: China's best tariffs (with subsidies) without scale economies, by origin, per cent."""

    def one(variant: Variant) -> pd.DataFrame | None:
        found = _results(study, variant, "china_dual_no_scale")
        if not found:
            return None
        observed = frames.tariffs(found[0])
        kept = observed[["origin", "destination", "sector"]]
        return kept.assign(group=observed["origin"], y=100 * observed["rate"])

    return _stacked(study, one)
