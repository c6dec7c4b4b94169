"""Questions of analysts from the shell: policies in words, answers to them, partners by name, what moves the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from dlopt import open_run

if TYPE_CHECKING:
    from conftest import Dlopt


def test_a_sentence_is_solved_and_is_no_sweep(dlopt: Dlopt) -> None:
    dlopt("solve", "equilibrium", f"calibration={dlopt.world}", "policy=E1: +25% on 1,2 from all; E2: reciprocal")
    record = dlopt.record()
    assert record["status"] == "converged"
    rates = pd.read_parquet(dlopt.runs()[0] / "policies.parquet")
    changed = rates[rates["instrument"] == "tariff"]
    assert set(changed["sector"].astype(str)) == {"1", "2"}
    assert set(zip(changed["origin"], changed["destination"], strict=True)) == {
        ("E2", "E1"), ("E3", "E1"), ("E1", "E2")
    }  # fmt: skip


def test_the_best_answer_of_one_economy_to_the_imposer_alone(dlopt: Dlopt) -> None:
    words = ["policy=E1: +25% on all", "retaliation=optimal", "retaliators=[E2]"]
    dlopt("solve", "equilibrium", f"calibration={dlopt.world}", *words)
    record = dlopt.record()
    assert record["status"] == "converged"
    assert record["certificate"]["best_response_gain_pct"] <= 1e-6
    policies = pd.read_parquet(dlopt.runs()[0] / "policies.parquet")
    chosen = policies.dropna(subset=["lower_bound"])  # the imposer's rates are listed, too, but nobody chooses them
    assert set(chosen["destination"]) == {"E2"}
    assert set(chosen["origin"]) == {"E1"}
    # Opened again it is the game of the one who answered, with everybody else held where the policy put them.
    opened = open_run(dlopt.runs()[0])
    assert opened.instruments is not None
    assert opened.instruments.players == ("E2",)
    assert opened.status == "converged"
    dlopt("sensitivity", dlopt.runs()[0].name, "--to", "theta", "--no-picture")
    moved = pd.read_parquet(dlopt.runs()[0] / "sensitivity" / "sensitivity_policies.parquet")
    assert set(moved["player"]) == {"E2"}


def test_an_answer_in_kind_is_opened_again_though_nobody_chose(dlopt: Dlopt) -> None:
    words = ["policy=E1: +25% on all", "retaliation=reciprocal"]
    dlopt("solve", "equilibrium", f"calibration={dlopt.world}", *words)
    opened = open_run(dlopt.runs()[0])
    assert opened.instruments is None
    assert float(opened.policy.tariff.max()) >= 0.25


def test_partners_by_name_and_what_moves_the_answer(dlopt: Dlopt) -> None:
    words = ["player=E1", "partners=[E2]", "instruments.tariff=by_sector", "scenario=trade_war", "hydra.run.dir=best"]
    dlopt("solve", "unilateral", f"calibration={dlopt.world}", *words)
    screen = dlopt("sensitivity", "best", "--to", "theta")
    assert "theta of " in screen.stdout
    table = pd.read_parquet(dlopt.folder / "best" / "sensitivity" / "sensitivity.parquet")
    assert len(table) == 4 * 3
    policies = pd.read_parquet(dlopt.folder / "best" / "sensitivity" / "sensitivity_policies.parquet")
    assert set(policies["player"]) == {"E1"}


def test_shocks_go_with_any_question_and_open_again(dlopt: Dlopt) -> None:
    words = ["shocks=E1-E2: +10% trade costs on 1,2; E3: -5% productivity", "scenario=trade_war", "player=E1"]
    dlopt("solve", "unilateral", f"calibration={dlopt.world}", *words, "instruments.tariff=uniform")
    assert dlopt.record()["status"] == "converged"
    parts = pd.read_parquet(dlopt.runs()[0] / "decomposition.parquet")
    assert (parts[parts["component"] == "shock"]["contribution_pct"] != 0).all()
    again = open_run(dlopt.runs()[0])
    before = pd.read_parquet(dlopt.runs()[0] / "welfare.parquet")["real_income_change_pct"]
    assert again.real_income_change_pct.tolist() == pytest.approx(before.tolist(), abs=1e-8)


def test_players_with_instruments_of_their_own(dlopt: Dlopt) -> None:
    own = ["instruments.E1.tariff=uniform", "instruments.E2.subsidy=uniform", "bounds.E1.tariff=[0,0.05]"]
    dlopt("solve", "nash", f"calibration={dlopt.world}", "scenario=trade_war", "instruments.tariff=false", *own)
    assert dlopt.record()["status"] == "converged"
    policies = pd.read_parquet(dlopt.runs()[0] / "policies.parquet").dropna(subset=["lower_bound"])
    assert set(zip(policies["economy"], policies["instrument"], strict=True)) == {("E1", "tariff"), ("E2", "subsidy")}
    assert policies[policies["economy"] == "E1"]["upper_bound"].tolist() == pytest.approx(
        [0.05] * 8
    )  # two partners, four sectors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shocks=E1: +25% on 1",), "trade costs"),
        (("shocks=E4: +5% labour",), "E4"),
        (("policy=E1: 25 on 1",), "25%"),
        (("policy=E4: 25%",), "E4"),
        (("retaliation=optimal",), "give one"),
        (("policy=E1: +5% on all", "retaliation=optimal", "retaliators=[E1]"), "E1 raised tariffs itself"),
        (("policy=E1: +5% on all", "retaliation=best"), "optimal"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(dlopt: Dlopt, words: tuple[str, ...], said: str) -> None:
    screen = dlopt("solve", "equilibrium", f"calibration={dlopt.world}", *words, code=1)
    assert said in screen.stderr
    assert "Traceback" not in screen.stderr
    assert not dlopt.runs()


def test_schedules_are_listed_with_their_sources(dlopt: Dlopt) -> None:
    screen = dlopt("data", "schedules")
    assert "us_2025_04_02" in screen.stdout
    assert "Executive Order 14257" in screen.stdout
