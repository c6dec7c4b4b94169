"""Every finding in words has a test that computes something, and says the figure behind it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from dlopt import Calibration
from dlopt.papers.engine.study import Study
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
