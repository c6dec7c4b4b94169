"""`dlopt solve VERB`: help and completion of the verbs; what runs them is `cli.main.solve`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dlopt.registry import built_in_verbs, load_kind

from ..main import solve
from ..terminal.completion import complete_override

app = typer.Typer()

_VERBS = built_in_verbs()


class SolveCommand(TyperCommand):
    """A verb whose --help also lists its scenarios, and the keys of the kind that `kind=` or `scenario=` names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["words"] = list(args)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from ..solve.scenarios import kind_of
        from ..terminal.help import key_table, scenario_table
        from ..terminal.screen import output

        verb = str(self.name)
        said = dict(word.split("=", 1) for word in ctx.meta["words"] if word.startswith(("kind=", "scenario=")))
        kind = load_kind(said.get("kind") or kind_of(said.get("scenario", "")) or _VERBS[verb][1])
        kind.verb(verb)  # refuses one that it does not serve
        super().format_help(ctx, formatter)
        output.print(scenario_table(verb, kind))
        output.print(key_table(verb, kind))


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
    raise typer.Exit(solve(str(ctx.info_name), arguments or []))


for _name, (_verb, _) in _VERBS.items():
    app.command(_name, help=_verb.help, cls=SolveCommand, context_settings={"ignore_unknown_options": True})(_solve)
