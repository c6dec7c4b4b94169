"""Every scenario composes for every verb that serves it, and every option of a solver is a key."""

from __future__ import annotations

import dataclasses

import pytest
from dlopt.cli.check import check
from dlopt.cli.config import SOLVERS, allowed_keys
from dlopt.cli.scenarios import scenarios
from dlopt.cli.verbs import KEYS, VERBS

SERVED = [(scenario.name, verb) for scenario in scenarios() for verb in scenario.verbs if verb in VERBS]


@pytest.mark.parametrize(("name", "verb"), SERVED)
def test_scenario_composes(name: str, verb: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    words = ["player=USA"] if verb == "unilateral" and name != "china_unilateral" else []
    checked = check(verb, [f"scenario={name}", *words])
    assert checked.jobs == 1


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_scenario_says_what_it_is(scenario: object) -> None:
    assert 0 < len(scenario.description) <= 40  # type: ignore[attr-defined]
    assert set(scenario.verbs) <= {*VERBS, "bsde"}  # type: ignore[attr-defined]


def test_every_verb_has_a_scenario() -> None:
    assert {verb for _, verb in SERVED} == set(VERBS)


@pytest.mark.parametrize("name", SOLVERS)
def test_solver_options_are_keys(name: str) -> None:
    keys = allowed_keys((name,))
    assert all(f"solver.{field.name}" in keys for field in dataclasses.fields(SOLVERS[name]) if field.init)


def test_every_key_is_explained() -> None:
    sections = ("instruments", "bounds", "draws")
    keys = {key for key in allowed_keys() if not key.startswith("solver") and key not in sections}
    assert keys | {"solver"} == set(KEYS)
