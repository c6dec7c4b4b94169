"""What a finished solve shows: welfare, average policies, the certificate and where the files are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dlopt.runs import RunRecord
from dlopt.runs.tables import average_policies
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE, FIRST_ORDER_TOLERANCE, GAIN_TOLERANCE_PCT

from .draws import draws_table
from .screen import STATUS_STYLE, shown

_INSTRUMENT = {"tariff": "tariff", "export_tax": "export tax", "subsidy": "subsidy"}


def summary(record: RunRecord, folder: Path, tables: Mapping[str, pd.DataFrame]) -> RenderableType:
    """Everything, for 80 columns."""
    parts: list[RenderableType] = []
    if "welfare" in tables:
        parts += (welfare_table(tables["welfare"], tables.get("policies")), "")
    if "draws_summary" in tables:
        parts += (draws_table(tables["draws_summary"], tables["draws"]["draw"].nunique()), "")
    if record.certificate:
        parts += (certificate_table(record.certificate), "")
    parts.append(ending(record, folder))
    return Group(*parts)


def welfare_table(welfare: pd.DataFrame, policies: pd.DataFrame | None) -> Table:
    """Changes by economy, and simple averages of the rates it chose or changed: before and after."""
    table = Table(
        title="Changes and average rates, %",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
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
    scale = certificate.get("curvature_scale") or 0.0
    asked: tuple[tuple[str, str, float | None], ...] = (
        ("equilibrium_residual", "equilibrium residual", EQUILIBRIUM_TOLERANCE),
        ("first_order_residual", "first-order residual", FIRST_ORDER_TOLERANCE),
        ("max_own_curvature", "largest own curvature", 1e-9 * scale),
        ("best_response_gain_pct", "gain from deviating, %", GAIN_TOLERANCE_PCT),
        ("walras_residual", "Walras residual", None),
        ("at_bound", "instruments at a bound", None),
        ("flat_directions", "flat directions", None),
    )
    for key, label, limit in asked:
        value = certificate.get(key)
        if value is None:
            if key == "best_response_gain_pct" and certificate.get("first_order_residual") is not None:
                table.add_row(label, "not tried", f"≤ {limit:.0e}", Text("fail", style="bold red"))
            continue
        figure = f"{value}" if isinstance(value, int) else f"{value:.1e}"
        if key == "at_bound" and certificate.get("instruments"):
            label = f"at a bound, of {certificate['instruments']}"
        table.add_row(label, figure, "" if limit is None else f"≤ {limit:.0e}", _verdict(value, limit))
    return table


def _verdict(value: float, limit: float | None) -> Text:
    if limit is None:
        return Text("")
    return Text("pass", style="green") if value <= limit else Text("fail", style="bold red")


def ending(record: RunRecord, folder: Path) -> Text:
    """How it ended, in one paragraph, and where the files are."""
    text = Text()
    text.append(record.status.replace("_", " "), style=STATUS_STYLE[record.status])
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    text.append(f"{seconds}. {record.message}\n".replace(". \n", ".\n"))
    text.append(shown(folder), style="cyan")
    return text
