"""`dlopt data estimate`: trade elasticities from a calibration's own trade and tariffs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .importing import Force
from .lines import add_row, fixed, print_table, say, table_of


def estimate(
    calibration: Annotated[str, typer.Argument(help="A calibration's name, or its folder.")],
    method: Annotated[
        str, typer.Option(metavar="caliendo_parro|ppml", help="Triple differences, or Poisson with fixed effects.")
    ] = "caliendo_parro",
    keep: Annotated[float, typer.Option(help="Share of each sector's trade to keep; the smallest traders go.")] = 1.0,
    flows: Annotated[
        str, typer.Option(metavar="before_tariff|spending", help="Which flows are explained.")
    ] = "before_tariff",
    effects: Annotated[
        str, typer.Option(metavar="none|country", help="Of triple differences: an effect for each economy of a triple.")
    ] = "none",
    trim: Annotated[
        float, typer.Option(help="Of triple differences: share of triples left out at either end of what is explained.")
    ] = 0.0,
    name: Annotated[str | None, typer.Option("--name", help="Keep the estimates as a set of this name.")] = None,
    force: Force = False,
) -> None:
    """Trade elasticities by sector, with standard errors, observations and how the sample was trimmed."""
    from dlopt.calibrations import find_calibration, read_bundle
    from dlopt.calibrations.catalog import places
    from dlopt.calibrations.elasticities import FOLDER, ElasticityError, check_name, write_set
    from dlopt.calibrations.estimate import as_set
    from dlopt.calibrations.estimate import estimate as fit
    from dlopt.calibrations.isic import read_isic

    folder = find_calibration(calibration)
    world = read_bundle(folder)
    target: Path | None = None
    if name is not None:
        check_name(name)
        target = places()[0][1] / FOLDER / f"{name}.csv"
        if target.exists() and not force:
            raise ElasticityError(f"{target} exists. Choose another name, or replace it with --force.")
    results = fit(world, method, keep, flows, effects, trim)
    numbers = ["theta", "standard error", "as published", "observations", "economies"]
    table = table_of(f"{world.name}: {method}, {flows}", ["sector", "name", *numbers], right=numbers)
    for r in results:
        label = world.sector_names[world.sectors.index(r.sector)]
        cells = fixed((r.theta, r.standard_error, r.robust), 2)
        add_row(table, r.sector, label, *cells, str(r.observations), str(r.economies))
    print_table(table)
    say(f"Trimming: economies with the least trade left out while the rest hold {100 * keep:g} % of a sector's trade.")
    if trim or effects != "none":
        say(f"Triples left out at either end: {100 * trim:g} %. Effects in a triple: {effects}.")
    say("Standard errors: robust, independent between pairs of economies. As published: robust over triples, which")
    say("counts every pair many times and is too small.")
    if target is not None:
        further = f", effects {effects}, trim {trim:g}" if trim or effects != "none" else ""
        source = f"estimated on {world.name}: {method}, {flows}, {100 * keep:g} % sample{further}"
        rows = as_set(results, read_isic(folder, world.sectors), source)
        if not rows:
            raise ElasticityError("No estimate is positive: there is no set to keep.")
        write_set(rows, target)
        left = [r.sector for r in results if r.sector not in {row.sector for row in rows}]
        say(f"{name}: {len(rows)} sectors, in {target}." + (f" Left out: {', '.join(left)}." if left else ""))
