"""The answer of a solved choice in sentences: what they say is what stands in its tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dlopt.choice.answers import headlines
from dlopt.kind import Ended, Status


def said(verb: str = "bsde", **tables: pd.DataFrame) -> list[str]:
    return headlines(Ended(verb, Status.CONVERGED, {}, tables.get))


def simulation(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"statistic": ["mean", "std", "p5", "p95"], **columns})


def test_an_exporter_is_told_by_markets_and_profit() -> None:
    worth = pd.DataFrame(
        {
            "destination": ["d1", "d2", "d3", "d4"],
            "delta_v": [1.0, 4.0, -2.0, 3.0],
            "open_share": [0.25, 0.75, 0.0, 0.5],
        }
    )
    long_run = simulation(markets=[1.5, 1.0, 0.0, 3.0], value=[12.5, 1.0, 10.0, 14.0], profit=[2.25, 0.5, 1.0, 3.0])
    first, second, third = said(simulation=long_run, marginal_values=worth)
    assert first == "In the long run 1.5 of 4 markets are served on average; 9 times in 10 it is 0 to 3."
    assert second == "Profit is 2.25 a year on average, and the value V 12.5."
    assert third.endswith("d2 (+4; on 75 % of the time), d4 (+3; on 50 % of the time), d1 (+1; on 25 % of the time).")


def test_a_model_of_ones_own_is_told_by_switches() -> None:
    worth = pd.DataFrame({"switch": ["a", "b"], "delta_v": [0.5, 0.75], "on_share": [0.1, 0.9]})
    long_run = simulation(on=[1.0, 0.5, 0.0, 2.0], value=[3.0, 0.1, 2.0, 4.0], flow=[0.5, 0.1, 0.4, 0.6])
    first, second, third = said(simulation=long_run, marginal_values=worth)
    assert "1 of 2 switches are on" in first
    assert "Flow utility is 0.5" in second
    assert third.index("b (+0.75; on 90 %") < third.index("a (+0.5; on 10 %")


def test_a_network_is_told_by_links() -> None:
    worth = pd.DataFrame(
        {
            "buyer": ["1", "1", "2"], "supplier": ["2", "3", "1"],
            "buyer_name": ["Steel", "Steel", "Cars"], "supplier_name": ["Coal", "Power", "Steel"],
            "delta_v_pct": [0.5, -0.1, 1.25], "planner_accepts": [0.9, 0.2, 0.6], "harmful": [False, True, False],
        }
    )  # fmt: skip
    first, second, third = said(marginal_values=worth)
    assert first == "The planner wants 2 of 3 possible links more often than not."
    assert "Cars buying from Steel (+1.2 %), Steel buying from Coal (+0.5 %)" in second
    assert third == "1 link would pay the buyer and harm society."


def test_a_run_without_tables_says_nothing() -> None:
    assert said() == []
