"""`dlopt data`: list, show, validate, import and generate calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from dlopt.calibrations.importing import Imported

app = typer.Typer(help="List, show, validate, import and generate calibrations.", no_args_is_help=True)
import_app = typer.Typer(help="Bring in a calibration and call it by a name.", no_args_is_help=True)
app.add_typer(import_app, name="import")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to read.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a calibration of that name.")]
_NAME_HELP = "What it will be called."


@app.command("list")
def list_() -> None:
    """The calibrations that can be called by name."""
    from dlopt.calibrations import DEFAULT, list_calibrations
    from dlopt.calibrations.meta import read_meta
    from dlopt.calibrations.schema import Faults

    table = _table(None, ["name", "year", "unit", "found in", "folder"])
    for entry in list_calibrations():
        meta = read_meta(entry.folder, Faults())
        year, unit = (meta.year, meta.unit) if meta else ("?", "damaged: see dlopt data validate")
        name = f"{entry.name} (default)" if entry.name == DEFAULT else entry.name
        _row(table, name, year, unit, entry.place, str(entry.folder))
    _print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A calibration's name, or its folder.")]) -> None:
    """Economies, sectors, checks and provenance of a calibration."""
    from dlopt.calibrations import find_calibration, named_policies, read_bundle
    from dlopt.calibrations.summary import summarise

    folder = find_calibration(name)
    calibration = read_bundle(folder)
    summary = summarise(calibration)
    size = f"{calibration.n_economies} economies, {calibration.n_sectors} sectors"
    _say(f"{calibration.name}, {calibration.year}: {size}\n")
    numbers = ["value added", "trade balance %", "home share %", "mean tariff %"]
    table = _table(f"Economies (value added: {calibration.unit})", ["economy", *numbers], right=numbers)
    for e in summary.economies:
        shares = (e.trade_balance_pct, e.home_share_pct, e.mean_tariff_pct)
        _row(
            table,
            e.label,
            f"{e.value_added:,.5g}" if e.value_added < 1e5 else f"{e.value_added:,.0f}",
            *_fixed(shares, 2),
        )
    _print(table)
    _say("")
    numbers = ["theta", "psi", "theta*psi", "spending %", "cross-border %"]
    table = _table("Sectors", ["sector", "name", *numbers, "tradable"], right=numbers)
    for s in summary.sectors:
        cells = [*_fixed((s.theta, s.psi, s.theta * s.psi), 3), *_fixed((s.share_pct, s.cross_border_pct), 1)]
        _row(table, s.label, s.name, *cells, "yes" if s.tradable else "no")
    _print(table)
    _say("\nChecks")
    for line in summary.checks:
        _say(f"  {line}")
    policies = named_policies(folder)
    _say(f"\nPolicies  {', '.join(policies) if policies else 'none'}")
    _say(f"Source    {calibration.source}")
    _say(f"Folder    {folder}")
    _say(f"sha256    {calibration.sha256}")


@app.command()
def validate(folder: Folder) -> None:
    """Every fault of a bundle; exit code 1 if there is one."""
    from dlopt.calibrations import calibration_warnings, read_bundle
    from dlopt.calibrations.schema import BundleError

    try:
        calibration = read_bundle(folder)
    except BundleError as error:
        for fault in error.faults:
            _say(str(fault))
        _say(f"{folder}: {len(error.faults)} fault{'' if len(error.faults) == 1 else 's'}.")
        raise typer.Exit(1) from error
    for warning in calibration_warnings(calibration):
        _say(f"Warning: {warning}")
    _say(f"{folder} is sound: {calibration.n_economies} economies, {calibration.n_sectors} sectors.")


@app.command()
def generate(
    name: Annotated[str, typer.Option("--name", help=_NAME_HELP)],
    economies: Annotated[int, typer.Option(min=2, help="How many.")] = 7,
    sectors: Annotated[int, typer.Option(min=1, help="How many, all tradable.")] = 44,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    force: Force = False,
) -> None:
    """A synthetic world of any size, balanced and seeded: not data."""
    from dlopt.calibrations import synthetic
    from dlopt.calibrations.importing import Imported

    _install(Imported(synthetic(economies, sectors, seed), {}), name, force)


@import_app.command("bundle")
def import_bundle_(
    folder: Folder, name: Annotated[str, typer.Option("--name", help=_NAME_HELP)], force: Force = False
) -> None:
    """A bundle: the tables and meta.yaml described in docs/calibrations.md."""
    from dlopt.calibrations.importing import import_bundle

    _install(import_bundle(folder), name, force)


@import_app.command("econ7115")
def import_econ7115_(
    folder: Folder, name: Annotated[str, typer.Option("--name", help=_NAME_HELP)] = "icio2017", force: Force = False
) -> None:
    """7 economies, 44 sectors, 2017: the folder assignments/W05/data of github.com/WangZi-HKBU/econ7115."""
    from dlopt.calibrations.econ7115 import import_econ7115

    _install(import_econ7115(folder), name, force)


@import_app.command("caliendo-parro")
def import_caliendo_parro_(
    folder: Folder, name: Annotated[str, typer.Option("--name", help=_NAME_HELP)] = "cp2015", force: Force = False
) -> None:
    """31 economies, 40 sectors, 1993: trade_tariffs.parquet, production.csv, io_shares.parquet and sectors.csv."""
    from dlopt.calibrations.caliendo_parro import import_caliendo_parro

    _install(import_caliendo_parro(folder), name, force)


@import_app.command("bea37")
def import_bea37_(
    folder: Folder, name: Annotated[str, typer.Option("--name", help=_NAME_HELP)] = "bea37", force: Force = False
) -> None:
    """The 37-sector US input-output economy: sectors.csv and input_shares.csv, for dlopt solve bsde."""
    from dlopt.choice.production.importing import import_bea37

    model, target = import_bea37(folder, name, force)
    _say(f"{name}: a network economy of {model.size} sectors, in {target}.")
    _say(f"Next: dlopt solve bsde scenario=network model={name}")


def _install(imported: Imported, name: str, force: bool) -> None:
    from dlopt.calibrations import calibration_warnings
    from dlopt.calibrations.importing import install

    folder = install(imported, name, force=force)
    calibration = imported.calibration
    for warning in calibration_warnings(calibration):
        _say(f"Warning: {warning}")
    _say(f"{name}: {calibration.n_economies} economies, {calibration.n_sectors} sectors, in {folder}.")
    if imported.policies:
        _say(f"With the policies {', '.join(imported.policies)}.")
    _say(f"Next: dlopt data show {name}")


def _fixed(values: Sequence[float], digits: int) -> list[str]:
    """Numbers with so many decimals, without a minus before zero."""
    return [f"{round(value, digits) + 0.0:.{digits}f}" for value in values]


def _say(text: str) -> None:
    """One line as it is: no markup, and no breaks of ours."""
    from .screen import output

    output.print(text, markup=False, soft_wrap=True)


def _table(title: str | None, columns: list[str], right: list[str] | None = None) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in (right or ()) else "left", overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def _print(table: Table) -> None:
    """On a terminal as wide as it is; in a pipe as wide as the table, so that no cell is broken."""
    from rich.console import Console
    from rich.measure import Measurement

    from .screen import output

    if output.is_terminal:
        output.print(table)
        return
    wide = output.options.update(max_width=100_000)
    width = Measurement.get(output, wide, table).maximum
    Console(file=output.file, width=max(width, 1), highlight=False, color_system=None).print(table)
