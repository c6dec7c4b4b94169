"""Policies in sentences and schedules: the rates they come to, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlopt import Calibration, UnknownNameError, load_calibration
from dlopt.policies import (
    PolicyWordsError,
    effective_rates,
    parse_policy,
    policy_from,
    read_schedule,
    rules_of,
    schedules,
    shipped_schedule,
)


@pytest.fixture(scope="module")
def world() -> Calibration:
    return load_calibration("stylized2017")


def at(world: Calibration, economy: str) -> int:
    return world.economy_index(economy)


def test_a_level_on_named_sectors(world: Calibration) -> None:
    applied = policy_from("USA: 25% on steel,motor vehicles from all", world)
    expected, usa = world.tariff.clone(), at(world, "USA")
    abroad = [k for k in range(world.n_economies) if k != usa]
    for sector in ("Basic metals", "Motor vehicles"):
        expected[abroad, usa, world.sector_index(sector)] = 0.25
    assert torch.equal(applied.policy.tariff, expected)
    assert applied.notes == ("steel is taken as the whole sector 15 (Basic metals).",)


def test_points_are_added_and_home_is_never_charged(world: Calibration) -> None:
    change = policy_from("all: +10% on all", world).policy.tariff - world.tariff
    goods = world.tradable.double()
    abroad = 1 - torch.eye(world.n_economies, dtype=torch.float64)
    assert torch.allclose(change, 0.1 * abroad[:, :, None] * goods, atol=1e-15)


def test_an_answer_in_kind(world: Calibration) -> None:
    usa, chn, eu = (at(world, name) for name in ("USA", "CHN", "EU"))
    change = policy_from("USA: +10% on steel; USA: +5% on all from EU; CHN,EU: reciprocal", world).policy.tariff
    change = change - world.tariff
    assert torch.allclose(change[usa, chn], change[chn, usa], atol=1e-15)
    assert torch.allclose(change[usa, eu], change[eu, usa], atol=1e-15)
    assert float(change[usa, eu].max()) == pytest.approx(0.15)
    others = [k for k in range(world.n_economies) if k not in (usa, chn, eu)]
    assert not change[usa, others].any()


def test_names_with_commas_subsidies_and_export_taxes(world: Calibration) -> None:
    text = 'EU: 7% on Mining, energy, "Mining, non-energy" from CHN; CHN: subsidy 10% on 15; CHN: export tax 5% to USA'
    policy = policy_from(text, world).policy
    chn, usa, eu = (at(world, name) for name in ("CHN", "USA", "EU"))
    changed = (policy.tariff != world.tariff).nonzero().tolist()
    assert changed == [[chn, eu, world.sector_index(name)] for name in ("Mining, energy", "Mining, non-energy")]
    assert (policy.subsidy != world.subsidy).nonzero().tolist() == [[chn, world.sector_index("15")]]
    assert float(policy.subsidy[chn, world.sector_index("15")]) == 0.1
    assert policy.export_tax[chn, usa][world.tradable].tolist() == pytest.approx([0.05] * int(world.tradable.sum()))
    assert int((policy.export_tax != world.export_tax).sum()) == int(world.tradable.sum())


def test_a_later_level_replaces_an_earlier_one_and_points_add_up(world: Calibration) -> None:
    usa, chn = at(world, "USA"), at(world, "CHN")
    rate = policy_from("USA: 25% on steel; USA: 10% on steel from CHN; USA: +2% on steel; USA: set -1% on cars", world)
    tariff = rate.policy.tariff
    assert float(tariff[chn, usa, world.sector_index("15")]) == pytest.approx(0.12)
    assert float(tariff[at(world, "EU"), usa, world.sector_index("15")]) == pytest.approx(0.27)
    assert float(tariff[chn, usa, world.sector_index("20")]) == -0.01


def test_effective_rates_are_averages_weighted_by_trade(world: Calibration) -> None:
    applied = policy_from("USA: 25% on steel", world)
    row = effective_rates(world, applied.policy).set_index(["importer", "origin"]).loc[("USA", "CHN")]
    usa, chn = at(world, "USA"), at(world, "CHN")
    value = (world.trade / (1 + world.tariff))[chn, usa] * world.tradable
    share = float(value[world.sector_index("15")] / value.sum())
    step = 0.25 - float(world.tariff[chn, usa, world.sector_index("15")])
    assert row["change"] == pytest.approx(share * step, rel=1e-12)
    assert row["before"] == pytest.approx(float((value * world.tariff[chn, usa]).sum() / value.sum()), rel=1e-12)


@pytest.mark.parametrize("name", [schedule.name for schedule in schedules()])
def test_every_shipped_schedule_applies_and_says_what_it_leaves_out(name: str, world: Calibration) -> None:
    applied = policy_from(name, world)
    schedule, table = shipped_schedule(name)
    assert schedule.title in applied.notes[0]
    assert schedule.source
    assert table["authority"].all()
    rates = effective_rates(world, applied.policy)
    assert (rates.loc[rates["importer"] == schedule.importer, "change"] >= 0).all()
    assert (rates.loc[rates["importer"] != schedule.importer, "change"] == 0).all()
    assert (rates["change"] > 0).any()


def test_the_second_of_april_by_partner(world: Calibration) -> None:
    rates = effective_rates(world, policy_from("us_2025_04_02", world).policy).set_index(["importer", "origin"])
    found = rates.loc["USA", "change"]
    assert found["CHN"] == pytest.approx(0.54)
    assert found["EU"] == pytest.approx(0.20)
    assert found["JPN"] == pytest.approx(0.24)
    assert found["BRA"] == pytest.approx(0.10)


def test_groups_take_the_mean_of_their_members(world: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "importer,origin,sector,rate,change\nUSA,DEU,all,0.2,add\nUSA,FRA,all,0.1,add\nUSA,CHE,all,0.3,add\n"
    )
    notes: list[str] = []
    rules = rules_of(read_schedule(path), world, notes, {"DEU": 3.0, "FRA": 1.0, "CHE": 1.0})
    assert {rule.partners[0]: rule.rate for rule in rules} == pytest.approx({"EU": 0.175, "ROW": 0.3})
    assert notes == ["EU is charged 17.5 %, the mean over 2 origins (10 to 20 %), weighted by trade."]
    applied = policy_from(str(path), world)
    assert "each counting the same" in applied.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("USA: 25 on steel", "per cent"),
        ("USA 25%", "who does what"),
        ("USA:", "who does what"),
        ("USA: five on steel", "cannot be understood"),
        ("USA: -120% on steel", "above -100 %"),
        ("CHN: subsidy 120%", "below 100 %"),
        ("CHN: reciprocal", "nothing to answer"),
        ("USA: 5% to CHN", "'from'"),
        ("CHN: export tax 5% from USA", "'to'"),
        ("CHN: subsidy 5% from USA", "leave the partners out"),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, said: str, world: Calibration) -> None:
    with pytest.raises(PolicyWordsError, match=said):
        policy_from(text, world)


def test_no_sentence_is_no_policy() -> None:
    with pytest.raises(PolicyWordsError, match="empty"):
        parse_policy(" ; ")


@pytest.mark.parametrize(
    ("text", "near"), [("USB: 5%", "'USA'"), ("USA: 5% on stel", "'steel'"), ("us_2025", "us_2025_08_07")]
)
def test_unknown_names_get_the_nearest(text: str, near: str, world: Calibration) -> None:
    with pytest.raises(UnknownNameError, match=near):
        policy_from(text, world)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("importer,origin,sector,rate\nUSA,CHN,all,0.1\n", "no column 'change'"),
        ("importer,origin,sector,rate,change\nUSA,CHN,all,ten,add\n", "row 2: rate='ten'"),
        ("importer,origin,sector,rate,change\nUSA,CHN,all,0.1,plus\n", "row 2: change='plus'"),
    ],
)
def test_a_schedule_with_a_fault_names_the_row(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(PolicyWordsError, match=said):
        read_schedule(path)


def test_schedules_joined_by_a_plus_add_up(world: Calibration) -> None:
    both = policy_from("us_2025_08_07 + us_2025_section_232_june", world)
    first = policy_from("us_2025_08_07", world)
    after = policy_from("us_2025_section_232_june", world, first.policy)
    assert torch.equal(both.policy.tariff, after.policy.tariff)
    assert both.notes == (*first.notes, *after.notes)
    assert not torch.equal(both.policy.tariff, first.policy.tariff)
