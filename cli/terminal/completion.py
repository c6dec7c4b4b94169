"""Shell completion of `key=value` arguments."""

from __future__ import annotations

from dlopt.errors import DloptError
from dlopt.kind import Key, Kind
from dlopt.registry import BUILT_IN, kind_names, load_kind

from ..solve.scenarios import scenarios


def complete_override(verb: str, typed: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Continuations of one `key=value` word, each with its help.

    bash breaks words at `=`, so a value may arrive alone, with `key` and `=` as the words before it (or `key` only,
    right after the sign); there only the value is completed. Other shells send the whole word.
    """
    keys = _keys(verb, typed)
    names = {"kind": "of problem", "scenario": "what is played"}
    names |= {name: key.help for name, key in keys.items() if key.help}
    words = [word for word in typed if word != "="]
    key, equals, value = incomplete.partition("=")
    if equals:
        return [(f"{key}={name}", text) for name, text in _values(verb, key, keys) if name.startswith(value)]
    if words and words[-1] in names:
        return [item for item in _values(verb, words[-1], keys) if item[0].startswith(incomplete)]
    return [(f"{name}=", text) for name, text in names.items() if name.startswith(incomplete)]


def _keys(verb: str, typed: list[str]) -> dict[str, Key]:
    """The keys of the kind that is named among the words typed, else those of the built-in kinds."""
    joined = " ".join(typed).replace(" = ", "=").split()
    named = next((word.partition("=")[2] for word in joined if word.startswith("kind=")), None)
    kinds: list[Kind] = []
    for name in BUILT_IN if named is None else (named,):
        try:
            kinds.append(load_kind(name))
        except DloptError:
            continue
    keys: dict[str, Key] = {}
    for kind in kinds:
        if any(known.name == verb for known in kind.all_verbs):
            for key in kind.keys:
                if key.serves(verb):
                    keys.setdefault(key.name, key)
    return keys


def _values(verb: str, name: str, keys: dict[str, Key]) -> list[tuple[str, str]]:
    if name == "kind":
        return [(kind, "built in" if kind in BUILT_IN else "") for kind in kind_names()]
    if name == "scenario":
        return [(s.name, s.description) for s in scenarios() if verb in s.verbs]
    if name == "calibration":
        from dlopt.calibrations import list_calibrations

        return [(entry.name, entry.place) for entry in list_calibrations()]
    key = keys.get(name)
    return [] if key is None else [(value, "") for value in (*(key.choices or ()), *key.words)]
