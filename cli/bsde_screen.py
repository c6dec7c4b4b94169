"""What a run of `dlopt solve bsde` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from dlopt.runs import RunRecord
from dlopt.runs.tables import read_table

from .bsde_config import KEYS
from .summary import ending

CERTIFICATE = (
    ("hjb_residual_rel", "residual over rho V", "{:.1e}"),
    ("value_gap_pct", "value gap, %", "{:+.4f}"),
    ("value_gap_se_pct", "its standard error, %", "{:.4f}"),
)
VALIDATION = (
    ("relative_error", "error of V, mean", "{:.1e}"),
    ("max_relative_error", "error of V, largest", "{:.1e}"),
    ("decision_accuracy", "decisions right", "{:.4f}"),
)


def report(record: RunRecord, folder: Path) -> RenderableType:
    """The certificate, errors against an exact solution where there is one, and how the run ended."""
    parts: list[RenderableType] = []
    if record.certificate:
        parts += [comparison([folder], [record], "Certificate", "value"), ""]
    if (folder / "validation.parquet").is_file() and record.status != "failed":
        parts += [_validation(folder), ""]
    return Group(*parts, ending(record, folder))


def comparison(
    folders: Sequence[Path], records: Sequence[RunRecord], title: str = "Accuracy", *heads: str
) -> RenderableType:
    """Certificates of runs side by side, and errors against exact solutions at long-run states."""
    table = _table(title, "", *(heads or map(str, range(1, len(folders) + 1))))
    for key, label, form in CERTIFICATE:
        values = [(record.certificate or {}).get(key) for record in records]
        table.add_row(label, *("" if value is None else form.format(value) for value in values))
    if len(folders) > 1:
        errors = [_long_run_errors(folder) for folder in folders]
        for key, label, form in VALIDATION:
            if any(errors):
                table.add_row(label, *("" if key not in error else form.format(error[key]) for error in errors))
    return table


def _long_run_errors(folder: Path) -> dict[str, Any]:
    if not (folder / "validation.parquet").is_file():
        return {}
    row = read_table(folder, "validation").set_index("states").loc["long_run"]
    return {str(key): value for key, value in row.items()}


def _validation(folder: Path) -> Table:
    table = _table("Errors against the exact solution", "states", "V, mean", "V, largest", "decisions right, %")
    for row in read_table(folder, "validation").to_dict("records"):
        errors = (f"{row['relative_error']:.1e}", f"{row['max_relative_error']:.1e}")
        table.add_row(str(row["states"]).replace("_", " "), *errors, f"{100 * row['decision_accuracy']:.2f}")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for k, column in enumerate(columns):
        table.add_column(column, justify="right" if k else "left")
    return table


def help_table() -> Table:
    """The keys and what they mean."""
    table = Table(title="\nKeys", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("key", style="cyan", no_wrap=True)
    table.add_column("meaning")
    for key, text in KEYS.items():
        table.add_row(key, text)
    return table
