"""`dlopt kinds`: every kind of problem that can be solved here."""

from __future__ import annotations


def kinds() -> None:
    """Kinds of problems: name, verbs, what they solve, where they come from."""
    from dlopt.registry import all_kinds

    from ..terminal.help import kind_table
    from ..terminal.screen import console, output

    found = all_kinds()
    output.print(kind_table(found))
    for one in found:
        if one.fault:
            console.print(one.fault, style="yellow", soft_wrap=True)
