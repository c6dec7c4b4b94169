"""Intervals from the shell: tables, screen, report, and sections that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from conftest import Dlopt


def test_intervals_are_in_tables_on_screen_and_in_words_in_the_report(dlopt: Dlopt) -> None:
    labels = "theta[1],theta[2]"
    (dlopt.folder / "estimated.csv").write_text(f"{labels}\n0.01,0.005\n0.005,0.01\n", encoding="utf-8")
    words = ["player=E1", "scenario=trade_war", "hydra.run.dir=sure", "intervals=true", "prior.draws=20"]
    words += ["prior.processes=1", "prior.covariance=estimated.csv"]
    screen = dlopt("solve", "unilateral", f"calibration={dlopt.world}", *words)
    assert "Which evidence would matter" in screen.stdout
    assert "Chosen rates with uncertain parameters" in screen.stdout
    assert "intervals of real income hold" in screen.stdout
    table = pd.read_parquet(dlopt.folder / "sure" / "intervals.parquet")
    assert set(table["method"]) == {"delta", "draws"}
    assert bool((table["low"] < table["real_income_change_pct"]).all())
    assert bool((table["high"] > table["real_income_change_pct"]).all())
    assert set(pd.read_parquet(dlopt.folder / "sure" / "evidence.parquet")["parameter"]) == {"theta[1]", "theta[2]"}
    assert len(pd.read_parquet(dlopt.folder / "sure" / "interval_policies.parquet"))
    assert len(pd.read_parquet(dlopt.folder / "sure" / "interval_averages.parquet")) == 2
    assert pd.read_parquet(dlopt.folder / "sure" / "interval_draws.parquet")["draw"].nunique() == 20
    dlopt("report", "sure")
    page = (dlopt.folder / "sure" / "report.html").read_text(encoding="utf-8")
    assert "exactly would narrow intervals of real income by" in page
    assert "Intervals cover 90 %; 2 parameters vary as estimated.csv says" in page
    assert "How sure are the policies" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prior.level=90",), "between 0 and 1"),
        (("prior.of=[thetas]",), "theta"),
        (("prior.draws=-1",), "0 or more"),
        (("prior.sobol=3",), "power of two"),
        (("prior.covariance=nowhere.csv",), "nowhere.csv"),
        (("prior.sets=[one]",), "two sets"),
        (("prior.errors=a", "prior.sets=[b,c]"), "give one"),
    ],
)
def test_priors_that_cannot_be_are_refused_before_anything_is_solved(
    dlopt: Dlopt, words: tuple[str, ...], said: str
) -> None:
    screen = dlopt("solve", "equilibrium", f"calibration={dlopt.world}", "intervals=true", *words, code=1)
    assert said in screen.stderr
    assert not dlopt.runs()


def test_branches_of_a_run_are_traced_and_drawn(dlopt: Dlopt) -> None:
    words = ["policy=E1: +25% on all", "hydra.run.dir=given"]
    dlopt("solve", "equilibrium", f"calibration={dlopt.world}", *words)
    screen = dlopt("branches", "given", "--starts", "2", "--low", "0.8", "--high", "1.2")
    assert "1 equilibrium was found under the run's policies" in " ".join(screen.stdout.split())
    assert "goes from 0.8 to 1.2 times all psi" in screen.stdout
    folder = dlopt.folder / "given" / "branches"
    assert len(pd.read_parquet(folder / "equilibria.parquet")) == 1
    assert (folder / "branches.png").is_file()
    table = pd.read_parquet(folder / "branches.parquet")
    assert table["factor"].min() == pytest.approx(0.8)
    assert table["factor"].max() == pytest.approx(1.2)


def test_a_game_is_followed_from_the_shell(dlopt: Dlopt) -> None:
    words = ["scenario=trade_war", "player=E1", "instruments.tariff=uniform", "hydra.run.dir=alone"]
    dlopt("solve", "unilateral", f"calibration={dlopt.world}", *words)
    screen = dlopt("branches", "alone", "--policies", "chosen", "--starts", "1", "--low", "0.9", "--high", "1.1")
    assert "1 equilibrium was found of the run's game" in " ".join(screen.stdout.split())
    moved = dlopt("sensitivity", "alone", "--to", "theta,tariff")
    assert "largest effects on average rates" in moved.stdout
    assert "baseline tariff of" in moved.stdout
    assert len(pd.read_parquet(dlopt.folder / "alone" / "sensitivity" / "sensitivity_averages.parquet"))
    assert "nothing moves with them" in dlopt("sensitivity", "alone", "--to", "bound", code=1).stderr
    assert bool(pd.read_parquet(dlopt.folder / "alone" / "branches" / "equilibria.parquet")["best"].all())
    wrong = dlopt("branches", "alone", "--policies", "some", code=1)
    assert "held, chosen" in wrong.stderr


def test_a_government_that_does_not_know_is_solved_and_certified_from_the_shell(dlopt: Dlopt) -> None:
    words = ["player=E1", "scenario=trade_war", "hydra.run.dir=robust", "objective=expected", "prior.draws=2"]
    screen = dlopt("solve", "unilateral", f"calibration={dlopt.world}", *words)
    assert "knowing the world" in screen.stdout
    assert "One policy for 3 possible worlds, best on average" in " ".join(screen.stdout.split())
    record = dlopt.record()
    assert record["status"] == "converged"
    assert record["certificate"]["best_response_gain_pct"] <= 1e-6
    worlds = pd.read_parquet(dlopt.folder / "robust" / "worlds.parquet")
    assert len(worlds) == 3
    assert bool((worlds["best_pct"] >= worlds["gain_pct"] - 1e-6).all())
    assert worlds["gain_pct"].mean() >= worlds["point_gain_pct"].mean() - 1e-9


@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("unilateral", ("objective=expected", "player=E1"), "prior.draws=20"),
        ("unilateral", ("objective=bargain", "player=E1"), "expected"),
        ("cooperative", ("objective=minimax",), "bargain"),
    ],
)
def test_objectives_that_cannot_be_are_refused(dlopt: Dlopt, verb: str, words: tuple[str, ...], said: str) -> None:
    scenario = "trade_war" if verb == "unilateral" else "cooperation"
    screen = dlopt("solve", verb, f"calibration={dlopt.world}", f"scenario={scenario}", *words, code=1)
    assert said in screen.stderr


def test_what_was_assumed_of_the_rest_is_said_where_a_source_tells_of_theta_alone(dlopt: Dlopt) -> None:
    for name, error in (("bare", ""), ("printed", "0.5")):
        rows = f"A,1,4.0,{error},,a test\nB,2,5.0,{error},,a test\n"
        file = dlopt.folder / f"{name}.csv"
        file.write_text(f"sector,isic,theta,standard_error,psi,source\n{rows}", encoding="utf-8")
        dlopt("data", "elasticities", "--add", str(file))
    words = ["solve", "equilibrium", f"calibration={dlopt.world}", "policy=E1: +25% on all", "intervals=true"]
    none = dlopt(*words, "prior.errors=bare", code=1)
    assert "prints no standard errors; sets that do: printed." in " ".join(none.stderr.split())
    said = " ".join(dlopt(*words, "prior.errors=printed").stdout.split())
    assert "theta by the standard errors printed in printed, all else by 10 % each, an assumption" in said
