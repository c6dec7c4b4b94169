"""`dlopt data`: list, show, validate, import, aggregate and generate calibrations; sets of elasticities."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import importing
from .aggregating import aggregate
from .elasticity import elasticities
from .estimating import estimate
from .importing import NAME_HELP, Force, install_and_say
from .lines import add_row, fixed, print_table, say, table_of
from .schedules import schedules

app = typer.Typer()
app.add_typer(importing.app, name="import")
app.command()(aggregate)
app.command()(elasticities)
app.command()(schedules)
app.command()(estimate)


@app.command("list")
def list_() -> None:
    """The calibrations that can be called by name."""
    from dlopt.calibrations import DEFAULT, list_calibrations
    from dlopt.calibrations.meta import read_meta
    from dlopt.calibrations.schema import Faults
    from dlopt.trade.provenance import STYLISED, stylised

    table = table_of(None, ["name", "year", "unit", "", "found in", "folder"])
    for entry in list_calibrations():
        meta = read_meta(entry.folder, Faults())
        year, unit = (meta.year, meta.unit) if meta else ("?", "damaged: see dlopt data validate")
        name = f"{entry.name} (default)" if entry.name == DEFAULT else entry.name
        note = STYLISED if meta and stylised(meta.source) else ""
        add_row(table, name, year, unit, note, entry.place, str(entry.folder))
    print_table(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A calibration's name, or its folder.")]) -> None:
    """Economies, sectors, checks and provenance of a calibration."""
    from dlopt.calibrations import find_calibration, named_policies, read_bundle
    from dlopt.calibrations.meta import read_meta
    from dlopt.calibrations.outlook import outlook
    from dlopt.calibrations.schema import Faults
    from dlopt.calibrations.summary import summarise
    from dlopt.trade.provenance import STYLISED, UNSAID, stylised

    folder = find_calibration(name)
    calibration = read_bundle(folder)
    summary = summarise(calibration)
    size = f"{calibration.n_economies} economies, {calibration.n_sectors} sectors"
    if stylised(calibration.source):
        say(f"The world {calibration.name} is {STYLISED}.\n")
    year = "" if calibration.year in UNSAID else f", {calibration.year}"
    say(f"{calibration.name}{year}: {size}\n")
    numbers = ["value added", "trade balance %", "home share %", "mean tariff %"]
    unit = "" if calibration.unit in UNSAID else f" (value added: {calibration.unit})"
    table = table_of(f"Economies{unit}", ["economy", *numbers], right=numbers)
    for e in summary.economies:
        shares = (e.trade_balance_pct, e.home_share_pct, e.mean_tariff_pct)
        add_row(
            table,
            e.label,
            f"{e.value_added:,.5g}" if e.value_added < 1e5 else f"{e.value_added:,.0f}",
            *fixed(shares, 2),
        )
    print_table(table)
    say("")
    numbers = ["theta", "psi", "theta*psi", "spent %", "traded %"]
    table = table_of("Sectors", ["sector", "name", *numbers, "tradable"], right=numbers)
    for s in summary.sectors:
        cells = [*fixed((s.theta, s.psi, s.theta * s.psi), 3), *fixed((s.share_pct, s.cross_border_pct), 1)]
        add_row(table, s.label, s.name, *cells, "yes" if s.tradable else "no")
    print_table(table)
    say("\nChecks")
    for line in summary.checks:
        say(f"  {line}")
    meta = read_meta(folder, Faults())
    if meta is not None and meta.adjustments:
        say("\nAdjustments")
        for line in meta.adjustments:
            say(f"  {line}")
    for line in outlook(calibration.n_economies, calibration.n_sectors, name):
        say(f"\n{line}")
    policies = named_policies(folder)
    say(f"\nPolicies  {', '.join(policies) if policies else 'none'}")
    say(f"Source    {calibration.source}")
    say(f"Folder    {folder}")
    say(f"sha256    {calibration.sha256}")
    say(f"\nNext: dlopt solve nash scenario=trade_war calibration={shlex.quote(name)}")


@app.command()
def validate(name: Annotated[str, typer.Argument(help="A calibration's name, or its folder.")]) -> None:
    """Every fault of a calibration; exit code 1 if there is one."""
    from dlopt.calibrations import calibration_warnings, list_calibrations, read_bundle
    from dlopt.calibrations.schema import BundleError

    folder = Path(name)
    if not folder.exists():
        folder = next((entry.folder for entry in list_calibrations() if entry.name == name), folder)
    try:
        calibration = read_bundle(folder)
    except BundleError as error:
        for fault in error.faults:
            say(str(fault))
        say(f"{folder}: {len(error.faults)} fault{'' if len(error.faults) == 1 else 's'}.")
        raise typer.Exit(1) from error
    for warning in calibration_warnings(calibration):
        say(f"Warning: {warning}")
    say(f"{folder} is sound: {calibration.n_economies} economies, {calibration.n_sectors} sectors.")


@app.command()
def generate(
    name: Annotated[str, typer.Option("--name", help=NAME_HELP)],
    economies: Annotated[int, typer.Option(min=2, help="How many.")] = 7,
    sectors: Annotated[int, typer.Option(min=1, help="How many, all tradable.")] = 44,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers.")] = 0,
    force: Force = False,
) -> None:
    """A synthetic world of any size, balanced and seeded: not data."""
    from dlopt.calibrations import synthetic
    from dlopt.calibrations.importing import Imported

    install_and_say(Imported(synthetic(economies, sectors, seed), {}), name, force)
