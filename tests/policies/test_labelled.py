"""Policies that a world makes: each method means what the sentence means, and the world's own rates stay."""

from __future__ import annotations

import pytest
import torch

import dlopt
from dlopt.errors import UnknownNameError
from dlopt.policies import PolicyWordsError, policy_from
from dlopt.trade.policy import Policy

WORLD = dlopt.load_calibration("stylized2017")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda p: p.raise_tariff("USA", on="all", sectors=["steel", "cars"], by=0.25), "USA: +25% on steel,cars"),
        (lambda p: p.raise_tariff("USA", by=0.1), "USA: +10% on all"),
        (lambda p: p.set_tariff(["USA", "EU"], on="CHN", to=0.25), "USA,EU: 25% on all from CHN"),
        (lambda p: p.raise_export_tax("CHN", to="USA", by=0.05), "CHN: export tax +5% on all to USA"),
        (lambda p: p.raise_subsidy("CHN", "steel", by=0.1), "CHN: subsidy +10% on steel"),
        (lambda p: p.raise_tariff("USA", by=0.1).reciprocate("CHN"), "USA: +10% on all; CHN: reciprocal"),
    ],
)
def test_methods_mean_what_sentences_mean(made, sentence):
    policy, said = made(WORLD.policy()), policy_from(sentence, WORLD)
    assert policy == said.policy or all(map(torch.equal, policy.rates(), said.policy.rates()))
    assert policy.notes == said.notes


def test_nothing_is_changed_in_place_and_home_is_never_charged():
    begun = WORLD.policy()
    policy = begun.raise_tariff("all", by=0.1)
    assert all(map(torch.equal, begun.rates(), Policy.of(WORLD).rates()))
    home = torch.arange(WORLD.n_economies)
    assert torch.equal(policy.tariff[home, home], WORLD.tariff[home, home])
    assert policy.raise_tariff("all", by=-0.1).tariff == pytest.approx(WORLD.tariff, abs=1e-15)


def test_it_is_solved_as_it_is():
    policy = WORLD.policy().raise_tariff("USA", sectors=["15"], by=0.25)
    plain = Policy(*policy.rates())
    ours, theirs = dlopt.solve_equilibrium(WORLD, policy), dlopt.solve_equilibrium(WORLD, plain)
    assert torch.equal(ours.real_income_change_pct, theirs.real_income_change_pct)


def test_mistakes_are_named():
    with pytest.raises(UnknownNameError, match="UAS"):
        WORLD.policy().raise_tariff("UAS", by=0.1)
    with pytest.raises(UnknownNameError, match="stele"):
        WORLD.policy().raise_tariff("USA", sectors=["stele"], by=0.1)
    with pytest.raises(PolicyWordsError, match=r"tariff of USA.*-110 %"):
        WORLD.policy().set_tariff("USA", to=-1.1)
    with pytest.raises(PolicyWordsError, match="no sector"):
        WORLD.policy().raise_tariff("USA", sectors=[], by=0.1)
    with pytest.raises(PolicyWordsError, match="nothing to answer"):
        WORLD.policy().reciprocate("CHN")
