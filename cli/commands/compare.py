"""`dlopt runs compare A B ...`: runs side by side, on screen, in a file, as a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .named import RunsOrSweeps

if TYPE_CHECKING:
    from rich.text import Text

    from dlopt.kind import Kind, Sheet
    from dlopt.runs import RunRecord

FORMATS = ("csv", "xlsx", "tex", "md", "html", "parquet")


def compare(
    runs: RunsOrSweeps,
    to: Annotated[
        str | None, typer.Option(help="Also write a table: a file, or csv, xlsx, tex, md, html for comparison.FORMAT.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw real income in all runs: .pdf, .png or .svg.")] = None,
    size: Annotated[
        str, typer.Option(help="Of the picture: paper (the width of a text) or slide (16 to 9, large letters).")
    ] = "paper",
) -> None:
    """Results of runs of one kind side by side, and their config where it differs. A sweep stands for all its runs."""
    from dlopt.errors import DloptError, UnknownNameError
    from dlopt.runs import read_run
    from dlopt.runs.tables import as_typed, config_differences
    from dlopt.store.exports import check_suffix
    from dlopt.views.comparison import LONGER, compared, names_of, runs_of
    from dlopt.views.comparison import figure as drawn
    from dlopt.views.figures.sizes import SIZES, SUFFIXES, write_figure
    from dlopt.views.sheets import rendered

    from ..terminal.screen import output, shown
    from ..terminal.sheets import ended

    target = None if to is None else Path(f"comparison.{to}" if to in FORMATS else to)
    if target is not None:
        check_suffix(target, tuple(f".{word}" for word in FORMATS))
    if figure is not None:
        check_suffix(figure, SUFFIXES)
    if size not in SIZES:
        raise UnknownNameError("size", size, SIZES)
    folders = runs_of(runs)
    if len(folders) < 2:
        raise DloptError("`dlopt runs compare` needs two runs or more.")
    records = [read_run(folder) for folder in folders]
    kind, names = common_kind(folders, records), names_of(folders)
    notes = {str(record.calibration["name"]): record.calibration.get("note") for record in records}
    for world, note in notes.items():
        if note:
            output.print(f"The world {world} is {note}.\n", style="yellow", soft_wrap=True)
    for line in _listed(names, folders, records):
        output.print(line, soft_wrap=True)
    output.print()
    both = [ended(record, folder) for folder, record in zip(folders, records, strict=True)]
    for sheet in kind.compare(both):
        output.print(rendered(_named(sheet, names)))
        output.print()
    # What a scenario says of itself stands in the list of runs above.
    differences = {k: v for k, v in config_differences(folders).items() if not k.startswith("scenario.")}
    if differences:
        from .runs import table_of

        table = table_of("Config, where it differs", ["key", *names])
        for key, values in differences.items():
            table.add_row(key, *map(as_typed, values))
        output.print(table)
    if target is None and figure is None:
        return
    names = names_of(folders, LONGER)
    frame = compared(kind, folders, names, both)
    if target is not None:
        from dlopt.views.comparison import write

        write(frame, target)
        output.print(shown(target.absolute()), style="cyan", soft_wrap=True)
    if figure is not None:
        write_figure(drawn(frame, names), figure, size)
        output.print(shown(figure.absolute()), style="cyan", soft_wrap=True)


def _listed(names: Sequence[str], folders: Sequence[Path], records: Sequence[RunRecord]) -> Iterator[Text]:
    """A line for each run; those of one sweep or suite below its folder."""
    from itertools import groupby

    from rich.text import Text

    from dlopt.runs.naming import MANY

    from ..terminal.screen import shown

    def together(folder: Path) -> Path:
        return folder.parent if any((folder.parent / mark).is_file() for mark in MANY) else folder

    for place, group in groupby(zip(names, folders, records, strict=True), key=lambda item: together(item[1])):
        runs = list(group)
        words_of = {_condition(record) for _, _, record in runs}
        if place != runs[0][1]:
            alike = f"  {len(runs)} runs: {next(iter(words_of))}" if len(words_of) == 1 else ""
            yield Text(f"{shown(place.absolute())}{alike}", style="dim")
            if alike:
                continue
        for name, folder, record in runs:
            words = _condition(record)
            where = "" if place != folder else f"{shown(folder.absolute())}  "
            yield Text.assemble(f"{name}  {where}", (words, "dim"))


def _condition(record: RunRecord) -> str:
    """What a run solved, on which world, and how it ended."""
    return f"{record.scenario}, {record.calibration['name']}, {record.status.replace('_', ' ')}"


def _named(sheet: Sheet, names: Sequence[str]) -> Sheet:
    """Columns that a kind numbers by position, under the names of the runs."""
    numbers = {str(k): name for k, name in enumerate(names, start=1)}

    def renamed(column: str) -> str:
        return " less ".join(numbers.get(part, part) for part in column.split(" less "))

    return dataclasses.replace(sheet, columns=[renamed(column) for column in sheet.columns])


def common_kind(folders: Sequence[Path], records: Sequence[RunRecord]) -> Kind:
    """The kind of runs that are compared.

    Raises:
        DloptError: there are several that show different things, or a run's own is not installed.
    """
    from dlopt.errors import DloptError
    from dlopt.registry import load_kind

    kinds = [load_kind(record.kind) for record in records]
    for folder, kind in zip(folders, kinds, strict=True):
        if type(kind) is not type(kinds[0]):
            both = f"{folder} is a run of kind {kind.name!r}, {folders[0]} of kind {kinds[0].name!r}"
            raise DloptError(f"{both}: only runs of one kind can be compared.")
    return kinds[0]
