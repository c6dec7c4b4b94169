"""Tables for `dlopt scenarios` and the help of the solve verbs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from .scenarios import scenarios
from .verbs import Verb


def scenario_table(verb: str | None = None) -> Table:
    """All scenarios with their verbs, or those of one verb."""
    table = Table(title="Scenarios" if verb else None, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario", style="cyan", no_wrap=True)
    table.add_column("description")
    if verb is None:
        table.add_column("verb", no_wrap=True)
    for scenario in scenarios():
        if verb is None:
            table.add_row(scenario.name, scenario.description, ", ".join(scenario.verbs))
        elif verb in scenario.verbs:
            table.add_row(scenario.name, scenario.description)
    return table


def key_table(verb: Verb, keys: Mapping[str, str]) -> Table:
    """The config keys a verb listens to."""
    table = Table(title="\nKeys", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("key", style="cyan", no_wrap=True)
    table.add_column("meaning")
    for key, text in keys.items():
        if key.partition(".")[0] in verb.keys:
            table.add_row(key, text)
    return table
