"""`dlopt suite FILE|NAME`: many named scenarios, and one tidy table of their outcomes, failures included."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from dlopt.runs.suites import Scenario, Suite

TABLE = "suite"


def _complete(incomplete: str) -> list[str]:
    from dlopt.runs.suites import shipped

    return [name for name in shipped() if name.startswith(incomplete)]


def suite(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME", help="A suite in YAML, or one that comes with dlopt.", autocompletion=_complete
        ),
    ],
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Keys for all scenarios, such as calibration=.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where to; a suite that was cut off goes on in its folder.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the table goes: .parquet, .csv, .xlsx or .tex; default suite.parquet.")
    ] = None,
    table: Annotated[str, typer.Option(help="Which table of the runs.")] = "outcomes",
) -> None:
    """Solve every scenario of a suite and put their outcomes into one table, a row per scenario and economy.

    A scenario that fails or does not converge has its rows, too, with the reason. Exit codes: 0 all converged, 2 some
    did not converge or failed, 1 error.
    """
    from dlopt.runs.suites import load_suite
    from dlopt.runs.sweep import mark_suite
    from dlopt.store.exports import check_suffix, write_any

    from ..loading import load
    from ..solve.check import told_by_job
    from ..terminal.screen import console, shown
    from ..terminal.screen import output as screen
    from ..terminal.sheets import called

    if output is not None:
        check_suffix(output)
    found = load_suite(name)
    trust = load("solve.trust")
    for scenario in found.scenarios:
        trust.check_recorded(_asked(scenario), where=f"in the suite's scenario {scenario.name}")
    root = folder or Path(f"outputs/suite/{datetime.datetime.now():%Y-%m-%d/%H-%M-%S-%f}-{found.name}")
    console.print(f"{len(found.scenarios)} scenarios in {shown(root.absolute())}. {found.description}", soft_wrap=True)
    mark_suite(root.absolute(), found.name, [scenario.name for scenario in found.scenarios])
    with told_by_job(""):
        frame = _solved(found, list(words or []), root.absolute(), table)
    path = output or root / f"{TABLE}.parquet"
    write_any(frame, path, {"source": "dlopt suite", "suite": found.name})
    screen.print(_overview(frame))
    screen.print(shown(path.absolute()), style="cyan", soft_wrap=True)
    name = called(root.absolute())
    screen.print(f"\nNext:\n  dlopt runs compare {name} --to xlsx\n    scenarios side by side", soft_wrap=True)
    screen.print(f"  dlopt explore {name}\n    a page on which to look at them from all sides", soft_wrap=True)
    raise typer.Exit(0 if set(frame["status"]) == {"converged"} else 2)


def _solved(found: Suite, words: Sequence[str], root: Path, table: str) -> pd.DataFrame:
    """Every scenario solved in its own folder; their tables one below the other."""
    import pandas as pd

    from ..terminal.interrupt import stopping
    from ..terminal.screen import console

    frames = []
    with stopping() as stop:
        for number, scenario in enumerate(found.scenarios, start=1):
            console.print(f"{number}/{len(found.scenarios)} {scenario.name}", soft_wrap=True)
            folder = root / f"{number:03}-{scenario.name}"
            status, message = ("interrupted", "Stopped.") if stop else _run(scenario, words, folder)
            frames.append(_rows(scenario, folder, table, status, message))
    return pd.concat(frames, ignore_index=True)


def _run(scenario: Scenario, words: Sequence[str], folder: Path) -> tuple[str, str]:
    """How a scenario ended."""
    import contextlib
    import io

    from dlopt.errors import DloptError
    from dlopt.runs import read_run

    from ..solve.job import job
    from ..solve.task import execute

    asked = _asked(scenario)
    given = {word.partition("=")[0] for word in words}
    asked = [*(word for word in asked if word.partition("=")[0] not in given), *words]
    try:
        solve = job(scenario.verb, asked)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stderr(io.StringIO()):
            execute(solve, folder, asked, swept=True, alone=False)
        record = read_run(folder)
        return str(record.status), record.message
    except DloptError as error:
        return "failed", str(error)


def _asked(scenario: Scenario) -> list[str]:
    """The scenario's keys as words of a command."""
    return [f"{key}={_word(value)}" for key, value in scenario.keys.items()]


def _word(value: Any) -> str:
    """A value as Hydra reads it."""
    from ..solve.check import quoted

    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{','.join(_word(part) for part in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_word(part)}' for key, part in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _rows(scenario: Scenario, folder: Path, table: str, status: str, message: str) -> pd.DataFrame:
    """The table of a scenario with its name in front; one row without figures where it has none."""
    import pandas as pd

    from dlopt.runs.tables import read_table

    head = {"scenario": scenario.name, **scenario.varied, "status": status, "message": message}
    if not (folder / f"{table}.parquet").is_file():
        return pd.DataFrame([head])
    frame = read_table(folder, table)
    clash = {name: f"scenario.{name}" for name in scenario.varied if name in frame}
    head = {clash.get(name, name): value for name, value in head.items()}
    return pd.DataFrame({name: [value] * len(frame) for name, value in head.items()}).join(frame)


def _overview(frame: pd.DataFrame) -> Any:
    """World income and the largest gain and loss of every scenario."""
    from rich.table import Table

    from dlopt.trade.outcomes import WORLD

    table = Table(box=None, pad_edge=False)
    for k, column in enumerate(("scenario", "status", "world, %", "best off", "worst off")):
        table.add_column(column, justify="left" if k < 2 else "right")
    gain = "real_income_change_pct"
    for scenario, part in frame.groupby("scenario", sort=False):
        status = str(part["status"].iloc[0]).replace("_", " ")
        if gain not in part or part[gain].isna().all():
            table.add_row(str(scenario), status, "", "", "")
            continue
        own = part[part["economy"] != WORLD].sort_values(gain)
        world = part.loc[part["economy"] == WORLD, gain]
        best, worst = own.iloc[-1], own.iloc[0]
        table.add_row(
            str(scenario), status, f"{world.iloc[0]:+.3f}" if len(world) else "",
            f"{best['economy']} {best[gain]:+.2f}", f"{worst['economy']} {worst[gain]:+.2f}",
        )  # fmt: skip
    return table
