"""`dlopt reproduce TARGET...`: the paper's tables and figures, computed, beside the published numbers."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlopt.errors import DloptError, UnknownNameError

from .beside import beside

if TYPE_CHECKING:
    from rich.table import Table

    from dlopt.papers.engine.run import Made, Reproduction
    from dlopt.papers.wang2024.scenarios import Variant

_KEYS = ("calibration", "accounting", "instruments.sectors")
_PREFERRED = "icio2017"
_FOLDER = Path("outputs/reproduce")
_MOST = 8
"""Processes at once, unless asked for: each takes a gigabyte of memory."""


def _complete(incomplete: str) -> list[str]:
    from dlopt.papers.beside import PAPERS
    from dlopt.papers.targets import TARGETS

    return [name for name in ("all", *TARGETS, *PAPERS, *(f"{key}=" for key in _KEYS)) if name.startswith(incomplete)]


class ArgumentError(DloptError):
    """A word of the command that is neither a target nor a key."""


def reproduce(
    words: Annotated[
        list[str],
        typer.Argument(metavar="TARGET... [KEY=VALUE]", help="Targets, or all; and keys.", autocompletion=_complete),
    ],
    docs: Annotated[Path | None, typer.Option(help="Also write a page on what matches, as Markdown.")] = None,
    processes: Annotated[
        int, typer.Option(min=0, help="Problems solved at once, a core each; 0: as many as cores, at most 8.")
    ] = 0,
) -> None:
    """Tables and figures of Wang, Xu, Yang and Zhu (2024) and of Huang and Yu (2024), published beside computed.

    Targets: table1 to table5, tableA1, tableB1, tableB2, text (numbers in the text), figure3 to figure9, figureB1 to
    figureB3, claims (findings in words); of the second paper bsde-table1, bsde-table2, bsde-claims, bsde-figure1,
    bsde-figure2 (these take no keys); or all. On the data of other papers: ossa2014, ll2023 (economies=USA,CHN for
    some of them), caliendo_parro; their calibrations are imported first.
    Keys: calibration= (icio2017 if imported, else the embedded one), accounting= (paper, standard),
    instruments.sectors= (all, tradable).

    What is solved is kept in outputs/reproduce/cache: the same command after a stop goes on from there.
    Exit codes: 0 every number certified, 2 some are not, 1 error.
    """
    from dlopt.papers.beside import PAPERS

    papers = [word for word in words if word in PAPERS]
    if papers:
        raise typer.Exit(0 if beside(papers, _FOLDER, **_limits([w for w in words if w not in PAPERS])) else 2)

    import torch

    from dlopt.calibrations import load_calibration
    from dlopt.papers.engine import parallel, record
    from dlopt.papers.engine.cache import Cache
    from dlopt.papers.engine.page import page
    from dlopt.papers.engine.run import reproduce as compute
    from dlopt.papers.engine.study import StoppedError, Study
    from dlopt.papers.targets import PROBLEMS, chosen, needed
    from dlopt.store.files import write_text

    from ..solve.task import usable_cores
    from ..terminal.interrupt import stopping
    from ..terminal.screen import console, output, shown

    keys = _keys([word for word in words if "=" in word])
    targets = chosen([word for word in words if "=" not in word])
    if not targets:
        raise ArgumentError("Which targets? `dlopt reproduce all`, or some of them: see --help.")
    _check_installed(targets)
    variants = _variants(keys)
    name = keys.get("calibration") or _default_calibration()
    calibration = load_calibration(name)
    torch.set_num_threads(1)
    introduction = f"Calibration {calibration.name}: {calibration.source}"
    if "calibration" not in keys and name != _PREFERRED:
        introduction = f"{_PREFERRED} is not imported: computed on the embedded, stylised economy. {introduction}"
    console.print(introduction, soft_wrap=True)
    folder = _FOLDER / datetime.datetime.now().strftime("%Y-%m-%d/%H-%M-%S-%f")
    tasks = needed(targets, variants)
    began = time.perf_counter()
    with stopping() as stop, _progress(len(tasks) + len(targets)) as (step, iterate):

        def on_iteration(info: Any) -> bool:
            iterate(info)
            return bool(stop)

        def on_step(text: str, done: int) -> None:
            if stop:
                raise StoppedError
            record.step(text)
            step(text, done)

        study = Study(PROBLEMS, Cache(_FOLDER / "cache", calibration), variants, on_iteration)
        try:
            with record.recorded(folder, words, targets, study) as run:
                parallel.solve(tasks, study, processes or min(usable_cores(), _MOST), step, lambda: bool(stop))
                done = compute(targets, study, folder, on_step)
                minutes = (time.perf_counter() - began) / 60
                write_text(folder / "report.html", page(done, f"{introduction} Made in {minutes:.1f} minutes."))
                record.finish(run, done)
        except StoppedError as stopped:
            console.print(str(stopped), style="yellow")
            raise typer.Exit(2) from None
    if docs is not None:
        from dlopt.papers.docs import document

        write_text(docs, document(done, calibration, variants))
    for made in done.made:
        output.print(f"\n{made.title}", style="bold", soft_wrap=True)
        output.print(_screen(made) if made.layout else f"{shown(made.stem)}.pdf")
    _show_status(done)
    output.print(f"{shown(folder / 'report.html')}", style="cyan", soft_wrap=True)
    raise typer.Exit(0 if done.certified else 2)


def _check_installed(targets: Collection[str]) -> None:
    """Refuse before anything is solved what could not be shown afterwards.

    Raises:
        MissingPlotError, MissingStatsError: a library that a target needs is not installed.
    """
    import importlib.util

    from dlopt.papers.engine.targets import Picture
    from dlopt.papers.targets import TARGETS
    from dlopt.papers.wang2024.regressions import MissingStatsError
    from dlopt.views.figures.canvas import MissingPlotError

    pictures = any(isinstance(TARGETS[name], Picture) for name in targets)
    if pictures and importlib.util.find_spec("matplotlib") is None:
        raise MissingPlotError
    if {"table2", "table4", "text", "claims"} & set(targets) and importlib.util.find_spec("statsmodels") is None:
        raise MissingStatsError


def _limits(words: list[str]) -> dict[str, list[str]]:
    """The key `economies=`, the only word beside the names of papers."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key != "economies" or not equals:
            raise UnknownNameError("word beside a paper", word, ["economies=USA,CHN"])
        found["economies"] = [code.strip() for code in value.strip("[]").split(",") if code.strip()]
    return found


