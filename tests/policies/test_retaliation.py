"""Answers to a policy: none, in kind, as good as can be, and war."""

from __future__ import annotations

import pytest
import torch
from economies import small_synthetic

from dlopt import Calibration, InstrumentChoice, solve_unilateral
from dlopt.policies import PolicyWordsError, policy_from, retaliate, sides

TARIFFS = InstrumentChoice(tariff="by_sector")


@pytest.fixture(scope="module")
def world() -> Calibration:
    return small_synthetic(3, 2)


def test_who_is_hit_answers(world: Calibration) -> None:
    policy = policy_from("E1: +20% on all from E2", world).policy
    assert sides(policy, world).imposers == ("E1",)
    assert sides(policy, world).retaliators == ("E2",)
    assert sides(policy, world, ["E3"]).retaliators == ("E3",)


def test_in_kind_the_same_points_come_back(world: Calibration) -> None:
    policy = policy_from("E1: +20% on all", world).policy
    result = retaliate(world, policy, "reciprocal", ["E2"])
    change = result.policy.tariff - world.tariff
    assert torch.allclose(change[0, 1], change[1, 0], atol=1e-12)
    assert not change[0, 2].any()
    assert result.status == "converged"


def test_the_best_answer_of_one_is_its_unilateral_optimum_on_the_imposer_alone(world: Calibration) -> None:
    policy = policy_from("E1: +20% on all", world).policy
    answer = retaliate(world, policy, "optimal", ["E2"])
    alone = solve_unilateral(world, "E2", instruments=TARIFFS, partners=["E1"], init=policy)
    assert answer.status == "converged"
    assert answer.policy.tariff == pytest.approx(alone.policy.tariff.numpy(), abs=1e-9)
    change = answer.policy.tariff - policy.tariff
    assert not change[2].any()  # nothing on goods of the third economy
    assert not change[:, 0].any()  # the imposer keeps its rates
    none, kind = (retaliate(world, policy, how, ["E2"]) for how in ("none", "reciprocal"))
    gains = [float(result.real_income_change_pct[1]) for result in (none, kind, answer)]
    assert gains[2] > max(gains[:2])


def test_in_a_war_everybody_on_both_sides_chooses(world: Calibration) -> None:
    policy = policy_from("E1: +20% on all", world).policy
    war = retaliate(world, policy, "nash", ["E2"])
    assert war.status == "converged"
    assert war.instruments is not None
    assert set(war.instruments.players) == {"E1", "E2"}
    assert not (war.policy.tariff - policy.tariff)[2].any()


def test_nothing_to_answer_is_said(world: Calibration) -> None:
    with pytest.raises(PolicyWordsError, match="nothing to answer"):
        retaliate(world, policy_from("E1: free on all", world).policy, "optimal")
    with pytest.raises(PolicyWordsError, match="E1 raised tariffs itself"):
        retaliate(world, policy_from("E1: +20% on all", world).policy, "optimal", ["E1"])
