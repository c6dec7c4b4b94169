"""What a run of `dlopt solve bsde` shows."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table

from dlopt.runs import RunRecord

from .bsde_config import KEYS
from .summary import ending


def report(record: RunRecord, folder: Path) -> RenderableType:
    """The certificate, errors against an exact solution where there is one, and how the run ended."""
    parts: list[RenderableType] = []
    if record.certificate:
        table = _table("Certificate", "", "value")
        for key, label, form in (
            ("hjb_residual_rel", "residual over rho V", "{:.1e}"),
            ("value_gap_pct", "value gap, %", "{:+.4f}"),
            ("value_gap_se_pct", "its standard error, %", "{:.4f}"),
        ):
            table.add_row(label, form.format(record.certificate[key]))
        parts += [table, ""]
    if (folder / "validation.parquet").is_file() and record.status != "failed":
        parts += [_validation(folder), ""]
    return Group(*parts, ending(record, folder))


def _validation(folder: Path) -> Table:
    from dlopt.runs.tables import read_table

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
