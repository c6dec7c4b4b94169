"""The published algorithm measured against the certified equilibrium."""

from __future__ import annotations

import pytest
from economies import small_synthetic

from dlopt import BestResponse, InstrumentChoice, JointNewton, SolveResult, solve_nash

DUAL = InstrumentChoice(tariff="by_sector", subsidy="by_sector")


def play(solver: BestResponse | JointNewton) -> SolveResult:
    return solve_nash(small_synthetic(3, 3, 1), instruments=DUAL, solver=solver)


@pytest.fixture(scope="module")
def slow() -> SolveResult:
    return play(BestResponse(learning_rate=1e-3, steps=5, rounds=2, compare=True))


def test_the_reference_is_certified(slow: SolveResult) -> None:
    assert slow.status == "not_converged"
    assert slow.reference is not None
    assert slow.reference.status == "converged"
    alone = play(JointNewton())
    assert slow.reference.real_income_change_pct.tolist() == pytest.approx(alone.real_income_change_pct.tolist())
    assert "Percentage points from the certified equilibrium after round 2: tariffs up to" in slow.message


def test_one_row_per_player_turn(slow: SolveResult) -> None:
    table = slow.tables()["distance"]
    assert table["round"].tolist() == [1, 1, 1, 2, 2, 2]
    assert [sorted(turn["player"]) for _, turn in table.groupby("round")] == [["E1", "E2", "E3"]] * 2
    assert (table["tariff_max"] >= table["tariff_mean"]).all()
    assert slow.reference is not None
    gap = (slow.policy.tariff - slow.reference.policy.tariff).abs().max()
    assert table["tariff_max"].iloc[-1] == pytest.approx(float(gap))
    gap = (slow.policy.subsidy - slow.reference.policy.subsidy).abs().mean()
    assert table["subsidy_mean"].iloc[-1] == pytest.approx(float(gap))
    welfare = slow.real_income_change_pct - slow.reference.real_income_change_pct
    assert table[["welfare_E1", "welfare_E2", "welfare_E3"]].iloc[-1].tolist() == pytest.approx(welfare.tolist())
    assert table["welfare_max"].iloc[-1] == pytest.approx(float(welfare.abs().max()))


def test_distances_stand_beside_the_iterations(slow: SolveResult) -> None:
    iterations = slow.tables()["iterations"].set_index("iteration")
    distance = slow.tables()["distance"].set_index("iteration")
    assert iterations.loc[distance.index, "distance_tariff_max"].tolist() == distance["tariff_max"].tolist()
    plain = play(BestResponse(learning_rate=1e-3, steps=1, rounds=1))
    assert "distance" not in plain.tables()
    assert not [name for name in plain.tables()["iterations"] if name.startswith("distance")]


def test_larger_steps_come_nearer(slow: SolveResult) -> None:
    fast = play(BestResponse(learning_rate=2e-2, steps=5, rounds=2, compare=True))
    last = [result.tables()["distance"].iloc[-1] for result in (slow, fast)]
    assert last[1]["tariff_mean"] < last[0]["tariff_mean"]
    assert last[1]["welfare_max"] < last[0]["welfare_max"]
