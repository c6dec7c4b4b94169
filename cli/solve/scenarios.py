"""The scenarios in `conf/scenario/` and those of installed kinds, read without Hydra."""

from __future__ import annotations

import dataclasses
from importlib.resources import files
from typing import Any

from dlopt.kind import Kind
from dlopt.registry import BUILT_IN

NAME, NAME_HELP = "name", "what to call the run, such as steel25: then `dlopt report steel25` finds it"
"""A word of every solve that is no key of its config."""


@dataclasses.dataclass(frozen=True)
class ScenarioInfo:
    """What a scenario file says about itself."""

    name: str
    description: str
    verbs: tuple[str, ...]


def scenario_names() -> list[str]:
    """Names of all scenarios that come with dlopt, sorted."""
    folder = files("dlopt.conf") / "scenario"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def scenarios(kind: Kind | None = None) -> list[ScenarioInfo]:
    """All scenarios that come with dlopt, sorted by name; or those that an installed kind brings along."""
    if kind is not None and kind.name not in BUILT_IN:
        found = {name: node["scenario"] for name, node in own_scenarios(kind).items()}
    else:
        folder = files("dlopt.conf") / "scenario"
        found = {
            name: _read((folder / f"{name}.yaml").read_text(encoding="utf-8"))["scenario"] for name in scenario_names()
        }
    return [ScenarioInfo(name, about["description"], tuple(about["verbs"])) for name, about in found.items()]


def kind_of(name: str) -> str | None:
    """The kind that a scenario of dlopt's own brings in place of the verb's; None where it brings none."""
    if name not in scenario_names():
        return None
    content = _read((files("dlopt.conf") / "scenario" / f"{name}.yaml").read_text(encoding="utf-8"))
    found = (entry.get("override /kind") for entry in content.get("defaults", ()) if isinstance(entry, dict))
    return next((str(kind) for kind in found if kind), None)


def own_scenarios(kind: Kind) -> dict[str, dict[str, Any]]:
    """The scenarios an installed kind brings along, by name: that of its own name, and its files."""
    verbs = [verb.name for verb in kind.all_verbs]
    found: dict[str, dict[str, Any]] = {kind.name: {"scenario": {"description": kind.solves, "verbs": verbs}}}
    folder = None if kind.configs is None else kind.configs / "scenario"
    if folder is not None and folder.is_dir():
        found |= {path.stem: _read(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}
    return found


def _read(text: str) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # as safe, and ten times as quick, where it was built
    content: dict[str, Any] = loader(text).get_single_data()
    return content
