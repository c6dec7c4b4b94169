"""Shell completion of `key=value` arguments."""

from __future__ import annotations

from .scenarios import scenario_names, scenarios
from .verbs import KEYS, VERBS

_VALUES = {
    "accounting": ("standard", "paper"),
    "deficits": ("none", "constant"),
    "partners": ("all", "players"),
    "players": ("all",),
    "solver": ("joint_newton", "best_response"),
    "init": ("baseline", "random"),
    "weights": ("income", "equal"),
    "instruments.tariff": ("false", "by_sector", "uniform", "mfn"),
    "instruments.export_tax": ("false", "by_sector", "uniform"),
    "instruments.subsidy": ("false", "by_sector", "uniform"),
    "instruments.sectors": ("tradable", "all"),
}


def complete_override(verb: str, typed: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Continuations of one `key=value` word, each with its help.

    bash breaks words at `=`, so a value may arrive alone, with `key` and `=` as the words before it (or `key` only,
    right after the sign); there only the value is completed. Other shells send the whole word.
    """
    names = {"scenario": "what is played", **{k: text for k, text in KEYS.items() if _top(k) in VERBS[verb].keys}}
    words = [word for word in typed if word != "="]
    key, equals, value = incomplete.partition("=")
    if equals:
        return [(f"{key}={name}", text) for name, text in _values(verb, key) if name.startswith(value)]
    if words and words[-1] in names:
        return [item for item in _values(verb, words[-1]) if item[0].startswith(incomplete)]
    return [(f"{name}=", text) for name, text in names.items() if name.startswith(incomplete)]


def _values(verb: str, key: str) -> list[tuple[str, str]]:
    if key == "scenario":
        served = [s for s in scenarios() if verb in s.verbs]
        return [(s.name, s.description) for s in served] or [(name, "") for name in scenario_names()]
    if key == "calibration":
        from dlopt.calibrations import list_calibrations

        return [(entry.name, entry.place) for entry in list_calibrations()]
    return [(value, "") for value in _VALUES.get(key, ())]


def _top(key: str) -> str:
    return key.partition(".")[0]
