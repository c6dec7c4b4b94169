"""What a finished solve shows: welfare, average policies, the certificate and where the files are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dlopt.runs import RunRecord
from dlopt.runs.tables import average_policies

STATUS_STYLE = {
    "converged": "bold green",
    "not_converged": "bold yellow",
    "interrupted": "bold yellow",
    "running": "cyan",
    "failed": "bold red",
}
_INSTRUMENT = {"tariff": "tariff", "export_tax": "export tax", "subsidy": "subsidy"}


@dataclasses.dataclass(frozen=True)
class Check:
    """One line of the certificate.

    Attributes:
        key: the field of the certificate.
        label: in words.
        limit: what is asked of it; None where the number is only reported.
    """

    key: str
    label: str
    limit: float | None


CHECKS = (
    Check("equilibrium_residual", "equilibrium residual", 1e-10),
    Check("walras_residual", "Walras residual", 1e-9),
    Check("first_order_residual", "first-order residual", 1e-8),
    Check("max_own_curvature", "largest own curvature", 0.0),
    Check("best_response_gain_pct", "gain from deviating, %", 1e-6),
    Check("at_bound", "instruments at a bound", None),
)


def summary(record: RunRecord, folder: Path, tables: Mapping[str, pd.DataFrame]) -> RenderableType:
    """Everything, for 80 columns."""
    parts: list[RenderableType] = []
    if "welfare" in tables:
        parts += (welfare_table(tables["welfare"], tables.get("policies")), "")
    if record.certificate:
        parts += (certificate_table(record.certificate), "")
    parts.append(ending(record, folder))
    return Group(*parts)


def welfare_table(welfare: pd.DataFrame, policies: pd.DataFrame | None) -> Table:
    """Changes in percent by economy, with the average rates it ends with and, where they moved, started from."""
    table = Table(
        title="Changes and simple average rates, %", title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    table.add_column("economy")
    for name in ("real income", "income", "prices", "wage"):
        table.add_column(name, justify="right")
    averages = None if policies is None or policies.empty else average_policies(policies)
    kinds = [] if averages is None else [kind for kind in _INSTRUMENT if kind in set(averages["instrument"])]
    for kind in kinds:
        table.add_column(_INSTRUMENT[kind], justify="right")
    for row in welfare.to_dict("records"):
        gain, economy = float(row["real_income_change_pct"]), str(row["economy"])
        cells: list[str | Text] = [Text(f"{gain:+.3f}", style="green" if gain >= 0 else "red")]
        for column in ("nominal_income_change_pct", "price_index_change_pct", "wage_change_pct"):
            cells.append(f"{row[column]:+.2f}")
        if averages is not None:
            cells += [_moved(averages, economy, kind) for kind in kinds]
        table.add_row(economy, *cells)
    return table


def _moved(averages: pd.DataFrame, economy: str, kind: str) -> str:
    own = averages[(averages["economy"] == economy) & (averages["instrument"] == kind)]
    if own.empty:
        return ""
    before, after = float(own["initial_pct"].iloc[0]), float(own["rate_pct"].iloc[0])
    return f"{before:.1f} → {after:.1f}" if abs(after - before) >= 0.05 else f"{after:.1f}"


def certificate_table(certificate: Mapping[str, Any]) -> Table:
    """Each figure of the certificate, what is asked of it, and whether it holds."""
    table = Table(title="Certificate", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("value", justify="right")
    table.add_column("asked", justify="right")
    table.add_column("")
    for check in CHECKS:
        value = certificate.get(check.key)
        if value is None:
            continue
        table.add_row(check.label, _figure(value), *_verdict(check, value))
    for key, value in certificate.items():
        if value is not None and key not in {check.key for check in CHECKS} and isinstance(value, int | float):
            table.add_row(key.replace("_", " "), _figure(value), "", "")
    return table


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.1e}"


def _verdict(check: Check, value: float) -> tuple[str, Text]:
    if check.limit is None:
        return "", Text("")
    passed = value <= check.limit
    asked = "negative" if check.limit == 0 else f"≤ {check.limit:.0e}"
    return asked, Text("pass", style="green") if passed else Text("fail", style="bold red")


def ending(record: RunRecord, folder: Path) -> Text:
    """How it ended, in one paragraph, and where the files are."""
    text = Text()
    text.append(record.status.replace("_", " "), style=STATUS_STYLE[record.status])
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    text.append(f"{seconds}. {record.message}\n".replace(". \n", ".\n"))
    text.append(shown(folder), style="cyan")
    return text


def shown(folder: Path) -> str:
    """A folder relative to where the user stands, if it is below."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
