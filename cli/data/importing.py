"""`dlopt data import`: one command for every importer in the registry, and the network economy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlopt.calibrations.importers import IMPORTERS, Importer, Option

from .lines import say

if TYPE_CHECKING:
    from dlopt.calibrations.importing import Imported

app = typer.Typer(help="Bring in a calibration and call it by a name.", no_args_is_help=True)

Force = Annotated[bool, typer.Option("--force", help="Replace a calibration of that name.")]
NAME_HELP = "What it will be called."
_OTHER_SETS = (
    Option("elasticities", "Take this set of trade elasticities instead (dlopt data elasticities)."),
    Option("scale_elasticities", "Take this set of scale elasticities instead, or none."),
)


def _command(importer: Importer) -> Callable[..., None]:
    """The command of one importer: its source, its options, a name, --force."""
    options = (*importer.options, *(_OTHER_SETS if importer.own_elasticities else ()))

    def run(**given: Any) -> None:
        from dlopt.calibrations.importing import with_sets

        source, name, force = given.pop("source"), given.pop("name"), given.pop("force")
        sets = [given.pop(option.name) for option in _OTHER_SETS] if importer.own_elasticities else [None, None]
        for option in importer.options:
            if option.choices and given[option.name] not in option.choices:
                flag = f"--{option.name.replace('_', '-')}"
                raise typer.BadParameter(
                    f"{given[option.name]!r} is not one of {', '.join(option.choices)}", param_hint=flag
                )
        install_and_say(with_sets(importer.read(source, given), *sets), name, force)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            "source", keyword,
            annotation=Annotated[Path, typer.Argument(metavar=importer.source, help="What to read.")],
        ),
        inspect.Parameter(
            "name", keyword, annotation=Annotated[str, typer.Option("--name", help=NAME_HELP)],
            default=importer.default_name or inspect.Parameter.empty,
        ),
        *(_parameter(option) for option in options),
        inspect.Parameter("force", keyword, annotation=Force, default=False),
    ]  # fmt: skip
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = importer.help
    return run


def _parameter(option: Option) -> inspect.Parameter:
    flag = f"--{option.name.replace('_', '-')}"
    kind: Any = str | None if option.default is None else type(option.default)
    note = typer.Option(flag, help=option.help, metavar="|".join(option.choices) or None)
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, note], default=option.default
    )


for _importer in IMPORTERS.values():
    app.command(_importer.name)(_command(_importer))


@app.command("bea37")
def import_bea37_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to read.")],
    name: Annotated[str, typer.Option("--name", help=NAME_HELP)] = "bea37",
    force: Force = False,
) -> None:
    """The 37-sector US input-output economy, for dlopt solve bsde: calibration_data.mat and beadat_37sec.mat as
    published, or sectors.csv and input_shares.csv made of them."""
    from dlopt.choice.production.importing import import_bea37

    model, target = import_bea37(folder, name, force)
    say(f"{name}: a network economy of {model.size} sectors, in {target}.")
    say(f"Next: dlopt solve bsde scenario=network model={name}")


def install_and_say(imported: Imported, name: str, force: bool) -> None:
    """Put a calibration where it can be called by name, and say what was done and what it will take."""
    from dlopt.calibrations import calibration_warnings
    from dlopt.calibrations.importing import install
    from dlopt.calibrations.outlook import outlook

    folder = install(imported, name, force=force)
    calibration = imported.calibration
    for line in imported.adjustments:
        say(line)
    for warning in calibration_warnings(calibration):
        say(f"Warning: {warning}")
    say(f"{name}: {calibration.n_economies} economies, {calibration.n_sectors} sectors, in {folder}.")
    if imported.policies:
        say(f"With the policies {', '.join(imported.policies)}.")
    for line in outlook(calibration.n_economies, calibration.n_sectors, name):
        say(line)
    say(f"Next: dlopt data show {name}")
