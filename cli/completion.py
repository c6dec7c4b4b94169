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

    bash breaks words at `=`, so a value may arrive alone, with `key` and `=` as the words before it; there only the
    value is completed. Other shells send the whole word.
    """
    if incomplete == "=" and typed:
        key, value, alone = typed[-1], "", True
    elif len(typed) > 1 and typed[-1] == "=":
        key, value, alone = typed[-2], incomplete, True
    elif "=" in incomplete:
        key, _, value = incomplete.partition("=")
        alone = False
    else:
        names = {"scenario": "what is played", **{k: text for k, text in KEYS.items() if _top(k) in VERBS[verb].keys}}
        return [(f"{name}=", text) for name, text in names.items() if name.startswith(incomplete)]
    return [(name if alone else f"{key}={name}", text) for name, text in _values(verb, key) if name.startswith(value)]


def _values(verb: str, key: str) -> list[tuple[str, str]]:
    if key == "scenario":
        served = [s for s in scenarios() if verb in s.verbs]
        return [(s.name, s.description) for s in served] or [(name, "") for name in scenario_names()]
    return [(value, "") for value in _VALUES.get(key, ())]


def _top(key: str) -> str:
    return key.partition(".")[0]
