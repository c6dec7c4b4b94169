"""The commands of `dlopt`, each loaded when it is asked for."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import MutableMapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from . import DEBUG, processes
from .commands.branches import branches
from .commands.estimate import estimate
from .commands.evaluate import evaluate
from .commands.explore import explore
from .commands.export import export
from .commands.figure import figure
from .commands.kinds import kinds
from .commands.landscape import landscape
from .commands.panel import panel
from .commands.report import report
from .commands.reproduce import reproduce
from .commands.sensitivity import sensitivity
from .commands.suite import suite
from .main import main

__all__ = ["app", "main"]

SOLVE, LOOK, MORE, CHOICE = "Ask", "Look at answers", "How sure, how many", "Dynamic choice"
_ORDER = ("solve", "scenarios", "suite", "data", "reproduce", "kinds", "runs")


class InOrder(TyperGroup):
    """Commands as somebody meets them: questions first, then answers; those not named come in their own order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return sorted(self.commands, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="dlopt",
    cls=InOrder,
    help="Optimal policy in general equilibrium, and dynamic discrete choice in continuous time.",
    epilog="To begin: dlopt solve equilibrium 'policy=USA: 25% on steel,motor vehicles from all'",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _later(module: str) -> type[TyperGroup]:
    """A group of commands whose module, with an `app` of its own, is imported when one of them is asked for."""

    @functools.cache
    def own() -> MutableMapping[str, Any]:
        commands: MutableMapping[str, Any] = get_group(importlib.import_module(f"dlopt.cli.{module}").app).commands
        return commands

    class Later(TyperGroup):
        @property
        def commands(self) -> MutableMapping[str, Any]:
            return own()

        @commands.setter
        def commands(self, _: Any) -> None:
            """Typer sets the commands that it knows: none."""

    return Later


for _name, _module, _help, _panel in (
    ("solve", "commands.solve", "Solve for equilibria, optimal policies and value functions.", SOLVE),
    ("runs", "commands.runs", "List, show, compare, collect, retry and prune runs.", LOOK),
    ("data", "data", "The worlds that are asked about: list, show, import, aggregate, check, generate.", SOLVE),
):
    app.add_typer(
        typer.Typer(no_args_is_help=True), name=_name, help=_help, cls=_later(_module), rich_help_panel=_panel
    )
for _command, _panel in (
    (suite, SOLVE), (reproduce, SOLVE), (kinds, SOLVE),
    (report, LOOK), (explore, LOOK), (figure, LOOK), (export, LOOK),
    (sensitivity, MORE), (branches, MORE), (landscape, MORE),
    (evaluate, CHOICE), (panel, CHOICE),
):  # fmt: skip
    app.command(rich_help_panel=_panel)(_command)
app.command(context_settings={"ignore_unknown_options": True}, rich_help_panel=CHOICE)(estimate)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"dlopt {version('dlopt')}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"
    if ctx.invoked_subcommand != "solve":
        processes.refuse_several(f"`dlopt {ctx.invoked_subcommand}`")


@app.command(rich_help_panel=SOLVE)
def scenarios() -> None:
    """What can be solved: every scenario, and the verb that serves it."""
    from .terminal.help import scenario_table
    from .terminal.screen import output

    output.print(scenario_table())
    output.print("\nNext:\n  dlopt solve nash scenario=trade_war\n    solve one of them with one of its verbs")
    output.print("  dlopt solve nash --help\n    every key that the verb takes", highlight=False)
