"""The scenarios in `conf/scenario/`, read without Hydra."""

from __future__ import annotations

import dataclasses
from importlib.resources import files

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


def scenarios() -> list[ScenarioInfo]:
    """All scenarios that come with dlopt, sorted by name."""
    import yaml

    folder = files("dlopt.conf") / "scenario"
    found = []
    for name in scenario_names():
        about = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))["scenario"]
        found.append(ScenarioInfo(name, about["description"], tuple(about["verbs"])))
    return found
