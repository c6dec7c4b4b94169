"""Tables for `dlopt scenarios`, `dlopt kinds` and the help of the solve verbs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from dlopt.kind import Kind
from dlopt.registry import Found

from ..solve.scenarios import NAME, NAME_HELP, scenarios


def scenario_table(verb: str | None = None, kind: Kind | None = None) -> Table:
    """All scenarios with their verbs, or those of one verb; of an installed kind its own."""
    table = Table(title="Scenarios" if verb else None, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario", style="cyan", no_wrap=True)
    table.add_column("description")
    if verb is None:
        table.add_column("verb", no_wrap=True)
    for scenario in scenarios(kind):
        if verb is None:
            table.add_row(scenario.name, scenario.description, ", ".join(scenario.verbs))
        elif verb in scenario.verbs:
            table.add_row(scenario.name, scenario.description)
    return table


def key_table(verb: str, kind: Kind, title: str = "Keys") -> Table:
    """The config keys a verb listens to."""
    table = Table(title=f"\n{title}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("key", style="cyan", no_wrap=True)
    table.add_column("meaning")
    table.add_row(NAME, Text(NAME_HELP))
    for key in kind.keys:
        if key.help and key.serves(verb):
            table.add_row(key.name, Text(key.help))
    return table


def kind_table(found: Sequence[Found]) -> Table:
    """Every kind: its verbs, what it solves, where it comes from."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("kind", "verbs", "solves", "from"):
        table.add_column(name, style="cyan" if name == "kind" else "", no_wrap=name == "kind", overflow="fold")
    for one in found:
        if one.kind is not None:
            verbs = ", ".join(verb.name for verb in one.kind.all_verbs)
            table.add_row(one.name, verbs, Text(one.kind.solves), one.source)
    return table
