"""Suites: a file that lists scenarios by name, one by one or as grids; nothing here knows what a scenario solves."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from dlopt.errors import DloptError, UnknownNameError
from dlopt.store.files import read_yaml

MOST = 2000
_KEYS = ("description", "verb", "keys", "scenarios", "grids")
_FORM = "a mapping with verb, and scenarios (name, keys) or grids (name, vary, keys)"


class SuiteError(DloptError):
    """A suite that cannot be understood."""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One solve of a suite.

    Attributes:
        name: of no other scenario of the suite.
        verb: of `dlopt solve`.
        keys: what is set, by key.
        varied: what a grid varied, by its own words; empty for a scenario that is listed.
    """

    name: str
    verb: str
    keys: Mapping[str, Any]
    varied: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Suite:
    """A list of scenarios with a name and a description."""

    name: str
    description: str
    scenarios: tuple[Scenario, ...]


def shipped() -> list[str]:
    """Names of the suites that come with dlopt."""
    folder = files("dlopt.conf") / "suite"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_suite(text: str) -> Suite:
    """A suite by name or file.

    Raises:
        UnknownNameError: neither a file nor a suite that comes with dlopt.
        SuiteError, YamlError: the file is no suite.
    """
    path = Path(text).expanduser()
    if not path.is_file():
        if text not in shipped():
            raise UnknownNameError("suite (or file)", text, shipped())
        path = Path(str(files("dlopt.conf") / "suite" / f"{text}.yaml"))
    content = read_yaml(path)
    if not isinstance(content, dict) or not set(content) <= set(_KEYS):
        raise SuiteError(f"{path} is not a suite: it must be {_FORM}.")
    common, verb = _mapping(content.get("keys", {}), path), content.get("verb")
    found = []
    for entry in _list(content.get("scenarios", []), path):
        found.append(_scenario(entry, common, verb, {}, path))
    for grid in _list(content.get("grids", []), path):
        vary = _mapping(_mapping(grid, path).get("vary", {}), path)
        for values in itertools.product(*(value if isinstance(value, list) else [value] for value in vary.values())):
            if len(found) >= MOST:
                raise SuiteError(f"{path} lists more than {MOST:,} scenarios. Split it.")
            found.append(_scenario(grid, common, verb, dict(zip(vary, values, strict=True)), path))
    names = [scenario.name for scenario in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not found or twice is not None:
        raise SuiteError(f"{path}: {'it lists no scenario' if not found else f'two scenarios are called {twice!r}'}.")
    return Suite(path.stem, str(content.get("description", "")), tuple(found))


def _scenario(entry: Any, common: Mapping[str, Any], verb: Any, varied: Mapping[str, Any], path: Path) -> Scenario:
    """One entry, with `{word}` in its name and keys replaced by what the grid has for the word."""
    entry = _mapping(entry, path)
    unknown = set(entry) - {"name", "verb", "keys", "vary"}
    if unknown or not isinstance(entry.get("name"), str):
        raise SuiteError(f"{path}: {entry} is not a scenario: it must have a name, and keys.")
    own_verb = entry.get("verb", verb)
    if not isinstance(own_verb, str):
        raise SuiteError(f"{path}: {entry['name']} says no verb, such as verb: equilibrium.")
    asked = {**common, **_mapping(entry.get("keys", {}), path)}
    keys = {str(key): _filled(value, varied, path) for key, value in asked.items()}
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", str(_filled(entry["name"], varied, path))).strip("_")
    return Scenario(name, own_verb, keys, varied)


def _filled(value: Any, varied: Mapping[str, Any], path: Path) -> Any:
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"{(\w+)}", value)
    if whole and whole[1] in varied:
        return varied[whole[1]]
    unknown = next((word for word in re.findall(r"{(\w+)}", value) if word not in varied), None)
    if unknown is not None:
        raise SuiteError(f"{path}: {value!r} names {{{unknown}}}, which the grid does not vary.")
    return re.sub(r"{(\w+)}", lambda found: str(varied[found[1]]), value)


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SuiteError(f"{path}: {value!r} must be a mapping. A suite is {_FORM}.")
    return value


def _list(value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise SuiteError(f"{path}: {value!r} must be a list. A suite is {_FORM}.")
    return value
