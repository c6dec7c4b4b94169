"""Shell completion of `key=value` arguments."""

from __future__ import annotations

from dlopt.errors import DloptError
from dlopt.kind import Key, Kind
from dlopt.registry import BUILT_IN, kind_names, load_kind
from dlopt.store.characters import plain

from ..solve.scenarios import NAME, NAME_HELP, scenarios


def complete_override(verb: str, typed: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Continuations of one `key=value` word, each with its help, all of them plain words to a shell.

    bash breaks words at `=`, so a value may arrive alone, with `key` and `=` as the words before it (or `key` only,
    right after the sign); there only the value is completed. Other shells send the whole word.
    """
    return [item for item in _continuations(verb, typed, incomplete) if plain(item[0])]


def _continuations(verb: str, typed: list[str], incomplete: str) -> list[tuple[str, str]]:
    keys = _keys(verb, typed)
    names = {"kind": "of problem", "scenario": "what is played", NAME: NAME_HELP}
    names |= {name: key.help for name, key in keys.items() if key.help}
    words = [word for word in typed if word != "="]
    key, equals, value = incomplete.partition("=")
    if equals:
        return [(f"{key}={name}", text) for name, text in _values(verb, key, keys, words) if name.startswith(value)]
    if words and words[-1] in names:
        return [item for item in _values(verb, words[-1], keys, words) if item[0].startswith(incomplete)]
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


def _values(verb: str, name: str, keys: dict[str, Key], typed: list[str]) -> list[tuple[str, str]]:
    """Values of a key: its words, and names of things there are: calibrations, policies, economies, runs."""
    if name == "kind":
        return [(kind, "built in" if kind in BUILT_IN else "") for kind in kind_names()]
    if name == "scenario":
        return [(s.name, s.description) for s in scenarios() if verb in s.verbs]
    if name == "calibration":
        from dlopt.calibrations import list_calibrations

        return [(entry.name, entry.place) for entry in list_calibrations()]
    key = keys.get(name)
    if key is None:
        return []
    found = [(value, "") for value in (*(key.choices or ()), *key.words)]
    if name == "policy":
        found += _policies(_calibration(typed))
    elif name in _ECONOMY_KEYS:
        found += [(label, "economy") for label in _economies(_calibration(typed))]
    elif name in ("resume", "init"):
        from ..commands.named import complete_run

        found += complete_run("")
    return found


_ECONOMY_KEYS = ("player", "players", "partners", "retaliators", "draws.player")


def _calibration(typed: list[str]) -> str:
    """The calibration that is named among the words typed, else the default."""
    from dlopt.calibrations.catalog import DEFAULT

    joined = " ".join(typed).replace(" = ", "=").split()
    return next((word.partition("=")[2] for word in joined if word.startswith("calibration=")), DEFAULT)


def _policies(calibration: str) -> list[tuple[str, str]]:
    from dlopt.calibrations import find_calibration, named_policies
    from dlopt.policies import schedules

    try:
        own = [(name, "of the calibration") for name in named_policies(find_calibration(calibration))]
    except DloptError:
        own = []
    return own + [(schedule.name, schedule.title) for schedule in schedules()]


def _economies(calibration: str) -> list[str]:
    """Labels of a calibration, read from the one table that lists them."""
    import pandas as pd

    from dlopt.calibrations import find_calibration

    try:
        folder = find_calibration(calibration)
        path = next(path for path in folder.glob("value_added_share.*"))
        table = pd.read_parquet(path, columns=["country"]) if path.suffix == ".parquet" else pd.read_csv(path)
        return [str(label) for label in table["country"].unique()]
    except (DloptError, OSError, StopIteration, ValueError, LookupError):
        return []
