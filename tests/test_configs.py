"""Every scenario composes for every verb that serves it, and every option of a solver is a key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from dlopt.cli.solve.check import check
from dlopt.cli.solve.scenarios import scenarios
from dlopt.cli.solve.schema import keys_of, known_keys

from dlopt.kind import loaded
from dlopt.registry import BUILT_IN, built_in_verbs, load_kind

VERBS = built_in_verbs()
SERVED = [(scenario.name, verb) for scenario in scenarios() for verb in scenario.verbs]
SECTIONS = [
    (kind, key.name, name)
    for kind in BUILT_IN
    for key in load_kind(kind).keys
    for name in (key.choices or ([None] if key.options is not None else ()))
]


@pytest.mark.parametrize(("name", "verb"), SERVED)
def test_scenario_composes(name: str, verb: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    words = ["player=USA"] if verb == "unilateral" and name != "china_unilateral" else []
    if verb == "estimate":
        words = _of_a_panel()
    checked = check(verb, [f"scenario={name}", *words])
    assert checked.jobs == 1


def _of_a_panel() -> list[str]:
    """What an estimation needs: a panel, in the folder `panel`, and what is estimated."""
    from dlopt.choice.estimation.kind import make_panel
    from dlopt.choice.estimation.panel_files import write_panel

    panel, model = make_panel(load_kind("export"), "separable3", {}, None, firms=2, years=1.0)
    write_panel(panel, model, Path("panel"))
    return ["data=panel", "model=separable3", "fixed={s_noise: 0.3}", "parameters={lambda0: [0.2, 0.4]}"]


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_scenario_says_what_it_is(scenario: object) -> None:
    assert 0 < len(scenario.description) <= 40  # type: ignore[attr-defined]
    assert set(scenario.verbs) <= set(VERBS)  # type: ignore[attr-defined]


def test_every_verb_has_a_scenario() -> None:
    assert {verb for _, verb in SERVED} == set(VERBS)


@pytest.mark.parametrize(("kind", "section", "name"), SECTIONS)
def test_options_are_keys(kind: str, section: str, name: str | None) -> None:
    (key,) = (key for key in load_kind(kind).keys if key.name == section)
    options = loaded(key.options if name is None else key.choices[name])
    choices = {other.name: other.default for other in load_kind(kind).keys if other.choices is not None}
    keys = known_keys(load_kind(kind), choices if name is None else {**choices, section: name})
    fields = [] if options is None else [field.name for field in dataclasses.fields(options) if field.init]
    assert all(f"{section}.{field}" in keys for field in fields)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_key_is_explained(kind: str) -> None:
    """By itself, or by the section it is in."""
    keys = keys_of(load_kind(kind))
    sections = {key.name for key in load_kind(kind).keys if key.options is not None}
    for name, key in keys.items():
        section = keys.get(name.partition(".")[0])
        assert name in sections or key.help or (section is not None and section.help), name