def _keys(words: list[str]) -> dict[str, str]:
    keys = dict(word.split("=", 1) for word in words)
    for key in keys:
        if key not in _KEYS:
            raise UnknownNameError("key", key, _KEYS)
    return keys


def _variants(keys: dict[str, str]) -> list[Variant]:
    """The default ones that fit; the one asked for if none does."""
    from dlopt.papers.wang2024.scenarios import VARIANTS, Variant

    accounting, sectors = keys.get("accounting"), keys.get("instruments.sectors")
    for key, value, valid in (
        ("accounting", accounting, ("paper", "standard")), ("instruments.sectors", sectors, ("all", "tradable")),
    ):  # fmt: skip
        if value is not None and value not in valid:
            raise UnknownNameError(f"value of {key}", value, valid)
    fitting = [v for v in VARIANTS if accounting in (None, v.accounting) and sectors in (None, v.sectors)]
    return fitting or [Variant(str(accounting), str(sectors))]


def _default_calibration() -> str:
    from dlopt.calibrations.catalog import DEFAULT, list_calibrations

    return _PREFERRED if _PREFERRED in [entry.name for entry in list_calibrations()] else DEFAULT


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str, int], None], Callable[[Any], None]]]:
    """Two functions: one says what is being done and how many steps are done, the other shows an iteration of it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from dlopt.trade.kind.sheets import describe

    from ..terminal.screen import console

    columns = (MofNCompleteColumn(), BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=total)
        current, finished = "", -1

        def step(text: str, done: int) -> None:
            nonlocal current, finished
            current = text
            bar.update(task, completed=done, description=text)
            if not console.is_terminal and done > finished:
                finished = done
                console.print(f"{done}/{total} {text}", soft_wrap=True)

        yield step, lambda info: bar.update(task, description=f"{current} · {describe(info)}")


def _screen(made: Made) -> Table:
    from rich.table import Table
    from rich.text import Text

    from dlopt.papers.engine import formats

    assert made.table is not None
    assert made.layout is not None
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(formats.header(made.table)):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    last = None
    for column, row in formats.lines(made.table, made.layout.form, made.layout.rms):
        if column != last:
            table.add_row(Text(column, style="italic"))
            last = column
        table.add_row(*row, style="dim" if row[0] == "rms difference" else None)
    return table


def _show_status(done: Reproduction) -> None:
    from dlopt.papers.engine.study import CERTIFIED, cost

    from ..terminal.screen import output

    for line in done.runs.to_dict("records"):
        if line["status"] != CERTIFIED:
            where = f", {line['variant']}" if line["variant"] else ""
            output.print(f"{line['title']}{where}: {line['status']}. {line['message']}", style="yellow")
    count, minutes = cost(done.runs)
    if count:
        output.print(f"{count} problems solved in {minutes:.1f} minutes of processor time, now or earlier.")
