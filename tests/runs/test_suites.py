"""Suites: lists and grids of named scenarios; one tidy table of outcomes, failures included."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from dlopt.cli.commands.suite import _solved, _word
from economies import small_synthetic

import dlopt
from dlopt.calibrations import write_bundle
from dlopt.errors import UnknownNameError
from dlopt.policies import policy_from
from dlopt.runs.suites import SuiteError, load_suite, shipped

GAIN = "real_income_change_pct"
GRID = """
description: A test.
verb: equilibrium
keys: {calibration: WORLD}
scenarios:
  - {name: nonsense, keys: {policy: "E9: 10% on all"}}
grids:
  - name: "{who}-{rate}"
    vary: {who: [E1, E2], rate: [10, 20]}
    keys: {policy: "{who}: +{rate}% on all"}
"""


@pytest.mark.parametrize(("name", "count"), [("us_tariffs_2025", 12), ("us_tariffs_2025_partners", 68)])
def test_shipped_suites_have_policies_that_can_be_read(name: str, count: int, stylized: dlopt.Calibration) -> None:
    suite = load_suite(name)
    assert len(suite.scenarios) == count
    assert {scenario.keys["retaliation"] for scenario in suite.scenarios} == {"none", "reciprocal"}
    for text in {str(scenario.keys["policy"]) for scenario in suite.scenarios}:
        assert policy_from(text, stylized).policy != dlopt.Policy.of(stylized), text


def test_a_grid_is_every_combination_and_failures_have_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    world = small_synthetic()
    write_bundle(world, tmp_path / "world")
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("WORLD", str(tmp_path / "world")), encoding="utf-8")
    frame = _solved(load_suite(str(path)), [], tmp_path / "out", "outcomes")
    assert list(frame["scenario"].unique()) == ["nonsense", "E1-10", "E1-20", "E2-10", "E2-20"]
    failed = frame[frame["scenario"] == "nonsense"]
    assert failed["status"].tolist() == ["failed"]
    assert "E9" in failed["message"].iloc[0]
    direct = dlopt.solve_equilibrium(world, policy_from("E2: +20% on all", world).policy).table("outcomes")
    own = frame[frame["scenario"] == "E2-20"].set_index("economy")
    assert own[GAIN].tolist() == pytest.approx(direct[GAIN].tolist(), abs=1e-9)
    assert set(own["rate"]) == {20}
    # Again in the same folder: nothing is solved twice, the table is the same.
    before = {run: run.stat().st_mtime_ns for run in (tmp_path / "out").glob("*/welfare.parquet")}
    again = _solved(load_suite(str(path)), [], tmp_path / "out", "outcomes")
    pd.testing.assert_frame_equal(again, frame)
    assert {run: run.stat().st_mtime_ns for run in before} == before
    assert len(before) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "not a suite"),
        ("verb: nash\n", "no scenario"),
        ("verb: nash\nscenarios: [{name: a}, {name: a}]\n", "two scenarios are called 'a'"),
        ("scenarios: [{name: a}]\n", "says no verb"),
        ("verb: nash\nscenarios: [{keys: {}}]\n", "must have a name"),
        ('verb: nash\nscenarios: [{name: "{x}"}]\n', "does not vary"),
        ("verb: nash\ngrids: [{name: a, vary: [1]}]\n", "must be a mapping"),
        ("verb: nash\nscenario: [{name: a}]\n", "not a suite"),
    ],
)
def test_what_is_no_suite_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError, match=words):
        load_suite(str(path))


def test_unknown_names_list_the_shipped() -> None:
    assert shipped() == ["us_tariffs_2025", "us_tariffs_2025_partners"]
    with pytest.raises(UnknownNameError, match="us_tariffs_2025"):
        load_suite("us_tariffs")


def test_values_as_words() -> None:
    assert _word("USA: 25% on steel,cars") == "'USA: 25% on steel,cars'"
    assert _word(["USA", "CHN"]) == "['USA','CHN']"
    assert _word({"USA": 1}) == "{USA:1}"
    assert (_word(None), _word(True), _word(0.5)) == ("null", "true", "0.5")
