"""`dlopt panel FOLDER`: a panel of simulated firms, to test and to teach estimation with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .named import complete_run


def panel(
    folder: Annotated[Path, typer.Argument(help="Where states.parquet and events.parquet are written.")],
    model: Annotated[str, typer.Option(help="A model by name, or a model folder.")] = "separable20",
    kind: Annotated[str, typer.Option(help="The kind of the model.")] = "export",
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter, named as in parameters=.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="A run whose value function firms follow; else the exact one.", autocompletion=complete_run),
    ] = None,
    firms: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    years: Annotated[float, typer.Option(help="How long they are seen.")] = 10.0,
    every: Annotated[float, typer.Option(help="Years between two visits.")] = 0.25,
    events: Annotated[
        str, typer.Option(metavar="states|dates|none", help="What is known of events: costs and dates, dates, nothing.")
    ] = "states",
    seed: Annotated[int, typer.Option(min=0, help="Of every random draw.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a panel that is there.")] = False,
) -> None:
    """A panel of simulated firms that follow a solved model: states at visits, and what happened in between."""
    from dlopt.choice.estimation.kind import make_panel
    from dlopt.choice.estimation.panel import PanelError
    from dlopt.choice.estimation.panel_files import TABLES, write_panel
    from dlopt.registry import load_kind
    from dlopt.runs.naming import find_run

    from ..terminal.screen import output, shown

    there = [folder / f"{name}.parquet" for name in TABLES]
    if any(path.exists() for path in there) and not force:
        raise PanelError(f"{folder} holds a panel. Choose another folder, or replace it with --force.")
    chosen = load_kind(kind)
    chosen.verb("estimate")
    given = dict(_value(word) for word in values or [])
    made, source = make_panel(
        chosen, model, given, None if run is None else find_run(run),
        firms=firms, years=years, every=every, events=events, seed=seed,
    )  # fmt: skip
    words = ", ".join(f"{name}={value:g}" for name, value in given.items())
    about = {"source": "dlopt panel", "model": source.name, "parameters": words, "seed": str(seed)}
    for path in there:
        path.unlink(missing_ok=True)
    write_panel(made, source, folder, about)
    known = "sampled" if made.events is None else f"{len(made.events)} events"
    output.print(f"{len(made.firms)} firms, {made.years:g} firm-years, {known}, in {shown(folder)}")


def _value(word: str) -> tuple[str, float]:
    from dlopt.choice.estimation.panel import PanelError

    name, _, text = word.partition("=")
    try:
        return name, float(text)
    except ValueError:
        raise PanelError(f"--set {word} is not possible: write NAME=NUMBER, as in --set lambda0=0.3.") from None
