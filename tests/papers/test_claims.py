"""Every finding in words has a test that computes something, and says the figure behind it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from dlopt import Calibration
from dlopt.papers.engine.study import Study
from dlopt.papers.huang2024 import claims as second
from dlopt.papers.targets import PROBLEMS, TARGETS
from dlopt.papers.wang2024 import checks
from dlopt.papers.wang2024.claims import CLAIMS
from dlopt.papers.wang2024.paths import PATHS
from dlopt.papers.wang2024.scenarios import Variant
from dlopt.trade.results import SolveResult

VARIANT = Variant("standard", "tradable")


@pytest.fixture(scope="module")
def games(world: Calibration, study_of: Callable[..., Study]) -> tuple[SolveResult, SolveResult]:
    """A trade war and dual competition of China and the US, which stand for all games here."""
    found = [study_of(world).get(name, VARIANT).result for name in ("us_china_trade_war", "us_china_dual")]
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


def test_all_find_something(games: tuple[SolveResult, SolveResult]) -> None:
    assert len({words for words, _, _ in CLAIMS}) == len(CLAIMS)
    war, dual = games
    for words, needs, test in CLAIMS:
        assert set(needs) <= {*PROBLEMS}, words
        assert set(needs) <= {*TARGETS["claims"].needs}, words
        if needs != tuple(PATHS):
            given = {1: (dual,), 2: (war, dual), 3: (war, dual, war)}[len(needs)]
            holds, evidence = test(*given)
            assert holds in (True, False)
            assert len(evidence) > 8, words


def test_what_is_known_is_found(games: tuple[SolveResult, SolveResult]) -> None:
    war, dual = games
    assert not checks.moves_shares_more(dual, dual)[0]
    assert checks.moves_shares_more(war, dual)[0] != checks.moves_shares_more(dual, war)[0]
    assert checks.steeper_above(dual)[0]  # twice as much of what costs more at the margin
    holds, evidence = checks.prohibitive(war)
    assert holds == (float(evidence.split(" %")[0]) < 10)
    gainers = [e for e, gain in zip(dual.calibration.economies, dual.real_income_change_pct, strict=True) if gain > 0]
    assert checks.only_gain(*gainers)(dual)[0]
    assert not checks.only_gain(*gainers, "X")(dual)[0]


def test_paths_agree_where_they_end_together() -> None:
    ends = [pd.DataFrame({"welfare_A": [0.5, at], "welfare_B": [0.1, -at]}) for at in (0.01, 0.08, 0.12)]
    assert checks.rates_agree({"distance": ends[0]}, {"distance": ends[1]})[0]
    holds, evidence = checks.rates_agree({"distance": ends[0]}, {"distance": ends[2]})
    assert not holds
    assert "0.11 points" in evidence


def destinations(worth: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> dict[str, pd.DataFrame]:
    """Sixty destinations with random revenues and complementarities; one, which adds nothing, is left out of fits."""
    draws = np.random.default_rng(3)
    zeta, adds = draws.uniform(1, 2, 60), draws.uniform(0, 1, 60)
    value = worth(zeta, adds)
    left = value - np.polyval(np.polyfit(zeta, value, 1), zeta)
    table = pd.DataFrame({"zeta": zeta, "complementarity": adds, "delta_v": value, "residual": left})
    none = pd.DataFrame({"zeta": [9.0], "complementarity": [99.0], "delta_v": [-1.0], "residual": [-50.0]})
    return {"marginal_values": pd.concat([table, none])}


def test_what_destinations_add_is_told_apart() -> None:
    by_others = destinations(lambda _, adds: 1 + adds)
    assert second.revenue_explains_little(by_others)[0]
    assert second.complements_are_worth_more(by_others)[0]
    by_revenue = destinations(lambda zeta, adds: zeta + 1e-3 * np.random.default_rng(0).normal(size=60) - 0.01 * adds)
    holds, evidence = second.revenue_explains_little(by_revenue)
    assert not holds
    assert evidence == "R squared 1.00 over 60 destinations"
    assert not second.complements_are_worth_more(by_revenue)[0]


def test_slope_of_complementarity_is_least_squares() -> None:
    tables = destinations(lambda zeta, adds: zeta + 2 * adds + np.random.default_rng(1).normal(size=60))
    used = tables["marginal_values"].head(60)
    fit = linregress(used["complementarity"], used["residual"])
    words = f"slope {fit.slope:.2f}, standard error {fit.stderr:.2f}"
    assert second.complements_are_worth_more(tables)[1].startswith(words)


def test_harmful_links_and_near_values_are_counted() -> None:
    links = pd.DataFrame({"harmful": [False, True, True], "delta_v_pct": [1.0, -1e-3, -2e-2]})
    assert (
        second.some_links_harm({"marginal_values": links})[1] == "2 of 3 links; the worst costs 2.0e-02 % of mean |V|"
    )
    assert not second.some_links_harm({"marginal_values": links.head(1)})[0]
    errors = pd.DataFrame(
        {"states": ["long_run", "drawn"], "relative_error": [0.009, 1], "decision_accuracy": [0.9, 0]}
    )
    assert second.values_are_near({"validation": errors}) == (
        True,
        "V is off by 0.9 % on average, 90.0 % of decisions are right",
    )
    assert not second.values_are_near({"validation": errors.assign(relative_error=0.011)})[0]


def test_findings_of_the_second_paper_rest_on_its_trainings() -> None:
    assert {training for _, training, _, _ in second.CLAIMS} == {*TARGETS["bsde-claims"].needs}
    assert {*TARGETS["bsde-claims"].needs} <= {*PROBLEMS}
