"""`dlopt`: the commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dlopt.errors import DloptError
from dlopt.registry import built_in_verbs

from . import DEBUG, data, processes
from .commands import runs
from .commands.evaluate import evaluate
from .commands.kinds import kinds
from .commands.landscape import landscape
from .commands.report import report
from .commands.reproduce import reproduce
from .commands.sensitivity import sensitivity
from .loading import load
from .terminal.completion import complete_override

app = typer.Typer(
    name="dlopt",
    help="Optimal policy in general equilibrium, and dynamic discrete choice in continuous time.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
solve_app = typer.Typer(help="Solve for equilibria, optimal policies and value functions.", no_args_is_help=True)
app.add_typer(solve_app, name="solve")
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.command()(landscape)
app.command()(reproduce)
app.command()(report)
app.command()(sensitivity)
app.command()(evaluate)
app.command()(kinds)


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


@app.command()
def scenarios() -> None:
    """What can be solved: every scenario, and the verb that serves it."""
    from .terminal.help import scenario_table
    from .terminal.screen import output

    output.print(scenario_table())


class _SolveCommand(TyperCommand):
    """A verb whose --help also lists its scenarios and keys."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        from dlopt.registry import load_kind

        from .terminal.help import key_table, scenario_table
        from .terminal.screen import output

        verb = str(self.name)
        output.print(scenario_table(verb))
        output.print(key_table(verb, load_kind(_VERBS[verb][1])))


def _complete(ctx: typer.Context, args: list[str], incomplete: str) -> list[tuple[str, str]]:
    return complete_override(str(ctx.info_name), list(ctx.params.get("arguments") or args), incomplete)


def _solve(
    ctx: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="scenario=NAME KEY=VALUE",
            help="Keys to set, and Hydra's options: -m runs every combination of comma-separated values.",
            autocompletion=_complete,
        ),
    ] = None,
) -> None:
    words = list(arguments or [])
    if "--debug" in words:
        words.remove("--debug")
        os.environ[DEBUG] = "1"
    raise typer.Exit(load("solve.launch").solve(str(ctx.info_name), words))


_VERBS = built_in_verbs()
for _name, (_verb, _) in _VERBS.items():
    solve_app.command(_name, help=_verb.help, cls=_SolveCommand, context_settings={"ignore_unknown_options": True})(
        _solve
    )


def main() -> None:
    """Entry point of the `dlopt` command."""
    code = _run()
    if "joblib" in sys.modules:  # its processes are told at exit
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without taking apart all that torch has built, which takes longer than some solves


def _run() -> int:
    """Run the command; an error becomes a message. Returns the exit code."""
    try:
        app()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except DloptError as error:
        if os.environ.get(DEBUG):
            raise
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Stopped before anything was solved.")
        return 1
    return 0


def _say(message: str) -> None:
    """Once on each machine: processes that work together fail together."""
    if processes.count() > 1 and processes.local_rank() > 0:
        return
    from rich.text import Text

    from .terminal.screen import console

    console.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
