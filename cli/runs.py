"""`dlopt runs`: the runs below a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from dlopt.runs import RunReadError, RunRecord

app = typer.Typer(help="List, show and compare runs.", no_args_is_help=True)


@app.command("list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("outputs"),
) -> None:
    """All runs below a folder, oldest first."""
    from dlopt.runs import find_runs

    from .screen import output

    runs = find_runs(folder)
    if runs:
        output.print(runs_table(runs, folder))
    else:
        output.print(f"No run below {folder}. `dlopt solve nash scenario=dual` makes one.")


@app.command()
def show(run: Annotated[Path | None, typer.Argument(help="A run folder; the newest if none is given.")] = None) -> None:
    """Welfare, average policies and certificate of a run."""
    from dlopt.runs import newest_run, read_run
    from dlopt.runs.tables import read_table

    from .screen import output
    from .summary import summary

    folder = run if run is not None else newest_run(Path("outputs"))
    record = read_run(folder)
    output.print(f"{record.command}\n{record.calibration['name']}, {record.accounting} accounting, {record.started}\n")
    known = ("welfare", "policies", "draws", "draws_summary")
    tables = {name: read_table(folder, name) for name in known if (folder / f"{name}.parquet").is_file()}
    output.print(summary(record, folder, tables))


@app.command()
def compare(runs: Annotated[list[Path], typer.Argument(help="Two or more run folders.")]) -> None:
    """Welfare, average policies and config of runs, side by side."""
    from dlopt.errors import DloptError
    from dlopt.runs import read_run
    from dlopt.runs.tables import compare_policies, compare_welfare, config_differences

    from .screen import output

    if len(runs) < 2:
        raise DloptError("`dlopt runs compare` needs two runs or more.")
    for k, folder in enumerate(runs, start=1):
        record = read_run(folder)
        output.print(f"{k}  {folder}  [dim]{record.scenario}, {record.calibration['name']}, {record.status}[/]")
    output.print()
    output.print(_side_by_side("Real income change, %", compare_welfare(runs), 3))
    output.print(_side_by_side("Simple average rates, %", compare_policies(runs), 2))
    differences = config_differences(runs)
    if differences:
        table = _table("Config", ["key", *(str(k + 1) for k in range(len(runs)))])
        for key, values in differences.items():
            table.add_row(key, *(str(value) for value in values))
        output.print(table)


def runs_table(runs: Sequence[tuple[Path, RunRecord | RunReadError]], root: Path) -> Table:
    """One row for each run: folder, status, what was solved, residual and time."""
    from rich.text import Text

    from dlopt.runs import RunRecord

    from .summary import STATUS_STYLE

    table = _table(None, ["run", "status", "scenario", "calibration", "residual", "s"], right=("residual", "s"))
    for folder, record in runs:
        name = str(folder.relative_to(root)) if folder != root else "."
        if not isinstance(record, RunRecord):
            table.add_row(name, Text("damaged", style="bold red"), str(record), "", "", "")
            continue
        kind = "equilibrium_residual" if record.verb == "equilibrium" else "first_order_residual"
        residual = (record.certificate or {}).get(kind)
        table.add_row(
            name,
            Text(record.status, style=STATUS_STYLE[record.status]),
            record.scenario,
            record.calibration.get("name", ""),
            "" if residual is None else f"{residual:.0e}",
            "" if record.wall_seconds is None else f"{record.wall_seconds:.1f}",
        )
    return table


def _side_by_side(title: str, frame: object, digits: int) -> Table:
    import pandas as pd

    assert isinstance(frame, pd.DataFrame)
    keys = [str(name) for name in frame.index.names]
    table = _table(title, [*keys, *map(str, frame.columns)], right=tuple(map(str, frame.columns)))
    for index, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        labels = index if isinstance(index, tuple) else (index,)
        table.add_row(*map(str, labels), *("" if v != v else f"{v:.{digits}f}" for v in values))
    return table


def _table(title: str | None, columns: Sequence[str], right: Sequence[str] = ()) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table
