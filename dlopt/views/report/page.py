"""The page about a run, made from what its folder holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dlopt.runs.record import RunRecord, read_run
from dlopt.runs.tables import average_policies, read_table
from dlopt.views.figures.canvas import MissingPlotError
from dlopt.views.report import pictures
from dlopt.views.report.html import document, picture, section, table

_LONGEST = 60
"""Longer tables stay in their files."""
_GAIN = "real_income_change_pct"
_COMPONENTS = "The parts of log real income add up to the change; docs/welfare.md says what each means."


def report_page(folder: Path) -> str:
    """Everything about a run, on one page of HTML that needs no network.

    Pictures need matplotlib; without it the page has the tables only and says so.

    Raises:
        RunReadError: `folder` is no run, or a damaged one.
    """
    record = read_run(folder)
    parts = [_head(record), _certificate(record.certificate or {})]
    if (folder / "welfare.parquet").is_file():
        parts += _trade(folder)
    else:
        parts += _other_tables(folder)
    found = [path for path in sorted(folder.rglob("*.png")) if not path.is_symlink()]
    parts += [section(path.stem.replace("_", " "), picture(path.read_bytes(), path.stem)) for path in found]
    parts.append(_settings(record))
    return document(f"dlopt: {record.scenario}", "\n".join(parts))


def _head(record: RunRecord) -> str:
    kind = "good" if record.status == "converged" else "bad"
    seconds = "" if record.wall_seconds is None else f" in {record.wall_seconds:.1f} s"
    return (
        f"<h1>{escape(record.scenario)}</h1>"
        f'<p><span class="{kind}">{escape(record.status.replace("_", " "))}</span>{seconds}. '
        f"{escape(record.message)}</p>"
        f"<p><code>{escape(record.command)}</code></p>"
        f'<p class="note">{escape(_facts(record))}</p>'
    )


def _facts(record: RunRecord) -> str:
    digest = record.calibration.get("sha256", "")[:12]
    facts = [
        f"{record.calibration.get('name')} ({digest})",
        *([f"accounting {record.accounting}"] if record.accounting else []),
        f"seed {record.seed}",
        f"started {record.started[:19].replace('T', ' ')} UTC",
        *(f"{name} {version}" for name, version in record.versions.items() if name in ("dlopt", "torch")),
    ]
    return ", ".join(facts)


def _certificate(certificate: Mapping[str, Any]) -> str:
    rows = [(key.replace("_", " "), _number(value)) for key, value in certificate.items() if value is not None]
    if not rows:
        return section("Certificate", '<p class="bad">There is none: the run ended before.</p>')
    return section("Certificate", table(("", "value"), rows))


def _trade(folder: Path) -> list[str]:
    welfare, policies = read_table(folder, "welfare"), read_table(folder, "policies")
    parts = [section("Changes by economy", _frame(welfare), "Against the baseline, per cent.")]
    if not policies.empty:
        averages = average_policies(policies).sort_values(["instrument", "economy"])
        parts.append(section("Policies", _frame(averages), "Simple averages of the rates chosen or changed."))
        for kind, title in pictures.KINDS.items():
            if (policies["instrument"] == kind).any():
                parts.append(
                    _drawn(f"{title} by sector", lambda kind=kind: pictures.policies_by_sector(policies, kind))
                )
    if (folder / "decomposition.parquet").is_file():
        wide = read_table(folder, "decomposition").pivot_table(
            index="economy", columns="component", values="contribution_pct", sort=False
        )
        parts.append(section("Where the change comes from", _frame(wide.reset_index()), _COMPONENTS))
    if (folder / "moves.parquet").is_file():
        wide = read_table(folder, "moves").pivot(index=["move", "player"], columns="economy", values=_GAIN)
        parts.append(section("After each move", _frame(wide.reset_index()), "Change of real income, per cent."))
    if (folder / "draws_summary.parquet").is_file():
        drawn = read_table(folder, "draws_summary")
        parts.append(section("Draws of subsidies", _frame(drawn), "Change of real income over all draws, per cent."))
    if (folder / "iterations.parquet").is_file():
        iterations = read_table(folder, "iterations")
        if "phase" in iterations and iterations["first_order_residual"].notna().any():
            parts.append(_drawn("The way of the solver", lambda: pictures.way_of_the_solver(iterations)))
    return parts


def _drawn(title: str, draw: Any) -> str:
    try:
        return section(title, picture(pictures.png(draw()), title))
    except MissingPlotError as missing:
        return section(title, f'<p class="note">{escape(str(missing))}</p>')


def _other_tables(folder: Path) -> list[str]:
    parts = []
    for path in sorted(folder.glob("*.parquet")):
        content = read_table(folder, path.stem)
        if 0 < len(content) <= _LONGEST:
            parts.append(section(path.stem.replace("_", " "), _frame(content)))
    return parts


def _settings(record: RunRecord) -> str:
    rows = [(key, str(value)) for key, value in record.settings.items()]
    return f"<details><summary>Settings</summary>{table(('key', 'value'), rows)}</details>" if rows else ""


def _frame(frame: pd.DataFrame) -> str:
    heads = [str(name).replace("_pct", ", %").replace("_", " ") for name in frame.columns]
    return table(heads, [_texts(row) for row in frame.itertuples(index=False)])


def _texts(row: Sequence[Any]) -> list[str]:
    return [_number(value) for value in row]


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if pd.isna(value):
        return ""
    if value == 0:
        return "0"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.1e}"
