"""One self-contained HTML page with everything that was made."""

from __future__ import annotations

from html import escape

import pandas as pd

from dlopt.papers.engine import formats
from dlopt.papers.engine.run import Made, Reproduction
from dlopt.papers.engine.study import CERTIFIED, NOT_SOLVED
from dlopt.papers.engine.targets import Table
from dlopt.views.report.html import cells, document, picture

_RUN_COLUMNS = {
    "title": "solved", "variant": "variant", "status": "status", "seconds": "seconds", "from_cache": "from cache",
    "equilibrium_residual": "equilibrium", "first_order_residual": "first order",
    "best_response_gain_pct": "gain, %", "at_bound": "at bound", "instruments": "instruments",
    "hjb_residual_rel": "residual / rho V", "value_gap_pct": "value gap, %",
}  # fmt: skip


def page(done: Reproduction, introduction: str) -> str:
    """The page; its pictures are inside it."""
    links = "".join(f'<li><a href="#{m.target}">{escape(m.title)}</a></li>' for m in done.made)
    body = "\n".join(_section(made) for made in done.made)
    return document(
        "dlopt reproduce",
        f"<h1>Published and computed</h1>\n<p>{escape(introduction)}</p>\n"
        f'<ul>{links}<li><a href="#runs">Solutions and certificates</a></li></ul>\n{body}\n{_runs(done.runs)}',
    )


def _section(made: Made) -> str:
    head = f'<section id="{made.target}"><h2>{escape(made.title)}</h2>'
    note = f'<p class="note">{escape(made.note)}</p></section>'
    if made.table is None:
        return f'{head}<p class="bad">This calibration cannot show it.</p>{note}'
    if made.layout is None:
        return f"{head}{picture(made.stem.with_suffix('.png').read_bytes(), made.title)}{note}"
    marked = made.table[~made.table["status"].isin([CERTIFIED, NOT_SOLVED])]
    words = [f"{s}: {', '.join(sorted(set(part['variant'])))}" for s, part in marked.groupby("status")]
    warning = f'<p class="bad">{escape("; ".join(words))}</p>' if words else ""
    return f"{head}{_table(made.table, made.layout)}{_evidence(made.table)}{warning}{note}"


def _table(table: pd.DataFrame, layout: Table) -> str:
    heads = formats.header(table)
    rows, last = [], None
    for column, row in formats.lines(table, layout.form, layout.rms):
        if column != last:
            rows.append(f'<tr class="group"><td colspan="{len(heads)}">{escape(column)}</td></tr>')
            last = column
        kind = ' class="rms"' if row[0] == "rms difference" else ""
        rows.append(f"<tr{kind}>{cells('td', row)}</tr>")
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _evidence(table: pd.DataFrame) -> str:
    if "evidence" not in table:
        return ""
    rows = "".join(
        f'<tr><td>{escape(line["row"])}</td><td class="text">{escape(line["variant"])}</td>'
        f'<td class="text">{escape(line["evidence"])}</td></tr>'
        for line in table.to_dict("records")
    )
    return f"<details><summary>Evidence</summary><table><tbody>{rows}</tbody></table></details>"


def _runs(runs: pd.DataFrame) -> str:
    if not len(runs):
        return ""
    shown = runs.reindex(columns=list(_RUN_COLUMNS))
    rows = "".join(f"<tr>{cells('td', [_text(v) for v in line])}</tr>" for line in shown.itertuples(index=False))
    heads = cells("th", list(_RUN_COLUMNS.values()))
    return (
        '<section id="runs"><h2>Solutions and certificates</h2><p class="note">Residuals are the largest in absolute '
        "value; the gain is the largest any player finds by re-optimising alone from other starts. Seconds are "
        "processor time of the solve, whenever it was done. The last two columns are of the second paper.</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if pd.isna(value):
            return ""
        return (
            f"{value:.0f}"
            if value == int(value) and abs(value) < 1e6
            else f"{value:.1f}"
            if value > 0.1
            else f"{value:.0e}"
        )
    return str(value)
